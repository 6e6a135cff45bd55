"""Boxes of MP4, MOV, AVIF and HEIF files (ISO/IEC 14496-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from worker.media.containers import Data, u32

MAX_ELEMENTS: Final = 2_000_000  # boxes of one file that are looked at


class Box(NamedTuple):
    """A box: its four characters and where its body lies, [start, end)."""

    kind: bytes
    start: int
    end: int


def boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places; one that is longer than the place is cut, one with a false length ends them."""
    at = start
    for _ in range(MAX_ELEMENTS):
        if at + 8 > end:
            return
        size, kind, body = u32(data, at), bytes(data[at + 4 : at + 8]), at + 8
        if size == 1:
            if at + 16 > end:
                return
            size, body = int.from_bytes(data[at + 8 : at + 16]), at + 16
        elif size == 0:
            size = end - at
        if size < body - at:
            return
        yield Box(kind, body, min(at + size, end))
        at += size
