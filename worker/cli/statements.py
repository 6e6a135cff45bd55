"""`moderator statements`: statements of reasons for the DSA transparency database."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from worker.cli.errors import BAD_USAGE, UNREACHABLE, CommandError
from worker.cli.inputs import open_lines
from worker.cli.options import AsJson, TopicPrefix
from worker.cli.output import emit_json, say
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.filing import BadStatementError, Filing
from worker.reading import reader

TOPIC = "statements"
_NAMED = 20  # faults that are told one by one
_SHORTEST_KEY = 16  # bytes

app = typer.Typer(
    help="Statements of reasons for the EU's DSA transparency database.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Keeps `export` a command of its own while there is no other."""


@app.command("export")
def export(
    *,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker",
            envvar="MODERATOR_BROKER",
            metavar="HOST:PORT",
            help="Read the topic statements here.",
            show_default="127.0.0.1:9092",
        ),
    ] = None,
    topic_prefix: TopicPrefix = "",
    file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Read JSONL instead: the topic's values, or what replay wrote; - is standard input.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="Only decisions of this day and later, as 2026-11-22.", show_default=False
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Only decisions of this day and before.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write requests of at most 100 statements each here; else one statement a line to standard output.",
            show_default=False,
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="MODERATOR_STATEMENTS_KEY_FILE",
            metavar="FILE",
            help="Make each puid with the secret in this file, so that nobody can work it out from a post's id.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Checks statements as the database does and writes them ready to be sent. Sends nothing anywhere.

    Each puid once, by day and puid. What the database would refuse is left out and named with its place and reason;
    then the exit code is 2, and all the others are written.
    """
    filing = Filing(_day("--since", since), _day("--until", until), _key(key_file))
    if out is not None:
        _make_ready(out)
    faults: list[tuple[str, str]] = []
    for place, value in _values(broker, topic_prefix, file):
        try:
            record = _parsed(value)
            if record is not None:
                filing.take(record)
        except BadStatementError as error:
            faults.append((place, str(error)))
            if len(faults) <= _NAMED:
                say(f"{place}: {error}")
    files = _write(filing, out)
    if json and out is not None:
        emit_json(
            {
                "statements": len(filing),
                "duplicates": filing.duplicates,
                "outside": filing.outside,
                "files": files,
                "bad": [{"place": place, "reason": reason} for place, reason in faults],
            }
        )
    where = "" if out is None else f" in {len(files):,} files in {out}"
    say(
        f"{len(filing):,} statements{where}; {filing.duplicates:,} came again, {filing.outside:,} of other days"
    )
    if faults:
        say(f"{len(faults):,} records are left out: the database would refuse them")
        raise typer.Exit(BAD_USAGE)


def _values(broker: str | None, prefix: str, file: str | None) -> Iterator[tuple[str, bytes | None]]:
    """The values with their places: `line 7`, or `statements 0:7` (partition and offset)."""
    if file is None:
        try:
            with reader(
                broker or "127.0.0.1:9092", [TOPIC], prefix, client_options=client_options()
            ) as topic:
                for record in topic.everything():
                    yield f"{TOPIC} {record.partition}:{record.offset}", record.value
        except BrokerUnreachable as error:
            raise CommandError(str(error), code=UNREACHABLE) from error
        except ClusterError as error:
            raise CommandError(str(error)) from error
        return
    with open_lines(file) as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"line {number}", line


def _parsed(value: bytes | None) -> Any:
    """The statement in a value or in a line of replay's; None where the line is of another topic.

    Raises:
        BadStatementError: it is no JSON object.
    """
    try:
        data = json_module.loads(value or b"null")
    except (ValueError, RecursionError):
        raise BadStatementError("no JSON") from None
    if not isinstance(data, dict):
        raise BadStatementError("no JSON object")
    if "topic" in data and "value" in data and "puid" not in data:
        return data["value"] if data["topic"] == TOPIC else None
    return data


def _make_ready(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = sorted(folder.glob("statements-*.json"))
    except OSError as error:
        raise CommandError(f"--out {folder}: {error.strerror or error}", hint="Name a folder.") from error
    if old:
        raise CommandError(
            f"--out {folder}: holds {old[0].name} of an earlier export",
            hint="Give an empty folder, so that nothing is sent that is not of this export.",
        )


def _write(filing: Filing, out: Path | None) -> list[str]:
    """Writes what was collected; the names of the files."""
    if out is None:
        for statement in filing.statements():
            sys.stdout.buffer.write(statement + b"\n")
        sys.stdout.buffer.flush()
        return []
    names = []
    for number, body in enumerate(filing.batches(), 1):
        names.append(f"statements-{number:05}.json")
        (out / names[-1]).write_bytes(body)
    return names


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option} {text}: not a day", hint="Write it as 2026-11-22.") from error


def _key(file: Path | None) -> bytes:
    if file is None:
        return b""
    try:
        key = file.read_bytes().strip()
    except OSError as error:
        raise CommandError(f"--key-file {file}: {error.strerror or error}") from error
    if len(key) < _SHORTEST_KEY:
        raise CommandError(
            f"--key-file {file}: the secret is shorter than {_SHORTEST_KEY} bytes",
            hint="Make one: head -c 32 /dev/urandom | base64 > FILE. Keep it: another one gives other puids.",
        )
    return key
