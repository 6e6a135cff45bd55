"""MPEG transport streams: the splice information of their programmes (ISO/IEC 13818-1; SCTE 35 chapter 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from worker.media.containers import Data
from worker.media.iso_media import MAX_ELEMENTS
from worker.media.scte35 import SECTION_BYTES, TABLE_ID, TICKS, WRAP, crc32_mpeg2

_PACKET: Final = 188
_SYNC: Final = 0x47
_PAT: Final = 0
_MOST_STREAMS: Final = 64  # and programmes, of one file
_TABLES_WITHIN: Final = 50_000  # packets within which the tables of a stream have come by
_RESYNCS: Final = 10_000
# stream_type (ISO/IEC 13818-1 table 2-34; SCTE 35 section 8.1).
_SPLICE: Final = 0x86
_VIDEO: Final = frozenset((0x01, 0x02, 0x10, 0x1B, 0x24))  # MPEG-1, 2, 4, H.264, H.265
_REGISTRATION: Final = 5


class Packet(NamedTuple):
    """One packet: its stream's number, whether a unit begins in it, its counter, and its payload."""

    pid: int
    starts: bool
    counter: int
    payload: bytes


class Cue(NamedTuple):
    """A splice_info_section with the stream's time around it: the first picture's PTS and the last one before it, in ticks."""

    section: bytes
    first_pts: int | None
    last_pts: int | None

    def seconds(self, pts: int | None) -> float:
        """Where a time of the stream lies, in seconds from its first picture; None: where the cue stands."""
        place = self.last_pts if pts is None else pts
        if place is None or self.first_pts is None:
            return 0.0
        ahead = (place - self.first_pts) % WRAP
        return 0.0 if ahead >= WRAP // 2 else ahead / TICKS


@dataclass
class _Sections:
    """Puts the sections of one stream together from its packets."""

    buffer: bytearray = field(default_factory=bytearray)
    counter: int | None = None

    def feed(self, packet: Packet) -> Iterator[bytes]:
        payload = packet.payload
        if self.counter is not None and packet.counter == self.counter:
            return  # sent twice, as is allowed
        lost = self.counter is not None and packet.counter != (self.counter + 1) & 15
        self.counter = packet.counter
        if lost:
            self.buffer.clear()
        if packet.starts:
            if not payload or 1 + payload[0] > len(payload):
                self.buffer.clear()
                return
            if self.buffer:
                self.buffer += payload[1 : 1 + payload[0]]
                yield from self._whole()
            self.buffer = bytearray(payload[1 + payload[0] :])
        elif self.buffer:
            self.buffer += payload
        yield from self._whole()

    def _whole(self) -> Iterator[bytes]:
        while len(self.buffer) >= 3 and self.buffer[0] != 0xFF:  # 0xFF: stuffing up to the end
            size = 3 + ((self.buffer[1] & 0x0F) << 8 | self.buffer[2])
            if len(self.buffer) < size:
                return
            yield bytes(self.buffer[:size])
            del self.buffer[:size]
        if self.buffer[:1] == b"\xff" or len(self.buffer) > SECTION_BYTES:
            self.buffer.clear()


def packets_of(data: Data) -> Iterator[Packet]:
    """The packets with a payload, in order; where the sync bytes are lost the next place with two of them is taken."""
    at = _synced(data, 0)
    resyncs = 0
    size = _PACKET
    if (
        at is not None
        and data[at + 192 : at + 193] == b"\x47"
        and data[at + _PACKET : at + _PACKET + 1] != b"\x47"
    ):
        size = 192  # with a timestamp before each, as recorders write it
    for _ in range(MAX_ELEMENTS):
        if at is None or at + _PACKET > len(data):
            return
        raw = bytes(data[at : at + _PACKET])
        if raw[0] != _SYNC:
            resyncs += 1
            at = _synced(data, at) if resyncs < _RESYNCS else None
            continue
        at += size
        if raw[1] & 0x80 or not raw[3] & 0x10:  # damaged, or without payload
            continue
        start = 4 + (1 + raw[4] if raw[3] & 0x20 else 0)
        if start < _PACKET:
            pid = (raw[1] & 0x1F) << 8 | raw[2]
            yield Packet(pid, bool(raw[1] & 0x40), raw[3] & 15, raw[start:])


def _synced(data: Data, at: int) -> int | None:
    while True:
        at = data.find(b"\x47", at)
        if at < 0:
            return None
        follows = (data[at + size : at + size + 1] for size in (_PACKET, 192))
        if at + _PACKET >= len(data) or b"\x47" in list(follows):
            return at
        at += 1


@dataclass
class _Tables:
    """What PAT and PMT say so far: the streams by number, and which of them carry splice information."""

    programmes: dict[int, _Sections] = field(default_factory=lambda: {_PAT: _Sections()})
    seen: dict[int, bytes] = field(default_factory=dict)
    streams: dict[int, int] = field(default_factory=dict)  # stream_type
    splices: dict[int, _Sections] = field(default_factory=dict)

    def feed(self, packet: Packet) -> None:
        sections = self.programmes.get(packet.pid)
        if sections is None:
            return
        for section in sections.feed(packet):
            if self.seen.get(packet.pid) == section or len(section) < 12 or crc32_mpeg2(section):
                continue
            self.seen[packet.pid] = section
            if packet.pid == _PAT and section[0] == 0:
                self._programmes(section)
            elif section[0] == 2:
                self._streams(section)

    def _programmes(self, section: bytes) -> None:
        for at in range(8, len(section) - 7, 4):
            number, pid = (
                int.from_bytes(section[at : at + 2]),
                int.from_bytes(section[at + 2 : at + 4]) & 0x1FFF,
            )
            if number and len(self.programmes) < _MOST_STREAMS:
                self.programmes.setdefault(pid, _Sections())

    def _streams(self, section: bytes) -> None:
        at = 12 + (int.from_bytes(section[10:12]) & 0x0FFF)
        cueing = _registration(section[12:at]) == b"CUEI"
        end = len(section) - 4
        while at + 5 <= end and len(self.streams) < _MOST_STREAMS:
            kind, pid = section[at], int.from_bytes(section[at + 1 : at + 3]) & 0x1FFF
            length = int.from_bytes(section[at + 3 : at + 5]) & 0x0FFF
            registered = _registration(section[at + 5 : min(at + 5 + length, end)])
            self.streams[pid] = kind
            # Blu-ray discs use 0x86 for sound: there neither the programme nor the stream is registered.
            if kind == _SPLICE and (cueing or registered == b"CUEI"):
                self.splices.setdefault(pid, _Sections())
            at += 5 + length


def _registration(descriptors: bytes) -> bytes:
    """format_identifier of the first registration descriptor."""
    at = 0
    while at + 2 <= len(descriptors):
        if descriptors[at] == _REGISTRATION:
            return descriptors[at + 2 : at + 6]
        at += 2 + descriptors[at + 1]
    return b""


def _picture_pts(packet: Packet) -> int | None:
    """PTS of the picture that begins in a packet, in ticks."""
    body = packet.payload
    if (
        not packet.starts
        or len(body) < 14
        or body[:3] != b"\0\0\1"
        or body[3] & 0xF0 != 0xE0
        or not body[7] & 0x80
    ):
        return None
    return (body[9] >> 1 & 7) << 30 | body[10] << 22 | (body[11] >> 1) << 15 | body[12] << 7 | body[13] >> 1


def read_cues(data: Data, most: int) -> list[Cue]:
    """The splice information of all programmes, at most so many sections; those that are not whole are left out."""
    tables = _Tables()
    cues: list[Cue] = []
    first: int | None = None
    latest: int | None = None
    for index, packet in enumerate(packets_of(data)):
        if packet.pid in tables.programmes:
            tables.feed(packet)
        elif packet.pid in tables.splices:
            for section in tables.splices[packet.pid].feed(packet):
                if section[0] == TABLE_ID and len(cues) < most:
                    cues.append(Cue(section, first, latest))
        elif packet.starts and tables.streams.get(packet.pid) in _VIDEO:
            pts = _picture_pts(packet)
            if pts is not None:
                # Pictures are sent in another order than shown: the first one sent need not be the earliest.
                earlier = first is not None and 0 < (first - pts) % WRAP < TICKS
                first = pts if first is None or (earlier and index < _TABLES_WITHIN) else first
                latest = pts
        if index >= _TABLES_WITHIN and not tables.splices:
            break
    # A cue may stand before the first picture.
    return [
        cue if cue.first_pts is not None else cue._replace(first_pts=first, last_pts=first) for cue in cues
    ]
