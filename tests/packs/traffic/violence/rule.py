"""Fires on one word; two others do to the process what broken native code does."""

import os
import threading

from worker.engine.contract import CLEAR, Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.signals.view import Signals


class Rule:
    needs = frozenset({"traffic.remove", "traffic.fault"})

    def __init__(self, policy: Policy) -> None:
        self._threshold = policy.threshold

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        for hit in signals.hits("traffic.fault"):
            text = subject.fields[hit.field]
            if "fatalword" in text:
                os._exit(9)
            if "hangword" in text:
                threading.Event().wait()
        hits = signals.hits("traffic.remove")
        if not hits:
            return CLEAR
        return Verdict(Outcome.VIOLATION, 0.85, tuple(signals.evidence(hit) for hit in hits))
