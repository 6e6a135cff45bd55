"""TLSH agrees with its authors' program, digit by digit, and finds documents that share large parts."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.media.tlsh import TlshIndex, tlsh, tlsh_distance

TEXT = (
    "the river runs past an old mill where nobody has ground any corn since the bridge was built and the road"
    " moved to the other bank of it"
)
WORDS = TEXT.split()


def stream(count: int, seed: str) -> bytes:
    """Bytes without structure, the same everywhere: SHA-256 of a counter."""
    blocks = (hashlib.sha256(f"{seed}:{i}".encode()).digest() for i in range(count // 32 + 1))
    return b"".join(blocks)[:count]


def text(count: int, seed: str) -> bytes:
    return " ".join(WORDS[value % len(WORDS)] for value in stream(count, seed)).encode()


# As py-tlsh 5.0.0 (https://github.com/trendmicro/tlsh) hashes them, 2026-11-24.
OF_BYTES = {
    50: "T15290020E542006143EA301758A55605C877AC784D0C0011E1C08671A1211C635348055",
    255: "T138D0979047B213A037AB027EC612242DC7FA8B007A905E7739E36F6A2161A7F9288001",
    656: "T17DF023E54775235033A506E99569106CCBB9DB503869762135BBFB3B066083F8249180",
    657: "T1540123E54775235033A506E99569106CCBB9DB503869762135BBFB3B066083F8249180",
    3199: "T1F7615B9A2BFD04D53AE903645F67C800A472E2D2BC3C0A8077447BB30BE2879EF8C442",
    3200: "T1CB615B9A2BFD04D53AE903645F67C800A472E2D2BC3C0A8077447BB30BE2879EF8C442",
    5000: "T1E2A19D682FD7289179EE03DC1AB6C904E566E1D7BC2C1E82A70C3BF386D846DC259451",
    65540: "T16653022B1CCFBEA16116C39AAD75840AE100A1F3807F69C6316C99E6D4A90B553DD7E3",
    190336: "T17414231B6DCAAAB179584372AB7480CBD5866193906BFDC22D2E0FE9054F0FC42D53D7",
}
OF_TEXT = {
    40: "T1C0C012F16A4F27B860C21238E28A11DA835B3838B5E45345E48DC43241434EC99ABBE1",
    400: "T13A41B362AB4E177914D34B68A60E16F3D779243CF8F8075AC89CC13652439BC98BB5E1",
    4000: "T11A82C3A2674E177914D20BB4D64E17E3D77A243CF8F8061AC8ACC03653479BC997B6E1",
}


@pytest.mark.parametrize("count", OF_BYTES)
def test_bytes_have_the_hash_that_the_authors_program_gives_them(count: int) -> None:
    assert tlsh(stream(count, "b")) == OF_BYTES[count]


@pytest.mark.parametrize("count", OF_TEXT)
def test_texts_have_the_hash_that_the_authors_program_gives_them(count: int) -> None:
    assert tlsh(text(count, "t")) == OF_TEXT[count]


def test_distances_are_those_of_the_authors_program() -> None:
    whole = text(400, "t")
    with_more = whole[:1500] + b" and so on " + whole[1500:]
    of_whole, of_more, of_other = tlsh(whole), tlsh(with_more), tlsh(text(400, "u"))
    assert of_whole is not None
    assert of_more is not None
    assert of_other is not None
    assert tlsh_distance(of_whole, of_more) == 28
    assert tlsh_distance(of_whole, of_other) == 52
    assert tlsh_distance(of_whole, OF_BYTES[5000]) == 352
    assert tlsh_distance(of_whole, of_whole[2:].lower()) == 0


@pytest.mark.parametrize("data", [b"", b"a" * 49, stream(49, "b"), b"a" * 1000, b"ab" * 500])
def test_what_is_short_or_monotonous_has_no_hash(data: bytes) -> None:
    assert tlsh(data) is None


KNOWN = [*OF_BYTES.values(), *OF_TEXT.values()]


@given(st.sampled_from(KNOWN), st.sampled_from(KNOWN), st.integers(0, 400))
@settings(max_examples=50)
def test_the_index_finds_what_comparing_finds(value: str, other: str, limit: int) -> None:
    assert tlsh_distance(value, other) == tlsh_distance(other, value)
    expected = [(i, d) for i, one in enumerate(KNOWN) if (d := tlsh_distance(value, one)) <= limit]
    assert TlshIndex(KNOWN).within(value, limit) == expected


def test_an_index_without_entries_finds_nothing() -> None:
    assert TlshIndex([]).within(KNOWN[0]) == []


@pytest.mark.parametrize("bad", ["", "T1", "T1" + "0" * 69, "T2" + "0" * 70, "g" * 70, KNOWN[0] + "0"])
def test_what_is_no_hash_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="no TLSH"):
        tlsh_distance(KNOWN[0], bad)
