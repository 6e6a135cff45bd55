"""`moderator policies`: the pack in force, its lint and its cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from worker.cli import describe, releases
from worker.cli.diff import diff
from worker.cli.errors import VIOLATION_OR_FAILED, CommandError
from worker.cli.options import AsJson, Only
from worker.cli.output import emit_json, emit_table, say, stdout
from worker.cli.packs import load, load_part, pattern_cache
from worker.cli.pages import pages
from worker.cli.prints import print_text
from worker.cli.settings import settings
from worker.engine.cases import EXPECTATIONS, CaseResult, run_cases
from worker.engine.lint import VALIDATORS, lint
from worker.engine.policy import Policy
from worker.engine.registry import Pack, load_pack
from worker.engine.timelines import TimelineResult, run_timelines
from worker.engine.tomlfile import PackError

app = typer.Typer(
    help="Shows, lints, tests, compares and publishes policy packs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("diff")(diff)
app.command("pages")(pages)
app.command("print")(print_text)
releases.add_to(app)

Folder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FOLDER]",
        help="The pack; default: that of MODERATOR_POLICIES, else the bundled one.",
        show_default=False,
    ),
]
# The other commands' name for the same, without its variable: which of the two was given must stay known.
FolderOption = Annotated[
    Path | None,
    typer.Option("--policies", metavar="FOLDER", help="The same as the argument.", show_default=False),
]
_STATUS_STYLES = {"enforce": "green", "shadow": "yellow", "draft": "dim", "retired": "dim"}


def _chosen(argument: Path | None, option: Path | None) -> Path | None:
    """The folder that the command names, or that of the environment.

    Raises:
        CommandError: it names two.
    """
    if argument is not None and option is not None and argument != option:
        raise CommandError(f"two packs are named: {argument} and {option}", hint="Name the folder once.")
    return argument or option or settings().policies


@app.command("list")
def list_policies(*, folder: Folder = None, policies: FolderOption = None, json: AsJson = False) -> None:
    """Lists the policies of a pack: status, thresholds, what they do, the clause and its date."""
    pack = load(_chosen(folder, policies))
    if json:
        emit_json(
            {
                "pack": pack.id,
                "sha256": pack.sha256,
                "rules_date": pack.rules_date.isoformat(),
                "policies": [_described(loaded.policy) for loaded in pack.policies],
            }
        )
        return
    console = stdout()
    console.print(
        Text.assemble("Pack ", (pack.id, "bold"), f", rules as published on {pack.rules_date.isoformat()}")
    )
    console.print(Text(f"sha256 {pack.sha256}", style="dim"))
    emit_table(
        "",
        ["policy", "version", "status", "languages", "review", "violation", "what it does", "clause", "read"],
        [_row(loaded.policy) for loaded in pack.policies],
    )


def _described(policy: Policy) -> dict[str, Any]:
    return {
        "id": policy.id,
        "version": policy.version,
        "status": policy.status,
        "title": policy.title,
        "languages": list(policy.languages),
        "review_score": policy.review.score,
        "threshold": policy.threshold,
        "ladder": [describe.rung(step) for step in policy.ladder],
        "clause": policy.clause,
        "source": policy.source.url,
        "read": policy.source.read.isoformat(),
    }


def _row(policy: Policy) -> list[str | Text]:
    shadow = " (records, does not act)" if policy.status == "shadow" else ""
    return [
        Text(policy.id, style="bold"),
        str(policy.version),
        Text(policy.status + shadow, style=_STATUS_STYLES[policy.status]),
        "any" if "*" in policy.languages else ", ".join(policy.languages),
        f"{policy.review.score:.2f}",
        f"{policy.threshold:.2f}",
        describe.ladder(policy),
        policy.clause,
        policy.source.read.isoformat(),
    ]


@app.command("lint")
def lint_policies(
    *, folder: Folder = None, policies: FolderOption = None, only: Only = None, json: AsJson = False
) -> None:
    """Checks a pack and names every problem with file, line and reason. Exit code 1 when there is one."""
    pack, found = _lint(_chosen(folder, policies), only or ())
    if json:
        emit_json({"pack": pack.id if pack else None, "problems": found})
    else:
        for problem in found:
            place = problem["file"] if problem["line"] is None else f"{problem['file']}:{problem['line']}"
            stdout().print(
                Text.assemble(
                    (place, "bold"), f": {problem['reason']} ", (f"[{problem['validator']}]", "dim")
                )
            )
        if pack is not None and not found:
            say(f"{len(pack.policies)} policies, {len(VALIDATORS)} validators, no problem found")
    if found:
        say(f"{len(found)} problem{'s' if len(found) != 1 else ''} found")
        raise typer.Exit(VIOLATION_OR_FAILED)


def _lint(folder: Path | None, only: Sequence[str]) -> tuple[Pack | None, list[dict[str, Any]]]:
    if folder is not None and not folder.is_dir():
        raise CommandError(f"{folder}: no such folder", hint="Give the folder that holds pack.toml.")
    try:
        pack = load_part(folder, only) if only else load_pack(folder, cache_dir=pattern_cache())
    except PackError as error:
        return None, [
            {"file": str(p.file), "line": p.line, "reason": p.reason, "validator": "pack"}
            for p in error.problems
        ]
    return pack, [
        {
            "file": str(f.problem.file),
            "line": f.problem.line,
            "reason": f.problem.reason,
            "validator": f.validator,
        }
        for f in lint(pack)
    ]


@app.command("test")
def run_policy_cases(
    *, folder: Folder = None, policies: FolderOption = None, only: Only = None, json: AsJson = False
) -> None:
    """Runs every policy's labelled cases, drafts' too. Exit code 1 when one fails."""
    pack = load(_chosen(folder, policies), only or ())
    try:
        results = run_cases(pack)
        timelines = run_timelines(pack)
    except PackError as error:
        raise CommandError(
            f"the cases cannot be read:\n{error}", hint="Correct the files named above."
        ) from error
    late = [one for one in timelines if not one.ok]
    failed = [*(result for result in results if not result.ok), *late]
    if json:
        emit_json(
            {
                "pack": pack.id,
                "cases": len(results),
                "failed": len(failed),
                "results": [_result(result) for result in results],
                "timelines": [_timeline(one) for one in timelines],
            }
        )
    else:
        _show(pack, results)
        _show_timelines(timelines)
    if failed:
        say(f"{len(failed)} of {len(results) + len(timelines)} cases and timelines failed")
        raise typer.Exit(VIOLATION_OR_FAILED)


def _result(result: CaseResult) -> dict[str, Any]:
    return {
        "policy": result.policy,
        "name": result.case.name,
        "file": str(result.file),
        "line": result.line,
        "ok": result.ok,
        "expected": result.case.expect,
        "got": result.got,
        "score": result.judgement.score,
        "faults": list(result.faults),
        "why": result.case.why,
    }


def _timeline(result: TimelineResult) -> dict[str, Any]:
    return {
        "policy": result.policy,
        "name": result.timeline.name,
        "file": str(result.file),
        "line": result.line,
        "ok": result.ok,
        "expected": result.timeline.expect,
        "got": result.got,
        "posts": len(result.outcomes),
        "faults": list(result.faults),
        "why": result.timeline.why,
    }


def _show_timelines(results: list[TimelineResult]) -> None:
    for result in results:
        if not result.ok:
            stdout().print(
                Text.assemble(
                    (f"{result.file}:{result.line}", "bold"),
                    f": {result.timeline.name}: {'; '.join(result.faults)}\n",
                    (f"    why: {result.timeline.why}", "dim"),
                )
            )
    if results:
        say(f"{sum(result.ok for result in results)} of {len(results)} timelines passed")


def _show(pack: Pack, results: list[CaseResult]) -> None:
    for result in results:
        if not result.ok:
            stdout().print(
                Text.assemble(
                    (f"{result.file}:{result.line}", "bold"),
                    f": {result.case.name}: {'; '.join(result.faults)}\n",
                    (f"    why: {result.case.why}", "dim"),
                )
            )
    rows: list[list[str | Text]] = []
    for loaded in pack.policies:
        own = [result for result in results if result.policy == loaded.policy.id]
        passed = sum(result.ok for result in own)
        counts = {word: sum(result.case.expect == word for result in own) for word in EXPECTATIONS}
        style = "green" if passed == len(own) else "bold red"
        rows.append(
            [
                loaded.policy.id,
                Text(f"{passed} of {len(own)}", style=style),
                *(str(n) for n in counts.values()),
            ]
        )
    emit_table("", ["policy", "passed", *EXPECTATIONS], rows)
