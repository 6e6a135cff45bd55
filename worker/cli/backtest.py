"""`moderator backtest`: which decisions change between two packs, on records that were judged before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker import heap
from worker.backtest import EXAMPLES, Backtest
from worker.backtest_report import as_json, html_report, summary, tables
from worker.cli.errors import CommandError
from worker.cli.inputs import open_lines
from worker.cli.options import AsJson, Policies
from worker.cli.output import emit_json, emit_table, printable, progress, say
from worker.cli.packs import load
from worker.replay import BATCH

_NAMED = 5  # bad lines that are told one by one


def backtest(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help='JSONL of posts, of {"id", "text"}, or of {"topic", "value"}, plain or gzip; - is standard input.',
            show_default=False,
        ),
    ],
    policies: Policies = None,
    against: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The other pack: what would change with it.", show_default=False),
    ],
    examples: Annotated[int, typer.Option(min=0, help="Examples of each kind of change.")] = EXAMPLES,
    html: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write a report as one HTML file too.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Judges records by two packs and shows what would be decided differently; nothing is published.

    Posts alone are judged without memory. Lines of {"topic", "value"} go through the whole engine, with accounts,
    strikes and timers, once for each pack; then the actions are listed that stand under one pack and not under the
    other: before a roll-back, what the older pack would not have done.
    """
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        raise CommandError(f"--html {html}: not a file in a folder that exists", hint="Name a file to write.")
    before, after = load(policies), load(against)
    run = Backtest(before, after, examples=examples)
    heap.settle()
    with open_lines(file) as lines, progress(lines.size, "judging") as bar:
        batch: list[bytes] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                run.feed(batch)
                batch = []
                bar.update(bar.task_ids[0], completed=lines.position(), note=f"{run.lines:,} records")
        run.feed(batch)
        run.finish()
    if html is not None:
        try:
            html.write_text(html_report(run, before, after), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise CommandError(f"{html}: {error.strerror or error}", hint="Name another file.") from error
        say(f"report: {html}")
    if json:
        emit_json(as_json(run, before, after))
    else:
        for table in tables(run):
            rows = [[printable(cell) for cell in row] for row in table.rows]
            emit_table(table.title, table.columns, rows)
    for number, reason in run.bad[:_NAMED]:
        say(f"line {number}: {reason}")
    if run.bad:
        say(f"{len(run.bad):,} lines are no records and were left out")
    if run.dead_letters:
        say(f"{run.dead_letters:,} lines became dead letters under both packs")
    say(summary(run))
