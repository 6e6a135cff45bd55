"""Hash banks answer exactly: PDQ neighbours up to 31 bits, and nothing beyond."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.facts import Bank
from worker.signals.hashes import HashIndex, NearHashes, is_same_picture, pdq_distance

# PDQ hashes of one photograph and of its rotations and flips, as the README and the regression data of PDQ print them:
# https://github.com/facebook/ThreatExchange/tree/main/pdq, "Copyright (c) Meta Platforms, Inc. and affiliates", BSD licence.
BRIDGE = "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22"
DIHEDRAL = (
    "b0a10efd71cc3f429413d48d0ffffe12e34e0e17ada952a9d29684210aa9e5af",
    "adad5a64b5a142e55362a09057dacd5ae63b847fc23794b766b319361fc93188",
    "a5f4a457a48995e8c9065c275aaa5498b61ba4bdf8fcf80387c32f8b0bfc4f05",
    "f8f80f31e0f417b00e37f5cd028f980fb36ed02a9662c1e233e6cc634e9c64dd",
    "8dad2599b1a1bd1853625f6553da32a1e63b7280c2374b4866b366c91bc9ce77",
    "f0a1f102f1dcc0bd9c5309720fff018de34ef1e8ada9a956d2967ade0ea91a50",
    "a5f05ba8a4896a17c106a3da5aaaab07b61b5b42f8fc07fc83c3d0740bfcb0fa",
)
SHA = "ab" * 32


def bank(**more: Any) -> Bank:
    values = {"name": "one", "policy": "illegal-goods", "source": "the test", "opinion": "confirmed", **more}
    return Bank.model_validate(values)


def flipped(value: str, *bits: int) -> str:
    number = int(value, 16)
    for bit in bits:
        number ^= 1 << bit
    return f"{number:064x}"


@pytest.mark.parametrize("other", DIHEDRAL)
def test_a_turned_picture_is_another_one(other: str) -> None:
    assert pdq_distance(BRIDGE, other) > 31
    assert not is_same_picture(BRIDGE, other)
    assert HashIndex([bank(pdq=[BRIDGE])]).find(pdq=other, pdq_quality=100) == []


def test_distances_up_to_31_match_and_32_does_not() -> None:
    index = HashIndex([bank(pdq=[BRIDGE.upper()])])
    for distance in (0, 1, 30, 31):
        (match,) = index.find(pdq=flipped(BRIDGE, *range(distance)), pdq_quality=50)
        assert (match.kind, match.distance, match.score) == ("pdq", distance, 1.0)
    assert index.find(pdq=flipped(BRIDGE, *range(32)), pdq_quality=100) == []


def test_a_hash_of_low_quality_matches_nothing_and_of_unknown_quality_only_itself() -> None:
    index = HashIndex([bank(pdq=[BRIDGE])])
    assert index.find(pdq=BRIDGE, pdq_quality=49) == []
    assert [match.distance for match in index.find(pdq=BRIDGE)] == [0]
    assert index.find(pdq=flipped(BRIDGE, 5)) == []


def test_exact_hashes_match_in_either_case_and_in_every_bank_that_holds_them() -> None:
    index = HashIndex(
        [bank(sha256=[SHA]), bank(name="two", sha256=[SHA.upper()], md5=["0" * 32], opinion="seed")]
    )
    found = index.find(sha256=SHA.upper())
    assert [(match.bank, match.kind, match.score) for match in found] == [
        ("one", "sha256", 1.0),
        ("two", "sha256", 0.5),
    ]
    assert [match.kind for match in index.find(md5="0" * 32)] == ["md5"]
    assert index.find(sha256="cd" * 32) == []
    assert index.find() == []


def test_an_index_without_hashes_is_empty() -> None:
    assert not HashIndex([])
    assert not HashIndex([bank()])
    assert HashIndex([bank(pdq=[BRIDGE])])


def _many(count: int) -> list[int]:
    numbers = random.Random(7)
    return [numbers.getrandbits(256) for _ in range(count)]


MANY = _many(2_000)
SEARCHED = NearHashes(MANY)


@given(st.integers(0, len(MANY) - 1), st.sets(st.integers(0, 255), max_size=36))
def test_a_large_index_finds_what_comparing_with_each_entry_finds(entry: int, bits: set[int]) -> None:
    value = MANY[entry]
    for bit in bits:
        value ^= 1 << bit
    expected = [
        (i, (one ^ value).bit_count()) for i, one in enumerate(MANY) if (one ^ value).bit_count() <= 31
    ]
    assert SEARCHED.within(value) == expected
    assert bool(expected) == (len(bits) <= 31)


def test_the_farthest_hash_is_found_however_its_bits_are_spread() -> None:
    # 31 bits over 16 words of 16 bits: 15 words differ in two bits and one in a single bit.
    spread = [16 * word + bit for word in range(16) for bit in (3, 11)][:-1]
    value = MANY[5]
    for bit in spread:
        value ^= 1 << bit
    assert SEARCHED.within(value) == [(5, 31)]


def test_a_limit_beyond_what_the_index_can_tell_is_refused() -> None:
    with pytest.raises(ValueError, match="above 31"):
        SEARCHED.within(MANY[0], 32)
