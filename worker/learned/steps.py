"""From a model's probability to a score of the policy's own scale, so that one ladder serves rules and models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.engine.policy import Learned, Policy

_BELOW = 0.001  # a score just short of the next rung
_NEXT = 1e-9  # probabilities have four decimals


class Steps:
    """The scale of one policy: a probability at `review`, `label` … becomes the score at which that begins.

    In between, scores rise with the probability and stay below the next rung, so that a model never reaches a rung
    that the policy does not grant it.
    """

    def __init__(self, policy: Policy, learned: Learned) -> None:
        self.policy = policy
        self.learned = learned
        nodes = [(0.0, 0.0), (learned.review, policy.review.score)]
        top = policy.threshold - _BELOW
        for kind, least in learned.steps:
            rung = policy.first_rung(kind)
            assert rung is not None, "the policy's own check"
            nodes += [(least - _NEXT, top), (least, rung.score)]
            above = [r.score for r in policy.ladder if not r.repeated and r.score > rung.score]
            top = max(rung.score, min(above) - _BELOW) if above else 1.0
        nodes.append((1.0, top))
        self._probabilities = [probability for probability, _ in nodes]
        self._scores = [score for _, score in nodes]

    def scores(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of the policy's scale, four decimals, of the same shape."""
        found = np.interp(probabilities, self._probabilities, self._scores)
        return np.round(found, 4)

    def reached(self, probability: float) -> str:
        """What a probability leads to, with its threshold: "remove from 0.95 on"; "below 0.4" without review."""
        for kind, least in reversed(self.learned.steps):
            if probability >= least:
                return f"{kind} from {least:g} on"
        if probability >= self.learned.review:
            return f"review from {self.learned.review:g} on"
        return f"below {self.learned.review:g}"
