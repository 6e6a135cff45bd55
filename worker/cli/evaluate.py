"""`moderator evaluate`: how well a pack decides labelled posts."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from worker import heap
from worker.cli.errors import BAD_USAGE, CommandError
from worker.cli.inputs import open_lines
from worker.cli.options import AsJson, Only, Policies
from worker.cli.output import emit_json, emit_table, progress, say
from worker.cli.packs import load
from worker.evaluation.evaluate import Evaluation
from worker.evaluation.report import html_report
from worker.evaluation.summary import as_json, tables
from worker.scoring import BATCH

_BAD_SHOWN = 5


def evaluate(
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help='JSONL of {"id", "text", "labels", "covers"} or labelled posts, plain or gzip; - is standard input.',
            show_default=False,
        ),
    ],
    html: Annotated[
        Path,
        typer.Option(envvar="MODERATOR_EVALUATE_HTML", metavar="PATH", help="Where the report is written."),
    ] = Path("evaluation.html"),
    evasions: Annotated[
        bool,
        typer.Option(
            "--evasions", help="Judge what was caught again in every evasive spelling: much more work."
        ),
    ] = False,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Leave the trained models out: what the rules find alone.")
    ] = False,
    only: Only = None,
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Judges labelled posts and reports precision, recall and areas under curves, with their intervals.

    `labels` are the policies that a row breaks, `covers` those that its source annotates, `weak` those that it only
    presumes; a policy in none of them is unknown and counts nowhere. Writes a report as one HTML file as well.
    Lines that are no labelled post are named, left out, and give exit code 2 at the end.
    """
    if html.is_dir() or not html.parent.is_dir():
        raise CommandError(f"--html {html}: not a file in a folder that exists", hint="Name a file to write.")
    evaluation = Evaluation(load(policies, only or (), models=not rules_only), evasions=evasions)
    heap.settle()
    started = time.perf_counter()
    bad: list[str] = []
    for file in files:
        bad += _read(evaluation, file)
    if not evaluation.rows:
        raise CommandError(
            "no labelled posts in the input", hint="See 'moderator evaluate --help' for the format."
        )
    try:
        html.write_text(html_report(evaluation), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise CommandError(
            f"{html}: {error.strerror or error}", hint="Name another file with --html."
        ) from error
    if json:
        emit_json(as_json(evaluation))
    else:
        for table in tables(evaluation):
            emit_table(table.title, table.columns, table.rows)
    if sys.stderr.isatty():
        seconds = max(time.perf_counter() - started, 1e-9)
        say(f"{evaluation.rows:,} rows in {seconds:.1f} s")
    say(f"report: {html}")
    if bad:
        for line in bad[:_BAD_SHOWN]:
            say(line)
        say(f"{len(bad)} lines are no labelled posts and were left out")
        raise typer.Exit(BAD_USAGE)


def _read(evaluation: Evaluation, file: str) -> list[str]:
    """Judges one file; gives back its lines that could not be read, each with where it is and why."""
    known = len(evaluation.bad)
    number = 0
    with open_lines(file) as lines, progress(lines.size, "evaluating") as bar:
        task = bar.task_ids[0]
        batch: list[bytes] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                evaluation.add_lines(batch, number + 1)
                number += len(batch)
                batch.clear()
                bar.update(task, completed=lines.position(), note=f"{evaluation.rows:,} rows")
        evaluation.add_lines(batch, number + 1)
        return [f"{lines.name}, line {line}: {why}" for line, why in evaluation.bad[known:]]
