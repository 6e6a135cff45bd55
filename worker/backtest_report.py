"""A backtest as JSON, as tables of text and as one HTML file."""

from __future__ import annotations

from dataclasses import asdict
from html import escape
from importlib.resources import files
from typing import Any

from worker.backtest import Backtest, InForce
from worker.engine.registry import Pack
from worker.evaluation.report import section
from worker.evaluation.summary import Table

_LISTED = 50  # standing actions in a table; --json has all


def as_json(backtest: Backtest, before: Pack, after: Pack) -> dict[str, Any]:
    """Everything that was found."""
    changes = backtest.changes
    only_before, only_after = backtest.standing()
    return {
        "before": {"id": before.id, "sha256": before.sha256},
        "after": {"id": after.id, "sha256": after.sha256},
        "stateful": backtest.stateful,
        "lines": backtest.lines,
        "bad": [{"line": line, "reason": reason} for line, reason in backtest.bad],
        "dead_letters": backtest.dead_letters,
        "compared": changes.compared,
        "changed": changes.changed,
        "outcomes": [
            {"before": was, "after": now, "count": count}
            for (was, now), count in sorted(changes.outcomes.items())
        ],
        "verdicts": [
            {
                "policy": policy,
                "before": was,
                "after": now,
                "count": count,
                "examples": [asdict(example) for example in changes.examples[policy, was, now]],
            }
            for (policy, was, now), count in sorted(changes.verdicts.items())
        ],
        "actions": [
            {
                "policy": policy,
                "kind": kind,
                "how": how,
                "count": count,
                "examples": changes.acted[policy, kind, how],
            }
            for (policy, kind, how), count in sorted(changes.actions.items())
        ],
        "standing": {
            "only_before": [asdict(one) for one in only_before],
            "only_after": [asdict(one) for one in only_after],
        },
    }


def tables(backtest: Backtest) -> list[Table]:
    """What was found, as tables; those without a row are left out."""
    changes = backtest.changes
    only_before, only_after = backtest.standing()
    made = [
        Table(
            "Outcomes",
            "How many records are decided otherwise as a whole.",
            ("before", "after", "records"),
            tuple((was, now, f"{count:,}") for (was, now), count in sorted(changes.outcomes.items())),
        ),
        Table(
            "Verdicts",
            "What each policy says otherwise; from clear to violation are new findings, from violation to clear lost ones.",
            ("policy", "before", "after", "records"),
            tuple((*key, f"{count:,}") for key, count in sorted(changes.verdicts.items())),
        ),
        Table(
            "Actions",
            "What is done otherwise because of one record.",
            ("policy", "kind", "change", "records", "for example"),
            tuple(
                (*key, f"{count:,}", ", ".join(changes.acted[key][:3]))
                for key, count in sorted(changes.actions.items())
            ),
        ),
        Table(
            "Examples",
            "Records that a policy decides otherwise, with its score before and after, and what it saw.",
            ("policy", "change", "record", "before", "after", "evidence"),
            tuple(
                (policy, f"{was} → {now}", one.name, f"{one.score_before:.2f}", f"{one.score_after:.2f}", "; ".join(one.evidence))
                for (policy, was, now), examples in sorted(changes.examples.items())
                for one in examples
            ),
        ),
        _standing("Standing only before", "Actions in force at the end that the pack after would not have left standing.", only_before),
        _standing("Standing only after", "Actions in force at the end that the pack before would not have left standing.", only_after),
    ]  # fmt: skip
    return [table for table in made if table.rows]


def _standing(title: str, note: str, actions: list[InForce]) -> Table:
    more = f" The first {_LISTED} of {len(actions):,}." if len(actions) > _LISTED else ""
    return Table(
        title,
        note + more,
        ("action", "kind", "what", "policy", "version", "subject", "until"),
        tuple(
            (one.action_id, one.kind, one.detail, one.policy, str(one.version), f"{one.subject_type} {one.subject_id}", one.expires_at or "–")
            for one in actions[:_LISTED]
        ),
    )  # fmt: skip


def summary(backtest: Backtest) -> str:
    """One line: how many records were compared and how many are decided otherwise."""
    changes = backtest.changes
    how = "with the state of their accounts" if backtest.stateful else "each as the first of its account"
    return f"{changes.compared:,} records compared, {how}; {changes.changed:,} are decided differently"


def html_report(backtest: Backtest, before: Pack, after: Pack) -> str:
    """The whole document; it loads nothing and runs nothing."""
    css = files("worker.evaluation").joinpath("report.css").read_text("utf-8")
    title = f"From {before.id} to {after.id}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{css}</style></head><body>\n"
        f"<h1>{escape(title)}</h1>"
        f'<p class="dim">{escape(summary(backtest))}. Contents of the packs: {before.sha256[:12]} and {after.sha256[:12]}.</p>\n'
        + "\n".join(section(table) for table in tables(backtest))
        + "\n</body></html>\n"
    )
