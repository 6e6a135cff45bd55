"""Figures with their intervals: proportions by Wilson, areas under precision-recall curves by the logit method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Ratio:
    """`hits` of `total`; the value and its 95 % interval are None where there is nothing to divide."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """The proportion, 0..1."""
        return self.hits / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval (Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953)."""
        if not self.total:
            return None
        n, p = self.total, self.hits / self.total
        middle = (p + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
        reach = _Z / (1 + _Z * _Z / n) * math.sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True, slots=True)
class Area:
    """The area under a precision-recall curve (average precision), None without positives."""

    value: float | None
    positives: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """The logit interval (Boyd, Eng, Page 2013, https://doi.org/10.1007/978-3-642-40994-3_29)."""
        if self.value is None or not 0.0 < self.value < 1.0:
            return None
        centre = math.log(self.value / (1 - self.value))
        reach = _Z / math.sqrt(self.positives * self.value * (1 - self.value))
        return 1 / (1 + math.exp(reach - centre)), 1 / (1 + math.exp(-reach - centre))


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a precision-recall curve: what counts from this score on."""

    score: float
    precision: float
    recall: float


def curve(scored: Sequence[tuple[float, bool]]) -> list[Point]:
    """The precision-recall curve over `(score, is positive)`, from the highest score down.

    Equal scores are one point: which of them comes first must not matter.
    """
    ordered = sorted(scored, key=lambda pair: -pair[0])
    positives = sum(positive for _, positive in ordered)
    points: list[Point] = []
    if not positives:
        return points
    found = 0
    for place, (score, positive) in enumerate(ordered, 1):
        found += positive
        if place == len(ordered) or ordered[place][0] != score:
            points.append(Point(score, found / place, found / positives))
    return points


def area(scored: Sequence[tuple[float, bool]]) -> Area:
    """Average precision: the sum of precision times the gain in recall, without interpolation."""
    total, before = 0.0, 0.0
    points = curve(scored)
    for point in points:
        total += point.precision * (point.recall - before)
        before = point.recall
    return Area(min(total, 1.0) if points else None, sum(positive for _, positive in scored))
