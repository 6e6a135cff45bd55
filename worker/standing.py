"""What a version of a policy did that still stands: collected from the `state` topic, or from what `replay` wrote."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from schemas.decode import DecodeError, decode
from schemas.enforcement import Enforcement
from worker.engine.records import Record
from worker.engine.times import EPOCH

_ACTION = b"x:"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which actions are looked for; None: whatever it is."""

    policy: str
    version: int
    pack: str | None = None
    kinds: Collection[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Collection[str] | None = None

    def takes(self, action: Enforcement) -> bool:
        """Whether an action is one of those, whoever decided it."""
        return (
            (action.policy, action.policy_version) == (self.policy, self.version)
            and (self.pack is None or action.pack == self.pack)
            and (self.kinds is None or action.kind in self.kinds)
            and (self.since is None or action.decided_at >= self.since)
            and (self.until is None or action.decided_at < self.until)
            and (self.ids is None or action.action_id in self.ids)
        )


@dataclass(slots=True)
class Standing:
    """Applied, less reversed, less ended. `latest` is the time of the last decision seen, `unreadable` what was none."""

    wanted: Wanted
    unreadable: int = 0
    latest: datetime = EPOCH
    _applied: dict[str, Enforcement] = field(default_factory=dict)
    _ends: dict[str, int | None] = field(default_factory=dict)
    _reversed: set[str] = field(default_factory=set)

    def state(self, record: Record) -> None:
        """Takes a record of the `state` topic: the later one of an action counts, and a tombstone ends it."""
        if record.key is None or not record.key.startswith(_ACTION):
            return
        name = record.key.removeprefix(_ACTION).decode()
        value = record.value
        # Most records are of other policies: what cannot be this one's is not worth reading.
        if value is None or f'"policy":"{self.wanted.policy}"'.encode() not in value:
            self._forget(name)
            return
        try:
            kept = json.loads(value)
            if "action" not in kept or any(kept.get(end) for end in ("ended", "reversed", "erased")):
                self._forget(name)
                return
            action = Enforcement.model_validate_json(json.dumps(kept["action"]))
        except (ValueError, ValidationError):
            self.unreadable += 1
            return
        self._note(action, kept.get("expires"))

    def enforcement(self, topic: str, value: bytes | None) -> None:
        """Takes a record of one of the `enforcement` topics."""
        try:
            action = decode(topic, value).model
        except DecodeError:
            self.unreadable += 1
            return
        assert isinstance(action, Enforcement)
        self.latest = max(self.latest, action.decided_at)
        if action.operation == "reverse":
            self._reversed.add(action.reverses or "")
        else:
            self._note(action, None if action.expires_at is None else _milliseconds(action.expires_at))

    def at(self, now: datetime) -> list[Enforcement]:
        """Those that stand at a time, in the order in which they were decided."""
        now_ms = _milliseconds(now)
        found = [
            action
            for name, action in self._applied.items()
            if name not in self._reversed and ((end := self._ends[name]) is None or end > now_ms)
        ]
        return sorted(found, key=lambda action: (action.decided_at, action.action_id))

    def _note(self, action: Enforcement, end: int | None) -> None:
        if self.wanted.takes(action):
            self._applied[action.action_id] = action
            self._ends[action.action_id] = end

    def _forget(self, name: str) -> None:
        self._applied.pop(name, None)
        self._ends.pop(name, None)


def lines_of_enforcement(lines: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Topic and value of the `enforcement` lines among what `replay` wrote; other lines are passed over."""
    for line in lines:
        if b'"enforcement.' not in line[:64]:
            continue
        data: Any = json.loads(line)
        yield str(data["topic"]), json.dumps(data["value"]).encode()


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)
