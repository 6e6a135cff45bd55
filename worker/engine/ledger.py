"""The actions and review items of a partition, by id: the `x:` records of the `state` topic."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import from_json, to_json

from schemas.enforcement import Enforcement
from schemas.queue import QueueItem
from worker.engine.state import APPEAL_DAYS, DAY
from worker.engine.store import MemoryStore, Store
from worker.engine.times import EPOCH

_ACTION = b"x:"
_OWNER = b"o:"  # the ids of an account's actions, one a line: an index of our own, not in the topic


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of an action that stands or can still be appealed.

    `ended` is when it ended, by its timer or its reversal; None while neither came. `appeal` is what was noted last
    of its appeal, None when there was none. `by` is the moderator who decided it, None when nobody did. `taken` is the
    weight of the strikes that were taken back since from under a suspension.
    """

    action: Enforcement
    expires: int | None
    ended: int | None = None
    reversed: bool = False
    appeal: dict[str, Any] | None = None
    by: str | None = None
    taken: int = 0

    def stands(self, now: int) -> bool:
        """Whether it is in force at a time.

        It is not once its end was published, whatever the time: a timer can run before an earlier record is read.
        """
        return self.ended is None and (self.expires is None or self.expires > now)


class Ledger:
    """Keeps the record of every action that stands or can be appealed, and of every open item, in a store.

    In memory are only the ends of those that have one. An action's record stays until 20 days after its end, for it
    can be appealed until then, and until its appeal is decided; one without an end stays for as long as it stands.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store: Store = MemoryStore() if store is None else store
        # When each action ends, and when an ended one's record may go. One id can be applied again (a post judged
        # anew after its id was forgotten), reversed or erased: what a heap says of another time is void.
        self._ending: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._due: list[tuple[int, str]] = []
        self._stale: list[tuple[int, str]] = []
        self._actions = 0
        self._changed: dict[bytes, bytes | None] = {}

    @property
    def next_due(self) -> int | None:
        """When the next action ends, in milliseconds; None when none does."""
        while self._due and self._ending.get(self._due[0][1]) != self._due[0][0]:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    @property
    def ending(self) -> int:
        """How many actions in force have an end."""
        return len(self._ending)

    def __len__(self) -> int:
        """How many actions have a record."""
        return self._actions

    # -- actions ---------------------------------------------------------------------------------

    def add_action(
        self, action: Enforcement, value: bytes, preserve: int | None = None, by: str | None = None
    ) -> None:
        """Notes an applied action with its published bytes.

        `preserve`: until then no erasure takes it. `by`: the moderator who decided it.
        """
        expires = (
            None if action.expires_at is None else (action.expires_at - EPOCH) // timedelta(milliseconds=1)
        )
        kept = b"" if preserve is None else b'"preserve":%d,' % preserve
        if by is not None:
            kept += b'"by":%s,' % to_json(by)
        body = b'{"schema_version":1,%s"expires":%s,"action":%s}' % (kept, _number(expires), value)
        self._take(action.action_id, body, action.account_id)
        if expires is not None:
            self._end_at(expires, action.action_id)
        self._changed[_ACTION + action.action_id.encode()] = body

    def action(self, action_id: str) -> Kept | None:
        """What is known of an action; None when there is no record of it (any more), or its account was erased."""
        record = self._read(action_id)
        if record is None or "action" not in record or record.get("erased"):
            return None
        return Kept(
            Enforcement.model_validate_json(to_json(record["action"])),
            record["expires"],
            record.get("ended"),
            record.get("reversed", False),
            record.get("appeal"),
            record.get("by"),
            record.get("taken", 0),
        )

    def actions_of(self, account_id: str) -> Iterator[Kept]:
        """What is known of each of an account's actions, in the order in which they were applied."""
        # The index has them in the order of the topic after a restore, and there the last one rewritten is last.
        known = [kept for name in self._owned(account_id) if (kept := self.action(name)) is not None]
        yield from sorted(known, key=lambda kept: (kept.action.decided_at, kept.action.action_id))

    def note(
        self,
        action_id: str,
        *,
        reversed_at: int | None = None,
        appeal: Mapping[str, Any] | None = None,
        taken: int | None = None,
    ) -> None:
        """Notes what became of an action that has a record: its reversal (it ends then), its appeal as it stands, or
        the weight of the strikes that were taken back from under it.

        `appeal` is any JSON object; while its `open` is true the record stays, however long ago the action ended.

        Raises:
            KeyError: there is no record of it.
        """
        record = self._read(action_id)
        if record is None or "action" not in record:
            raise KeyError(action_id)
        action = record.pop("action")
        if reversed_at is not None:
            record["ended"] = min(reversed_at, record.get("ended") or reversed_at)
            record["reversed"] = True
        if appeal is not None:
            record["appeal"] = dict(appeal)
        if taken is not None:
            record["taken"] = taken
        record["action"] = action
        self._put(action_id, record)
        self._schedule(action_id, record)

    @property
    def applied(self) -> Set[str]:
        """The ids of all actions, those included that ended less than 20 days ago."""
        return _Applied(self._store, self._actions)

    def erase(self, account_id: str, now: int) -> None:
        """Forgets all actions of an account, save those to be preserved; its open items are closed one by one."""
        for name in self._owned(account_id):
            record = self._read(name)
            if record is None:
                continue
            until = record.get("preserve", 0)
            if until > now:
                kept = {"schema_version": 1, "preserve": until, "erased": True, "expires": None}
                kept["action"] = record["action"]
                self._put(name, kept)
                self._schedule(name, kept)
            else:
                self._drop(name, account_id)

    def ended(self, now: int) -> Iterator[Enforcement]:
        """The actions whose time is over by `now`, in the order of their ends; each is given once."""
        while self._due and self._due[0][0] <= now:
            expires, name = heapq.heappop(self._due)
            # Reversed or erased before its time, or applied again with a later end?
            if self._ending.get(name) != expires or (record := self._read(name)) is None:
                continue
            action = record.pop("action")
            record["ended"] = expires
            record["action"] = action
            self._put(name, record)
            self._schedule(name, record)
            yield Enforcement.model_validate_json(to_json(action))
        while self._stale and self._stale[0][0] <= now:
            time, name = heapq.heappop(self._stale)
            if self._ended.get(name) == time and (record := self._read(name)) is not None:
                self._drop(name, record["action"]["account_id"])

    # -- review items ----------------------------------------------------------------------------

    def add_item(self, item_id: str, value: bytes, extra: Mapping[str, Any] | None = None) -> None:
        """Notes an open review item with its published bytes; `extra` are further fields of its record."""
        more = to_json(extra)[1:-1] + b"," if extra else b""
        body = b'{"schema_version":1,%s"item":%s}' % (more, value)
        key = _ACTION + item_id.encode()
        self._store.put(key, body)
        self._changed[key] = body

    def replace_item(self, item_id: str, value: bytes, extra: Mapping[str, Any] | None = None) -> bool:
        """Notes an open item as it is published again; without `extra` those fields stay. False when it is not open."""
        known = self.item_extra(item_id)
        if known is None:
            return False
        self.add_item(item_id, value, known if extra is None else extra)
        return True

    def item(self, item_id: str) -> QueueItem | None:
        """An open item as it was published last, None when it is not open."""
        record = self._read(item_id)
        if record is None or "item" not in record:
            return None
        return QueueItem.model_validate_json(to_json(record["item"]))

    def item_extra(self, item_id: str) -> dict[str, Any] | None:
        """The further fields of an open item's record, None when it is not open."""
        record = self._read(item_id)
        if record is None or record.pop("item", None) is None:
            return None
        del record["schema_version"]
        return record

    def close_item(self, item_id: str, closed_by: str) -> QueueItem | None:
        """The item's closing record, None when it is not open."""
        item = self.item(item_id)
        if item is None:
            return None
        key = _ACTION + item_id.encode()
        self._store.delete(key)
        self._changed[key] = None
        return item.model_copy(update={"closed_by": closed_by})

    def open_reason(self, item_id: str) -> str | None:
        """Why an item waits for a person, None when it is not open."""
        record = self._read(item_id)
        return None if record is None or "item" not in record else str(record["item"]["reason"])

    # -- state -----------------------------------------------------------------------------------

    def restore(self, name: str, value: bytes | None) -> None:
        """Takes one `x:` record; a later record of the same id replaces an earlier one."""
        record = None if value is None else from_json(value)
        if value is not None and record is not None and "action" in record:
            self._take(name, value, record["action"]["account_id"])
            self._schedule(name, record)
            return
        known = self._read(name)
        if known is not None and "action" in known:
            self._forget(name, known["action"]["account_id"])
        if value is None:
            self._store.delete(_ACTION + name.encode())
        else:
            self._store.put(_ACTION + name.encode(), value)

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        changed, self._changed = self._changed, {}
        return changed

    def _read(self, name: str) -> dict[str, Any] | None:
        value = self._store.get(_ACTION + name.encode())
        return None if value is None else from_json(value)

    def _put(self, name: str, record: dict[str, Any]) -> None:
        key = _ACTION + name.encode()
        value = to_json(record)
        self._store.put(key, value)
        self._changed[key] = value

    def _take(self, name: str, value: bytes, account_id: str) -> None:
        """Puts an action's record into the store, and all else that is known of it aside."""
        key = _ACTION + name.encode()
        if key not in self._store:
            self._actions += 1
            owner = _OWNER + account_id.encode()
            known = self._store.get(owner)
            self._store.put(owner, name.encode() if known is None else known + b"\n" + name.encode())
        self._ending.pop(name, None)
        self._ended.pop(name, None)
        self._store.put(key, value)

    def _schedule(self, name: str, record: Mapping[str, Any]) -> None:
        """Puts down when an action's record changes next by itself, from what the record says."""
        self._ending.pop(name, None)
        self._ended.pop(name, None)
        if record.get("erased"):
            self._keep_until(record["preserve"], name)
        elif record.get("ended") is not None:
            if not (record.get("appeal") or {}).get("open"):
                self._keep_until(max(record["ended"] + APPEAL_DAYS * DAY, record.get("preserve", 0)), name)
        elif record["expires"] is not None:
            self._end_at(record["expires"], name)

    def _end_at(self, expires: int, name: str) -> None:
        self._ending[name] = expires
        heapq.heappush(self._due, (expires, name))

    def _keep_until(self, time: int, name: str) -> None:
        self._ended[name] = time
        heapq.heappush(self._stale, (time, name))

    def _drop(self, name: str, account_id: str) -> None:
        self._forget(name, account_id)
        key = _ACTION + name.encode()
        self._store.delete(key)
        self._changed[key] = None

    def _forget(self, name: str, account_id: str) -> None:
        """Takes an action out of the indexes."""
        self._ending.pop(name, None)
        self._ended.pop(name, None)
        self._actions -= 1
        owner = _OWNER + account_id.encode()
        left = [known for known in self._owned(account_id) if known != name]
        if left:
            self._store.put(owner, "\n".join(left).encode())
        else:
            self._store.delete(owner)

    def _owned(self, account_id: str) -> list[str]:
        known = self._store.get(_OWNER + account_id.encode())
        return [] if known is None else known.decode().split("\n")


class _Applied(Set[str]):
    """The ids that have an action's record. To look one up is cheap; to walk over all is not."""

    def __init__(self, store: Store, count: int) -> None:
        self._store = store
        self._count = count

    def __contains__(self, name: object) -> bool:
        # An item's id is a digest of other parts than an action's: it is never asked for here.
        return isinstance(name, str) and _ACTION + name.encode() in self._store

    def __iter__(self) -> Iterator[str]:
        for key in self._store.keys(_ACTION):
            value = self._store.get(key)
            if value is not None and "action" in from_json(value):
                yield key.removeprefix(_ACTION).decode()

    def __len__(self) -> int:
        return self._count


def _number(value: int | None) -> bytes:
    return b"null" if value is None else b"%d" % value
