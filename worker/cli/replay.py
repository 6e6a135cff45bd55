"""`moderator replay`: a file of records through the whole engine, without a broker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.base import parse_time
from worker.cli.errors import CommandError
from worker.cli.inputs import open_again, open_lines
from worker.cli.options import AsJson, Policies, StatementsOn
from worker.cli.output import progress, say
from worker.cli.packs import load
from worker.engine.registry import Pack
from worker.pack_files import PackFilesError, files_of, pack_sha256
from worker.replay import BATCH, Replay, UnknownPackError, is_recording


class Decisions(StrEnum):
    """Which decisions are written."""

    OTHER = "other"
    ALL = "all"


def replay(
    *,
    file: Annotated[
        str,
        typer.Argument(
            help='JSONL of {"topic", "value"}, plain or gzip; - is standard input.', show_default=False
        ),
    ],
    decisions: Annotated[
        Decisions,
        typer.Option(envvar="MODERATOR_DECISIONS", help="Write decisions other than clear, or all."),
    ] = Decisions.OTHER,
    internal: Annotated[
        bool, typer.Option("--internal", help="Write the internal topics too (judges record by record).")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Fire timers up to this time at the end, as 2026-11-22T09:30:00Z.",
            show_default=False,
        ),
    ] = None,
    recorded: Annotated[
        bool,
        typer.Option(
            "--recorded",
            help="The lines are a recording, internal topics included: judge nothing else. "
            "Told from the file by itself; needed for standard input alone, which is else copied to a file first.",
        ),
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many partitions share the caps of breakers: those of the cluster that the records come from.",
            show_default="each has all of them",
        ),
    ] = None,
    published: Annotated[
        list[Path] | None,
        typer.Option(
            "--published",
            metavar="FOLDER",
            help="A pack that the lines may switch to; can be given again.",
            show_default=False,
        ),
    ] = None,
    statements: StatementsOn = False,
    policies: Policies = None,
    json: AsJson = False,  # every command takes it; this one always writes JSON
) -> None:
    """Judges a file of records in order, with accounts, strikes and timers, and writes what would be published.

    Each line may also have key, partition, offset, timestamp and value_base64; without them partition 0
    and ordinal offsets count. Writes {"topic", "key", "value"} lines. A line that is no record becomes a
    dead letter of the topic it names, or of "replay" with the line's number as its offset.

    What workers write for each other (observations of what accounts share, and what follows) is judged as well,
    each right after the record that caused it. A file that holds such records is a recording: they are judged
    as they stand in it, and nothing is added.
    """
    end = _time(until)
    pack = load(policies)
    write = sys.stdout.buffer.write
    with open_again(file, once=recorded) as source:
        run = Replay(
            pack,
            publish_all=decisions is Decisions.ALL,
            internal=internal,
            statements=statements,
            loop=not (recorded or _is_recording(source)),
            partitions=partitions,
            packs=_by_sha256(pack, *map(load, published or ())),
        )
        started = time.perf_counter()
        try:
            _run(run, source, end, write)
        except UnknownPackError as error:
            raise CommandError(
                f"the lines switch to a pack with the SHA-256 {error}",
                hint="Give its folder: --published FOLDER. What was written so far stands.",
            ) from error
    sys.stdout.buffer.flush()
    if sys.stderr.isatty():
        seconds = max(time.perf_counter() - started, 1e-9)
        counts = ", ".join(f"{count:,} {topic}" for topic, count in run.outputs.items()) or "nothing written"
        say(f"{run.records:,} records in {seconds:.1f} s, {run.records / seconds:,.0f} a second; {counts}")
    if run.bad_lines:
        say(f"{run.bad_lines} of {run.records} lines were no record; look for them in dead-letter")


def _by_sha256(*packs: Pack) -> dict[str, Pack]:
    """Packs by their SHA-256, also by that under which they are published: without the code of rules."""
    found = {pack.sha256: pack for pack in packs}
    for pack in packs:
        with suppress(PackFilesError):
            found[pack_sha256([file for file, _ in files_of(pack.folder)])] = pack
    return found


def _is_recording(source: str) -> bool:
    with open_lines(source) as lines:
        return is_recording(lines)


def _run(run: Replay, source: str, end: datetime | None, write: Callable[[bytes], object]) -> None:
    with open_lines(source) as lines, progress(lines.size, "replaying") as bar:
        task = bar.task_ids[0]
        batch: list[bytes] = []
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH:
                write(b"".join(run.feed(batch)))
                batch.clear()
                bar.update(task, completed=lines.position(), note=f"{run.records:,} records")
        write(b"".join(run.feed(batch)))
        write(b"".join(run.finish(end)))


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise CommandError(
            f"--until {text}: not a time with an offset", hint="Write it as 2026-11-22T09:30:00Z."
        ) from error
