"""Long texts recognised again, edited or in part, by fingerprints from which they cannot be read.

A text is cut into shingles of five words, each shingle is hashed, and of every four neighbouring hashes the smallest
is kept: winnowing (Schleimer, Wilkerson, Aiken: "Winnowing: local algorithms for document fingerprinting", SIGMOD
2003). Any eight words that two texts share in the same order leave at least one hash that both have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from worker.signals.canonical import canonicalise

if TYPE_CHECKING:
    from schemas.base import PolicyId
    from worker.engine.facts import Print

SHINGLE_WORDS = 5
WINDOW = 4  # shingles; of each window one is kept
MIN_WORDS = 25  # shorter posts share a saying or a verse by chance
MIN_CHARACTERS = 2 * MIN_WORDS - 1  # no shorter text has as many words
MIN_SHARED = 3  # hashes that both texts have; fewer are one sentence that anybody quotes
MIN_SCORE = 0.2
_PERSON = b"text-print"  # keeps these hashes apart from any other use of the same function


@dataclass(frozen=True, slots=True)
class PrintMatch:
    """A print found in a text.

    `score` is 0..1: the share of the text's words that come from the print, or the share of the print that the text
    holds, whichever is more. `shared` counts the hashes that both have.
    """

    print: str
    policy: PolicyId
    score: float
    shared: int


class PrintIndex:
    """The prints of a pack, searched all at once."""

    def __init__(self, prints: Sequence[Print]) -> None:
        self._prints = tuple(prints)
        self._owners: dict[int, list[int]] = {}
        for index, one in enumerate(self._prints):
            for value in one.values:
                self._owners.setdefault(value, []).append(index)

    def __bool__(self) -> bool:
        return bool(self._owners)

    def find(self, text: str) -> list[PrintMatch]:
        """The prints that a text was taken from, best first; none for a text of less than 25 words."""
        if not self._owners or len(text) < MIN_CHARACTERS:
            return []
        words = words_of(text)
        if len(words) < MIN_WORDS:
            return []
        places: dict[int, list[int]] = {}
        shared: dict[int, set[int]] = {}
        for place, value in enumerate(_hashes(words)):
            for index in self._owners.get(value, ()):
                places.setdefault(index, []).append(place)
                shared.setdefault(index, set()).add(value)
        matches = []
        for index, found in places.items():
            one = self._prints[index]
            score = max(_covered(found) / len(words), len(shared[index]) / len(one.values))
            if len(shared[index]) >= MIN_SHARED and score >= MIN_SCORE:
                matches.append(
                    PrintMatch(one.name, one.policy, round(min(score, 1.0), 4), len(shared[index]))
                )
        return sorted(matches, key=lambda match: (-match.score, match.print))


def shingles(text: str) -> frozenset[int]:
    """The fingerprint of a text: 64-bit hashes, about two for each five words; empty below five words."""
    hashes = _hashes(words_of(text))
    if len(hashes) < WINDOW:
        return frozenset(hashes)
    return frozenset(min(hashes[start : start + WINDOW]) for start in range(len(hashes) - WINDOW + 1))


def to_hex(values: Iterable[int]) -> list[str]:
    """Shingles as a policy pack writes them: 16 hex digits each, ascending."""
    return [f"{value:016x}" for value in sorted(values)]


def words_of(text: str) -> list[str]:
    """The words that a fingerprint is made of: canonical, disguises undone, without punctuation and apostrophes."""
    canonical = canonicalise(text).variants[-1].replace("'", "")
    if canonical.isascii():
        return canonical.translate(_SEPARATORS).split()
    return "".join(char if char.isalnum() else " " for char in canonical).split()


_SEPARATORS = {code: " " for code in range(128) if not chr(code).isalnum()}


def _hashes(words: Sequence[str]) -> list[int]:
    return [
        int.from_bytes(
            blake2b(
                " ".join(words[start : start + SHINGLE_WORDS]).encode(), digest_size=8, person=_PERSON
            ).digest()
        )
        for start in range(len(words) - SHINGLE_WORDS + 1)
    ]


def _covered(places: Sequence[int]) -> int:
    """Words in at least one of the shingles that start at these ascending places."""
    total, end = 0, 0
    for start in places:
        total += start + SHINGLE_WORDS - max(start, end)
        end = start + SHINGLE_WORDS
    return total
