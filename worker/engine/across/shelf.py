"""The records of one kind of feature: bounded in number, the least recently touched go first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, Self, TypeVar

LIVE = 10_000  # decoded records kept between batches; of all others the bytes stay


class Entry(Protocol):
    """A record of a feature. One that is `kept` goes only when there is nothing else."""

    @property
    def kept(self) -> bool: ...

    def to_bytes(self) -> bytes: ...

    @classmethod
    def from_bytes(cls, value: bytes) -> Self: ...


E = TypeVar("E", bound=Entry)


class Shelf(Generic[E]):
    """At most `limit` records, of which at most half are kept ones, by feature.

    What goes, and when, follows from the order of the records of `observations` alone. The order of touching is the
    order in which the `state` topic holds the last value of each key, so a restored shelf goes on as the old one.
    """

    def __init__(self, limit: int, make: Callable[[], E], read: Callable[[bytes], E]) -> None:
        self._limit = limit
        self._make = make
        self._read = read
        self._plain: dict[
            str, bytes | None
        ] = {}  # least recently touched first; None: only the live one knows
        self._kept: dict[str, bytes | None] = {}
        self._live: dict[str, E] = {}
        self._changed: dict[str, None] = {}  # in the order of the last touch

    def __len__(self) -> int:
        return len(self._plain) + len(self._kept)

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record, in the order of the topic."""
        self._forget(feature)
        if value is not None:
            # Most records need not be read to tell: what is kept says so by name.
            kept = b'"suspended"' in value and self._read(value).kept
            (self._kept if kept else self._plain)[feature] = value

    def get(self, feature: str) -> E | None:
        """The record of a feature; None when nothing is remembered."""
        live = self._live.get(feature)
        if live is None:
            stored = self._plain.get(feature) or self._kept.get(feature)
            if stored is None:
                return None
            live = self._live[feature] = self._read(stored)
        return live

    def touch(self, feature: str) -> E:
        """The record of a feature, to be changed: a new one if there is none."""
        entry = self.get(feature)
        if entry is None:
            entry = self._live[feature] = self._make()
        return entry

    def put_back(self, feature: str, entry: E) -> None:
        """Notes that a record was changed, and lets go of what there is no more room for."""
        stored = self._plain.pop(feature, None) or self._kept.pop(feature, None)
        (self._kept if entry.kept else self._plain)[feature] = stored
        self._changed.pop(feature, None)
        self._changed[feature] = None
        if len(self._kept) > self._limit // 2:
            self.drop(next(iter(self._kept)))
        if len(self) > self._limit:
            self.drop(next(iter(self._plain or self._kept)))

    def drop(self, feature: str) -> None:
        """Forgets a feature; `flush` writes the tombstone."""
        self._forget(feature)
        self._changed.pop(feature, None)
        self._changed[feature] = None

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic, in the order of the last touch."""
        changed: dict[bytes, bytes | None] = {}
        for feature in self._changed:
            live = self._live.get(feature)
            value = None if live is None else live.to_bytes()
            if value is not None:
                (self._plain if feature in self._plain else self._kept)[feature] = value
            changed[b"f:" + feature.encode()] = value
        self._changed.clear()
        if len(self._live) > LIVE:
            self._live.clear()
        return changed

    def _forget(self, feature: str) -> None:
        self._plain.pop(feature, None)
        self._kept.pop(feature, None)
        self._live.pop(feature, None)
