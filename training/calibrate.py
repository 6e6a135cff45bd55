"""From logits to probabilities, and from probabilities to thresholds.

Thresholds are set by how many ordinary posts they would catch: each policy gets a share of what all policies together
may catch. The fast model's band begins low enough to keep what the second model would act on, and high enough that
few ordinary posts lie in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data import HEADS

Matrix = NDArray[np.float64]
Calibration = list[tuple[float, float]]

PRIOR_ROWS = 30.0  # how many rows of a head's own outweigh what holds for all heads together
BUDGETS: Mapping[str, float] = {"review": 0.008, "label": 0.002, "remove": 0.00013}
"""The share of ordinary posts that all policies together may catch at each step."""
FLOORS: Mapping[str, float] = {"review": 0.3, "label": 0.5, "remove": 0.8}
FINE_TIMES: Mapping[str, float] = {"review": 20.0, "label": 8.0, "remove": 5.0}
"""How many times that share of the authored hard negatives it may be: they are chosen to look bad."""
BAND_BUDGET = 0.03
BAND_CHOICES = (0.01, 0.02, 0.03, 0.05)  # reported beside it
BAND_KEEPS = 0.97
SHARES: Mapping[str, float] = {
    "hateful-conduct": 20.0, "abuse-harassment": 9.0, "violence": 4.0, "platform-manipulation": 4.0,
    "suicide-self-harm": 3.0,
}  # fmt: skip
"""Policies that ordinary posts break more often get more of what may be caught; 1 for the others."""


def probabilities(logits: NDArray[np.floating], calibration: Sequence[Sequence[float]]) -> Matrix:
    """As the worker makes them, with four decimals."""
    slope, shift = np.asarray(calibration, np.float64).T
    return np.round(1.0 / (1.0 + np.exp(-np.clip(logits * slope + shift, -60.0, 60.0))), 4)


def platt(
    logits: NDArray[np.floating], targets: NDArray[np.floating], weights: NDArray[np.floating]
) -> Calibration:
    """`(a, b)` for each head, so that `sigmoid(a * logit + b)` is a probability (Platt 1999), by Newton's method.

    Heads with few rows lean on what fits all heads together.
    """
    known = weights > 0
    pooled = _fit(logits[known], targets[known], weights[known], (1.0, 0.0), 1.0)
    found = []
    for head in range(logits.shape[1]):
        rows = known[:, head]
        found.append(
            _fit(logits[rows, head], targets[rows, head], weights[rows, head], pooled, PRIOR_ROWS)
            if targets[rows, head].any()
            else pooled
        )
    return found


def _fit(
    logits: NDArray[np.floating],
    targets: NDArray[np.floating],
    weights: NDArray[np.floating],
    prior: tuple[float, float],
    strength: float,
) -> tuple[float, float]:
    x = np.stack([logits, np.ones_like(logits)], 1).astype(np.float64)
    centre = np.array(prior)
    stiff = np.diag([strength, strength * 0.1])
    beta = centre.copy()
    for _ in range(40):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ beta, -30, 30)))
        slope = x.T @ (weights * (p - targets)) + stiff @ (beta - centre)
        bend = (x * (weights * p * (1 - p))[:, None]).T @ x + stiff
        step = np.linalg.solve(bend, slope)
        beta -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-8:
            break
    return float(max(beta[0], 0.05)), float(beta[1])


def reliability(
    scores: NDArray[np.floating], targets: NDArray[np.floating], weights: NDArray[np.floating], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Mean score, share of positives and number of rows in each tenth; empty ones left out."""
    places = np.minimum((scores * bins).astype(int), bins - 1)
    rows = []
    for place in range(bins):
        inside = (places == place) & (weights > 0)
        if inside.any():
            w = weights[inside]
            rows.append(
                (
                    float((scores[inside] * w).sum() / w.sum()),
                    float((targets[inside] * w).sum() / w.sum()),
                    int(inside.sum()),
                )
            )
    return rows


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one policy: where the fast model's band begins, and what the second model's probability leads to.

    Nobody is suspended on a model's word.
    """

    band: float
    review: float
    label: float | None
    remove: float | None


def steps(ordinary: Matrix, fine: Matrix) -> dict[str, NDArray[np.float64]]:
    """For each step, a threshold a head: what all heads catch of ordinary posts stays within the step's budget.

    `ordinary` and `fine` hold the second model's probabilities for ordinary posts and for authored hard negatives;
    of the latter a step may catch `FINE_TIMES` the share.
    """
    shares = np.array([SHARES.get(head, 1.0) for head in HEADS])
    found: dict[str, NDArray[np.float64]] = {}
    before = np.zeros(len(HEADS))
    for name, budget in BUDGETS.items():
        # Heads catch some of the same posts, and counts are whole: take as much as keeps to the budget.
        for factor in (4.0, 3.0, 2.5, 2.0, 1.7, 1.5, 1.3, 1.15, 1.0):
            own = factor * budget * shares / shares.sum()
            least = [
                max(
                    _tail(ordinary[:, head], own[head]),
                    _tail(fine[:, head], min(1.0, FINE_TIMES[name] * own[head])),
                )
                for head in range(len(HEADS))
            ]
            level = np.maximum.reduce([np.array(least), before, np.full(len(HEADS), FLOORS[name])])
            if (ordinary >= level).any(1).mean() <= budget and (fine >= level).any(1).mean() <= FINE_TIMES[
                name
            ] * budget:
                break
        found[name] = before = np.minimum(level, 0.9999)
    return found


def _tail(scores: NDArray[np.float64], share: float) -> float:
    """The lowest threshold that no more than this share of the scores reach."""
    count = int(share * len(scores))
    ordered = np.sort(scores)[::-1]
    return float(ordered[count]) + 1e-4 if count < len(ordered) else 0.0


def bands(
    fast_ordinary: Matrix,
    fast_acted: Matrix,
    acted: NDArray[np.bool_],
    right: NDArray[np.bool_],
    budget: float = BAND_BUDGET,
) -> tuple[NDArray[np.float64], float, float]:
    """Where each head's band begins, the share of ordinary posts in any band, and the share of acted on posts kept.

    `acted` says which rows of `fast_acted` the second model would act on, a column a head, `right` where that would
    be right: the others are worth less. The second model reads every head of a
    post that lies in any band. Bands begin where each head keeps `BAND_KEEPS` of its own; then, while too many
    ordinary posts lie in them, the head is raised for which that loses least for each post that it frees.
    """
    heads = fast_ordinary.shape[1]
    floor = np.full(heads, 0.5)
    for head in range(heads):
        own = np.sort(fast_acted[acted[:, head], head])
        if len(own):
            floor[head] = max(own[int((1 - BAND_KEEPS) * len(own))], 0.005)
    # A head with many rows must not push all others out, nor one with few rows hold all places.
    weights = (acted * np.where(right, 1.0, 0.2) / np.sqrt((acted & right).sum(0).clip(9))).sum(1)
    allowed = int(budget * len(fast_ordinary))
    grid = np.unique(np.concatenate([np.geomspace(0.005, 0.95, 100), 1.0 - np.geomspace(0.001, 0.5, 60)]))
    ordinary_hits, acted_hits = fast_ordinary >= floor, fast_acted >= floor
    while ordinary_hits.any(1).sum() > allowed:
        best: tuple[float, int, float] | None = None
        alone, alone_acted = ordinary_hits.sum(1) == 1, acted_hits.sum(1) == 1
        for head in range(heads):
            freed_of = np.sort(fast_ordinary[alone & ordinary_hits[:, head], head])
            mine = alone_acted & acted_hits[:, head]
            lost_of, lost_weights = fast_acted[mine, head], weights[mine]
            for level in grid[grid > floor[head]]:
                freed = int(np.searchsorted(freed_of, level))
                if freed < 1:
                    continue
                price = (float(lost_weights[lost_of < level].sum()) + 1e-6) / freed
                if best is None or price < best[0]:
                    best = (price, head, float(level))
                if freed > 40:
                    break
        if best is None:  # only posts that lie in several bands are left
            floor = np.minimum(floor * 1.05, 0.9999)
        else:
            floor[best[1]] = best[2]
        ordinary_hits, acted_hits = fast_ordinary >= floor, fast_acted >= floor
        if floor.min() >= 0.9999:
            break
    floor = np.ceil(np.minimum(floor, 0.9999) * 1e4) / 1e4
    kept = (acted & (fast_acted >= floor).any(1)[:, None]).sum() / max(1, acted.sum())
    return floor, float((fast_ordinary >= floor).any(1).mean()), float(kept)


def table(band: NDArray[np.float64], levels: Mapping[str, NDArray[np.float64]]) -> dict[str, Thresholds]:
    """Thresholds of each policy, rising strictly and below 1; steps that no probability could reach are left out.

    Nothing but a review follows for `suicide-self-harm`: whoever is at risk is helped.
    """
    found = {}
    for place, head in enumerate(HEADS):
        values: dict[str, float | None] = {}
        before = 0.0
        for name in BUDGETS:
            level = max(float(levels[name][place]), before + 0.0005)
            helped = head == "suicide-self-harm" and name != "review"
            values[name] = None if helped or level > 0.9995 else round(level, 4)
            before = level
        review = values.pop("review")
        found[head] = Thresholds(
            band=float(band[place]), review=review if review is not None else 0.9995, **values
        )
    return found
