"""What a person may see of a match with a hash bank: the bank's picture of the entry, and where two hashes differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.media_signals import BankMatch
from worker.media.bank_edit import picture_of
from worker.media.bank_files import HASHES_ONLY, Bank, BankError, read_bank
from worker.media.item import Found
from worker.signals.hashes import PDQ_QUALITY, words_of

SIDE = 16  # bits of a PDQ hash in each direction


class Bits(NamedTuple):
    """Two PDQ hashes that were compared, in hex digits, and at which second of a film the asked one is."""

    asked: str
    entry: str
    at_seconds: float | None = None

    @property
    def differing(self) -> frozenset[int]:
        """Places of the bits that differ, 0 for the first bit as the hash is written."""
        both = int(self.asked, 16) ^ int(self.entry, 16)
        return frozenset(place for place in range(256) if both >> (255 - place) & 1)


@dataclass(frozen=True, slots=True)
class Shown:
    """A match with what goes with it. Where `hidden`, there is neither a picture nor a comparison."""

    match: BankMatch
    hidden: bool
    picture: Path | None = None  # JPEG that the bank keeps of the entry
    compared: Bits | None = None

    @property
    def how_near(self) -> str:
        """The distance in words."""
        match = self.match
        if match.kind in ("sha256", "md5"):
            return "the same file"
        if match.kind == "tlsh":
            return f"distance {match.distance}"
        bits = f"{match.distance} of 256 bits"
        return bits if match.share is None else f"{match.share:.0%} of the frames, the nearest at {bits}"

    @property
    def bits(self) -> dict[str, object] | None:
        """The comparison for JSON."""
        if self.compared is None:
            return None
        return {**self.compared._asdict(), "differing": sorted(self.compared.differing)}


def shown(folder: Path, found: Found, matches: Sequence[BankMatch]) -> tuple[Shown, ...]:
    """The matches of one file, in their order.

    Where one is of a bank of hashes only, nothing of the file is shown, in other banks neither: their pictures would be
    of the same thing.
    """
    hidden = any(match.policy in HASHES_ONLY for match in matches)
    if hidden:
        return tuple(Shown(match, hidden=True) for match in matches)
    banks: dict[str, Bank | None] = {}
    return tuple(_one(folder, found, match, banks) for match in matches)


def _one(folder: Path, found: Found, match: BankMatch, banks: dict[str, Bank | None]) -> Shown:
    if match.bank not in banks:
        try:
            banks[match.bank] = read_bank(folder / match.bank)
        except (BankError, OSError):  # it was changed meanwhile; the match holds all the same
            banks[match.bank] = None
    bank = banks[match.bank]
    compared = None if bank is None else _compared(bank, found, match)
    names = [match.entry or ""]
    if match.kind in ("sha256", "md5"):
        names.append(str(getattr(found, match.kind)))
    elif compared is not None and match.kind == "pdq":
        names.append(compared.entry)
    return Shown(match, hidden=False, picture=picture_of(folder, match.bank, *names), compared=compared)


def _compared(bank: Bank, found: Found, match: BankMatch) -> Bits | None:
    """The asked hash and the entry's that are nearest to each other."""
    asked = _asked(found)
    if match.kind == "vpdq":
        entries = next((_digits(video.frames) for video in bank.videos if video.entry == match.entry), [])
    elif match.kind == "pdq" and "pdq" in bank.hashes:
        held = bank.hashes["pdq"]
        entries = [
            held.digits(row)
            for row in range(len(held))
            if match.entry
            in (None if held.entries is None else held.entries[row], f"pdq:{held.digits(row)[:16]}")
        ]
    else:
        entries = []
    if not asked or not entries:
        return None
    first, second = words_of(list(asked)), words_of(entries)
    apart = np.bitwise_count(first[:, None, :] ^ second[None, :, :]).sum(axis=2)
    query, entry = divmod(int(apart.argmin()), len(entries))
    value = list(asked)[query]
    return Bits(value, entries[entry], asked[value])


def _asked(found: Found) -> Mapping[str, float | None]:
    """The PDQ hashes of a file that are good enough, each with its time if it is a frame's."""
    asked: dict[str, float | None] = {}
    for frame in found.frames:
        if frame.pdq and (frame.pdq_quality or 0) >= PDQ_QUALITY:
            asked.setdefault(frame.pdq, frame.at_seconds)
    if found.pdq and (found.pdq_quality or 0) >= PDQ_QUALITY:
        asked.setdefault(found.pdq, None)
    if found.inner_pdq and (found.inner_pdq_quality or 0) >= PDQ_QUALITY:
        asked.setdefault(found.inner_pdq, None)
    return asked


def _digits(frames: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> list[str]:
    """Rows of four words, the lowest first, as hex digits."""
    return ["".join(f"{int(word):016x}" for word in reversed(row)) for row in frames.tolist()]
