"""Splice information of broadcasters: a `splice_info_section`, read as far as it says where advertisements begin.

Source: ANSI/SCTE 35 2023, chapters 9 and 10 (https://www.scte.org/standards/library/catalog/); written from its tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TABLE_ID: Final = 0xFC
TICKS: Final = 90_000  # a second
WRAP: Final = 1 << 33  # times begin again at zero here
SECTION_BYTES: Final = (
    4096 + 3
)  # the longest that the twelve bits of its length can say, with the bytes before it
_CUEI: Final = b"CUEI"
_NO_LENGTH: Final = 0xFFF  # splice_command_length of old senders: the command says itself where it ends
_SEGMENTATION: Final = 0x02  # splice_descriptor_tag
_INSERT, _TIME_SIGNAL = 0x05, 0x06  # splice_command_type
_EMPTY_COMMANDS: Final = frozenset((0x00, 0x07))  # splice_null, bandwidth_reservation
_SCHEDULE, _PRIVATE = 0x04, 0xFF

# segmentation_type_id of what begins an advertisement, or room that is kept for one (table 23). Promos of the
# programme's own sender (0x3C, 0x3E) are none of a third party.
AD_STARTS: Final[dict[int, str]] = {
    0x22: "Break Start",
    0x30: "Provider Advertisement Start",
    0x32: "Distributor Advertisement Start",
    0x34: "Provider Placement Opportunity Start",
    0x36: "Distributor Placement Opportunity Start",
    0x38: "Provider Overlay Placement Opportunity Start",
    0x3A: "Distributor Overlay Placement Opportunity Start",
    0x44: "Provider Ad Block Start",
    0x46: "Distributor Ad Block Start",
}


class Scte35Error(ValueError):
    """The bytes are no valid splice_info_section."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What begins or ends at the command's time: segmentation_type_id, and its length in ticks where it has one."""

    event_id: int
    cancelled: bool
    type_id: int = 0
    ticks: int | None = None


@dataclass(frozen=True, slots=True)
class SpliceInfo:
    """One section, its times in ticks of the stream, `pts_adjustment` added.

    `times` are when the command takes effect: one, or one of each component; none where it says "at once", or has no time. `out_of_network`:
    a splice_insert that leaves the network's programme, for `ticks` if it says so. Of an encrypted section only that it
    is one.
    """

    encrypted: bool
    command: int | None
    times: tuple[int, ...] = ()
    out_of_network: bool = False
    ticks: int | None = None
    segmentations: tuple[Segmentation, ...] = ()

    @property
    def begins_advertisement(self) -> bool:
        """Whether an advertisement, or room for one, begins here."""
        return self.out_of_network or any(
            not one.cancelled and one.type_id in AD_STARTS for one in self.segmentations
        )


class _Bits:
    """Reads numbers bit by bit; past the end it raises Scte35Error."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self.left = 8 * len(data)

    def read(self, count: int) -> int:
        if count > self.left:
            raise Scte35Error("it ends within a field")
        self.left -= count
        return self._value >> self.left & ((1 << count) - 1)

    def flag(self) -> bool:
        return bool(self.read(1))

    def bytes(self, count: int) -> bytes:
        return self.read(8 * count).to_bytes(count)


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc32_mpeg2(data: bytes) -> int:
    """The CRC of MPEG sections (ISO/IEC 13818-1 annex A): 0 over a section together with its own CRC."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value << 8 & 0xFFFFFFFF ^ _CRC_TABLE[value >> 24 ^ byte]
    return value


def parse(data: bytes) -> SpliceInfo:
    """The section that the bytes begin with; bytes after it are left alone.

    Raises:
        Scte35Error: it is cut short, its CRC is wrong, or a field contradicts another.
    """
    header = _Bits(data[:3])
    if header.read(8) != TABLE_ID:
        raise Scte35Error("it has another table_id")
    if header.read(2):
        raise Scte35Error("its syntax indicators are set")
    header.read(2)  # sap_type
    section = data[: 3 + header.read(12)]
    if len(section) < 18 or len(section) < 3 + (data[1] << 8 & 0xF00 | data[2]):
        raise Scte35Error("it is cut short")
    if crc32_mpeg2(section):
        raise Scte35Error("its CRC is wrong")
    bits = _Bits(section[3:-4])
    if bits.read(8):
        raise Scte35Error("it is of a later protocol version")
    encrypted = bits.flag()
    bits.read(6)
    adjustment = bits.read(33)
    bits.read(8 + 12)  # cw_index, tier
    if encrypted:
        return SpliceInfo(encrypted=True, command=None)
    length, command = bits.read(12), bits.read(8)
    if length == _NO_LENGTH:
        inner = bits
    elif 8 * length > bits.left:
        raise Scte35Error("its command is longer than itself")
    else:
        inner = _Bits(bits.bytes(length))
    times: tuple[int, ...] = ()
    out, ticks = False, None
    if command == _INSERT:
        times, out, ticks = _insert(inner)
    elif command == _TIME_SIGNAL:
        times = _splice_time(inner)
    elif command in (_SCHEDULE, _PRIVATE):
        # Times by the clock on the wall, and what only its owner reads: neither says a place in the stream.
        if length == _NO_LENGTH:
            raise Scte35Error("its command says no length")
    elif command not in _EMPTY_COMMANDS:
        raise Scte35Error("it has an unknown command")
    loop = bits.read(16)
    if 8 * loop > bits.left:
        raise Scte35Error("its descriptors are longer than itself")
    return SpliceInfo(
        encrypted=False,
        command=command,
        times=tuple((time + adjustment) % WRAP for time in times),
        out_of_network=out,
        ticks=ticks,
        segmentations=_segmentations(bits.bytes(loop)),
    )


def _splice_time(bits: _Bits) -> tuple[int, ...]:
    if bits.flag():
        bits.read(6)
        return (bits.read(33),)
    bits.read(7)
    return ()


def _insert(bits: _Bits) -> tuple[tuple[int, ...], bool, int | None]:
    """Times, whether it leaves the network's programme, and for how many ticks."""
    bits.read(32)  # splice_event_id
    cancelled = bits.flag()
    bits.read(7)
    if cancelled:
        return (), False, None
    out, program, timed, immediate = bits.flag(), bits.flag(), bits.flag(), bits.flag()
    bits.read(4)  # event_id_compliance_flag and reserved
    times: tuple[int, ...] = ()
    if program:
        times = () if immediate else _splice_time(bits)
    else:
        for _ in range(bits.read(8)):
            bits.read(8)  # component_tag
            times += () if immediate else _splice_time(bits)
    ticks = None
    if timed:
        bits.read(7)  # auto_return and reserved
        ticks = bits.read(33)
    bits.read(32)  # unique_program_id, avail_num, avails_expected
    return times, out, ticks


def _segmentations(data: bytes) -> tuple[Segmentation, ...]:
    found: list[Segmentation] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise Scte35Error("a descriptor is longer than their list")
        body = data[at + 2 : at + 2 + data[at + 1]]
        if data[at] == _SEGMENTATION and body[:4] == _CUEI:
            found.append(_segmentation(_Bits(body[4:])))
        at += 2 + data[at + 1]
    return tuple(found)


def _segmentation(bits: _Bits) -> Segmentation:
    event_id, cancelled = bits.read(32), bits.flag()
    bits.read(7)
    if cancelled:
        return Segmentation(event_id, cancelled)
    program, timed = bits.flag(), bits.flag()
    bits.read(6)  # delivery restrictions
    if not program:
        for _ in range(bits.read(8)):
            bits.read(8 + 7 + 33)  # component_tag, reserved, pts_offset
    ticks = bits.read(40) if timed else None
    bits.read(8)  # segmentation_upid_type
    bits.bytes(bits.read(8))  # segmentation_upid: whose it is
    type_id = bits.read(8)
    bits.read(16)  # segment_num, segments_expected; sub-segments may follow
    return Segmentation(event_id, cancelled, type_id, ticks)
