"""Fires with the score of the strongest word; some words make the rule misbehave, as foreign code does."""

import os
import threading

from worker.engine.contract import CLEAR, Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.signals.view import Signals

WORDS = ("plain.doubt", "plain.label", "plain.remove", "plain.suspend", "plain.anywhere")


class Rule:
    needs = frozenset({*WORDS, "plain.fault"})

    def __init__(self, policy: Policy) -> None:
        self._threshold = policy.threshold

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        text = " ".join(subject.fields.values())
        if "fatalword" in text:
            os._exit(9)
        if "hangword" in text:
            threading.Event().wait()
        if "faultyword" in text:
            raise RuntimeError("as foreign code does")
        if "nonsenseword" in text:
            return Verdict(Outcome.VIOLATION, 0.9)
        hits = signals.hits(*WORDS)
        if not hits:
            return CLEAR
        score = max(hit.score for hit in hits)
        outcome = Outcome.VIOLATION if score >= self._threshold else Outcome.CLEAR
        return Verdict(outcome, score, tuple(signals.evidence(hit) for hit in hits))
