"""The actions and review items of a partition, by id: the `x:` records of the `state` topic."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator, Set
from datetime import timedelta

from pydantic_core import from_json, to_json

from schemas.enforcement import Enforcement
from schemas.queue import QueueItem
from worker.engine.state import APPEAL_DAYS, DAY
from worker.engine.times import EPOCH


class Ledger:
    """Keeps in memory what has something left to happen (actions with an end, open items) and every action's id.

    An action's record stays in the topic until 20 days after its end, because it can be appealed until then.
    """

    def __init__(self) -> None:
        # An action's record as published with its end, and when an ended action's record may go. One id can be
        # applied again (a post judged anew after its id was forgotten): what a heap says of an older time is void.
        self._ending: dict[str, tuple[int, bytes]] = {}
        self._ended: dict[str, int] = {}
        self._items: dict[str, bytes] = {}
        self._due: list[tuple[int, str]] = []  # when each action ends
        self._stale: list[tuple[int, str]] = []  # when each ended action's record may go
        self._applied: dict[str, str] = {}  # id of every action that has a record: its account
        self._preserved: dict[
            str, tuple[int, bytes]
        ] = {}  # must outlive the account: until when, and the record
        self._changed: dict[bytes, bytes | None] = {}

    @property
    def next_due(self) -> int | None:
        """When the next action ends, in milliseconds; None when none does."""
        return self._due[0][0] if self._due else None

    @property
    def ending(self) -> int:
        """How many actions in force have an end."""
        return len(self._ending)

    def restore(self, name: str, value: bytes | None) -> None:
        """Takes one `x:` record; a later record of the same id replaces an earlier one."""
        self._forget(name)
        if value is None:
            return
        record = from_json(value)
        if "item" in record:
            self._items[name] = to_json(record["item"])
            return
        self._applied[name] = sys.intern(record["action"]["account_id"])
        if record.get("preserve"):
            self._preserved[name] = (record["preserve"], to_json(record["action"]))
        if record.get("erased"):
            self._keep_until(record["preserve"], name)
        elif record.get("ended"):
            self._keep_until(max(record["ended"] + APPEAL_DAYS * DAY, record.get("preserve", 0)), name)
        elif record["expires"] is not None:
            self._end_at(record["expires"], name, to_json(record["action"]))

    def add_action(self, action: Enforcement, value: bytes, preserve: int | None = None) -> None:
        """Notes an applied action with its published bytes; `preserve`: until then no erasure takes it."""
        expires = (
            None if action.expires_at is None else (action.expires_at - EPOCH) // timedelta(milliseconds=1)
        )
        kept = b"" if preserve is None else b'"preserve":%d,' % preserve
        self._write(action.action_id, b'%s"expires":%s,"action":%s' % (kept, _number(expires), value))
        self._forget(action.action_id)
        if preserve is not None:
            self._preserved[action.action_id] = (preserve, value)
        self._applied[action.action_id] = sys.intern(action.account_id)
        if expires is not None:
            self._end_at(expires, action.action_id, value)

    def add_item(self, item_id: str, value: bytes) -> None:
        """Notes an open review item with its published bytes."""
        self._items[item_id] = value
        self._write(item_id, b'"item":%s' % value)

    def close_item(self, item_id: str, closed_by: str) -> QueueItem | None:
        """The item's closing record, None when it is not open."""
        value = self._items.pop(item_id, None)
        if value is None:
            return None
        self._changed[b"x:" + item_id.encode()] = None
        return QueueItem.model_validate_json(value).model_copy(update={"closed_by": closed_by})

    def open_reason(self, item_id: str) -> str | None:
        """Why an item waits for a person, None when it is not open."""
        value = self._items.get(item_id)
        return None if value is None else str(from_json(value)["reason"])

    @property
    def applied(self) -> Set[str]:
        """The ids of all actions, those included that ended less than 20 days ago."""
        return self._applied.keys()

    def erase(self, account_id: str, now: int) -> None:
        """Forgets all actions of an account, save those to be preserved; its open items are closed one by one."""
        # A walk over all actions: erasures are rare, and an index by account would cost more than the ids.
        for name in [name for name, owner in self._applied.items() if owner == account_id]:
            until, value = self._preserved.get(name, (0, b""))
            self._forget(name)
            if until > now:
                self._applied[name] = account_id
                self._preserved[name] = (until, value)
                self._keep_until(until, name)
                self._write(name, b'"preserve":%d,"erased":true,"expires":null,"action":%s' % (until, value))
            else:
                self._changed[b"x:" + name.encode()] = None

    def ended(self, now: int) -> Iterator[Enforcement]:
        """The actions whose time is over by `now`, in the order of their ends; each is given once."""
        while self._due and self._due[0][0] <= now:
            expires, name = heapq.heappop(self._due)
            end, value = self._ending.get(name, (None, b""))
            if end != expires:  # reversed or erased before its time, or applied again with a later end
                continue
            del self._ending[name]
            until, _ = self._preserved.get(name, (0, b""))
            kept = b'"preserve":%d,' % until if until else b""
            self._write(name, b'%s"expires":%d,"ended":%d,"action":%s' % (kept, expires, expires, value))
            action = Enforcement.model_validate_json(value)
            self._keep_until(max(expires + APPEAL_DAYS * DAY, until), name)
            yield action
        while self._stale and self._stale[0][0] <= now:
            time, name = heapq.heappop(self._stale)
            if self._ended.get(name) == time:
                self._forget(name)
                self._changed[b"x:" + name.encode()] = None

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        changed, self._changed = self._changed, {}
        return changed

    def _end_at(self, expires: int, name: str, value: bytes) -> None:
        self._ending[name] = (expires, value)
        heapq.heappush(self._due, (expires, name))

    def _keep_until(self, time: int, name: str) -> None:
        self._ended[name] = time
        heapq.heappush(self._stale, (time, name))

    def _forget(self, name: str) -> None:
        self._ending.pop(name, None)
        self._ended.pop(name, None)
        self._items.pop(name, None)
        self._preserved.pop(name, None)
        self._applied.pop(name, None)

    def _write(self, name: str, body: bytes) -> None:
        self._changed[b"x:" + name.encode()] = b'{"schema_version":1,' + body + b"}"


def _number(value: int | None) -> bytes:
    return b"null" if value is None else b"%d" % value
