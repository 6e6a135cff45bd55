"""`moderator policies diff`: what differs between two packs, and which cases they decide differently."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.cli import describe
from worker.cli.errors import CommandError
from worker.cli.options import AsJson
from worker.cli.output import emit_json, emit_table, say, stdout
from worker.cli.packs import load
from worker.engine.assess import Assessor
from worker.engine.cases import read_cases
from worker.engine.diffing import Difference, differences, unversioned
from worker.engine.registry import Pack
from worker.engine.tomlfile import PackError

_SHOWN = 160  # code points of a value; --json gives all


def diff(
    *,
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="Folder of the pack in force.", show_default=False)
    ],
    new: Annotated[
        Path | None,
        typer.Argument(
            metavar="[NEW]", help="Folder of the other; default: the bundled one.", show_default=False
        ),
    ] = None,
    cases: Annotated[
        bool, typer.Option("--cases/--no-cases", help="Also judge all cases of both packs by both.")
    ] = True,
    json: AsJson = False,
) -> None:
    """Compares two packs: norms, thresholds, ladders, terms, patterns, findings, cases, facts, and verdicts.

    Names policies that could decide differently under an unchanged version: raise it, since it is part of every action id.
    """
    before, after = load(old), load(new)
    try:
        found = differences(before, after)
        changed = _decided_otherwise(before, after) if cases else []
    except PackError as error:
        raise CommandError(
            f"the cases cannot be read:\n{error}", hint="Correct the files named above."
        ) from error
    stale = unversioned(found, before, after)
    if json:
        emit_json(
            {
                "old": {"id": before.id, "sha256": before.sha256},
                "new": {"id": after.id, "sha256": after.sha256},
                "differences": [
                    {"policy": d.policy, "what": d.what, "before": d.before, "after": d.after} for d in found
                ],
                "decisions": changed,
                "unversioned": stale,
            }
        )
        return
    stdout().print(
        Text.assemble((before.id, "bold"), " to ", (after.id, "bold"), f": {len(found)} differences")
    )
    if found:
        emit_table("", ["policy", "what", "before", "after"], [_row(difference) for difference in found])
    if changed:
        emit_table(
            f"{len(changed)} cases are decided differently",
            ["policy", "case", "before", "after"],
            [
                [
                    c["policy"],
                    c["case"],
                    _outcome(c["before"], c["score_before"]),
                    _outcome(c["after"], c["score_after"]),
                ]
                for c in changed
            ],
        )
    elif cases:
        stdout().print("All cases of both packs are decided as before.")
    if stale:
        say(f"the version is unchanged, though verdicts may differ: {', '.join(stale)}; raise it")


def _row(difference: Difference) -> list[str | Text]:
    return [
        Text(difference.policy, style="bold"),
        _cut(difference.what),
        Text("added", style="green") if difference.before is None else _cut(difference.before),
        Text("removed", style="red") if difference.after is None else _cut(difference.after),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _outcome(outcome: str, score: float) -> Text:
    return Text(f"{outcome} {score:.2f}", style=describe.OUTCOME_STYLES.get(outcome, ""))


def _decided_otherwise(old: Pack, new: Pack) -> list[dict[str, Any]]:
    """The cases of either pack, without their stand-ins, whose policy decides them differently in the other."""
    cases = {}
    for pack in (old, new):
        for loaded in pack.policies:
            for case in read_cases(loaded).case:
                cases[loaded.policy.id, case.name] = case
    subjects = [case.subject() for case in cases.values()]
    times = [case.at for case in cases.values()]
    assessed = [Assessor(pack, drafts=True).assess_subjects(subjects, times) for pack in (old, new)]
    changed = []
    for (policy, name), before, after in zip(cases, *assessed, strict=True):
        was, now = before.word(policy), after.word(policy)
        if was is not None and now is not None and was[0] != now[0]:
            changed.append(
                {
                    "policy": policy,
                    "case": name,
                    "before": was[0],
                    "after": now[0],
                    "score_before": round(was[1], 6),
                    "score_after": round(now[1], 6),
                }
            )
    return changed
