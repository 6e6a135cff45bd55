"""What an account did lately, counted by the posts' own times: part of the account's record.

Everything is kept as the `state` topic holds it (lists and dicts of numbers), so that reading a record back and writing
it again cost nothing but JSON. Counts do not depend on the order in which the posts come: buckets are added up, sets
are joined, and what is pushed out for want of room is what is oldest by its own time.

Bounds: 40 buckets of five minutes and 28 of an hour with 13 numbers each, 64 names for each of four distinct counts and
for two days 256 registers each of what does not fit, 32 texts with 12 hours each: under 24 kB of JSON whatever the
account does, about 150 bytes for one that posts three times a day (docs/behaviour.md).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

FINE_MINUTES = 5
SHORT_MINUTES = 120  # windows up to which are counted by five minutes
FINE_KEPT = 40  # buckets: two hours before the hour that is not over, and what came late
HOURS_KEPT = 28
LONGEST_MINUTES = 24 * 60  # the longest window that can be asked for
NAMES_KEPT = 64
TEXTS_KEPT = 32
TEXT_HOURS = 12
MARKS_KEPT = 16
ALIKE = 16  # bits, see `worker.signals.sameness`
_DAY = 24 * 60
_STALE_HOURS = 25

COLUMNS: Final = (
    "posts",
    "replies",
    "unasked",  # replies to others who had not addressed it
    "reposts",
    "quotes",
    "mentions",  # others than whom it answers
    "links",  # posts with one
    "hashtags",
    "stuffed",  # posts with at least five hashtags
    "follows",  # the most within an hour that upstream counted
    "unfollows",
    "threaded",  # answers to itself: parts of a thread, which are no posts of their own
)
COLUMN: Final = {name: place for place, name in enumerate(COLUMNS, 1)}
DISTINCT: Final = ("mentioned", "answered", "domains", "tags")
STUFFED = 5
_THREADED = COLUMN["threaded"]
_MOST = (COLUMN["follows"], COLUMN["unfollows"])  # gauges: of an hour their highest value counts


class Deed(NamedTuple):
    """What one post does, as far as it is counted. `names` are those of each distinct count in `DISTINCT`."""

    counts: tuple[int, ...]  # in the order of COLUMNS
    names: tuple[Sequence[str], ...]
    text: int = 0
    simhash: int = 0
    unasked: bool = False
    few: bool = True  # it counts one at the most of everything


class Behaviour:
    """Counts of one account; see the module. Times are minutes since the epoch."""

    __slots__ = ("days", "fine", "hours", "marks", "names", "texts")

    def __init__(self) -> None:
        self.fine: list[
            list[int]
        ] = []  # [five minutes since the epoch, *COLUMNS less zeros at the end], ascending
        self.hours: list[list[int]] = []  # [hour since the epoch, *COLUMNS less zeros at the end], ascending
        self.names: dict[str, dict[str, int]] = {}  # by distinct count: hash -> minute when it was last seen
        self.days: dict[str, dict[str, str]] = {}  # by distinct count and day: registers of what did not fit
        self.texts: dict[
            str, list[int]
        ] = {}  # by hash: last minute, simhash, then hour, times, unasked replies
        self.marks: dict[str, list[int]] = {}  # by name: hour, times, hour, times ...

    # -- counting ------------------------------------------------------------------------------------

    def add(self, deed: Deed, minute: int) -> None:
        """Counts a post at its own time."""
        hour = minute // 60
        counts = deed.counts
        fine = self.fine
        index = minute // FINE_MINUTES
        if not fine or (fine[-1][0] < index and len(fine) < FINE_KEPT):
            fine.append(_bucket(index, counts))
        elif fine[-1][0] == index:
            _add(fine[-1], counts)
        else:
            self._insert(fine, index, counts, FINE_KEPT)
        hours = self.hours
        if hours and hours[-1][0] == hour:
            _add(hours[-1], counts)
        else:
            self._insert(hours, hour, counts, HOURS_KEPT)
            if len(hours) > 1:
                self._forget(hour)
        if any(deed.names):
            for kind, names in zip(DISTINCT, deed.names, strict=True):
                if names:
                    self._name(kind, names, minute)
        if deed.text:
            self._text(deed, minute)

    def mark(self, name: str, minute: int) -> None:
        """Counts a post under a name of its own."""
        pairs = self.marks.get(name)
        if pairs is None:
            if len(self.marks) >= MARKS_KEPT:
                return
            pairs = self.marks[name] = []
        _add_at(pairs, minute // 60, (1,), HOURS_KEPT)

    @staticmethod
    def _insert(buckets: list[list[int]], index: int, counts: Sequence[int], kept: int) -> None:
        place = len(buckets)  # nearly always the end
        while place and buckets[place - 1][0] > index:
            place -= 1
        if place and buckets[place - 1][0] == index:
            _add(buckets[place - 1], counts)
            return
        buckets.insert(place, _bucket(index, counts))
        if len(buckets) > kept:
            # The farthest from now goes; most often the oldest, and one from the far future otherwise.
            del buckets[0 if index - buckets[0][0] >= buckets[-1][0] - index else -1]

    def _forget(self, hour: int) -> None:
        """Drops what is too old to count, once an hour. A single post from the far future makes nothing old."""
        latest = min(hour, self.hours[-2][0])
        oldest = latest - _STALE_HOURS
        if self.hours[0][0] < oldest:
            self.hours = [bucket for bucket in self.hours if bucket[0] >= oldest]
        recent = (latest - SHORT_MINUTES // 60) * 60 // FINE_MINUTES
        if self.fine[0][0] < recent:
            self.fine = [bucket for bucket in self.fine if bucket[0] >= recent]
        minute = oldest * 60
        for kind, names in list(self.names.items()) if self.names else ():
            if min(names.values()) < minute:
                young_names = {name: last for name, last in names.items() if last >= minute}
                if young_names:
                    self.names[kind] = young_names
                else:
                    del self.names[kind]
        for key in [key for key, entry in self.texts.items() if entry[0] < minute]:
            del self.texts[key]
        if self.marks:
            kept = {name: _since(pairs, 2, oldest) for name, pairs in self.marks.items()}
            self.marks = {name: pairs for name, pairs in kept.items() if pairs}
        if self.days:
            first = minute // _DAY
            young = {
                kind: {day: registers for day, registers in days.items() if int(day) >= first}
                for kind, days in self.days.items()
            }
            self.days = {kind: days for kind, days in young.items() if days}

    def _name(self, kind: str, names: Iterable[str], minute: int) -> None:
        known = self.names.get(kind)
        if known is None:
            known = self.names[kind] = {}
        for name in names:
            key = f"{crc32(name.encode('utf-8', 'replace')):x}"
            last = known.get(key)
            if last is None or last < minute:
                known[key] = minute
        while len(known) > NAMES_KEPT:
            oldest = min(known, key=lambda key: (known[key], key))
            self._spill(kind, oldest, known.pop(oldest))

    def _spill(self, kind: str, key: str, minute: int) -> None:
        """Keeps what does not fit in the estimate of its day; the last two days are kept."""
        days = self.days.setdefault(kind, {})
        day = str(minute // _DAY)
        days[day] = encode_registers(add_hash(decode_registers(days.get(day)), int(key, 16)))
        while len(days) > 2:
            del days[min(days, key=int)]

    def _text(self, deed: Deed, minute: int) -> None:
        key = f"{deed.text:x}"
        entry = self.texts.get(key)
        if entry is None:
            # As JSON numbers of 64 bits with a sign, which are read and written fastest.
            signed = deed.simhash - (1 << 64) if deed.simhash >> 63 else deed.simhash
            self.texts[key] = [minute, signed, minute // 60, 1, int(deed.unasked)]
        else:
            entry[0] = max(entry[0], minute)
            pairs = entry[2:]
            _add_at(pairs, minute // 60, (1, int(deed.unasked)), TEXT_HOURS)
            entry[2:] = pairs
        if len(self.texts) > TEXTS_KEPT:
            del self.texts[min(self.texts, key=lambda key: (self.texts[key][0], key))]

    def posts(self) -> int:
        """How many posts and parts of threads the buckets hold: an upper bound for whatever a post counts once of."""
        total = 0
        for bucket in self.hours:
            size = len(bucket)
            if size > 1:
                total += bucket[1]
                if size > _THREADED:
                    total += bucket[_THREADED]
        return total

    # -- asking --------------------------------------------------------------------------------------

    def count(self, column: int, minute: int, window: int) -> int:
        """The sum of a column (its place in `COLUMN`) in the window of so many minutes up to this one."""
        total = 0
        if window <= SHORT_MINUTES and column not in _MOST:
            last = minute // FINE_MINUTES
            first = last - window // FINE_MINUTES
            for bucket in reversed(self.fine):
                if first < bucket[0] <= last and column < len(bucket):
                    total += bucket[column]
            return total
        last = minute // 60
        first = last - window // 60
        for bucket in reversed(self.hours):
            if first < bucket[0] <= last and column < len(bucket):
                total += bucket[column]
        return total

    def distinct(self, kind: str, minute: int, window: int) -> int:
        """How many different names were counted in the window; an estimate above 64."""
        names = self.names.get(kind)
        if not names:
            return 0
        first = minute - window
        recent = [key for key, last in names.items() if first < last <= minute]
        registers = self.days.get(kind, {}).get(str(minute // _DAY)) if window > SHORT_MINUTES else None
        if registers is None:
            return len(recent)
        kept = decode_registers(registers)
        for key in recent:
            add_hash(kept, int(key, 16))
        return max(len(recent), round(estimate(kept)))

    def same(self, text: int, minute: int, window: int) -> tuple[int, int]:
        """How often the same text was posted in the window, and how often as a reply that nobody asked for."""
        entry = self.texts.get(f"{text:x}")
        return (0, 0) if entry is None else _sums(entry, minute, window)

    def alike(self, deed: Deed, minute: int, window: int) -> tuple[int, int]:
        """As `same`, of all texts that differ from this one in a few words at most; none for a text without a print."""
        times = unasked = 0
        simhash = deed.simhash
        for entry in self.texts.values() if simhash else ():
            if entry[1] and ((entry[1] ^ simhash) & _MASK).bit_count() <= ALIKE:
                more, asked = _sums(entry, minute, window)
                times += more
                unasked += asked
        return times, unasked

    def marked(self, name: str, minute: int, window: int) -> int:
        """How many posts were counted under a name in the window."""
        last = minute // 60
        first = last - max(1, window // 60)
        pairs = self.marks.get(name, ())
        return sum(pairs[at + 1] for at in range(0, len(pairs), 2) if first < pairs[at] <= last)

    # -- the record ----------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """What stands in the account's record; parts that are empty are left out. It shares what it holds."""
        return {name: part for name in _PARTS if (part := getattr(self, name))}

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Behaviour:
        """Reads what `to_json` gave."""
        behaviour = cls()
        for name in value or ():
            if name in _PARTS:
                setattr(behaviour, name, value[name])  # type: ignore[index]  # there is a name, so there is a value
        return behaviour


_PARTS = ("fine", "hours", "names", "days", "texts", "marks")


def _bucket(index: int, counts: Sequence[int]) -> list[int]:
    if not any(counts[1:]):  # nearly always
        return [index, counts[0]] if counts[0] else [index]
    last = len(counts)
    while not counts[last - 1]:
        last -= 1
    return [index, *counts[:last]]


def _add(bucket: list[int], counts: Sequence[int]) -> None:
    for place, count in enumerate(counts, 1):
        if count:
            if place >= len(bucket):
                bucket.extend([0] * (place + 1 - len(bucket)))
            bucket[place] = max(bucket[place], count) if place in _MOST else bucket[place] + count


def _add_at(pairs: list[int], hour: int, counts: tuple[int, ...], kept: int) -> None:
    """Adds to the counts of an hour in a flat list of (hour, counts ...), ascending; the oldest hour makes room."""
    width = 1 + len(counts)
    for at in range(len(pairs) - width, -1, -width):
        if pairs[at] == hour:
            for place, count in enumerate(counts, at + 1):
                pairs[place] += count
            return
        if pairs[at] < hour:
            pairs[at + width : at + width] = (hour, *counts)
            break
    else:
        pairs[0:0] = (hour, *counts)
    if len(pairs) > kept * width:
        del pairs[:width]


def _since(pairs: list[int], width: int, hour: int) -> list[int]:
    kept: list[int] = []
    for at in range(0, len(pairs), width):
        if pairs[at] >= hour:
            kept += pairs[at : at + width]
    return kept


def _sums(entry: Sequence[int], minute: int, window: int) -> tuple[int, int]:
    last = minute // 60
    first = last - max(1, window // 60)
    times = unasked = 0
    for at in range(2, len(entry), 3):
        if first < entry[at] <= last:
            times += entry[at + 1]
            unasked += entry[at + 2]
    return times, unasked


# -- HyperLogLog ---------------------------------------------------------------------------------------
# Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm",
# AofA 2007; 64-bit hashes, so that large counts need no correction, and linear counting for small ones as in Heule,
# Nunkesser, Hall, "HyperLogLog in practice", EDBT 2013. 256 registers: a standard error of 6.5 %.

_BITS = 8
_REGISTERS = 1 << _BITS
_ALPHA = 0.7213 / (1 + 1.079 / _REGISTERS)
_MASK = (1 << 64) - 1


def add_hash(registers: bytearray, value: int) -> bytearray:
    """Counts a name by its 32-bit hash, spread over 64 bits; the registers themselves, for chaining."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    value ^= value >> 31
    place, rest = value >> (64 - _BITS), value & ((1 << (64 - _BITS)) - 1)
    rank = 64 - _BITS - rest.bit_length() + 1
    registers[place] = max(registers[place], rank)
    return registers


def estimate(registers: bytes | bytearray) -> float:
    """How many different hashes were counted."""
    raw = _ALPHA * _REGISTERS * _REGISTERS / sum(2.0**-rank for rank in registers)
    empty = registers.count(0)
    if raw <= 2.5 * _REGISTERS and empty:
        return _REGISTERS * math.log(_REGISTERS / empty)
    return raw


def encode_registers(registers: bytes | bytearray) -> str:
    """The registers as text for a JSON record."""
    return base64.b64encode(bytes(registers)).decode()


def decode_registers(text: str | None) -> bytearray:
    """The registers that a record holds; None: none yet."""
    return bytearray(_REGISTERS) if text is None else bytearray(base64.b64decode(text))
