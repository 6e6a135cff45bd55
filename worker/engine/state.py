"""What a partition remembers: one bounded record per account, actions that end, open review items, breakers.

Everything here is written to the compacted `state` topic by key: `a:<account>`, `x:<action or item id>` and
`p:<partition>`. Times are milliseconds of event time since the epoch, unless a name ends in `_us`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from worker.engine.behaviour import Behaviour
from worker.engine.ids import digest
from worker.engine.store import MemoryStore, Store

DAY = 86_400_000
REMEMBERED_POSTS = 512
REMEMBERED_FOR = DAY
LONGEST_REMEMBERED = (
    40  # bytes of an id that is kept as it is (a UUID has 36); 512 long ones would not fit a record
)
REMEMBERED_ACTIONS = 64
REMEMBERED_ITEMS = 64
REMEMBERED_FINDINGS = 128
REMEMBERED_DELETIONS = 64
REMEMBERED_SAYINGS = 128  # appeals and reviews
REMEMBERED_DECISIONS = 128  # of moderators
APPEAL_DAYS = 20
LIVE_ACCOUNTS = 20_000  # decoded records kept between batches; of all others only the bytes
LIVE_BYTES = 2048  # of an encoded record: a longer one counts as several
_PLAIN = ("told", "human", "warned", "reported", "traits", "heard", "media")


@dataclass(slots=True)
class InForce:
    """An action that stands, or ended less than 20 days ago. `expires` None is indefinite.

    `content` is a digest of what a profile's field held, so that other content there is judged afresh.
    """

    action_id: str
    kind: str
    subject_type: str
    subject_id: str
    detail: str  # the label or the mode
    expires: int | None
    content: str = ""

    def stands(self, now: int) -> bool:
        """Whether it is in force at a time, whether or not a timer has run."""
        return self.expires is None or self.expires > now

    def known(self, now: int) -> bool:
        """Whether its id must not be given out again: it stands, or can still be appealed."""
        return self.expires is None or self.expires + APPEAL_DAYS * DAY > now


class Strike(NamedTuple):
    """One counted violation, until it expires. `action_id` is the action that it stands on."""

    policy: str
    weight: int
    expires: int
    action_id: str = ""


@dataclass(slots=True)
class Account:
    """One account's record: bounded, whatever the account does.

    `recent` holds the last post ids with their times, oldest first, at most 512 and at most 24 hours old.
    `items` maps open review items to the post that they are about.
    `supported` is when the account was last offered help. `findings` and `deleted` hold the findings judged last and
    the posts that the account deleted last, as `recent` does, but fewer. `behaviour` is what it did lately,
    `told` when its features were last told to their owners, `human` what moderators decided about its subjects,
    `warned` when it was warned by each policy, `reported` who reported it lately, `traits` what its profile said last,
    `heard` which appeals and reviews were judged last, `media` what its media stood in (see `media_memory`).
    """

    clock_us: int = 0
    recent: dict[str, int] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)
    actions: list[InForce] = field(default_factory=list)
    items: dict[str, str | None] = field(default_factory=dict)
    supported: int | None = None
    findings: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    behaviour: Behaviour = field(default_factory=Behaviour)
    told: dict[str, int] = field(default_factory=dict)
    human: dict[str, Any] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    reported: list[Any] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    media: dict[str, Any] = field(default_factory=dict)

    def advance(self, time_us: int) -> bool:
        """Moves the account's clock (microseconds) to a record's time; False when that would run backwards."""
        if time_us < self.clock_us:
            return False
        self.clock_us = time_us
        return True

    def seen(self, post_id: str, now: int) -> bool:
        """Whether a post id was seen within the last 512 posts and 24 hours; remembers it if not."""
        return _seen(self.recent, name_of(post_id), now, REMEMBERED_POSTS)

    def knows(self, post_id: str) -> bool:
        """Whether the post is one of those seen last; nothing is said of whether it still stands."""
        return name_of(post_id) in self.recent

    def posted(self, post_id: str) -> int | None:
        """When a post came, None for one that is not among those seen last."""
        return self.recent.get(name_of(post_id))

    def found(self, finding_id: str, now: int) -> bool:
        """Whether a finding was judged before, among the last 128 and within 24 hours; remembers it if not."""
        return _seen(self.findings, name_of(finding_id), now, REMEMBERED_FINDINGS)

    def delete(self, post_id: str, now: int) -> None:
        """Remembers for 24 hours that the account deleted a post."""
        _seen(self.deleted, name_of(post_id), now, REMEMBERED_DELETIONS)

    def has_deleted(self, post_id: str) -> bool:
        """Whether a post is one of the last 64 that the account deleted."""
        return name_of(post_id) in self.deleted

    def hears(self, name: str, now: int) -> bool:
        """Whether an appeal or a review was judged before, among the last 128; remembers it if not."""
        name = name_of(name)
        if name in self.heard:
            return True
        self.heard[name] = now
        while len(self.heard) > REMEMBERED_SAYINGS:
            del self.heard[next(iter(self.heard))]
        return False

    def decide(self, subject: str, outcome: str, reviewer_id: str, now: int) -> None:
        """Remembers what a moderator decided about a subject, as `subject_key` names it; among the last 128."""
        self.human.pop(subject, None)
        self.human[subject] = [outcome, name_of(reviewer_id), now]
        while len(self.human) > REMEMBERED_DECISIONS:
            del self.human[next(iter(self.human))]

    def active_strikes(self, now: int) -> int:
        """The weight of the strikes that have not expired."""
        return sum(strike.weight for strike in self.strikes if strike.expires > now)

    def strikes_by_policy(self, now: int) -> dict[str, int]:
        """The same for each policy that has some."""
        weights: dict[str, int] = {}
        for strike in self.strikes:
            if strike.expires > now:
                weights[strike.policy] = weights.get(strike.policy, 0) + strike.weight
        return weights

    def add_strike(self, strike: Strike, now: int) -> None:
        """Adds to the record and drops what has expired."""
        self.strikes = [known for known in self.strikes if known.expires > now][-(REMEMBERED_ACTIONS - 1) :]
        if strike.weight:
            self.strikes.append(strike)

    def take_back(self, action_id: str, now: int) -> int:
        """Takes the strike back that stands on an action; the weight that no longer counts."""
        taken = sum(s.weight for s in self.strikes if s.action_id == action_id and s.expires > now)
        self.strikes = [strike for strike in self.strikes if strike.action_id != action_id]
        return taken

    def remember(self, action: InForce, now: int) -> None:
        """Notes an applied action; the account's own suspensions are kept before those of its posts."""
        standing = [a for a in self.actions if a.known(now) and a.action_id != action.action_id]
        if len(standing) >= REMEMBERED_ACTIONS:
            oldest = next((a for a in standing if a.subject_type != "account"), standing[0])
            standing.remove(oldest)
        self.actions = [*standing, action]

    def forget(self, action_id: str) -> None:
        """Forgets an action that was reversed: it is not in force any more."""
        self.actions = [known for known in self.actions if known.action_id != action_id]

    def may_support(self, now: int) -> bool:
        """Whether help is due: once a day, however much a person in distress writes. Notes that it is given."""
        if self.supported is not None and now < self.supported + DAY:
            return False
        self.supported = now
        return True

    def to_bytes(self) -> bytes:
        """The record as it stands in the `state` topic; parts that are empty are left out."""
        record: dict[str, Any] = {"schema_version": 1, "clock_us": self.clock_us}
        if self.recent:
            record["recent"] = self.recent
        if self.strikes:
            record["strikes"] = self.strikes
        if self.actions:
            record["actions"] = [
                [a.action_id, a.kind, a.subject_type, a.subject_id, a.detail, a.expires, a.content]
                for a in self.actions
            ]
        if self.items:
            record["items"] = self.items
        if self.supported is not None:
            record["supported"] = self.supported
        if self.findings:
            record["findings"] = self.findings
        if self.deleted:
            record["deleted"] = self.deleted
        behaviour = self.behaviour.to_json()
        if behaviour:
            record["behaviour"] = behaviour
        for name in _PLAIN:
            if part := getattr(self, name):
                record[name] = part
        return to_json(record)

    @classmethod
    def from_bytes(cls, value: bytes) -> Account:
        """Reads what `to_bytes` wrote."""
        record = from_json(value)
        return cls(
            record["clock_us"],
            record.get("recent", {}),
            [Strike(*strike) for strike in record.get("strikes", ())],
            [InForce(*action) for action in record.get("actions", ())],
            record.get("items", {}),
            record.get("supported"),
            record.get("findings", {}),
            record.get("deleted", {}),
            Behaviour.from_json(record.get("behaviour")),
            record.get("told", {}),
            record.get("human", {}),
            record.get("warned", {}),
            record.get("reported", []),
            record.get("traits", {}),
            record.get("heard", {}),
            record.get("media", {}),
        )


def subject_key(subject_type: str, subject_id: str) -> str:
    """What a subject is called in `Account.human`: its type, a colon and its id, of a long id a digest."""
    return f"{subject_type}:{name_of(subject_id)}"


def name_of(given: str) -> str:
    """What an id is remembered as: itself when it is short and takes a byte a character in JSON, else a digest."""
    short = len(given) <= LONGEST_REMEMBERED and given.isascii() and given.isprintable()
    return given if short and '"' not in given and "\\" not in given else digest("post", given)


def _seen(memory: dict[str, int], name: str, now: int, most: int) -> bool:
    """Whether a name is in a memory of bounded size and age, oldest first; it is put there if not."""
    forgotten = now - REMEMBERED_FOR
    if name in memory:
        if memory[name] > forgotten:
            return True
        del memory[name]
    memory[name] = now
    while len(memory) > most or next(iter(memory.values())) <= forgotten:
        del memory[next(iter(memory))]
    return False


class Accounts:
    """The accounts of one partition, by id: bytes in a store until heard of, objects while in use.

    Restoring is cheap because a record is only decoded when its account is next heard of; `flush` gives each changed
    account's record once per batch. `live` decoded records stay between batches, those used last; a long one counts
    as several, so that what they take is bounded.
    """

    def __init__(self, store: Store | None = None, live: int = LIVE_ACCOUNTS) -> None:
        self._store: Store = MemoryStore() if store is None else store
        self._room = live * LIVE_BYTES
        self._live: OrderedDict[str, Account] = OrderedDict()  # used longest ago first
        self._sizes: dict[str, int] = {}  # of those, in the store
        self._taken = 0  # the sum of sizes
        self._strangers: dict[str, None] = {}  # looked up, but never changed: there is no record of them
        self._changed: dict[str, None] = {}
        self._known = 0

    def __len__(self) -> int:
        return self._known

    def __contains__(self, account_id: str) -> bool:
        if account_id in self._live:
            return account_id not in self._strangers
        return _key(account_id) in self._store

    @property
    def live(self) -> int:
        """How many are decoded in memory now."""
        return len(self._live)

    def restore(self, account_id: str, value: bytes | None) -> None:
        """Takes one record of the `state` topic."""
        self._forget(account_id)
        if value is not None:
            self._store.put(_key(account_id), value)
            self._known += 1

    def get(self, account_id: str) -> Account:
        """The account's record, a new one if it was never heard of. Whoever changes it says so by `touch`."""
        account = self._live.get(account_id)
        if account is None:
            stored = self._store.get(_key(account_id))
            if stored is None:
                account = Account()
                self._strangers[account_id] = None
                self._resize(account_id, 0)
            else:
                account = Account.from_bytes(stored)
                self._resize(account_id, len(stored))
            self._live[account_id] = account
        else:
            self._live.move_to_end(account_id)
        return account

    def touch(self, account_id: str) -> None:
        """Marks an account as changed."""
        self._changed[account_id] = None
        if account_id in self._strangers:
            del self._strangers[account_id]
            self._known += 1

    def erase(self, account_id: str) -> None:
        """Forgets an account; `flush` writes the tombstone."""
        self._forget(account_id)
        self._changed[account_id] = None

    def flush(self) -> dict[bytes, bytes | None]:
        """The records of the accounts that changed, by key of the `state` topic.

        Raises:
            StoreError: the store cannot go on; what is in memory must not be used any more.
        """
        self._store.check()
        changed: dict[bytes, bytes | None] = {}
        for account_id in self._changed:
            key = _key(account_id)
            account = self._live.get(account_id)
            if account is None or account_id in self._strangers:
                changed[key] = None  # erased: nothing else that changed leaves memory before this
                continue
            changed[key] = value = account.to_bytes()
            self._store.put(key, value)
            self._resize(account_id, len(value))
        self._changed.clear()
        while self._taken > self._room:
            self._leave(next(iter(self._live)))
        return changed

    def _resize(self, account_id: str, size: int) -> None:
        size = max(size, LIVE_BYTES)
        self._taken += size - self._sizes.get(account_id, 0)
        self._sizes[account_id] = size

    def _leave(self, account_id: str) -> None:
        """Takes an account out of memory."""
        if self._live.pop(account_id, None) is not None:
            self._taken -= self._sizes.pop(account_id)
            self._strangers.pop(account_id, None)

    def _forget(self, account_id: str) -> None:
        """Takes an account out of memory and out of the store."""
        key = _key(account_id)
        if account_id in self:
            self._known -= 1
        if key in self._store:
            self._store.delete(key)
        self._leave(account_id)


def _key(account_id: str) -> bytes:
    return b"a:" + account_id.encode()


def encode_partition(record: dict[str, Any]) -> bytes:
    """The `p:` record as bytes, the same for the same content."""
    return json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
