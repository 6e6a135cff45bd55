from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from schemas.base import encode
from schemas.enforcement import Enforcement
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.ledger import Ledger
from worker.engine.registry import Pack
from worker.engine.state import APPEAL_DAYS, DAY

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
