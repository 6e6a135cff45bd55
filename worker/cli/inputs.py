"""Lines of a file, of a gzip file or of standard input, read as bytes and one at a time."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from worker.cli.errors import CommandError

_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Lines:
    """An open input. `raw` is what lies on disk (for progress), `size` its bytes or None for a stream."""

    name: str
    raw: BinaryIO
    stream: BinaryIO
    size: int | None

    def __iter__(self) -> Iterator[bytes]:
        """The lines without their line ends. Raises `CommandError` when a gzip stream is damaged."""
        try:
            for line in self.stream:
                yield line.rstrip(b"\r\n")
        except (EOFError, gzip.BadGzipFile) as error:
            raise CommandError(
                f"{self.name}: damaged gzip data: {error}", hint="Fetch or compress the file again."
            ) from error

    def position(self) -> int:
        """Bytes read of what lies on disk; 0 for a stream that cannot tell."""
        return self.raw.tell() if self.size is not None else 0


@contextmanager
def open_lines(source: str) -> Iterator[Lines]:
    """Opens a path, or standard input for `-`; gzip is recognised by its first bytes, not by its name.

    Raises:
        CommandError: the file is missing, unreadable or a folder.
    """
    if source == "-":
        raw: BinaryIO = sys.stdin.buffer
        yield Lines("standard input", raw, _unpacked(raw), None)
        return
    path = Path(source)
    try:
        opened = path.open("rb")
    except OSError as error:
        reason = error.strerror or str(error)
        raise CommandError(
            f"{source}: {reason}", hint="Give the path of a JSONL file, or - for standard input."
        ) from error
    with opened as raw:
        yield Lines(source, raw, _unpacked(raw), path.stat().st_size)


@contextmanager
def open_again(source: str, *, once: bool = False) -> Iterator[str]:
    """A path that can be opened as often as it is needed: standard input is copied to a temporary file.

    With `once` nothing is copied, as it is read only once.
    """
    if source != "-" or once:
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="moderator-", suffix=".jsonl") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield copy.name


def _unpacked(raw: BinaryIO) -> BinaryIO:
    buffered = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, raw))
    if buffered.peek(2)[:2] == _GZIP_MAGIC:
        return cast(BinaryIO, gzip.GzipFile(fileobj=buffered))
    return buffered
