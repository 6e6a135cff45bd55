"""How far the scores of a model have moved from those of ordinary texts: what tells that the world has changed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.learned.cascade import Cascade
    from worker.metrics import Metrics

WINDOW = 20_000  # scores that one figure is made of
_LEAST = 0.0001  # of all; an empty tenth would make the index infinite


def stability_index(found: Sequence[float], expected: Sequence[float]) -> float:
    """The population stability index of two histograms over the same bins: 0 for the same shape.

    Below 0.1 nothing has moved, above 0.25 it has (S. Siddiqi, Credit Risk Scorecards, Wiley 2006). Shares below
    0.01 % count as that much.
    """
    total, wanted = sum(found) or 1.0, sum(expected) or 1.0
    index = 0.0
    for one, other in zip(found, expected, strict=True):
        share, reference = max(one / total, _LEAST), max(other / wanted, _LEAST)
        index += (share - reference) * math.log(share / reference)
    return index


class Drift:
    """Works the index out for each model and policy, anew for every `WINDOW` scores."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], list[float]] = {}

    def report(self, cascade: Cascade, metrics: Metrics) -> None:
        """Reads the counts of scores from the metrics, and sets the gauge where a window is full."""
        for model, reference in cascade.references():
            self._report(model, reference, metrics)

    def _report(self, model: str, reference: Mapping[str, Sequence[int]], metrics: Metrics) -> None:
        for policy, expected in reference.items():
            counts = [
                metrics.value("moderator_model_scores_total", model, policy, f"{tenth / 10:.1f}")
                for tenth in range(len(expected))
            ]
            before = self._before.setdefault((model, policy), [0.0] * len(counts))
            window = [now - then for now, then in zip(counts, before, strict=True)]
            if sum(window) >= WINDOW:
                self._before[model, policy] = counts
                metrics.set_drift(model, policy, stability_index(window, expected))
