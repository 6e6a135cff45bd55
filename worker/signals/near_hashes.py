"""256-bit hashes searched by Hamming distance up to 31: exact multi-index search in numpy.

The bits are cut into tables. If a table may differ in up to r bits, and r + 1 summed over the tables is 32, then of two
hashes at most 31 bits apart at least one table is within its r: each table is asked for all keys within r bits of the
query's, and what it holds under them is compared whole. (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with
Multi-Index Hashing", CVPR 2012; unequal r: Qin and others, "GPH", ICDE 2018.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FARTHEST = 31  # bits, inclusive: what an index can tell

Words = NDArray[np.uint64]

_BITS = 256
_ONE = np.uint64(1)
_NOTHING: NDArray[np.int64] = np.zeros(0, np.int64)
_FEW = 48  # entries up to which Python numbers are faster for one query than numpy
_BATCH_PROBES = 1 << 17  # looked up at once: about 1 MB for each array of them
_BATCH_PAIRS = 1 << 15  # compared at once where there are no tables
_MOST_SHARED = 1 << 20  # pairs that tables may tell of for one batch: about 100 MB

# Nanoseconds, measured; they choose between layouts and need not be right to more than a factor of two.
_PROBE, _CANDIDATE, _COMPARED = 8.0, 45.0, 6.0


class _TooManyError(Exception):
    """Of hashes nearly all alike, the frames of a still shot for example, every table tells of nearly all."""


class _Layout(NamedTuple):
    widths: tuple[int, ...]  # bits of each table, from the lowest bit on
    radii: tuple[int, ...]  # bits in which a key may differ


def words_of(hashes: Iterable[str]) -> Words:
    """Hashes of 64 hex digits as rows of four words, lowest first: what `NearHashes` takes. Raises ValueError."""
    digits = "".join(hashes)
    return _from_bytes(bytes.fromhex(digits))


def words_of_numbers(values: Iterable[int]) -> Words:
    """Numbers of 256 bits as rows of four words, lowest first."""
    return _from_bytes(b"".join(value.to_bytes(32, "big") for value in values))


def _from_bytes(data: bytes) -> Words:
    if len(data) % 32:
        raise ValueError("a hash has 64 hex digits")
    words = np.frombuffer(data, ">u8").reshape(-1, 4)[:, ::-1]
    return np.ascontiguousarray(words, dtype=np.uint64)


class NearHashes:
    """256-bit hashes, searched by Hamming distance; exact, not approximate. Reading it is safe from several threads.

    A million of them take about 100 MB and one to three seconds to build.
    """

    def __init__(
        self, values: Sequence[int] | Words, *, layout: tuple[Sequence[int], Sequence[int]] | None = None
    ) -> None:
        """Takes numbers, or rows of four words (see `words_of`), which must not change afterwards.

        `layout` (widths and radii of the tables, for tests) replaces the one chosen by the number of hashes.
        """
        if isinstance(values, np.ndarray):
            self._words: Words = np.ascontiguousarray(values, dtype=np.uint64).reshape(-1, 4)
        else:
            self._words = words_of_numbers(values)
        count = len(self._words)
        self._numbers = tuple(_numbers(self._words)) if count <= _FEW and layout is None else None
        chosen = choose_layout(count) if layout is None else _Layout(tuple(layout[0]), tuple(layout[1]))
        self._tables = None if chosen is None else _Tables(self._words, chosen)

    def __len__(self) -> int:
        return len(self._words)

    @property
    def memory_bytes(self) -> int:
        """What its arrays take."""
        return self._words.nbytes + (self._tables.nbytes if self._tables is not None else 0)

    def within(self, value: int, limit: int = FARTHEST) -> list[tuple[int, int]]:
        """(index, distance) of all entries at most `limit` (up to 31) bits away, by index.

        Raises:
          ValueError: the limit is more than the index can tell.
        """
        if self._numbers is not None:
            _check(limit)
            found = ((index, (one ^ value).bit_count()) for index, one in enumerate(self._numbers))
            return [(index, distance) for index, distance in found if distance <= limit]
        _, entries, distances = self.within_many(words_of_numbers((value,)), limit)
        return list(zip(entries.tolist(), distances.tolist(), strict=True))

    def within_many(
        self, values: Words, limit: int = FARTHEST
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Query index, entry index and distance of each pair at most `limit` bits apart, by query, then by entry.

        `values` are rows of four words (see `words_of`); several at once are faster than one after the other.

        Raises:
          ValueError: the limit is more than the index can tell.
        """
        _check(limit)
        values = np.ascontiguousarray(values, dtype=np.uint64).reshape(-1, 4)
        if not len(values) or not len(self._words):
            return _NOTHING, _NOTHING, _NOTHING
        tables = self._tables
        step = max(1, _BATCH_PAIRS // len(self._words) if tables is None else _BATCH_PROBES // tables.probes)
        parts = []
        waiting = [(begin, values[begin : begin + step]) for begin in range(0, len(values), step)][::-1]
        while waiting:
            begin, some = waiting.pop()
            try:
                queries, entries = self._pairs(some) if tables is None else tables.candidates(some)
            except _TooManyError:
                if len(some) > 1:
                    half = len(some) // 2
                    waiting += [(begin + half, some[half:]), (begin, some[:half])]
                    continue
                queries, entries = self._pairs(some)
            distances = _distances(self._words.take(entries, axis=0), some.take(queries, axis=0))
            near = (distances <= limit).nonzero()[0]
            if not len(near):
                continue
            # The same pair comes once from each table that tells of it.
            pair = queries.take(near) * len(self._words) + entries.take(near)
            pair, place = np.unique(pair, return_index=True)
            queries, entries = np.divmod(pair, len(self._words))
            parts.append((queries + begin, entries, distances.take(near.take(place)).astype(np.int64)))
        if not parts:
            return _NOTHING, _NOTHING, _NOTHING
        first, second, third = zip(*parts, strict=True)
        return np.concatenate(first), np.concatenate(second), np.concatenate(third)

    def _pairs(self, values: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        count, entries = len(values), len(self._words)
        return np.repeat(np.arange(count), entries), np.tile(np.arange(entries), count)


class _Tables:
    """Of each key that occurs in a table: which entries have it.

    A bitmap says which keys occur; the number of bits before one in it is the key's place in `_only`. There stands
    the entry, or, below 0, of a key that several entries have, which run of `_shared` holds them.
    """

    def __init__(self, words: Words, layout: _Layout) -> None:
        widths, radii = layout
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        if starts[-1] > _BITS or sum(radius + 1 for radius in radii) <= FARTHEST or min(widths) < 6:
            raise ValueError("a layout that would not find everything")
        flips = [_flips(width, radius) for width, radius in zip(widths, radii, strict=True)]
        self.probes = sum(map(len, flips))
        self._flips = np.concatenate(flips)[:, None]
        self._table_of_probe = np.repeat(np.arange(len(widths)), [len(some) for some in flips])
        # A key lies in one word, shifted down, or in two. (The word after the last is never needed: its bits are cut off.)
        self._word = starts[:-1] // 64
        self._next = np.minimum(self._word + 1, 3)
        self._shift = (starts[:-1] % 64).astype(np.uint64)[:, None]
        self._rest = np.uint64(64) - self._shift
        self._mask = np.array([(1 << width) - 1 for width in widths], np.uint64)[:, None]
        sizes = np.array([(1 << width) // 64 for width in widths], np.int64)
        # Where a table's keys begin, in bits of the bitmap. The wider come first: so each begins at a multiple of its
        # own size, and a key in which bits are flipped stays in its table.
        order = np.argsort(-sizes, kind="stable")
        self._base = np.zeros(len(sizes), np.int64)
        self._base[order] = (np.cumsum(sizes[order]) - sizes[order]) * 64
        self._bitmap = np.zeros(int(sizes.sum()), np.uint64)
        self._before = np.zeros(len(self._bitmap), np.int32)
        self._build(words, sizes)
        self._bytes = self._bitmap.astype("<u8", copy=False).view(np.uint8)

    def _build(self, words: Words, sizes: NDArray[np.int64]) -> None:
        only: list[NDArray[np.int32]] = []
        shared: list[NDArray[np.int32]] = []
        runs: list[NDArray[np.int64]] = []
        known = held = run_count = 0
        numbers = np.arange(len(words), dtype=np.uint64)
        keys = self._keys(words)
        for table, size in enumerate(sizes.tolist()):
            # Sorting key and entry as one number is several times faster than sorting entries by their keys.
            both = np.sort(((keys[table] - self._base[table]).astype(np.uint64) << np.uint64(32)) | numbers)
            entries = (both & np.uint64(0xFFFFFFFF)).astype(np.int32)
            key = (both >> np.uint64(32)).astype(np.int64)
            first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
            lengths = np.diff(first, append=len(key))
            key = key[first]
            place = int(self._base[table]) // 64
            # At most one key sets a bit, so adding is the same as or.
            bits = np.uint64(1) << (key & 63).astype(np.uint64)
            at, begin = np.unique(key >> 6, return_index=True)
            self._bitmap[place + at] = np.bitwise_or.reduceat(bits, begin)
            counts = np.bitwise_count(self._bitmap[place : place + size]).astype(np.int64)
            self._before[place : place + size] = known + np.cumsum(counts) - counts
            known += len(key)
            several = lengths > 1
            single = entries[first].copy()
            single[several] = -1 - run_count - np.arange(int(several.sum()), dtype=np.int32)
            only.append(single)
            run_count += int(several.sum())
            runs.append(held + np.cumsum(lengths[several]) - lengths[several])
            shared.append(entries[np.repeat(several, lengths)])
            held += int(lengths[several].sum())
        self._only = np.concatenate(only)
        self._shared = np.concatenate(shared)
        self._runs = np.concatenate([*runs, np.array([held])]).astype(np.int64)

    @property
    def nbytes(self) -> int:
        return sum(
            a.nbytes for a in (self._bitmap, self._before, self._only, self._shared, self._runs, self._flips)
        )

    def _keys(self, words: Words) -> NDArray[np.int64]:
        """Of each table (rows) the keys of some hashes, each with the place of its table's bits added."""
        columns = words.T
        keys = columns.take(self._word, axis=0)
        keys >>= self._shift
        rest = columns.take(self._next, axis=0)
        rest <<= self._rest  # numpy: 0 where that is 64
        keys |= rest
        keys &= self._mask
        signed = keys.view(np.int64)
        signed += self._base[:, None]
        return signed

    def candidates(self, values: Words) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Query and entry of each pair that a table tells of; a pair may come several times.

        Raises:
          _TooManyError: there are so many that they are to be asked for in parts.
        """
        count = len(values)
        keys = self._keys(values).take(self._table_of_probe, axis=0)
        keys ^= self._flips
        flat = keys.ravel()
        # Bit by bit in bytes, which are eight times as many in a register as words; the lowest byte of a key is enough.
        found = self._bytes.take(flat >> 3)
        found >>= flat.view(np.uint8)[::8] & np.uint8(7)
        found &= np.uint8(1)
        hit = found.view(np.bool_).nonzero()[0]
        queries = hit % count
        key = flat.take(hit)
        place = key >> 6
        below = (_ONE << (key.view(np.uint64) & np.uint64(63))) - _ONE
        below &= self._bitmap.take(place)
        rank = self._before.take(place)
        rank += np.bitwise_count(below)
        entries = self._only.take(rank)
        several = (entries < 0).nonzero()[0]
        if len(several):
            run = ~entries.take(several)
            begin = self._runs.take(run)
            lengths = self._runs.take(run + 1) - begin
            ends = lengths.cumsum()
            if ends[-1] > _MOST_SHARED:
                raise _TooManyError
            inside = np.arange(ends[-1]) + np.repeat(begin - ends + lengths, lengths)
            entries[several] = (
                0  # comparing with one entry more does no harm, and costs less than leaving it out
            )
            entries = np.concatenate([entries, self._shared.take(inside)])
            queries = np.concatenate([queries, np.repeat(queries.take(several), lengths)])
        return queries, entries


def _distances(first: Words, second: Words) -> NDArray[np.uint32]:
    """Bits in which the rows differ, 0..256."""
    first ^= second
    counts = np.bitwise_count(first).view(np.uint32).ravel()  # four numbers of 0..64 in each
    pairs = counts + (counts >> np.uint32(16))  # no carry: 128 at most
    return (pairs & np.uint32(0xFF)) + ((pairs >> np.uint32(8)) & np.uint32(0xFF))


def _check(limit: int) -> None:
    if limit > FARTHEST:
        raise ValueError(f"distances above {FARTHEST} cannot be searched for")


def _numbers(words: Words) -> Iterable[int]:
    return (int.from_bytes(row.astype("<u8").tobytes(), "little") for row in words)


def _flips(width: int, radius: int) -> NDArray[np.int64]:
    """All keys of at most `radius` bits, of `width` bits."""
    some = [
        sum(1 << bit for bit in bits)
        for many in range(radius + 1)
        for bits in combinations(range(width), many)
    ]
    return np.array(sorted(some), np.int64)


@lru_cache(maxsize=64)
def choose_layout(count: int) -> _Layout | None:
    """The tables that answer fastest among so many evenly spread hashes; None: comparing with each one is faster."""
    best: tuple[float, _Layout | None] = (count * _COMPARED, None)
    for tables in range(9, 22):
        layout = _even(tables)
        probes = cells = 0.0
        for width, radius in zip(*layout, strict=True):
            keys = sum(comb(width, bits) for bits in range(radius + 1))
            probes += keys
            cells += count * keys / (1 << width)
        cost = probes * _PROBE + cells * _CANDIDATE
        # A bitmap far larger than what it holds costs memory and cache for nothing.
        if sum(1 << width for width in layout.widths) <= max(256 * count, 1 << 16) and cost < best[0]:
            best = (cost, layout)
    return best[1]


def _even(tables: int) -> _Layout:
    """So many tables; those with the smaller radius get fewer bits, as they hold fewer keys to ask for."""
    radius, larger = divmod(FARTHEST + 1 - tables, tables)
    radii = [radius] * (tables - larger) + [radius + 1] * larger
    # A table of the smaller radius asks for about a tenth of the keys, so three bits less balance its candidates.
    less = 3 if 0 < larger < tables else 0
    wide, rest = divmod(_BITS + less * (tables - larger), tables)
    widths = [wide - (less if one == radius else 0) for one in radii]
    for place in range(rest):
        widths[tables - 1 - place] += 1
    return _Layout(tuple(widths), tuple(radii))


__all__: Any = ["FARTHEST", "NearHashes", "Words", "choose_layout", "words_of", "words_of_numbers"]
