"""TLSH: a hash of the bytes of a document, near that of a document of which large parts are the same.

The form of 128 buckets with a checksum of one byte, written `T1` and 70 hex digits. The algorithm and its tables are
those of J. Oliver, C. Cheng, Y. Chen, "TLSH - A Locality Sensitive Hash", CTC 2013, and of its authors' program
(https://github.com/trendmicro/tlsh, Apache-2.0 or BSD licence, © 2013 Trend Micro Incorporated, read 2026-11-24): hashes of
different programs must be equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TLSH_DISTANCE = 30  # inclusive; the threshold of python-threatexchange, 2 in 1,000 false in the paper's table

_LEAST = 50  # bytes; shorter data has too few triplets
_BUCKETS = 128
_CODE = _BUCKETS // 4  # bytes of the body: two bits a bucket
_CHUNK = 1 << 16  # bytes looked at at once; what they become stays in a core's cache

# P. K. Pearson, "Fast Hashing of Variable-Length Text Strings", CACM 33(6), 1990: a permutation of all bytes.
_PEARSON = np.frombuffer(
    bytes.fromhex("""
    0157310cb0b266a679c10654f9e62ca30ec5d5b5a155da5040ef18e2ec8e26c86eb168678dfdff324d6551122d601fde
    196bbe4656edf02248f214d6f4e395eb61ea39163cfa52afd0057fc76f3e87f8aea9d33a429a6ac3f5ab11bbb6b300f3
    8438944b80859e64827e5b0d99f6d8db7744df4e5358c9637a0b5c208872340a8a1e30b79c233d1a8f4afb5e81a23f98
    aa0773a7f1ce0396373b97dc5a3517837dad0fee4f5f59106989e1e0d9a0257b7649029d2e74099186e4cfd4cad745e5
    1bbc437ca8fc2a041d6c15f713cd27cbe928ba93c6c09b21a4bf62cca5b4754c8c24d2ac29369f08b9e871c4e72f9278
    33411c90fedd5dbdc28b702b476db8d1
    """),
    np.uint8,
)
# The greatest length of each class of lengths: these grow by a half, then by 3 tenths, then by a tenth. (By rounding in
# single precision, which is why they are listed and not worked out.)
_LISTED = """
    1 2 3 5 7 11 17 25 38 57 86 129 194 291 437 656 854 1110 1443 1876 2439 3171 3475 3823 4205 4626 5088
    5597 6157 6772 7450 8195 9014 9916 10907 11998 13198 14518 15970 17567 19323 21256 23382 25720 28292
    31121 34233 37656 41422 45564 50121 55133 60646 66711 73382 80721 88793 97672 107439 118183 130002
    143002 157302 173032 190335 209369 230306 253337 278670 306538 337191 370911 408002 448802 493682 543050
    597356 657091 722800 795081 874589 962048 1058252 1164078 1280486 1408534 1549388 1704327 1874759
    2062236 2268459 2495305 2744836 3019320 3321252 3653374 4018711 4420582 4862641 5348905 5883796 6472176
    7119394 7831333 8614467 9475909 10423501 11465851 12612437 13873681 15261050 16787154 18465870 20312458
    22343706 24578077 27035886 29739474 32713425 35984770 39583245 43541573 47895730 52685306 57953837
    63749221 70124148 77136564 84850228 93335252 102668779 112935659 124229227 136652151 150317384 165349128
    181884040 200072456 220079703 242087671 266296456 292926096 322218735 354440623 389884688 428873168
    471760495 518936559 570830240 627913311 690704607 759775136 835752671 919327967 1011260767 1112386880
    1223623232 1345985727 1480584256 1628642751 1791507135 1970657856 2167723648 2384496256 2622945920
    2885240448 3173764736 3491141248 3840255616 4224281216
    """
_LENGTHS = np.array(_LISTED.split(), np.int64)

# Of the five bytes that end at a place (0 is the last of them): the salt, and which three make a triplet.
_TRIPLETS = ((2, 0, 1, 2), (3, 0, 1, 3), (5, 0, 2, 3), (7, 0, 2, 4), (11, 0, 1, 4), (13, 0, 3, 4))


def tlsh(data: bytes) -> str | None:
    """The hash of the bytes, `T1` and 70 hex digits in upper case; None of what is too short or has too little variety.

    Takes about 0.05 s for each MB.
    """
    if len(data) < _LEAST:
        return None
    values = np.frombuffer(data, np.uint8)
    counts = np.zeros(256, np.int64)
    checksum = 0
    after = _PEARSON.tolist()
    for begin in range(4, len(values), _CHUNK):
        end = min(begin + _CHUNK, len(values))
        last = [values[begin - back : end - back] for back in range(5)]
        for salt, first, second, third in _TRIPLETS:
            mixed = _PEARSON.take(_mixed(salt, last[first], last[second]) ^ last[third])
            counts += np.bincount(mixed, minlength=256)
        for one in _mixed(0, last[0], last[1]).tobytes():
            checksum = after[one ^ checksum]
    buckets = counts[:_BUCKETS]
    ordered = np.sort(buckets)
    low, middle, high = (int(ordered[_BUCKETS * part // 4 - 1]) for part in (1, 2, 3))
    if high == 0 or np.count_nonzero(buckets) <= _BUCKETS // 2:
        return None
    pairs = (
        np.add.reduce([buckets > quartile for quartile in (low, middle, high)])
        .astype(np.uint8)
        .reshape(_CODE, 4)
    )
    code = (pairs << np.arange(0, 8, 2, dtype=np.uint8)).sum(axis=1, dtype=np.uint8)[::-1]
    length = int(np.searchsorted(_LENGTHS, len(data))) & 0xFF
    ratios = (low * 100 // high % 16) << 4 | middle * 100 // high % 16
    # The first two bytes are written with their lower digit first; the ratios are two digits of their own.
    return f"T1{_turned(checksum):02X}{_turned(length):02X}{ratios:02X}{code.tobytes().hex().upper()}"


def tlsh_distance(first: str, second: str) -> int:
    """How far two hashes are apart: 0 of the same, up to some 1,500; small numbers mean that much is the same.

    Raises:
        ValueError: one is no hash.
    """
    return int(_heads(_bytes(first)[:3], _bytes(second)[None, :3])[0]) + int(
        _bodies(_bytes(first)[3:], _bytes(second)[None, 3:])[0]
    )


class TlshIndex:
    """TLSH hashes, searched by comparing with each one: first lengths and ratios alone, which rule nearly all out."""

    def __init__(self, values: Iterable[str]) -> None:
        """Takes hashes with or without `T1`. Raises ValueError."""
        digits = "".join(_digits(value) for value in values)
        rows = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, 35)
        self._heads, self._bodies = np.ascontiguousarray(rows[:, :3]), np.ascontiguousarray(rows[:, 3:])

    def __len__(self) -> int:
        return len(self._heads)

    def within(self, value: str, limit: int = TLSH_DISTANCE) -> list[tuple[int, int]]:
        """(index, distance) of all entries at most `limit` away, by index. Raises ValueError."""
        asked = _bytes(value)
        heads = _heads(asked[:3], self._heads)
        places = np.flatnonzero(heads <= limit)
        distances = heads[places] + _bodies(asked[3:], self._bodies[places])
        near = np.flatnonzero(distances <= limit)
        return list(zip(places[near].tolist(), distances[near].tolist(), strict=True))


def _digits(value: str) -> str:
    digits = value.upper().removeprefix("T1")
    if len(digits) != 2 * (3 + _CODE) or digits.strip("0123456789ABCDEF"):
        raise ValueError("no TLSH: T1 and 70 hex digits")
    return digits


def _bytes(value: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(_digits(value)), np.uint8)


def _turned(value: int) -> int:
    return (value << 4 | value >> 4) & 0xFF


def _mixed(salt: int, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mixed: NDArray[np.uint8] = _PEARSON.take(_PEARSON.take(first ^ _PEARSON[salt]) ^ second)
    return mixed


def _heads(asked: NDArray[np.uint8], heads: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The part of the distances that comes from checksum, length and ratios."""
    checksum, length, ratios = (column.astype(np.int64) for column in heads.T)
    distance: NDArray[np.int64] = (checksum != asked[0]).astype(np.int64)
    apart = _round(length % 16 * 16 + length // 16, _turned(int(asked[1])), 256)
    distance += np.where(apart <= 1, apart, apart * 12)
    for mine, theirs in ((int(asked[2]) // 16, ratios // 16), (int(asked[2]) % 16, ratios % 16)):
        apart = _round(theirs, mine, 16)
        distance += np.where(apart <= 1, apart, (apart - 1) * 12)
    return distance


def _round(values: NDArray[np.int64], other: int, size: int) -> NDArray[np.int64]:
    """How far numbers are from another one on a ring."""
    apart = np.abs(values - other)
    nearer: NDArray[np.int64] = np.minimum(apart, size - apart)
    return nearer


def _bodies(asked: NDArray[np.uint8], bodies: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The part of the distances that comes from the buckets."""
    total: NDArray[np.int64] = _between_bytes()[asked[None, :], bodies].sum(axis=1, dtype=np.int64)
    return total


@lru_cache(maxsize=1)
def _between_bytes() -> NDArray[np.uint8]:
    """Of each two bytes, four pairs of bits each, the distance: 1 for neighbours, 2, and 6 for the farthest pairs."""
    pairs = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
    apart = np.abs(pairs[:, None, :] - pairs[None, :, :])
    between: NDArray[np.uint8] = np.where(apart == 3, 6, apart).sum(axis=2).astype(np.uint8)
    return between
