"""The bytes of a file, mapped rather than read, and the numbers in them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

Data = bytes | mmap.mmap


@contextmanager
def opened(path: Path) -> Iterator[Data]:
    """The bytes of a file, mapped rather than read; an empty file is empty bytes."""
    with path.open("rb") as file:
        file.seek(0, 2)
        if not file.tell():
            yield b""
            return
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            yield data
        finally:
            data.close()


def u16(data: Data, at: int) -> int:
    """A big-endian number of two bytes; 0 past the end."""
    return int.from_bytes(data[at : at + 2])


def u32(data: Data, at: int) -> int:
    """A big-endian number of four bytes; what is there of it past the end."""
    return int.from_bytes(data[at : at + 4])
