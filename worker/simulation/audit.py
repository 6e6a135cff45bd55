"""An independent ledger: strikes, actions and reversals counted again from what was published, by code of its own.

It reads nothing but the records of `enforcement.*` and uses none of the engine's classes. Whatever does not
add up becomes a fault, in words; an empty list is the proof.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

_COPIED = ("kind", "subject", "account_id", "label", "mode", "policy", "policy_version", "pack", "clause")
_MOST_FAULTS = 200


@dataclass(slots=True)
class Entry:
    """One action applied, and how it ended. Times are milliseconds since the epoch."""

    record: dict[str, Any]
    applied: int
    expires: int | None
    reversed: int | None = None
    by: str = ""  # the source of the reverse

    @property
    def early(self) -> bool:
        """Whether it was reversed before its end."""
        return self.reversed is not None and (self.expires is None or self.reversed < self.expires)


@dataclass(slots=True)
class _Strike:
    policy: str
    weight: int
    expires: int
    action_id: str
    cause: str


@dataclass(slots=True)
class _Said:
    """What the records that follow from one input say of an account's strikes, by action."""

    place: tuple[Any, ...]
    at: int
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class Audit:
    """Takes the published records one by one, in their order.

    `strike_days` is each policy's, as published in the pack. `entries` holds every action applied, by id; one that
    was applied again after its end stands with its last time.
    """

    strike_days: Mapping[str, int]
    entries: dict[str, Entry] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    applied: int = 0
    reversed: int = 0
    struck: int = 0  # weight of all strikes counted
    taken_back: int = 0
    lapsed: int = 0
    _strikes: dict[str, list[_Strike]] = field(default_factory=dict)
    _said: dict[str, _Said] = field(default_factory=dict)

    def take(self, topic: str, value: Mapping[str, Any]) -> None:
        """Enters one record of an `enforcement.*` topic."""
        record = dict(value)
        if topic != f"enforcement.{record['kind']}":
            self._fault(f"{record['action_id']}: a {record['kind']} on {topic}")
        if record["operation"] == "apply":
            self._apply(record)
        else:
            self._reverse(record)

    def in_force(self) -> set[str]:
        """The ids of the actions applied and not reversed."""
        return {action_id for action_id, entry in self.entries.items() if entry.reversed is None}

    def active(self, account_id: str, now: int) -> int:
        """The weight of an account's strikes that have not expired, taken back ones not counted."""
        return sum(strike.weight for strike in self._strikes.get(account_id, ()) if strike.expires > now)

    def _apply(self, record: dict[str, Any]) -> None:
        action_id, account, at = record["action_id"], record["account_id"], _ms(record["decided_at"])
        expires = None if record["expires_at"] is None else _ms(record["expires_at"])
        if record["reverses"] is not None:
            self._fault(f"{action_id}: applied and a reverse")
        known = self.entries.get(action_id)
        if known is not None and known.reversed is None:
            self._fault(f"{action_id}: applied twice")
        self.applied += 1
        self.entries[action_id] = Entry(record, at, expires)
        self._count(record, at)
        added = record["strikes"]["added"]
        if added:
            policy = record["policy"]
            end = at + self.strike_days[policy] * 86_400_000
            cause = record["post_id"] or record["subject"]["id"]
            self._strikes.setdefault(account, []).append(_Strike(policy, added, end, action_id, cause))
            self.struck += added

    def _reverse(self, record: dict[str, Any]) -> None:
        action_id, at = record["reverses"], _ms(record["decided_at"])
        entry = self.entries.get(action_id)
        taken = record["strikes"].get("taken_back", 0)
        if entry is None:
            self._fault(f"{record['action_id']}: reverses {action_id}, which was never applied")
            return
        if entry.reversed is not None:
            self._fault(f"{action_id}: reversed twice")
            return
        self.reversed += 1
        entry.reversed, entry.by = at, record["source"]
        for name in _COPIED:
            if record[name] != entry.record[name]:
                self._fault(f"{action_id}: its reverse says another {name}")
        if record["strikes"]["added"]:
            self._fault(f"{action_id}: its reverse adds a strike")
        if record["source"] == "automated":
            if entry.expires is None:
                self._fault(f"{action_id}: ended by itself, though it has no end")
            elif at != entry.expires:
                self._fault(f"{action_id}: ended by itself, but not at its end")
            # A timer's record must not depend on when the timer runs, so it repeats what its action said.
            if record["strikes"]["active"] != entry.record["strikes"]["active"]:
                self._fault(f"{action_id}: ended by itself, with another count of strikes than it began with")
        else:
            self._count(record, at)
        if taken:
            self._take_back(record, action_id, taken, at)

    def _take_back(self, record: dict[str, Any], action_id: str, taken: int, at: int) -> None:
        if record["source"] != "human":
            self._fault(f"{action_id}: a timer took strikes back")
        strikes = self._strikes.get(record["account_id"], [])
        found = [strike for strike in strikes if strike.action_id == action_id and strike.expires > at]
        if sum(strike.weight for strike in found) != taken:
            self._fault(f"{action_id}: {taken} taken back, {sum(s.weight for s in found)} stood on it")
        self.taken_back += sum(strike.weight for strike in found)
        for strike in found:
            strikes.remove(strike)

    def _count(self, record: dict[str, Any], at: int) -> None:
        """Notes what a record says of the account's strikes: all that follow from one input say the same, and that is
        the count after the last of them."""
        account, place = record["account_id"], tuple(record["record"].values())
        said = self._said.get(account)
        if said is None or said.place != place:
            self._check(account)
            said = self._said[account] = _Said(place, at)
        said.counts[record["action_id"]] = record["strikes"]["active"]

    def _check(self, account: str) -> None:
        """Compares what the last input's records said of an account's strikes with the ledger's own count."""
        said = self._said.pop(account, None)
        if said is None:
            return
        active = self.active(account, said.at)
        for action_id, count in said.counts.items():
            if count != active:
                self._fault(f"{action_id}: says {count} strikes of {account}, the ledger {active}")
        # A record's time may run behind the last one's: only what expired long ago is let go.
        kept = self._strikes.get(account, [])
        for strike in [strike for strike in kept if strike.expires <= said.at - 86_400_000]:
            self.lapsed += strike.weight
            kept.remove(strike)

    def finish(self, now: int, state: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Compares what stands at the end with the engine's `state` records: the actions in force, and the strikes."""
        for account in list(self._said):
            self._check(account)
        for action_id, entry in self.entries.items():
            if entry.expires is not None and entry.expires <= now and entry.reversed is None:
                self._fault(f"{action_id}: its end is past and nothing reversed it")
        standing: set[str] = set()
        active: dict[str, int] = {}
        for key, value in state:
            if value is None:
                continue
            record = json.loads(value)
            name = key.decode()[2:]
            if key.startswith(b"x:") and "action" in record:
                if not record.get("ended") and not record.get("reversed"):
                    standing.add(name)
            elif key.startswith(b"a:"):
                active[name] = sum(s[1] for s in record.get("strikes", ()) if s[2] > now)
        mine = self.in_force()
        for action_id in sorted(mine - standing):
            self._fault(f"{action_id}: in force by what was published, not by the state")
        for action_id in sorted(standing - mine):
            self._fault(f"{action_id}: in force by the state, not by what was published")
        for account in sorted(self._strikes.keys() | active.keys()):
            if self.active(account, now) != active.get(account, 0):
                self._fault(
                    f"{account}: {active.get(account, 0)} strikes in the state, {self.active(account, now)} here"
                )
        for strikes in self._strikes.values():
            self.lapsed += sum(strike.weight for strike in strikes if strike.expires <= now)
            strikes[:] = [strike for strike in strikes if strike.expires > now]
        standing_weight = sum(active.values())
        if self.struck - self.taken_back - self.lapsed != standing_weight:
            self._fault(
                f"strikes: {self.struck} counted, {self.taken_back} taken back, {self.lapsed} lapsed, "
                f"{standing_weight} left in the state"
            )
        if self.applied - self.reversed != len(standing):
            self._fault(
                f"actions: {self.applied} applied, {self.reversed} reversed, {len(standing)} in the state"
            )

    def _fault(self, text: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(text)


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
