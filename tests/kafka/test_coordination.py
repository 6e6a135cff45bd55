"""A campaign over several partitions and workers: what they tell each other travels with their batches."""

from __future__ import annotations

import json

import pytest

from tests.kafka.oracle import Oracle
from tests.kafka.traffic import Traffic
from tests.kafka.workers import Workers
from tests.worker.engine.across.helpers import LINK, PACK, TEXT, fresh, seconds, settled
from tests.worker.engine.helpers import post
from worker.admin import create_topics
from worker.engine.ids import partition_of
from worker.engine.registry import load_pack
from worker.replay import Replay

pytestmark = pytest.mark.kafka

PARTITIONS = 4
TOPICS = ("posts", "observations", "findings", "enforcement.remove", "dead-letter")
BOTS = 12


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_two_workers_find_a_campaign_over_four_partitions(
    broker: str, topic_prefix: str, workers: Workers, guarantee: str
) -> None:
    create_topics(broker, topic_prefix, PARTITIONS)
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        settings = {"POLICIES": str(PACK), "GUARANTEE": guarantee}
        started = [workers.start(settings=settings) for _ in range(2)]
        for worker in started:
            worker.wait_ready()
        for number in range(BOTS):
            bot = post(TEXT, f"b{number}", f"bot{number}", seconds(number), urls=[LINK])
            fine = post("a fine day", f"f{number}", f"user{number}", seconds(number))
            bot["author"], fine["author"] = fresh(), settled()
            for value in (bot, fine):
                traffic.send_raw(json.dumps(value).encode(), key=value["author_id"].encode())
        oracle.wait_for(
            lambda read: sum(each.topic == "enforcement.remove" for each in read) >= BOTS, 30.0, "removals"
        )
        assert [worker.stop() for worker in started] == [0, 0]
        records = oracle.read_to_end()
    removed = [record for record in records if record.topic == "enforcement.remove"]
    assert {record.body["account_id"] for record in removed} == {f"bot{number}" for number in range(BOTS)}
    assert len({record.partition for record in removed}) > 1
    assert not [record for record in records if record.topic == "dead-letter"]
    for record in records:
        if record.topic in {"observations", "findings"}:
            assert record.partition == partition_of(record.key or b"", PARTITIONS)
    # The recording, partition by partition, without a broker: the same bytes.
    lines = [
        json.dumps(
            {
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "key": (record.key or b"").decode(),
                "value": record.body,
            }
        ).encode()
        for topic in TOPICS[:3]
        for record in records
        if record.topic == topic
    ]
    replay = Replay(load_pack(PACK), loop=False)
    again = [json.loads(line) for line in (*replay.feed(lines), *replay.finish())]
    actions = [line["value"] for line in again if line["topic"] == "enforcement.remove"]
    assert sorted(json.dumps(value) for value in actions) == sorted(
        json.dumps(record.body) for record in removed
    )
