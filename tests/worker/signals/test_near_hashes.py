"""The search finds exactly what comparing with each entry finds: whatever the layout of its tables and the distance."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.signals.near_hashes import (
    FARTHEST,
    NearHashes,
    choose_layout,
    words_of,
    words_of_numbers,
)

numbers = random.Random(11)
VALUES = [numbers.getrandbits(256) for _ in range(400)]
# Entries that share most bits, as pictures of one series do: keys that several entries have.
VALUES += [VALUES[0] ^ (1 << bit) for bit in range(0, 256, 5)] + [VALUES[1]] * 3 + [0, (1 << 256) - 1]
LAYOUTS = {
    "even": ((16,) * 16, (1,) * 16),
    "wide first": ((21,) * 4 + (18,) * 2 + (17,) * 8, (2,) * 4 + (1,) * 10),
    "narrow first": ((17,) * 8 + (18,) * 2 + (21,) * 4, (1,) * 10 + (2,) * 4),
    "bits left out": ((15,) * 16, (1,) * 16),
    "single keys too": ((8,) * 20 + (16,) * 6, (0,) * 20 + (1,) * 6),
    **{f"for {count}": choose_layout(count) for count in (1_000, 10_000, 100_000)},
}
INDEXES = {name: NearHashes(VALUES, layout=layout) for name, layout in LAYOUTS.items()}
INDEXES["by number"] = NearHashes(VALUES)
INDEXES["of words"] = NearHashes(words_of_numbers(VALUES))


def compared(value: int, limit: int = FARTHEST) -> list[tuple[int, int]]:
    distances = [(index, (one ^ value).bit_count()) for index, one in enumerate(VALUES)]
    return [(index, distance) for index, distance in distances if distance <= limit]


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("distance", range(41))
def test_every_distance_is_told_apart(name: str, distance: int) -> None:
    picks = random.Random(distance)
    for _ in range(3):
        value = VALUES[picks.randrange(len(VALUES))]
        for bit in picks.sample(range(256), distance):
            value ^= 1 << bit
        assert INDEXES[name].within(value) == compared(value)


@pytest.mark.parametrize("name", INDEXES)
@given(st.integers(0, len(VALUES) - 1), st.sets(st.integers(0, 255), max_size=40), st.integers(0, FARTHEST))
@settings(max_examples=40)
def test_what_is_found_is_what_comparing_finds(name: str, entry: int, bits: set[int], limit: int) -> None:
    value = VALUES[entry] ^ sum(1 << bit for bit in bits)
    assert INDEXES[name].within(value, limit) == compared(value, limit)


@pytest.mark.parametrize("name", INDEXES)
def test_the_bits_may_differ_wherever_a_table_ends(name: str) -> None:
    """As many bits as each table may miss plus one in all but one of them: the worst that must still be found."""
    layout = LAYOUTS.get(name, ((16,) * 16, (1,) * 16))
    assert layout is not None
    widths, radii = layout
    for spared in range(len(widths)):
        start, value, flipped = 0, VALUES[7], 0
        for table, (width, radius) in enumerate(zip(widths, radii, strict=True)):
            # Every table misses by one bit more than it may; one of them by exactly what it may.
            for bit in range(radius + (table != spared)):
                if flipped < FARTHEST:
                    value ^= 1 << start + width - 1 - bit
                    flipped += 1
            start += width
        assert (7, flipped) in INDEXES[name].within(value)


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("count", [0, 1, 2, 16, 300])
def test_many_at_once_are_answered_like_each_alone(name: str, count: int) -> None:
    picks = random.Random(count)
    asked = []
    for _ in range(count):
        value = picks.choice(VALUES)
        for bit in picks.sample(range(256), picks.randrange(40)):
            value ^= 1 << bit
        asked.append(value)
    queries, entries, distances = INDEXES[name].within_many(words_of_numbers(asked), 31)
    expected = [(i, *found) for i, value in enumerate(asked) for found in compared(value)]
    assert list(zip(queries.tolist(), entries.tolist(), distances.tolist(), strict=True)) == expected


def test_batches_larger_than_the_arrays_are_cut() -> None:
    index = INDEXES["wide first"]
    asked = words_of_numbers(VALUES[:3] * 100)
    queries, entries, _ = index.within_many(asked)
    assert set(queries.tolist()) == set(range(300))
    assert [int(entry) for query, entry in zip(queries, entries, strict=True) if query in {2, 299}] == [2, 2]


@pytest.mark.parametrize("layout", [None, LAYOUTS["even"]])
def test_hashes_that_are_nearly_all_alike_are_answered_in_parts(
    monkeypatch: pytest.MonkeyPatch, layout: tuple[tuple[int, ...], tuple[int, ...]] | None
) -> None:
    monkeypatch.setattr("worker.signals.near_hashes._MOST_SHARED", 5_000)
    alike = [VALUES[0] ^ (bits * 0x1_0000_0001) for bits in range(1_500)]
    index = NearHashes(alike, layout=layout)
    asked = alike[::100] + VALUES[1:5]
    queries, entries, distances = index.within_many(words_of_numbers(asked))
    expected = [
        (i, k, (one ^ value).bit_count())
        for i, value in enumerate(asked)
        for k, one in enumerate(alike)
        if (one ^ value).bit_count() <= FARTHEST
    ]
    assert len(expected) == 15 * 1_500
    assert list(zip(queries.tolist(), entries.tolist(), distances.tolist(), strict=True)) == expected


def test_without_entries_nothing_is_found() -> None:
    empty = NearHashes(())
    assert empty.within(5) == []
    assert [len(one) for one in empty.within_many(words_of_numbers([5]))] == [0, 0, 0]
    assert len(empty) == 0


def test_queries_are_left_as_they_are() -> None:
    for index in INDEXES.values():
        asked = words_of_numbers(VALUES[:20])
        before = asked.copy()
        index.within_many(asked)
        assert np.array_equal(asked, before)
        assert index.within(VALUES[9])[0] == (9, 0)


def test_digits_and_numbers_give_the_same_words() -> None:
    digits = [f"{value:064x}" for value in VALUES]
    assert np.array_equal(words_of(digits), words_of_numbers(VALUES))
    with pytest.raises(ValueError, match="64"):
        words_of(["ab"])
    with pytest.raises(ValueError, match="hex"):
        words_of(["xy" * 32])


@pytest.mark.parametrize(
    "layout",
    [((16,) * 16, (1,) * 15 + (0,)), ((32,) * 8, (1,) * 8), ((17,) * 16, (1,) * 16), ((4,) * 64, (0,) * 64)],
)
def test_a_layout_that_would_miss_something_is_refused(
    layout: tuple[tuple[int, ...], tuple[int, ...]],
) -> None:
    with pytest.raises(ValueError, match="layout"):
        NearHashes(VALUES, layout=layout)


@pytest.mark.parametrize("count", [100, 1_000, 5_000, 20_000, 100_000, 400_000, 1_000_000, 10_000_000])
def test_the_layout_for_any_number_finds_everything_and_stays_small(count: int) -> None:
    layout = choose_layout(count)
    if layout is None:
        assert count < 1_000
        return
    widths, radii = layout
    assert sum(widths) == 256
    assert sum(radius + 1 for radius in radii) == FARTHEST + 1
    assert sum(1 << width for width in widths) / 8 < 64 * count + 10_000  # bytes


def test_farther_than_it_can_tell_is_refused() -> None:
    for index in INDEXES.values():
        with pytest.raises(ValueError, match="above 31"):
            index.within(0, 32)
        with pytest.raises(ValueError, match="above 31"):
            index.within_many(words_of_numbers([0]), 32)
