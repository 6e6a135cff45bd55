"""What the models are worth: per source and policy beside the n-gram baseline, the cascade, bias, evasions, learning.

All of it on rows that nothing was trained on. Writes `evaluation.json` and the tables of the model cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from training.data import HEADS, Example, matrices, prepared
from worker.evaluation.evasions import EVASIONS
from worker.evaluation.figures import Ratio

Matrix = NDArray[np.float64]
LEAST_POSITIVES = 8
DRAWS = 200


def area(truth: NDArray[np.bool_], scores: NDArray[np.floating], seed: int = 5) -> tuple[float, float, float]:
    """Average precision with a 95 % bootstrap interval."""
    value = float(average_precision_score(truth, scores))
    dice = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        rows = dice.integers(0, len(truth), len(truth))
        if truth[rows].any():
            drawn.append(average_precision_score(truth[rows], scores[rows]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return value, float(low), float(high)


def slices(examples: Sequence[Example]) -> dict[str, NDArray[np.int64]]:
    """Rows of each source; of the corpus also those of each policy's own pairs."""
    found: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        found.setdefault(example.source, []).append(row)
        if example.source == "corpus":
            found.setdefault(f"pairs: {example.slices['policy']}", []).append(row)
    return {name: np.array(rows) for name, rows in found.items()}


def areas(examples: Sequence[Example], scores: Mapping[str, NDArray[np.floating]]) -> list[dict[str, Any]]:
    """Average precision of every model for each slice and policy with enough rows that are known for certain."""
    targets, weights = matrices(examples)
    found = []
    for name, rows in sorted(slices(examples).items()):
        for column, head in enumerate(HEADS):
            if name.startswith("pairs: ") and name != f"pairs: {head}":
                continue
            known = rows[weights[rows, column] > (0.05 if name != "corpus" else 0.0)]
            truth = targets[known, column] >= 0.5
            if truth.sum() < LEAST_POSITIVES or (~truth).sum() < LEAST_POSITIVES:
                continue
            figures = {model: area(truth, values[known, column]) for model, values in scores.items()}
            found.append(
                {
                    "slice": name,
                    "head": head,
                    "rows": len(known),
                    "positives": int(truth.sum()),
                    "areas": figures,
                }
            )
    return found


def flagged(
    examples: Sequence[Example], scores: Matrix, levels: Mapping[str, NDArray[np.floating]]
) -> dict[str, dict[str, float]]:
    """For each source and step, the share of its rows that any policy's threshold catches."""
    return {
        name: {step: float((scores[rows] >= level).any(1).mean()) for step, level in levels.items()}
        for name, rows in sorted(slices(examples).items())
    }


def caught(examples: Sequence[Example], scores: Matrix, level: NDArray[np.floating]) -> dict[str, Ratio]:
    """For each policy, how many of its certain violations its threshold catches."""
    targets, weights = matrices(examples)
    found = {}
    for column, head in enumerate(HEADS):
        rows = (weights[:, column] > 0.05) & (targets[:, column] >= 0.5)
        found[head] = Ratio(int((scores[rows, column] >= level[column]).sum()), int(rows.sum()))
    return found


def precision(examples: Sequence[Example], scores: Matrix, level: NDArray[np.floating]) -> dict[str, Ratio]:
    """For each policy, how many of the rows that its threshold catches, and of which the truth is known, break it."""
    targets, weights = matrices(examples)
    found = {}
    for column, head in enumerate(HEADS):
        rows = (weights[:, column] > 0.05) & (scores[:, column] >= level[column])
        found[head] = Ratio(int((targets[rows, column] >= 0.5).sum()), int(rows.sum()))
    return found


def cascade(fast: Matrix, second: Matrix, band: NDArray[np.floating], review: NDArray[np.floating]) -> Matrix:
    """What the worker decides by: the second model's scores where any band is reached, else less than a review."""
    inside = (fast >= band).any(1)
    capped = np.minimum(fast, np.maximum(review - 1e-4, 0.0))
    return np.where(inside[:, None], second, capped)


def per_group(groups: Sequence[str], scores: Matrix, level: NDArray[np.floating]) -> dict[str, Ratio]:
    """For each group, how many of its acceptable statements any policy catches."""
    hit = (scores >= level).any(1)
    names = np.array(groups)
    return {
        name: Ratio(int(hit[names == name].sum()), int((names == name).sum())) for name in sorted(set(groups))
    }


def functions(
    rows: Sequence[Mapping[str, str]], scores: NDArray[np.floating], level: float
) -> dict[str, Any]:
    """How often the second model is right about hate, by what a statement does (`hateful` says what is right)."""
    hateful = np.array([row["hateful"] == "yes" for row in rows])
    right = (scores >= level) == hateful
    found: dict[str, Any] = {"area": area(hateful, scores), "right": Ratio(int(right.sum()), len(right))}
    found["by"] = {
        f"{name} ({'hateful' if is_hateful else 'not hateful'})": Ratio(int(right[own].sum()), int(own.sum()))
        for name, is_hateful in sorted({(row["function"], row["hateful"] == "yes") for row in rows})
        for own in [
            np.array([(row["function"], row["hateful"] == "yes") == (name, is_hateful) for row in rows])
        ]
    }
    return found


def disguised(examples: Sequence[Example], kind: str) -> list[str]:
    """The texts of rows in one kind of disguise, prepared for the models."""
    return [prepared(EVASIONS[kind].apply(example.text, 5)) for example in examples]


def curve(
    train: Sequence[Example],
    embeddings: NDArray[np.floating],
    dev: Sequence[Example],
    of_dev: NDArray[np.floating],
    seed: int = 5,
) -> list[dict[str, Any]]:
    """The learning curve: a linear layer over frozen embeddings, on shares of the authored pairs."""
    pairs = sorted({example.pair for example in train})
    dice = np.random.default_rng(seed)
    dice.shuffle(pairs)
    targets, weights = matrices(train)
    dev_targets, dev_weights = matrices(dev)
    found = []
    for share in (0.25, 0.5, 1.0):
        chosen = frozenset(pairs[: int(share * len(pairs))])
        rows = np.array([example.pair in chosen for example in train])
        areas_of = {}
        for column, head in enumerate(HEADS):
            use = rows & (weights[:, column] > 0)
            known = dev_weights[:, column] > 0
            truth = dev_targets[known, column] >= 0.5
            if truth.sum() < LEAST_POSITIVES or not (targets[use, column] > 0).any():
                continue
            model = LogisticRegression(C=1.0, max_iter=300)
            model.fit(embeddings[use], targets[use, column] >= 0.5, sample_weight=weights[use, column])
            areas_of[head] = float(average_precision_score(truth, model.decision_function(of_dev[known])))
        found.append({"share": share, "pairs": len(chosen), "areas": areas_of})
    return found
