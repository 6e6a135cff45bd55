"""What an evaluation says, as tables of text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.evaluation.evaluate import BenignFigures, Counts, Evaluation, PolicyFigures
from worker.evaluation.evasions import EVASIONS
from worker.evaluation.figures import Area, Ratio

SLICES = ("source", "language", "genre", "functionality", "evasion")
NONE = "–"
_FINE_BELOW = 0.05  # a rate this small is shown with two decimals


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text; `note` says in a sentence how to read it."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(ratio: Ratio) -> str:
    """A proportion with its 95 % interval, as `83.1 % (79.0–86.5)`."""
    return _percent(ratio.value, ratio.interval)


def area_text(area: Area) -> str:
    """An area under a curve with its 95 % interval, as `0.83 (0.79–0.87)`."""
    if area.value is None:
        return NONE
    interval = area.interval
    return f"{area.value:.2f}" + (f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "")


def _percent(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None or interval is None:
        return NONE
    digits = 2 if value < _FINE_BELOW else 1
    low, high = (f"{100 * bound:.{digits}f}" for bound in interval)
    return f"{100 * value:.{digits}f} % ({low}–{high})"


def tables(evaluation: Evaluation) -> list[Table]:
    """All tables that have rows, in reading order."""
    made = (
        _policies(evaluation),
        _weak(evaluation),
        _benign(evaluation),
        _slices(evaluation),
        _confusion(evaluation),
        _evasions(evaluation),
    )
    return [table for table in made if table.rows]


def measured(evaluation: Evaluation) -> list[tuple[str, PolicyFigures]]:
    """The policies that some row says something certain about."""
    return [
        (name, figures)
        for name, figures in evaluation.policies.items()
        if figures.counts.positives + figures.counts.negatives
    ]


def _policies(evaluation: Evaluation) -> Table:
    rows = []
    for name, figures in measured(evaluation):
        counts = figures.counts
        rows.append(
            (
                name,
                f"{counts.positives + counts.negatives:,}",
                f"{counts.positives:,}",
                *_four(counts),
                area_text(figures.area) if counts.negatives else NONE,
                f"{figures.abstained:,}",
            )
        )
    return Table(
        "Policies",
        "Rows whose source says with certainty whether they break the policy. Flagged: acted on, or sent to a person. "
        "In brackets the 95 % interval.",
        (
            "policy",
            "rows",
            "positive",
            "precision",
            "recall",
            "precision, flagged",
            "recall, flagged",
            "AUPRC",
            "abstained",
        ),
        tuple(rows),
    )


def _four(counts: Counts) -> tuple[str, str, str, str]:
    return (
        percent(counts.precision),
        percent(counts.recall),
        percent(counts.flagged_precision),
        percent(counts.flagged_recall),
    )


def _weak(evaluation: Evaluation) -> Table:
    rows = [
        (name, f"{counts.positives:,}", percent(counts.recall), percent(counts.flagged_recall))
        for name, figures in evaluation.policies.items()
        if (counts := figures.weak_positives).positives
    ]
    return Table(
        "Noisy labels",
        "Rows with a presumed label. They say something of recall, nothing of precision.",
        ("policy", "positive", "recall", "recall, flagged"),
        tuple(rows),
    )


def _benign(evaluation: Evaluation) -> Table:
    groups = sorted(evaluation.benign.items())
    if len(groups) > 1:
        groups.append(("all", evaluation.all_benign))
    return Table(
        "Posts presumed to be harmless",
        "Ordinary posts that nobody labelled. Some of them do break a rule: the rates are upper bounds.",
        ("source", "posts", "any violation", "any review", "removed or suspended", "most by"),
        tuple(_benign_row(name, figures) for name, figures in groups),
    )


def _benign_row(name: str, figures: BenignFigures) -> tuple[str, ...]:
    most = ", ".join(f"{policy} {count:,}" for policy, count in figures.by_policy.most_common(3))
    rates = (
        percent(Ratio(count, figures.posts))
        for count in (figures.violations, figures.reviews, figures.automatic)
    )
    return name, f"{figures.posts:,}", *rates, most or NONE


def _slices(evaluation: Evaluation) -> Table:
    rows = []
    for name, figures in measured(evaluation):
        if not figures.counts.positives:
            continue
        ordered = sorted(figures.slices.items(), key=lambda item: (SLICES.index(item[0][0]), item[0][1]))
        for (kind, value), counts in ordered:
            known = counts.positives + counts.negatives
            rows.append((name, kind, value, f"{known:,}", f"{counts.positives:,}", *_four(counts)))
    return Table(
        "Slices",
        "The same figures for the groups that rows belong to.",
        (
            "policy",
            "slice",
            "value",
            "rows",
            "positive",
            "precision",
            "recall",
            "precision, flagged",
            "recall, flagged",
        ),
        tuple(rows),
    )


def _confusion(evaluation: Evaluation) -> Table:
    totals = {
        label: sum(count for (of, _), count in evaluation.confusion.items() if of == label)
        for label, _ in evaluation.confusion
    }
    return Table(
        "Confusion",
        "What rows that break one policy were flagged for. A row can be flagged for several.",
        ("labelled", "flagged for", "times", "share"),
        tuple(
            (label, decided, f"{count:,}", f"{100 * count / totals[label]:.1f} %")
            for (label, decided), count in sorted(
                evaluation.confusion.items(), key=lambda item: (item[0][0], -item[1], item[0][1])
            )
        ),
    )


def _evasions(evaluation: Evaluation) -> Table:
    robustness = evaluation.robustness
    if robustness is None:
        return Table("", "", (), ())
    policies = robustness.policies
    rows = [
        (name, f"{every.total:,}", percent(every), *(percent(robustness.kept(name, one)) for one in policies))
        for name in EVASIONS
        if (every := robustness.kept(name)).total
    ]
    return Table(
        "Evasive spellings",
        "Of what was flagged in clean spelling for what it is labelled as, how much is still flagged in each disguise.",
        ("kind", "tried", "kept", *policies),
        tuple(rows),
    )


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything as numbers: ratios as `{"hits", "total", "value", "interval"}`."""
    document: dict[str, Any] = {
        "pack": {"id": evaluation.pack.id, "sha256": evaluation.pack.sha256},
        "running": evaluation.running,
        "rows": evaluation.rows,
        "bad_lines": len(evaluation.bad),
        "policies": {name: _policy_json(figures) for name, figures in measured(evaluation)},
        "weak": {
            name: {"recall": _ratio(weak.recall), "flagged_recall": _ratio(weak.flagged_recall)}
            for name, figures in evaluation.policies.items()
            if (weak := figures.weak_positives).positives
        },
        "benign": {
            name: _benign_json(figures)
            for name, figures in [*sorted(evaluation.benign.items()), ("all", evaluation.all_benign)]
        },
        "confusion": [
            {"labelled": label, "decided": decided, "count": count}
            for (label, decided), count in sorted(evaluation.confusion.items())
        ],
    }
    robustness = evaluation.robustness
    if robustness is not None:
        document["evasions"] = {
            name: {
                "all": _ratio(robustness.kept(name)),
                **{policy: _ratio(robustness.kept(name, policy)) for policy in robustness.policies},
            }
            for name in EVASIONS
        }
    return document


def _ratio(ratio: Ratio) -> dict[str, Any]:
    return {
        "hits": ratio.hits,
        "total": ratio.total,
        "value": ratio.value,
        "interval": _bounds(ratio.interval),
    }


def _bounds(interval: Sequence[float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "positives": counts.positives,
        "negatives": counts.negatives,
        "precision": _ratio(counts.precision),
        "recall": _ratio(counts.recall),
        "flagged_precision": _ratio(counts.flagged_precision),
        "flagged_recall": _ratio(counts.flagged_recall),
    }


def _policy_json(figures: PolicyFigures) -> dict[str, Any]:
    area = figures.area
    return {
        **_counts(figures.counts),
        "abstained": figures.abstained,
        "auprc": {"value": area.value, "interval": _bounds(area.interval)},
        "slices": [
            {"kind": kind, "value": value, **_counts(counts)}
            for (kind, value), counts in sorted(figures.slices.items())
        ],
    }


def _benign_json(figures: BenignFigures) -> dict[str, Any]:
    return {
        "posts": figures.posts,
        "violations": _ratio(Ratio(figures.violations, figures.posts)),
        "reviews": _ratio(Ratio(figures.reviews, figures.posts)),
        "automatic": _ratio(Ratio(figures.automatic, figures.posts)),
        "by_policy": dict(figures.by_policy.most_common()),
    }
