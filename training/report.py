"""The tables of the model cards, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.data import HEADS
from worker.evaluation.figures import Ratio

FIGURES = "<!-- figures: everything below is written by `python -m training evaluate` -->\n"


def renewed(card: str, figures: str) -> str:
    """A model card with its figures replaced; what stands above their mark is kept."""
    return f"{card.partition(FIGURES)[0].rstrip()}\n\n{FIGURES}\n{figures}"


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; figures to the right."""
    lines = ["| " + " | ".join(names) + " |", "|---" + "|---:" * (len(names) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def ratio(pair: Sequence[int]) -> str:
    """A proportion with its interval and the number of cases; a dash without cases."""
    found = Ratio(pair[0], pair[1])
    if found.value is None or found.interval is None:
        return "–"
    low, high = found.interval
    return f"{percent(found.value, 0)} ({100 * low:.0f}–{100 * high:.0f}; n = {found.total})"


def _areas(result: Mapping[str, Any], models: Sequence[str]) -> str:
    rows = []
    for entry in result["areas"]:
        figures = [
            f"{v:.3f} ({low:.2f}–{high:.2f})" for v, low, high in (entry["areas"][name] for name in models)
        ]
        rows.append([entry["slice"], entry["head"], entry["rows"], entry["positives"], *figures])
    return table(["rows from", "policy", "rows", "positives", *models], rows)


def _flagged(result: Mapping[str, Any], model: str) -> str:
    rows = []
    for name, shares in result["flagged"][model].items():
        if not name.startswith("pairs"):
            rows.append(
                [
                    name,
                    *(percent(shares[step], 2) for step in shares),
                    percent(result["band"][name]["band"], 2),
                ]
            )
    return table(["rows from", "review", "label", "remove", "in the band"], rows)


def _heads(result: Mapping[str, Any]) -> str:
    thresholds = result["thresholds"]
    rows = []
    for head in HEADS:
        own = thresholds[head]
        both = [result["caught"][model]["review"][head] for model in ("second", "cascade")]
        lost = percent(1 - both[1][0] / both[0][0]) if both[0][0] else "–"
        rows.append(
            [
                head,
                *(
                    own.get(step) if own.get(step) is not None else "–"
                    for step in ("band", "review", "label", "remove")
                ),
                *map(ratio, both),
                lost,
                ratio(result["caught"]["cascade"]["label"][head]),
                ratio(result["precision"]["review"][head]),
                ratio(result["precision"]["label"][head]),
            ]
        )
    return table(
        [
            "policy", "band", "review", "label", "remove", "second alone finds", "cascade finds", "lost",
            "cascade labels", "precision, review", "precision, label",
        ],
        rows,
    )  # fmt: skip


def _identity(result: Mapping[str, Any]) -> str:
    parts = []
    for kind in ("group", "category", "dialect"):
        second, cascade = (result["identity"][model] for model in ("second", "cascade"))
        names = sorted(second["label"][kind])
        rows = [
            [
                name,
                *(
                    ratio(model[step][kind][name])
                    for model in (second, cascade)
                    for step in ("review", "label")
                ),
            ]
            for name in names
        ]
        parts.append(
            table([kind, "second: review", "second: label", "cascade: review", "cascade: label"], rows)
        )
    return "\n".join(parts)


def _written(result: Mapping[str, Any]) -> str:
    written = result["written"]
    parts = []
    both = [written[f"functions, {step}"] for step in ("review", "label")]
    area, low, high = both[0]["area"]
    parts.append(
        f"What a statement about a group does (`training/measuring/functions.tsv`): average precision {area:.3f} "
        f"({low:.2f}–{high:.2f}); right at the threshold for review {ratio(both[0]['right'])}, for a label "
        f"{ratio(both[1]['right'])}.\n"
    )
    rows = [[name, *(ratio(each["by"][name]) for each in both)] for name in both[0]["by"]]
    parts.append(table(["function", "right at review", "right at label"], rows))
    rows = [
        [
            head,
            each["positives"],
            *(f"{value:.3f} ({low:.2f}–{high:.2f})" for value, low, high in each["areas"].values()),
        ]
        for head, each in written["mixed"].items()
    ]
    parts.append("Posts of all policies mixed (`mixed.tsv`):\n")
    parts.append(table(["policy", "positives", "second", "cascade"], rows))
    rows = [[name, *map(ratio, written[name].values())] for name in ("nothing broken", "safe questions")]
    parts.append(
        "Wrongly caught: posts of `mixed.tsv` that break nothing, by the cascade; safe questions of "
    )
    parts.append("`prompts.tsv`, by the second model:\n")
    parts.append(table(["rows", "review", "label", "remove"], rows))
    return "\n".join(parts)


def _reliability(result: Mapping[str, Any], model: str) -> str:
    rows = []
    for head in HEADS:
        points = result["calibration"][model]["reliability"][head]
        rows.append([head, ", ".join(f"{score:.2f}→{share:.2f} ({count})" for score, share, count in points)])
    return table(["policy", "mean score → share of violations (rows)"], rows)


def tables(result: Mapping[str, Any]) -> dict[str, str]:
    """The generated part of each model's card."""
    evasions = table(
        ["disguise", "kept of what is found in clean spelling"],
        [[k, percent(v)] for k, v in result["evasions"].items()],
    )
    curve = result["curve"]
    rows = [
        [head, *(f"{step['areas'][head]:.3f}" if head in step["areas"] else "–" for step in curve)]
        for head in HEADS
    ]
    learning = table(
        ["policy", *(f"{percent(step['share'], 0)} ({step['pairs']} pairs)" for step in curve)], rows
    )
    identity = _identity(result) if result["identity"] else "No statements were there to measure on.\n"
    band = result["calibration"]["band"]
    fast = [
        "## Average precision, with 95 % bootstrap intervals\n", _areas(result, ["ngrams", "fast"]),
        "## The band\n",
        f"{percent(band['ordinary_share'], 2)} of ordinary posts lie in it; of what the second model would send to "
        f"review or act on, {percent(band['kept'])} lie in it. Wider and narrower bands:\n",
        table(["ordinary posts in the band", "kept"], [[percent(c["ordinary_share"], 2), percent(c["kept"])] for c in band["choices"]]),
        "## Reliability on dev rows\n", _reliability(result, "fast"),
    ]  # fmt: skip
    second = [
        "## Average precision, with 95 % bootstrap intervals\n", _areas(result, ["ngrams", "fast", "second", "cascade"]),
        "## Thresholds, and what the cascade loses\n", _heads(result),
        "## Rows that any policy catches, by the cascade\n", _flagged(result, "cascade"),
        "## The same, by the second model on every row\n", _flagged(result, "second"),
        "## Neutral and positive statements about groups\n", identity,
        "## Posts written to measure on\n", _written(result),
        "## Disguises\n", evasions,
        "## Learning curve of the authored pairs (average precision of a linear layer over a frozen encoder)\n", learning,
        "## Reliability on dev rows\n", _reliability(result, "second"),
    ]  # fmt: skip
    return {"fast": "\n".join(fast), "second": "\n".join(second)}
