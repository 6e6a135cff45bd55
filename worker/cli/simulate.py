"""`moderator simulate`: a scripted year in the life of a small network, through the engine, without a broker."""

from __future__ import annotations

import contextlib
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from pydantic_core import to_json
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from worker.cli.errors import VIOLATION_OR_FAILED
from worker.cli.options import AsJson, Policies
from worker.cli.output import emit_json, emit_table, say, stderr
from worker.cli.packs import load
from worker.simulation.report import figures
from worker.simulation.year import Plan, Year


def simulate(
    *,
    accounts: Annotated[int, typer.Option(min=40, help="Accounts at the beginning; more come back.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Days on which people post.")] = 365,
    seed: Annotated[int, typer.Option(help="Another seed, another year.")] = 1,
    partitions: Annotated[
        int, typer.Option(min=1, max=64, help="Judges side by side; with 1, `replay` gives the same actions.")
    ] = 4,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the input records here, as `replay` reads them; .gz is packed.", show_default=False
        ),
    ] = None,
    policies: Policies = None,
    json: AsJson = False,
) -> None:
    """Lets a thousand scripted people post, offend, report, appeal and decide for a year, and counts it all again.

    Honest and dishonest people of many kinds write posts of which the truth is known; moderators look at what is
    queued and err now and then. An independent ledger checks every strike, action and reversal. Exit code 1 when
    it does not balance.
    """
    plan = Plan(accounts=accounts, days=days, seed=seed, partitions=partitions)
    pack = load(policies)
    with contextlib.ExitStack() as stack:
        file = None if out is None else stack.enter_context(_opened(out))

        def keep(topic: str, key: str, value: bytes) -> None:
            if file is not None:
                file.write(b'{"topic":"%s","key":%s,"value":%s}\n' % (topic.encode(), to_json(key), value))

        year = Year(plan, pack, keep)
        whole = days + plan.after_days
        bar = stack.enter_context(_days())
        task = bar.add_task("living", total=whole)
        year.run(lambda day: bar.update(task, completed=day))
    report = figures(year)
    report["faults"] = year.audit.faults
    if json:
        emit_json(report)
    else:
        _show(report)
    for fault in year.audit.faults[:20]:
        say(f"does not balance: {fault}")
    if year.audit.faults:
        raise typer.Exit(VIOLATION_OR_FAILED)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as plain:
        if path.suffix != ".gz":
            yield plain
            return
        with gzip.GzipFile(fileobj=plain, mode="wb", compresslevel=3, mtime=0) as packed:
            yield packed  # type: ignore[misc]  # has what is used of one: write


def _days() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("days"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=stderr(), transient=True, disable=not sys.stderr.isatty())


def _show(report: dict[str, Any]) -> None:
    rows: list[list[str | Text]] = []
    for name, kind in report["kinds"].items():
        cells: list[str | Text] = [Text(name, style="bold"), f"{kind['accounts']}", f"{kind['posts']:,}"]
        cells.append(f"{kind['bad_posts']:,}")
        cells.append(f"{kind['bad_posts_acted_on']:,}")
        for action in ("label", "remove", "suspend"):
            hit = kind[action]
            cells.append(f"{hit['accounts']}" + (f" ({hit['median_days']:g} d)" if hit["accounts"] else ""))
        rows.append(cells)
    columns = ["", "accounts", "posts", "bad", "acted on", "first label", "first removal", "first suspension"]
    emit_table("Who was caught: accounts, and the median of days since the first offence", columns, rows)
    for name in ("balance", "wronged", "appeals", "reviews", "reports", "returns"):
        emit_table(name.capitalize(), ["", ""], [list(row) for row in _flat(report[name])])


def _flat(part: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in part.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name.replace('_', ' ')}: ")
        else:
            yield before + name.replace("_", " "), "" if value is None else f"{value}"
