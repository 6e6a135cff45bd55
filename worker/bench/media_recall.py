"""How many changed copies of pictures the banks find, and what they find that is no copy.

The bank holds pictures of all kinds in turn (`pictures.mixed`). Each is changed in each way and looked up as the media
worker does: PDQ within 31 bits where both qualities are 50 or more. False matches are counted on two sides: changed
pictures that find another picture than their own, and pictures that are not in the bank at all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.bench.media_changes import CHANGES
from worker.bench.pictures import GRAPHICS, KINDS, mixed
from worker.media.borders import without_border
from worker.media.pdq import dihedral, pdq
from worker.signals.hashes import PDQ_DISTANCE, PDQ_QUALITY, Words, words_of

_CHUNK = 33  # pictures that one process makes and changes; of every kind three
_STRANGERS = 2  # pictures that are not in the bank, for each that is
_FIRST_STRANGER = 1_000_000  # their seeds are far from those of the bank
_BLOCK = 256  # queries whose distances to all entries are worked out at once
_NEARLY = (64, 48, 40)  # bits, for how many strangers' pairs come near

Child = Callable[..., dict[str, Any]]


def hashed(first: int, count: int, changes: Sequence[str]) -> dict[str, Any]:
    """A child's work: of so many pictures from a seed on, after each change, two qualities and nine hashes.

    Eight of the picture as it is and turned and mirrored, and one of what its border surrounds.
    """
    kinds, qualities, hashes = [], [], []
    for kind, picture in mixed(count, first):
        image = Image.fromarray(picture)
        kinds.append(kind)
        for name in changes:
            made = np.asarray(CHANGES[name](image))
            every = dihedral(made)
            inside = without_border(made)
            # What has no border is looked up once only: the same hash again changes nothing.
            inner = every[0] if inside is None else pdq(inside)
            qualities += [every[0].quality, inner.quality]
            hashes.append("".join(one.hash for one in (*every, inner)))
    return {"kinds": kinds, "qualities": qualities, "hashes": hashes}


@dataclass(frozen=True, slots=True)
class _Hashed:
    """Pictures after changes: names of their kinds, qualities (picture x change x 2), words (picture x change x 9 x 4).

    The second quality and the ninth hash are of what a border surrounds.
    """

    kinds: NDArray[np.str_]
    qualities: NDArray[np.int64]
    words: Words

    def good(self, place: int) -> NDArray[np.bool_]:
        """Which pictures have a hash to look up after a change."""
        known: NDArray[np.bool_] = np.any(self.qualities[:, place] >= PDQ_QUALITY, axis=1)
        return known

    def apart(self, place: int, entries: Words, rows: slice) -> NDArray[np.int64]:
        """Bits from some pictures to each entry (picture x entry), by the nearer of their two hashes; 256 without one."""
        nearest = np.full((len(self.kinds[rows]), len(entries)), 256)
        for which, hash_ in ((0, 0), (1, 8)):
            bits = _bits(self.words[rows, place, hash_, None, :] ^ entries[None, :, :])
            known = self.qualities[rows, place, which] >= PDQ_QUALITY
            nearest[known] = np.minimum(nearest[known], bits[known])
        return nearest


def measure(pictures: int, child: Child) -> dict[str, Any]:
    """Recall by change, and false matches by kind of picture, with a bank of so many pictures."""
    began = time.perf_counter()
    names = list(CHANGES)
    bank = _all(pictures, 0, names, child)
    strangers = _all(_STRANGERS * pictures, _FIRST_STRANGER, names[:1], child)
    usable = bank.qualities[:, 0, 0] >= PDQ_QUALITY  # a bank takes no others
    entries = bank.words[:, 0, 0]
    recall = [_recall(name, place, bank, entries, usable) for place, name in enumerate(names)]
    false = [_false(kind, strangers, entries[usable]) for kind in KINDS]
    others = sum(_others(place, bank, entries, usable) for place in range(len(names)))
    asked = sum(int((bank.good(place) & usable).sum()) for place in range(len(names)))
    return {
        "posts": pictures,
        "seconds": time.perf_counter() - began,
        "details": {
            "pictures_in_the_bank": int(usable.sum()),
            "left_out_for_their_quality": int((~usable).sum()),
            "changed_pictures_asked": asked,
            "pairs_with_other_pictures": asked * (int(usable.sum()) - 1),
            "false_matches_of_changed_pictures": others,
            "strangers_asked": sum(one["of_good_quality"] for one in false),
            "pairs_with_strangers": sum(one["pairs"] for one in false),
            "false_matches_of_strangers": sum(one["false_matches"] for one in false),
        },
        "tables": [
            {"title": "Recall by change", "rows": recall},
            {"title": "Pictures that are not in the bank", "rows": false},
        ],
    }


def _all(count: int, first: int, changes: Sequence[str], child: Child) -> _Hashed:
    starts = range(0, count, _CHUNK)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        parts = list(
            threads.map(
                lambda start: child(
                    "media_hashed",
                    first=first + start,
                    count=min(_CHUNK, count - start),
                    changes=list(changes),
                ),
                starts,
            )
        )

    def joined(name: str) -> Iterable[Any]:
        return chain.from_iterable(part[name] for part in parts)

    kinds = np.array(list(joined("kinds")))
    qualities = np.array(list(joined("qualities")), np.int64).reshape(len(kinds), len(changes), 2)
    return _Hashed(kinds, qualities, words_of(joined("hashes")).reshape(len(kinds), len(changes), 9, 4))


def _recall(
    name: str, place: int, bank: _Hashed, entries: Words, usable: NDArray[np.bool_]
) -> dict[str, Any]:
    """Of the bank's pictures, the share found after a change.

    By both hashes, by that of the whole picture alone, and by the nearest of its eight turns.
    """
    apart = _bits(bank.words[:, place] ^ entries[:, None, :])
    good, inner_good = (bank.qualities[:, place] >= PDQ_QUALITY).T
    graphic = np.isin(bank.kinds, list(GRAPHICS))

    def share(matched: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
        return round(float(matched[of].mean()), 4) if of.any() else 0.0

    own = apart[:, 0]
    whole = good & (own <= PDQ_DISTANCE)
    found = whole | (inner_good & (apart[:, 8] <= PDQ_DISTANCE))
    return {
        "change": name,
        "found": share(found, usable),
        "of_scenes": share(found, usable & ~graphic),
        "of_graphics": share(found, usable & graphic),
        "by_the_whole": share(whole, usable),
        "found_turned": share(found | (good & (apart[:, :8].min(axis=1) <= PDQ_DISTANCE)), usable),
        "median_bits": int(np.quantile(own[usable], 0.5, method="lower")),
        "bits_of_19_in_20": int(np.quantile(own[usable], 0.95, method="lower")),
        "lost_quality": round(float((~good)[usable].mean()), 4),
    }


def _others(place: int, bank: _Hashed, entries: Words, usable: NDArray[np.bool_]) -> int:
    """How many pairs of a changed picture and another one of the bank match."""
    total = 0
    for begin in range(0, len(entries), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        near = (bank.apart(place, entries, rows) <= PDQ_DISTANCE) & usable[None, :] & usable[rows, None]
        near[np.arange(len(near)), np.arange(begin, begin + len(near))] = False
        total += int(near.sum())
    return total


def _false(kind: str, strangers: _Hashed, entries: Words) -> dict[str, Any]:
    """What pictures of a kind that are not in the bank find there."""
    of_kind = strangers.kinds == kind
    asked = _Hashed(strangers.kinds[of_kind], strangers.qualities[of_kind], strangers.words[of_kind])
    good = int(asked.good(0).sum())
    near = dict.fromkeys((PDQ_DISTANCE, *_NEARLY), 0)
    nearest = 256
    for begin in range(0, len(asked.kinds), _BLOCK):
        apart = asked.apart(0, entries, slice(begin, begin + _BLOCK))
        nearest = min(nearest, int(apart.min(initial=256)))
        for limit in near:
            near[limit] += int((apart <= limit).sum())
    return {
        "kind": kind,
        "asked": int(of_kind.sum()),
        "of_good_quality": good,
        "pairs": good * len(entries),
        "false_matches": near[PDQ_DISTANCE],
        **{f"pairs_within_{limit}_bits": near[limit] for limit in _NEARLY},
        "nearest_bits": nearest,
    }


def _bits(words: Words) -> NDArray[np.int64]:
    counted: NDArray[np.int64] = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return counted
