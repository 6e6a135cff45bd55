"""Fires on one word."""

from worker.engine.contract import Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.signals.view import Signals


class Rule:
    needs = frozenset({"shadow.word"})

    def __init__(self, policy: Policy) -> None:
        pass

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        hits = signals.hits("shadow.word")
        return Verdict(Outcome.VIOLATION, 0.9, tuple(signals.evidence(hit) for hit in hits))
