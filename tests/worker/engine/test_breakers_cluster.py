"""Caps with whole judges: posts in, actions and review items out."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from tests.worker.engine.caps import capped
from tests.worker.engine.helpers import at, post
from worker.adapters.exchange import Exchange
from worker.engine.breakers import overshoot
from worker.engine.ids import partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack
from worker.replay import Replay

POSTS = 240


def with_cap(pack: Pack, day: int, minute: int | None = None) -> Pack:
    """The pack with another cap."""
    loaded, *others = pack.policies
    return replace(
        pack, policies=(replace(loaded, policy=capped(loaded.policy, day=day, minute=minute)), *others)
    )


def violations(partitions: int) -> list[tuple[str, dict[str, Any]]]:
    """Posts that must be removed, most of them by accounts of one partition."""
    chance = random.Random(partitions)
    names = (f"u{number}" for number in range(2 * POSTS * partitions))
    busy = [name for name in names if partition_of(name.encode(), partitions) == 0]
    posts = []
    for number in range(POSTS):
        author = busy[number] if chance.random() < 0.8 else f"other{number}"
        posts.append((author, post("zap", f"p{number}", author, at(seconds=number))))
    return posts


def drive(exchange: Exchange, posts: list[tuple[str, dict[str, Any]]], restart_every: int = 0) -> Judged:
    total = Judged()
    for number, (author, value) in enumerate(posts):
        total.add(exchange.send("posts", author, json.dumps(value).encode()))
        if restart_every and number % restart_every == restart_every - 1:
            for partition in range(len(exchange.judges)):
                exchange.restart(partition)
    return total


def published(judged: Judged, topic: str) -> list[dict[str, Any]]:
    return [json.loads(output.value) for output in judged.outputs if output.topic == topic and output.value]


@pytest.mark.parametrize("partitions", [1, 3, 12])
def test_what_exceeds_the_cap_of_the_cluster_is_held_and_nothing_is_lost(pack: Pack, partitions: int) -> None:
    cap = 60
    judged_by = with_cap(pack, cap)
    exchange = Exchange(lambda number, count: PartitionJudge(judged_by, number, count), partitions)
    total = drive(exchange, violations(partitions))
    removed = published(total, "enforcement.remove")
    held = [item for item in published(total, "review.queue") if item["reason"] == "breaker"]
    assert len(removed) <= cap + overshoot(cap, partitions) == cap
    assert len(removed) >= cap // 2
    subjects = {item["subject"]["id"] for item in removed} | {item["subject"]["id"] for item in held}
    assert len(subjects) == len(removed) + len(held) == POSTS
    assert all(item["proposed"]["kind"] == "remove" and item["closed_by"] is None for item in held)
    assert all(item["proposed"]["strikes"]["active"] == 0 for item in held), "what is held is no strike"
    assert total.tally["moderator_breaker_held_total", "violence", "remove"] == len(held)
    told = {topic: exchange.told[topic] for topic in ("observations", "findings")}
    assert told["observations"] == told["findings"]
    assert (told["observations"] > 0) == (partitions > 1)


def test_the_minute_holds_a_flood_and_the_next_minute_acts_again(pack: Pack) -> None:
    judged_by = with_cap(pack, 10_000, 12)
    exchange = Exchange(lambda number, count: PartitionJudge(judged_by, number, count), 3)
    total = drive(exchange, violations(3))
    minutes: dict[str, int] = {}
    for action in published(total, "enforcement.remove"):
        minute = action["decided_at"][:16]
        minutes[minute] = minutes.get(minute, 0) + 1
    assert len(minutes) == 4
    assert all(6 <= taken <= 12 for taken in minutes.values())


def test_a_restart_after_every_few_records_changes_nothing(pack: Pack) -> None:
    judged_by = with_cap(pack, 60, 30)
    through, restarted = (
        Exchange(lambda number, count: PartitionJudge(judged_by, number, count), 3) for _ in range(2)
    )
    drive(through, violations(3))
    drive(restarted, violations(3), restart_every=7)
    assert restarted.outputs == through.outputs


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_replay_of_each_partition_gives_the_same_whatever_the_batches(pack: Pack, size: int) -> None:
    judged_by = with_cap(pack, 60, 30)
    exchange = Exchange(lambda number, count: PartitionJudge(judged_by, number, count), 3)
    drive(exchange, violations(3))
    for partition in range(3):
        records = [record for record in exchange.records if record.partition == partition]
        judge, again = PartitionJudge(judged_by, partition, 3), Judged()
        for start in range(0, len(records), size):
            again.add(judge.judge(records[start : start + size]))
        expected = exchange.state[partition]
        assert {key: again.state[key] for key in expected if key[:1] in b"fp"} == {
            key: value for key, value in expected.items() if key[:1] in b"fp"
        }
        mine = [(output.topic, output.value) for output in again.outputs]
        assert mine == _outputs_of(exchange, judged_by, records, partition)


def _outputs_of(exchange: Exchange, pack: Pack, records: list[Record], partition: int) -> list[Any]:
    """What came of a partition's records in the run, in order: told apart by the records that they name."""
    one_by_one = PartitionJudge(pack, partition, len(exchange.judges))
    outputs = [output for record in records for output in one_by_one.judge([record]).outputs]
    ran = [output for _, output in exchange.outputs]
    assert all(output in ran for output in outputs)
    return [(output.topic, output.value) for output in outputs]


@pytest.mark.parametrize("recorded", [True, False])
def test_replay_holds_what_the_cluster_held(pack: Pack, recorded: bool) -> None:
    judged_by = with_cap(pack, 60, 30)
    exchange = Exchange(lambda number, count: PartitionJudge(judged_by, number, count), 3)
    drive(exchange, violations(3))
    lines = [
        json.dumps(
            {
                "topic": record.topic,
                "key": (record.key or b"").decode(),
                "partition": record.partition,
                "offset": record.offset,
                "value": json.loads(record.value or b""),
            }
        ).encode()
        for record in exchange.records
        if recorded or record.topic == "posts"
    ]
    replay = Replay(judged_by, loop=not recorded, partitions=3)
    written = [json.loads(line) for line in (*replay.feed(lines), *replay.finish())]
    for topic in ("enforcement.remove", "review.queue"):
        expected = [json.loads(o.value) for _, o in exchange.outputs if o.topic == topic and o.value]
        assert [line["value"] for line in written if line["topic"] == topic] == expected


def test_a_moderator_who_upholds_asks_no_breaker(pack: Pack) -> None:
    judged_by = with_cap(pack, 0)
    judge = PartitionJudge(judged_by, 0)
    value = json.dumps(post("zap", "p1", "u1")).encode()
    judged = judge.judge([Record("posts", 0, 0, 0, b"u1", value)])
    assert published(judged, "enforcement.remove") == []
    (item,) = published(judged, "review.queue")
    before = judge.breakers.to_json()
    upheld = {
        "schema_version": 1,
        "review_id": "v1",
        "reviewer_id": "operator:ann",
        "account_id": "u1",
        "item_id": item["item_id"],
        "outcome": "uphold",
        "created_at": at(1),
    }
    after = judge.judge([Record("reviews", 0, 0, 0, b"u1", json.dumps(upheld).encode())])
    assert [action["source"] for action in published(after, "enforcement.remove")] == ["human"]
    assert [item["closed_by"] for item in published(after, "review.queue")] == ["v1"]
    assert judge.breakers.to_json() == before
