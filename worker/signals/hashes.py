"""Media looked up in hash banks: SHA-256 and MD5 exactly, PDQ by Hamming distance.

PDQ hashes are 256 bits; two are of the same picture up to a distance of 31 where the quality is at least 50
(https://github.com/facebook/ThreatExchange/tree/main/pdq, "hashing.pdf", read 2026-11-23).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from worker.signals.near_hashes import FARTHEST, NearHashes, Words, words_of

if TYPE_CHECKING:
    from schemas.base import PolicyId
    from worker.engine.facts import Bank

PDQ_DISTANCE = FARTHEST  # 31 bits, inclusive
PDQ_QUALITY = 50  # 0..100; a hash of a picture without features is near that of many others

HashKind = Literal["sha256", "md5", "pdq"]


@dataclass(frozen=True, slots=True)
class Match:
    """One entry of a bank that a media item matches; `distance` is in bits, 0 for an exact hash."""

    bank: str
    policy: PolicyId
    opinion: Literal["seed", "confirmed"]
    kind: HashKind
    distance: int = 0

    @property
    def score(self) -> float:
        """How far the match is to be trusted: 1 confirmed, 0.5 a seed."""
        return 1.0 if self.opinion == "confirmed" else 0.5


class HashIndex:
    """The hashes of some banks; an entry that several banks hold matches in each of them."""

    def __init__(self, banks: Sequence[Bank]) -> None:
        self._banks = tuple(banks)
        self._exact: dict[tuple[HashKind, str], list[int]] = {}
        owners: dict[int, list[int]] = {}
        for index, bank in enumerate(self._banks):
            for value in bank.sha256:
                self._exact.setdefault(("sha256", value), []).append(index)
            for value in bank.md5:
                self._exact.setdefault(("md5", value), []).append(index)
            for value in bank.pdq:
                owners.setdefault(int(value, 16), []).append(index)
        self._near = NearHashes(tuple(owners))
        self._owners = tuple(tuple(found) for found in owners.values())

    def __bool__(self) -> bool:
        return bool(self._exact or self._owners)

    def find(
        self,
        *,
        sha256: str | None = None,
        md5: str | None = None,
        pdq: str | None = None,
        pdq_quality: int | None = None,
    ) -> list[Match]:
        """All matches of one media item or frame, exact ones first; hashes are hex digits in either case.

        A PDQ hash of low quality matches nothing; one whose quality nobody states only the very same hash.
        """
        matches: list[Match] = []
        exact: tuple[tuple[HashKind, str | None], ...] = (("sha256", sha256), ("md5", md5))
        for kind, value in exact:
            if value:
                matches += [self._match(i, kind, 0) for i in self._exact.get((kind, value.lower()), ())]
        if pdq and self._owners and (pdq_quality is None or pdq_quality >= PDQ_QUALITY):
            limit = 0 if pdq_quality is None else PDQ_DISTANCE
            for entry, distance in self._near.within(int(pdq, 16), limit):
                matches += [self._match(i, "pdq", distance) for i in self._owners[entry]]
        return matches

    def _match(self, index: int, kind: HashKind, distance: int) -> Match:
        bank = self._banks[index]
        return Match(bank.name, bank.policy, bank.opinion, kind, distance)


def pdq_distance(first: str, second: str) -> int:
    """Bits in which two PDQ hashes, given in hex digits, differ: 0..256."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def is_same_picture(first: str, second: str) -> bool:
    """Whether two PDQ hashes of good quality, given in hex digits, are of the same picture."""
    return pdq_distance(first, second) <= PDQ_DISTANCE


__all__ = [
    "PDQ_DISTANCE",
    "PDQ_QUALITY",
    "HashIndex",
    "HashKind",
    "Match",
    "NearHashes",
    "Words",
    "is_same_picture",
    "pdq_distance",
    "words_of",
]
