"""Where a command writes: data to standard output, messages and progress to standard error."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

# Wide enough that a table in a pipe or a log is never cut to a guess at a terminal's width.
_PIPE_COLUMNS = 200


def stdout() -> Console:
    """A console on the present standard output; colour only on a terminal."""
    return _console(stderr=False)


def stderr() -> Console:
    """A console on the present standard error; colour only on a terminal."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_COLUMNS
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=not stream.isatty())


def say(message: str | Text) -> None:
    """One message to standard error."""
    stderr().print(message, markup=False)


def emit_json(value: Any) -> None:
    """One JSON document to standard output: indented on a terminal, one line elsewhere."""
    indent = 2 if sys.stdout.isatty() else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()


def emit_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> None:
    """A table to standard output; cells are never read as markup."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
    stdout().print(table)


def progress(total_bytes: int | None, what: str) -> Progress:
    """A progress bar on standard error, silent when that is not a terminal."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=stderr(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    bar.add_task(what, total=total_bytes, note="")
    return bar


def printable(text: str) -> str:
    """The text safe for a terminal, of the same length: spans into it stay right.

    Control characters become their pictures (U+2400 block) and invisible or direction-changing
    format characters become a middle dot; a post must not be able to steer the terminal. Newlines stay.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else _picture(character)
        for character in text
    )


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if unicodedata.category(character) == "Zs":
        return " "
    return "\u00b7"
