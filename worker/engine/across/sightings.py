"""What the owner of a feature remembers of it: who showed it lately, who was told, and who of them was suspended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zlib import crc32

from pydantic_core import from_json, to_json

from worker.engine.across.limits import REMEMBERED_SIGHTINGS
from worker.engine.behaviour import add_hash, decode_registers, encode_registers, estimate
from worker.engine.state import DAY
from worker.signals.sameness import alike

REMEMBERED_TOLD = 256
REMEMBERED_SUSPENDED = 16
REMEMBERED_SPENT = 4  # days, or longer windows, of each row of limits


class Sighting(NamedTuple):
    """One account with the feature. Times are milliseconds; `weight` is how many such sightings it stands for."""

    observation: str
    account: str
    post: str | None
    time: int
    simhash: int
    standing: str | None
    domain: str | None
    weight: int
    since: int | None
    reaching: bool = False

    @property
    def slight(self) -> bool:
        """Whether the account is new or has hardly a follower."""
        return self.standing in {"fresh", "faint"}


@dataclass(slots=True)
class Sightings:
    """The record of one feature: bounded, whoever shows it and however often.

    `seen` holds the last 64 accounts, one sighting for each and each text of its own; `told` how sure it was when an
    account's owner was last told, and when; `spent` the findings of each row of limits in its last windows;
    `crowd` counts the accounts where they are more than can be remembered: since when, and a HyperLogLog;
    `suspended` maps digests of the ids of suspended accounts to when they were suspended and until when that counts.
    """

    seen: list[Sighting] = field(default_factory=list)
    told: dict[str, list[float]] = field(default_factory=dict)
    spent: dict[str, list[list[int]]] = field(default_factory=dict)
    suspended: dict[str, list[int]] = field(default_factory=dict)
    crowd: tuple[int, bytearray] | None = None

    @property
    def kept(self) -> bool:
        """Whether somebody was suspended with it: that must not be pushed out by what is merely new."""
        return bool(self.suspended)

    def add(self, sighting: Sighting, forget_before: int) -> bool:
        """Remembers a sighting; of one account and text only the latest. False when it is known already."""
        for index, known in enumerate(self.seen):
            if known.account == sighting.account and alike(known.simhash, sighting.simhash):
                if (known.time, known.observation) >= (sighting.time, sighting.observation):
                    return known.observation != sighting.observation
                self.seen[index] = sighting
                return True
        if any(known.time < forget_before for known in self.seen):
            self.seen = [known for known in self.seen if known.time >= forget_before]
        self.seen.append(sighting)
        if self.crowd is not None and self.crowd[0] < forget_before:
            self.crowd = None
        if len(self.seen) > REMEMBERED_SIGHTINGS:
            counted = [sighting]
            if self.crowd is None:
                self.crowd = (sighting.time, decode_registers(None))
                counted = self.seen
            for known in counted:
                add_hash(self.crowd[1], crc32(known.account.encode()))
            self.seen.remove(min(self.seen, key=lambda known: (known.time, known.observation)))
        return True

    @property
    def accounts(self) -> int:
        """How many accounts showed it lately: exactly while they can be remembered, else an estimate."""
        exact = len({known.account for known in self.seen})
        return exact if self.crowd is None else max(exact, round(estimate(self.crowd[1])))

    def alike(self, sighting: Sighting, window: int) -> list[Sighting]:
        """Those within a window of time that show the same, in the order of their times."""
        near = [
            known
            for known in self.seen
            if abs(known.time - sighting.time) <= window and alike(known.simhash, sighting.simhash)
        ]
        near.sort(key=lambda known: (known.time, known.account))
        return near

    def tell(self, name: str, score: float, time: int) -> None:
        """Notes what an account's owner is told; `name` says by which policy and of which account."""
        self.told.pop(name, None)
        self.told[name] = [score, time]
        if len(self.told) > REMEMBERED_TOLD:
            del self.told[next(iter(self.told))]

    def spend(self, row: str, bucket: int, most: int) -> bool:
        """Takes one finding from what a row of limits may lead to in a window; False when all are spent.

        One cluster reaches over the border of two windows, and what is late belongs to an earlier one: the last few
        are counted side by side. Of a window that is forgotten nothing is left to spend.
        """
        windows = self.spent.setdefault(row, [])
        for window in windows:
            if window[0] == bucket:
                if window[1] >= most:
                    return False
                window[1] += 1
                return True
        if len(windows) >= REMEMBERED_SPENT:
            oldest = min(windows)
            if bucket < oldest[0]:
                return False
            windows.remove(oldest)
        windows.append([bucket, 1])
        return True

    def suspend(self, name: str, time: int, days: int) -> None:
        """Remembers that somebody with this feature was suspended; `name` is the account's digest."""
        self.suspended.pop(name, None)
        self.suspended[name] = [time, time + days * DAY]
        if len(self.suspended) > REMEMBERED_SUSPENDED:
            del self.suspended[min(self.suspended, key=lambda known: (self.suspended[known][1], known))]

    def lift(self, name: str) -> None:
        """The suspension was reversed."""
        self.suspended.pop(name, None)

    def expire(self, now: int) -> None:
        """Forgets suspensions that are too long ago."""
        if self.suspended:
            self.suspended = {name: times for name, times in self.suspended.items() if times[1] > now}

    def to_bytes(self) -> bytes:
        """The record as it stands in the `state` topic; parts that are empty are left out."""
        record: dict[str, object] = {"schema_version": 1}
        if self.seen:
            record["seen"] = [[s[0], s[1], s[2], s[3], f"{s.simhash:x}", *s[5:]] for s in self.seen]
        for name in ("told", "spent", "suspended"):
            if part := getattr(self, name):
                record[name] = part
        if self.crowd is not None:
            record["crowd"] = [self.crowd[0], encode_registers(self.crowd[1])]
        return to_json(record)

    @classmethod
    def from_bytes(cls, value: bytes) -> Sightings:
        """Reads what `to_bytes` wrote."""
        record: dict[str, Any] = from_json(value)
        crowd = record.get("crowd")
        return cls(
            [Sighting._make([*row[:4], int(row[4], 16), *row[5:]]) for row in record.get("seen", ())],
            record.get("told", {}),
            record.get("spent", {}),
            record.get("suspended", {}),
            None if crowd is None else (crowd[0], decode_registers(crowd[1])),
        )
