"""The accounts of a partition: bytes in a store, objects in use, and never a difference between the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.base import PolicyId
from worker.adapters.spill import SpillStore
from worker.engine.behaviour import COLUMNS, DISTINCT, Deed
from worker.engine.ids import digest
from worker.engine.state import (
    LIVE_BYTES,
    REMEMBERED_ITEMS,
    Account,
    Accounts,
    InForce,
    Strike,
    subject_key,
)
from worker.engine.store import MemoryStore, Store
from worker.topics import MAX_OUTPUT_BYTES

NAMES = ("a", "b", "c", "é")


class Plain:
    """What `Accounts` must equal: a dict of records."""

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}

    def seen(self, name: str, post: str, now: int) -> bool:
        account = Account.from_bytes(self.records[name]) if name in self.records else Account()
        found = account.seen(post, now)
        self.records[name] = account.to_bytes()
        return found


@pytest.mark.parametrize("on_disk", [False, True])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["post", "look", "erase", "flush", "restore", "tombstone"]),
            st.sampled_from(NAMES),
            st.integers(0, 3),
        ),
        max_size=60,
    ),
    live=st.integers(0, 3),
)
def test_any_use_equals_a_plain_dict(
    tmp_path_factory: pytest.TempPathFactory, on_disk: bool, steps: list[tuple[str, str, int]], live: int
) -> None:
    store: Store = SpillStore(tmp_path_factory.mktemp("spill") / "p") if on_disk else MemoryStore()
    accounts, plain = Accounts(store, live), Plain()
    topic: dict[bytes, bytes | None] = {}
    for now, (what, name, number) in enumerate(steps):
        if what == "post":
            assert accounts.get(name).seen(str(number), now) == plain.seen(name, str(number), now)
            accounts.touch(name)
        elif what == "look":
            known = plain.records.get(name)
            assert (name in accounts) == (known is not None)
            assert accounts.get(name).to_bytes() == (known or Account().to_bytes())
        elif what == "erase":
            accounts.erase(name)
            plain.records.pop(name, None)
        elif what == "flush":
            topic.update(accounts.flush())
            assert accounts.live <= max(live, 0)
        else:  # as when a partition is restored, which nothing waits to be written at
            topic.update(accounts.flush())
            value = None if what == "tombstone" else Account(number).to_bytes()
            accounts.restore(name, value)
            topic[b"a:" + name.encode()] = value
            plain.records.pop(name, None)
            if value is not None:
                plain.records[name] = value
        assert len(accounts) == len(plain.records)
    topic.update(accounts.flush())
    # What was written is what there is, and a new owner who reads it goes on from the same.
    assert {key[2:].decode(): value for key, value in topic.items() if value is not None} == plain.records
    for name in NAMES:
        assert (name in accounts) == (name in plain.records)
    store.close()


def test_those_used_last_stay_in_memory() -> None:
    accounts = Accounts(live=2)
    for name in ("a", "b", "c", "a"):
        accounts.get(name)
        accounts.touch(name)
    first = accounts.get("a")
    accounts.flush()
    assert accounts.live == 2
    assert accounts.get("a") is first
    assert accounts.live == 2
    accounts.get("b")
    accounts.flush()
    assert accounts.get("a") is first


def test_a_long_record_takes_the_room_of_several() -> None:
    accounts = Accounts(live=10)
    for name in "abcdefghij":
        accounts.get(name)
        accounts.touch(name)
    accounts.flush()
    assert accounts.live == 10
    for number in range(512):
        accounts.get("a").seen(f"{number:019}", number)
    accounts.touch("a")
    (value,) = accounts.flush().values()
    assert value is not None
    assert accounts.live == 10 - -(-len(value) // LIVE_BYTES) + 1
    assert len(accounts) == 10


def test_an_account_that_was_only_looked_up_is_not_known() -> None:
    accounts = Accounts()
    accounts.get("a")
    assert "a" not in accounts
    assert len(accounts) == 0
    assert accounts.flush() == {}
    accounts.touch("a")
    assert "a" in accounts
    assert list(accounts.flush()) == [b"a:a"]


def test_an_account_that_is_erased_and_looked_up_again_leaves_its_tombstone() -> None:
    accounts = Accounts()
    accounts.get("a").seen("p", 0)
    accounts.touch("a")
    accounts.flush()
    accounts.erase("a")
    assert accounts.get("a").recent == {}
    assert accounts.flush() == {b"a:a": None}
    assert "a" not in accounts


def hostile(make: Callable[[str], str]) -> Account:
    """An account of whose record every part is as full as it gets, with the longest ids that are let in."""
    account = Account()
    now = 30_000_000_000_000
    for number in range(600):
        account.seen(make(f"p{number}"), now + number)
        account.found(make(f"f{number}"), now + number)
        account.delete(make(f"d{number}"), now + number)
        account.hears(make(f"h{number}"), now + number)
        account.decide(subject_key("post", make(f"s{number}")), "overturn", make("r"), now + number)
        account.add_strike(Strike("child-sexual-exploitation", 9, now * 2, digest(number)), now)
        action = InForce(
            digest(number), "suspend", "post", make(f"a{number}"), "read_only", now * 2, digest(1)
        )
        account.remember(action, now)
        account.items[digest("item", number)] = make(f"i{number}")
        if len(account.items) > REMEMBERED_ITEMS:
            del account.items[next(iter(account.items))]
        account.reported = [*account.reported, [now, digest(number)[:12], digest(number)[:12]]][-64:]
    account.warned = {str(policy): now for policy in get_args(PolicyId)}
    for kind, most, longest in (("domain", 24, 253), ("device", 8, 512), ("network", 8, 512)):
        account.told.update({f"{kind}:{make(f'{number}')[:longest]}": now for number in range(most)})
    for minute in range(0, 60 * 48, 5):
        names = tuple(tuple(f"{kind}-{minute}-{n}" for n in range(20)) for kind in DISTINCT)
        account.behaviour.add(
            Deed(tuple(9 for _ in COLUMNS), names, text=(1 << 63) | minute % 40, simhash=(1 << 64) - 1),
            minute,
        )
        for number in range(20):
            account.behaviour.mark(f"mark.{number}", minute)
    return account


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda name: name.rjust(20, "1"), 128 << 10),  # as long as ids are
        (lambda name: name.rjust(512, "x"), 256 << 10),  # as long as the contract lets them be
        (lambda name: name.rjust(512, "\U0001f600"), 640 << 10),  # and in the characters that take most
    ],
)
def test_a_record_is_bounded_whatever_its_account_does(make: Callable[[str], str], limit: int) -> None:
    account = hostile(make)
    value = account.to_bytes()
    again = Account.from_bytes(value)
    assert again.to_bytes() == value
    assert (len(again.recent), len(again.actions), len(again.items)) == (512, 64, 64)
    assert (len(again.human), len(again.strikes), len(again.findings)) == (128, 64, 128)

    assert len(value) < limit < MAX_OUTPUT_BYTES
    # And it goes no further: as much again changes nothing of its size.
    for number in range(600, 700):
        again.seen(make(f"p{number}"), 30_000_000_001_000 + number)
    assert abs(len(again.to_bytes()) - len(value)) < 100
