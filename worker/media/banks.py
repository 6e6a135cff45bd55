"""Hash banks: what was found in a media item, looked up in all of them at once; read again while the worker runs.

The rules of a match are those of HMA and of vPDQ (https://github.com/facebook/ThreatExchange, pdq/README.md and
python-threatexchange/threatexchange/extensions/vpdq/vpdq_util.py, read 2026-11-24): PDQ at up to 31 bits where the quality
is at least 50, a video where 80 % of its frames are in an entry, TLSH at up to 30; MD5 and SHA-256 exactly.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.media_signals import BankMatch
from worker.media.bank_files import (
    INFO,
    KINDS,
    Bank,
    BankError,
    Hashes,
    Kind,
    bank_folders,
    entry_id,
    file_of,
    read_bank,
)
from worker.media.item import Found
from worker.media.tlsh import TlshIndex
from worker.signals.hashes import PDQ_DISTANCE, PDQ_QUALITY, NearHashes, Words, words_of

MOST_MATCHES = 256  # of one item; a record has no room for more

_ORDER: dict[str, int] = {kind: place for place, kind in enumerate(("sha256", "md5", "pdq", "vpdq", "tlsh"))}


class Banks:
    """All banks as they were at one moment. Reading it is safe from several threads.

    A million PDQ hashes take about 150 MB and some seconds to build.
    """

    def __init__(self, banks: Sequence[Bank] = ()) -> None:
        """Takes banks in the order in which they are to be told; those that are not enabled are left out."""
        self._banks = tuple(_part(bank) for bank in banks if bank.info.enabled and bank.info.share > 0)
        self._exact = {kind: _Exact(self._hashes(kind)) for kind in ("sha256", "md5")}
        pdq = self._hashes("pdq")
        self._pdq = _Owners(pdq)
        self._videos = [(place, video) for place, bank in enumerate(self._banks) for video in bank.videos]
        counts = [len(video.frames) for _, video in self._videos]
        self._video_of_frame = np.repeat(np.arange(len(counts)), counts)
        # Pictures and frames are looked up in one go: first come the pictures, then the frames.
        words = [_words(some.rows) for _, some in pdq] + [video.frames for _, video in self._videos]
        self._near = NearHashes(np.concatenate([np.zeros((0, 4), np.uint64), *words]))
        tlsh = self._hashes("tlsh")
        self._tlsh_owners = _Owners(tlsh)
        self._tlsh = TlshIndex(some.digits(row) for _, some in tlsh for row in range(len(some)))
        entries: Counter[tuple[str, str]] = Counter()
        for bank in self._banks:
            entries.update({(bank.info.policy, kind): len(some) for kind, some in bank.hashes.items()})
            if bank.videos:
                entries[bank.info.policy, "vpdq"] += len(bank.videos)
        self._entries = entries

    @property
    def entries(self) -> Mapping[tuple[str, str], int]:
        """How many entries there are, by policy and kind of hash."""
        return self._entries

    @property
    def names(self) -> tuple[str, ...]:
        """The banks that are matched with, in their order."""
        return tuple(bank.name for bank in self._banks)

    def match(self, found: Found) -> tuple[BankMatch, ...]:
        """The entries that a media item matches, by whatever hashes it has.

        Of one entry only the best match is told. Confirmed ones come first, then exact ones, then the nearest; at
        most `MOST_MATCHES`. A PDQ hash whose quality nobody states matches only the very same one, and one of low
        quality nothing.
        """
        hits = [*self._by_exact(found), *self._by_pdq(found), *self._by_tlsh(found)]
        hits.sort(key=lambda hit: (hit.opinion != "confirmed", _ORDER[hit.kind or ""], hit.distance))
        best: dict[tuple[str, str | None], BankMatch] = {}
        for hit in hits:
            best.setdefault((hit.bank, hit.entry), hit)
        return tuple(best.values())[:MOST_MATCHES]

    def _hashes(self, kind: Kind) -> list[tuple[int, Hashes]]:
        return [(place, bank.hashes[kind]) for place, bank in enumerate(self._banks) if kind in bank.hashes]

    def _hit(
        self,
        place: int,
        kind: Kind,
        entry: str,
        *,
        confirmed: bool,
        distance: int = 0,
        share: float | None = None,
    ) -> BankMatch:
        bank = self._banks[place]
        return BankMatch(
            bank=bank.name,
            policy=bank.info.policy,
            opinion="confirmed" if confirmed else "seed",
            distance=distance,
            kind=kind,
            share=share,
            entry=entry,
            source=bank.info.source,
        )

    def _row(self, owners: _Owners, row: int, kind: Kind, distance: int = 0) -> BankMatch:
        place, hashes, inside = owners.of(row)
        stated = None if hashes.entries is None else hashes.entries[inside]
        entry = stated or entry_id(kind, hashes.digits(inside))
        return self._hit(place, kind, entry, confirmed=bool(hashes.confirmed[inside]), distance=distance)

    def _by_exact(self, found: Found) -> Iterator[BankMatch]:
        for kind, value in (("sha256", found.sha256), ("md5", found.md5)):
            if value:
                exact = self._exact["sha256" if kind == "sha256" else "md5"]
                for row in exact.find(bytes.fromhex(value)):
                    yield self._row(exact.owners, row, "sha256" if kind == "sha256" else "md5")

    def _by_tlsh(self, found: Found) -> Iterator[BankMatch]:
        if found.tlsh and len(self._tlsh):
            for row, distance in self._tlsh.within(found.tlsh):
                yield self._row(self._tlsh_owners, row, "tlsh", distance)

    def _by_pdq(self, found: Found) -> Iterator[BankMatch]:
        asked = _asked(found)
        if not asked or not len(self._near):
            return
        queries, rows, distances = self._near.within_many(words_of(asked), PDQ_DISTANCE)
        known = np.fromiter((one.good for one in asked.values()), np.bool_, len(asked))
        kept = known[queries] | (distances == 0)
        queries, rows, distances = queries[kept], rows[kept], distances[kept]
        pictures = rows < len(self._pdq)
        nearest: dict[int, int] = {}
        for row, distance in zip(rows[pictures].tolist(), distances[pictures].tolist(), strict=True):
            nearest[row] = min(distance, nearest.get(row, distance))
        for row, distance in sorted(nearest.items(), key=lambda item: item[1])[: 4 * MOST_MATCHES]:
            yield self._row(self._pdq, row, "pdq", distance)
        frames = np.fromiter((one.frame for one in asked.values()), np.bool_, len(asked))
        of_video = ~pictures & frames[queries]
        yield from self._by_frames(
            queries[of_video], rows[of_video] - len(self._pdq), distances[of_video], int(frames.sum())
        )

    def _by_frames(
        self, queries: NDArray[np.int64], frames: NDArray[np.int64], distances: NDArray[np.int64], asked: int
    ) -> Iterator[BankMatch]:
        """Videos of which enough frames are the same; `asked` is how many different ones the item has."""
        every = self._video_of_frame[frames]
        videos, which = np.unique(every, return_inverse=True)
        most = int(queries.max(initial=0)) + 1
        shared = np.bincount(np.unique(which * most + queries) // most)
        known = np.bincount(np.searchsorted(videos, self._video_of_frame[np.unique(frames)]))
        nearest = np.full(len(videos), PDQ_DISTANCE)
        np.minimum.at(nearest, which, distances)
        for video, of_query, of_entry, distance in zip(
            videos.tolist(), shared.tolist(), known.tolist(), nearest.tolist(), strict=True
        ):
            place, entry = self._videos[video]
            info = self._banks[place].info
            share = of_query / asked
            if share >= info.query_frames and of_entry / len(entry.frames) >= info.entry_frames:
                yield self._hit(
                    place,
                    "vpdq",
                    entry.entry,
                    confirmed=entry.confirmed,
                    distance=distance,
                    share=round(share, 4),
                )


class _Asked(NamedTuple):
    good: bool  # its quality is known to be good enough for hashes that are only near
    frame: bool


def _asked(found: Found) -> dict[str, _Asked]:
    """The different PDQ hashes of an item that are worth looking up."""
    asked: dict[str, _Asked] = {}
    every = [(found.pdq, found.pdq_quality, False), (found.inner_pdq, found.inner_pdq_quality, False)]
    every += [(frame.pdq, frame.pdq_quality, True) for frame in found.frames]
    for value, quality, frame in every:
        if value and (quality is None or quality >= PDQ_QUALITY):
            before = asked.get(value.lower(), _Asked(good=False, frame=False))
            asked[value.lower()] = _Asked(before.good or quality is not None, before.frame or frame)
    return asked


def _words(rows: NDArray[np.uint8]) -> Words:
    words: Words = np.ascontiguousarray(rows).view(">u8")[:, ::-1].astype(np.uint64)
    return words


def _part(bank: Bank) -> Bank:
    """The bank with the share of its entries that match. A larger share holds all that a smaller one does."""
    share = bank.info.share
    if share >= 1:
        return bank

    def chosen(key: bytes) -> bool:
        mixed = hashlib.blake2b(key, digest_size=8, person=b"bank-share").digest()
        return int.from_bytes(mixed, "big") < share * 2**64

    def picked(hashes: Hashes) -> Hashes:
        rows = hashes.rows
        return hashes.some(np.fromiter((chosen(row.tobytes()) for row in rows), np.bool_, len(rows)))

    videos = tuple(video for video in bank.videos if chosen(video.frames.tobytes()))
    return Bank(
        bank.name, bank.info, {kind: picked(some) for kind, some in bank.hashes.items()}, videos, bank.refuted
    )


class _Owners:
    """From rows of all banks' hashes of one kind, one after the other, back to the bank."""

    def __init__(self, hashes: Iterable[tuple[int, Hashes]]) -> None:
        self._parts = list(hashes)
        self._starts = np.cumsum([0, *(len(some) for _, some in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def of(self, row: int) -> tuple[int, Hashes, int]:
        """Place of the bank, its hashes, and the row within them."""
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        place, hashes = self._parts[part]
        return place, hashes, row - int(self._starts[part])


class _Exact:
    """Hashes looked up exactly: sorted by their first 64 bits, so that a million take 16 MB and not 200."""

    def __init__(self, hashes: list[tuple[int, Hashes]]) -> None:
        self.owners = _Owners(hashes)
        firsts = [
            np.ascontiguousarray(some.rows[:, :8]).view(">u8").ravel().astype(np.uint64) for _, some in hashes
        ]
        every = np.concatenate([np.zeros(0, np.uint64), *firsts])
        self._order = np.argsort(every, kind="stable")
        self._firsts = every[self._order]

    def find(self, value: bytes) -> list[int]:
        """The rows that hold exactly this hash."""
        first = np.uint64(int.from_bytes(value[:8], "big"))
        low = int(np.searchsorted(self._firsts, first, side="left"))
        high = int(np.searchsorted(self._firsts, first, side="right"))
        same = []
        for row in self._order[low:high].tolist():
            _, hashes, inside = self.owners.of(row)
            if hashes.rows[inside].tobytes() == value:
                same.append(row)
        return same


@dataclass(frozen=True, slots=True)
class _Read:
    """A bank as it was read, and by which files."""

    stamps: dict[str, tuple[int, int, int]]  # of each file: inode, time of change, bytes
    content: str
    bank: Bank | None = None  # None: it was never without fault
    faults: tuple[str, ...] = ()


class BankFolder:
    """A folder of hash banks that may change; empty until `reload` is called, and without a folder for ever."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._read: dict[str, _Read] = {}
        self._current = Banks()

    @property
    def current(self) -> Banks:
        """The banks as they were read last; a snapshot that does not change any more."""
        return self._current

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong in the folder, with file and line. Of a bank with a fault its entries of before are kept."""
        return tuple(fault for _, read in sorted(self._read.items()) for fault in read.faults)

    def reload(self) -> bool:
        """Reads what has changed since; whether anything that is matched with has. Blocks while it reads and builds.

        Meanwhile `current` answers as before, and is replaced as a whole.

        Raises:
            OSError: the folder itself cannot be listed; everything stays as it was.
        """
        if self._folder is None:
            return False
        read: dict[str, _Read] = {}
        for path in bank_folders(self._folder):
            read[path.name] = self._read_again(path, self._read.get(path.name))
        before, now = _held(self._read), _held(read)
        changed = before.keys() != now.keys() or any(now[name] is not before[name] for name in now)
        if changed:
            self._current = Banks([now[name] for name in sorted(now)])
        self._read = read
        return changed

    @staticmethod
    def _read_again(path: Path, before: _Read | None) -> _Read:
        stamps: dict[str, tuple[int, int, int]] = {}
        content = ""
        try:
            stamps = _stamps(path)
            if before is not None and stamps == before.stamps:
                return before
            content = _content(path, stamps)
            if before is not None and content == before.content:
                return _Read(stamps, content, before.bank, before.faults)
            return _Read(stamps, content, read_bank(path))
        except BankError as error:
            faults = tuple(str(problem) for problem in error.problems)
        except OSError as error:
            stamps, content, faults = {}, "", (f"{path}: cannot be read: {error.strerror}",)
        return _Read(stamps, content, None if before is None else before.bank, faults)


def _held(read: Mapping[str, _Read]) -> dict[str, Bank]:
    return {name: one.bank for name, one in read.items() if one.bank is not None}


def _stamps(path: Path) -> dict[str, tuple[int, int, int]]:
    """What tells cheaply that a file is as it was."""
    stats = {file.name: file.stat() for file in path.iterdir()}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


def _content(path: Path, names: Iterable[str]) -> str:
    """A hash of what is read of a bank, and of the names of its other files."""
    known = {INFO, *(file_of(path, kind).name for kind in KINDS)}
    every = hashlib.sha256()
    for name in sorted(names):
        every.update(name.encode() + b"\0")
        if name in known:
            with (path / name).open("rb") as file:
                every.update(hashlib.file_digest(file, "sha256").digest())
    return every.hexdigest()
