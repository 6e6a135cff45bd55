from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from schemas.base import encode
from schemas.enforcement import Enforcement
from schemas.queue import QueueItem
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.ledger import Ledger
from worker.engine.registry import Pack
from worker.engine.state import APPEAL_DAYS, DAY
from worker.engine.store import MemoryStore

NOW = int(START.timestamp() * 1000)
HOUR = 3_600_000


@pytest.fixture
def template(pack: Pack) -> Enforcement:
    """An action as the engine publishes it."""
    (action,) = outputs(PartitionJudge(pack, 0).judge(Feed().posts(post("zap"))), "enforcement.remove")
    return Enforcement.model_validate(action)


def ending(template: Enforcement, name: str, end: datetime | None) -> Enforcement:
    return template.model_copy(update={"action_id": name, "expires_at": end})


def add(ledger: Ledger, action: Enforcement) -> None:
    ledger.add_action(action, encode(action))


def names(ledger: Ledger, now: int) -> list[str]:
    return [action.action_id for action in ledger.ended(now)]


def restored(changes: dict[bytes, bytes | None]) -> Ledger:
    ledger = Ledger()
    for key, value in changes.items():
        ledger.restore(key.decode().removeprefix("x:"), value)
    return ledger


def test_actions_end_in_the_order_of_their_ends_each_once(template: Enforcement) -> None:
    ledger = Ledger()
    for hours, name in ((3, "c"), (1, "a"), (2, "b"), (9, "z")):
        add(ledger, ending(template, name, START + timedelta(hours=hours)))
    assert (ledger.next_due, ledger.ending) == (NOW + HOUR, 4)
    assert names(ledger, NOW + 3 * HOUR - 1) == ["a", "b"]
    assert names(ledger, NOW + 3 * HOUR) == ["c"]
    assert names(ledger, NOW + 4 * HOUR) == []
    assert ledger.ending == 1


def test_an_action_without_an_end_is_written_and_never_ends(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", None))
    assert ledger.next_due is None
    assert names(ledger, NOW + 10**12) == []
    (value,) = ledger.flush().values()
    assert value is not None
    record = json.loads(value)
    assert (record["schema_version"], record["expires"]) == (1, None)
    assert record["action"]["action_id"] == "a"


def test_an_actions_record_goes_when_it_can_no_longer_be_appealed(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    names(ledger, NOW)
    ledger.flush()
    names(ledger, NOW + APPEAL_DAYS * DAY - 1)
    assert ledger.flush() == {}
    names(ledger, NOW + APPEAL_DAYS * DAY)
    assert ledger.flush() == {b"x:a": None}


def test_a_dropped_action_does_not_end(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    ledger.erase(template.account_id, 0)
    assert names(ledger, NOW) == []
    assert ledger.flush() == {b"x:a": None}


def test_an_action_applied_again_ends_at_its_new_end_only(template: Enforcement) -> None:
    """One id can come twice: a post judged anew after its id was forgotten gives the same action id."""
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    add(ledger, ending(template, "a", START + timedelta(hours=2)))
    assert names(ledger, NOW + HOUR) == []
    assert names(ledger, NOW + 2 * HOUR) == ["a"]


def test_an_action_applied_again_keeps_its_record_while_it_stands(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    assert names(ledger, NOW) == ["a"]
    later = START + timedelta(days=30)
    add(ledger, ending(template, "a", later))
    ledger.flush()
    assert names(ledger, NOW + 25 * DAY) == []
    assert ledger.flush() == {}
    assert names(ledger, NOW + 30 * DAY) == ["a"]


def test_a_ledger_goes_on_from_its_records(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    add(ledger, ending(template, "b", START + timedelta(hours=1)))
    names(ledger, NOW)
    again = restored(ledger.flush())
    assert (again.ending, again.next_due) == (1, NOW + HOUR)
    (ended,) = again.ended(NOW + HOUR)
    assert ended == ending(template, "b", START + timedelta(hours=1))
    again.flush()
    names(again, NOW + 21 * DAY)
    assert again.flush() == {b"x:a": None, b"x:b": None}


def test_a_later_record_of_the_topic_replaces_an_earlier_one(template: Enforcement) -> None:
    first, second, third = Ledger(), Ledger(), Ledger()
    add(first, ending(template, "a", START))
    add(second, ending(template, "a", START + timedelta(hours=5)))
    add(third, ending(template, "a", START))
    again = restored(first.flush())
    again.restore("a", second.flush()[b"x:a"])
    assert names(again, NOW + HOUR) == []
    again.restore("a", None)
    assert names(again, NOW + 9 * HOUR) == []


def test_an_accounts_actions_are_known_until_their_records_go(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    add(ledger, ending(template, "b", None))
    names(ledger, NOW)
    assert set(ledger.applied) == {"a", "b"}
    names(ledger, NOW + APPEAL_DAYS * DAY)
    assert set(ledger.applied) == {"b"}
    again = restored(ledger.flush())
    assert set(again.applied) == {"b"}
    again.restore("b", None)
    assert not again.applied


def test_an_item_is_closed_once_with_its_record_as_published(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    judged = judge.judge(feed.posts(post("a blip")))
    (item,) = [output.value for output in judged.outputs if output.topic == "review.queue"]
    assert item is not None
    name = json.loads(item)["item_id"]
    for ledger in (judge.ledger, restored({k: v for k, v in judged.state.items() if k.startswith(b"x:")})):
        closed = ledger.close_item(name, "v1")
        assert closed is not None
        assert encode(closed) == item.replace(b'"closed_by":null', b'"closed_by":"v1"')
        assert ledger.flush() == {b"x:" + name.encode(): None}
        assert ledger.close_item(name, "v2") is None


def test_a_post_judged_anew_does_not_suspend_again(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    anew = judge.judge(feed.posts(post("zap", "2", when=at(30))))
    assert [output.topic for output in anew.outputs] == ["decisions"]
    (reverse,) = outputs(judge.expire(START + timedelta(hours=42)), "enforcement.suspend")
    assert reverse["decided_at"] == at(14)


def test_two_suspensions_have_two_ids(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    first = judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    second = judge.judge(feed.posts(post("zap", "2", when=at(30))))
    actions = outputs(first, "enforcement.suspend") + outputs(second, "enforcement.suspend")
    assert len({action["action_id"] for action in actions}) == len(actions)


def test_an_erased_account_leaves_no_action_behind(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    state: dict[bytes, bytes | None] = {}
    for day in range(70):
        state.update(judge.judge(feed.posts(post("zip", str(day), when=at(24 * day)))).state)
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(24 * 80), "deleted": True}
    state.update(judge.judge([feed.record("accounts", gone)]).state)
    assert [key for key, value in state.items() if key.startswith(b"x:") and value is not None] == []


def test_the_open_items_of_an_erased_account_are_closed(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    (item,) = outputs(judge.judge(feed.posts(post("a blip"))), "review.queue")
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(1), "deleted": True}
    (closed,) = outputs(judge.judge([feed.record("accounts", gone)]), "review.queue")
    assert closed["item_id"] == item["item_id"]
    assert closed["closed_by"] is not None


def test_an_item_that_is_let_go_is_closed_on_the_queue(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    items = outputs(judge.judge(feed.posts(*(post("a blip", str(n)) for n in range(65)))), "review.queue")
    assert len({item["item_id"] for item in items if item["closed_by"] is None}) == 65
    assert [item["item_id"] for item in items if item["closed_by"] is not None] == [items[0]["item_id"]]


def test_a_reversed_action_ends_at_its_reversal_and_is_kept_for_20_days_more(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START + timedelta(hours=5)))
    add(ledger, ending(template, "b", None))
    for name in ("a", "b"):
        ledger.note(name, reversed_at=NOW)
    again = restored(ledger.flush())
    for each in (ledger, again):
        assert (each.next_due, each.ending, len(each)) == (None, 0, 2)
        assert names(each, NOW + 9 * HOUR) == []
        kept = each.action("b")
        assert kept is not None
        assert (kept.ended, kept.reversed, kept.stands(NOW)) == (NOW, True, False)
        assert kept.action == ending(template, "b", None)
        each.flush()
        names(each, NOW + APPEAL_DAYS * DAY)
        assert each.flush() == {b"x:a": None, b"x:b": None}
        assert (each.action("a"), len(each), set(each.applied)) == (None, 0, set())


def test_an_action_whose_appeal_is_open_is_kept_until_it_is_decided(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    names(ledger, NOW)
    ledger.note("a", appeal={"appeal_id": "p1", "open": True})
    again = restored(ledger.flush())
    for each in (ledger, again):
        names(each, NOW + 50 * DAY)
        kept = each.action("a")
        assert kept is not None
        assert kept.appeal == {"appeal_id": "p1", "open": True}
        each.note("a", appeal={"appeal_id": "p1", "open": False})
        names(each, NOW + 50 * DAY)
        assert each.action("a") is None


def test_a_reversal_after_the_end_does_not_move_the_end(template: Enforcement) -> None:
    ledger = Ledger()
    add(ledger, ending(template, "a", START))
    names(ledger, NOW)
    ledger.note("a", reversed_at=NOW + 3 * DAY)
    kept = ledger.action("a")
    assert kept is not None
    assert (kept.ended, kept.reversed) == (NOW, True)


def test_what_is_not_known_cannot_be_noted(template: Enforcement) -> None:
    ledger = Ledger()
    with pytest.raises(KeyError):
        ledger.note("a", reversed_at=NOW)
    assert ledger.action("a") is None
    assert ledger.item("a") is None


def test_an_accounts_actions_come_in_the_same_order_after_a_restore(template: Enforcement) -> None:
    ledger = Ledger()
    for hours, name in ((1, "c"), (2, "a"), (3, "b")):
        add(
            ledger,
            template.model_copy(update={"action_id": name, "decided_at": START + timedelta(hours=hours)}),
        )
    state = ledger.flush()
    ledger.note("c", taken=1)
    for (
        key,
        value,
    ) in ledger.flush().items():  # compaction leaves the last of each key, in the order of writing
        del state[key]
        state[key] = value
    for each in (ledger, restored(state)):
        assert [kept.action.action_id for kept in each.actions_of(template.account_id)] == ["c", "a", "b"]


def test_an_open_item_is_replaced_with_what_else_is_known_of_it(pack: Pack) -> None:
    judge, feed = PartitionJudge(pack, 0), Feed()
    (value,) = [o.value for o in judge.judge(feed.posts(post("a blip"))).outputs if o.topic == "review.queue"]
    assert value is not None
    name = json.loads(value)["item_id"]
    ledger = Ledger()
    ledger.add_item(name, value, {"reports": ["r1"]})
    urgent = encode(QueueItem.model_validate_json(value).model_copy(update={"priority": 99}))
    assert ledger.replace_item(name, urgent)
    again = restored(ledger.flush())
    for each in (ledger, again):
        item = each.item(name)
        assert item is not None
        assert encode(item) == urgent
        assert each.item_extra(name) == {"reports": ["r1"]}
        assert each.replace_item(name, value, {"reports": ["r1", "r2"]})
        assert each.item_extra(name) == {"reports": ["r1", "r2"]}
        assert each.close_item(name, "v1") is not None
        assert (each.item(name), each.item_extra(name)) == (None, None)
        assert not each.replace_item(name, value)
        assert name not in each.applied


def test_a_standing_action_costs_memory_in_the_store_only(template: Enforcement) -> None:
    store = MemoryStore()
    ledger = Ledger(store)
    for number in range(100):
        add(ledger, ending(template, f"a{number}", None))
    ledger.flush()
    held = {
        name: value
        for name, value in vars(ledger).items()
        if hasattr(value, "__len__") and value is not store
    }
    assert {name: len(value) for name, value in held.items() if len(value)} == {}
    ledger.erase(template.account_id, NOW)
    assert len(ledger.flush()) == 100
    assert list(store.keys(b"")) == []
