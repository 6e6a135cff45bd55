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


class EventMessage(NamedTuple):
    """An `emsg` box (ISO/IEC 23009-1, 5.10.3.3): its scheme, when it takes effect in seconds, and its data.

    A message of version 0 states its time from the beginning of its segment: `seconds` then has the beginning added where
    a fragment after it states one (`tfdt`), and is only that offset where none does.
    """

    scheme: str
    seconds: float
    data: bytes


def event_messages(data: Data, most: int) -> Iterator[EventMessage]:
    """The event messages of a file, at most so many."""
    waiting: list[_Message] = []
    scales: dict[int, int] = {}
    found = 0
    for box in boxes(data, 0, len(data)):
        if box.kind == b"moov":
            scales = _time_scales(data, box)
        elif box.kind == b"moof":
            begins = _begins(data, box, scales)
            yield from (message.at(begins) for message in waiting)
            waiting.clear()
        elif box.kind == b"emsg" and found < most:
            message = _message(bytes(data[box.start : min(box.end, box.start + _MESSAGE_BYTES)]))
            if message is not None:
                found += 1
                waiting.append(message)
    yield from (message.at(0.0) for message in waiting)


_MESSAGE_BYTES: Final = 65_536


class _Message(NamedTuple):
    scheme: str
    seconds: float
    from_segment: bool
    data: bytes

    def at(self, begins: float) -> EventMessage:
        return EventMessage(self.scheme, self.seconds + (begins if self.from_segment else 0.0), self.data)


def _message(body: bytes) -> _Message | None:
    if body[:1] == b"\0":
        strings = body[4:].split(b"\0", 2)
        if len(strings) < 3 or len(strings[2]) < 16:
            return None
        scale, delta, rest = u32(strings[2], 0), u32(strings[2], 4), strings[2][16:]
    elif body[:1] == b"\1" and len(body) >= 24:
        scale, delta = u32(body, 4), int.from_bytes(body[8:16])
        strings = body[24:].split(b"\0", 2)
        if len(strings) < 3:
            return None
        rest = strings[2]
    else:
        return None
    seconds = delta / scale if scale else 0.0
    return _Message(strings[0].decode("latin-1"), seconds, body[:1] == b"\0", rest)


def _within(data: Data, box: Box, *path: bytes) -> Iterator[Box]:
    """All boxes at a path below another."""
    if not path:
        yield box
        return
    for child in boxes(data, box.start, box.end):
        if child.kind == path[0]:
            yield from _within(data, child, *path[1:])


def _time_scales(data: Data, movie: Box) -> dict[int, int]:
    """Ticks a second by track."""
    scales = {}
    for track in _within(data, movie, b"trak"):
        for header in _within(data, track, b"tkhd"):
            wide = data[header.start : header.start + 1] == b"\1"
            number = u32(data, header.start + (20 if wide else 12))
            for media in _within(data, track, b"mdia", b"mdhd"):
                wide = data[media.start : media.start + 1] == b"\1"
                scales[number] = u32(data, media.start + (20 if wide else 12))
    return scales


def _begins(data: Data, fragment: Box, scales: dict[int, int]) -> float:
    """When a fragment begins, in seconds, by its first track that says it."""
    for part in _within(data, fragment, b"traf"):
        number = next((u32(data, header.start + 4) for header in _within(data, part, b"tfhd")), 0)
        for time in _within(data, part, b"tfdt"):
            width = 8 if data[time.start : time.start + 1] == b"\1" else 4
            if scale := scales.get(number, 0):
                return int.from_bytes(data[time.start + 4 : time.start + 4 + width]) / scale
    return 0.0
