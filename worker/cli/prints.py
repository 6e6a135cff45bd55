"""`moderator policies print`: makes the fingerprint of a text for a pack, without the text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.cli.errors import CommandError
from worker.cli.options import AsJson
from worker.cli.output import emit_json, say
from worker.engine.policy import POLICY_IDS
from worker.signals.fingerprints import MIN_WORDS, shingles, to_hex, words_of

_SOURCE = "fill in where the text came from, and when it was read"
_COLUMNS = 5  # hashes on a line


def print_text(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The text, UTF-8; - for standard input.", show_default=False)
    ],
    *,
    name: Annotated[
        str, typer.Option(help="Name of the print, shown as evidence; it should name no perpetrator.")
    ],
    policy: Annotated[str, typer.Option(help="The policy that forbids the text.")],
    source: Annotated[str, typer.Option(help="Where the text came from, with the date.")] = _SOURCE,
    json: AsJson = False,
) -> None:
    """Writes a [[print]] table for facts/text_prints.toml: hashes from which the text cannot be read again."""
    if policy not in POLICY_IDS:
        raise CommandError(f"{policy}: no such policy", hint=f"One of {', '.join(POLICY_IDS)}.")
    text = _read(file)
    words = len(words_of(text))
    if words < MIN_WORDS:
        raise CommandError(
            f"{file}: {words} words are too few to be recognised",
            hint=f"A print needs a text of at least {MIN_WORDS} words.",
        )
    values = to_hex(shingles(text))
    if json:
        emit_json({"name": name, "policy": policy, "source": source, "shingles": values})
        return
    sys.stdout.write(_table(name, policy, source, values))
    sys.stdout.flush()
    say(f"{len(values)} hashes of {words} words")


def _read(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise CommandError(
            f"{file}: {error.strerror or error}",
            hint="Give the path of a text file, or - for standard input.",
        ) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: not UTF-8", hint="Convert the text to UTF-8 first.") from error


def _table(name: str, policy: str, source: str, values: list[str]) -> str:
    rows = [values[start : start + _COLUMNS] for start in range(0, len(values), _COLUMNS)]
    lines = ["  " + ", ".join(f'"{value}"' for value in row) + "," for row in rows]
    head = [
        f"{key} = {_quoted(value)}" for key, value in (("name", name), ("policy", policy), ("source", source))
    ]
    return "\n".join(["[[print]]", *head, "shingles = [", *lines, "]", ""])


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = "".join(
        f"\\u{ord(char):04x}"
        if ord(char) < 0x20 or ord(char) == 0x7F
        else f"\\{char}"
        if char in '"\\'
        else char
        for char in text
    )
    return f'"{escaped}"'
