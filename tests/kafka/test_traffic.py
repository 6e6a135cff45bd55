from __future__ import annotations

import json

import pytest
from kafka.partitioner.default import murmur2

from tests.kafka.oracle import read_outputs
from tests.kafka.traffic import REMOVE_WORD, Traffic, make_posts, partition_of
from worker.admin import create_topics

# From Apache Kafka's own test, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java (read 2026-11-23).
JAVA_MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), JAVA_MURMUR2.items())
def test_murmur2_is_javas(key: bytes, expected: int) -> None:
    assert murmur2(key) & 0xFFFFFFFF == expected & 0xFFFFFFFF
    assert partition_of(key, 7) == (expected & 0x7FFFFFFF) % 7


def test_the_same_arguments_give_the_same_posts() -> None:
    assert list(make_posts(50)) == list(make_posts(50))
    assert list(make_posts(50))[20:] == list(make_posts(30, first=20))


def test_the_share_that_must_be_removed_is_marked_by_its_word() -> None:
    posts = list(make_posts(2000, violating_share=0.25))
    assert 400 < sum(post.kind == "remove" for post in posts) < 600
    assert all((REMOVE_WORD in json.loads(post.value)["text"]) == (post.kind == "remove") for post in posts)


@pytest.mark.kafka
def test_posts_land_on_the_partition_that_java_clients_choose(broker: str, topic_prefix: str) -> None:
    create_topics(broker, topic_prefix, partitions=3, replication_factor=1)
    with Traffic(broker, topic_prefix) as traffic:
        sent = traffic.send(make_posts(300))
        placement = traffic.send_raw(b"{", key=b"account-7")
    assert placement.partition == partition_of(b"account-7", 3)
    records = read_outputs(broker, topic_prefix, ["posts"])
    assert {record.value for record in records} == {b"{", *(post.value for post in sent)}
    assert all(record.partition == partition_of(record.key or b"", 3) for record in records)
    assert {record.partition for record in records} == {0, 1, 2}


@pytest.mark.kafka
def test_readers_of_committed_records_see_nothing_of_an_aborted_transaction(
    broker: str, topic_prefix: str
) -> None:
    create_topics(broker, topic_prefix, partitions=1, replication_factor=1)
    with Traffic(broker, topic_prefix, transactional_id=f"{topic_prefix}upstream") as traffic:
        traffic.send_in_transaction(make_posts(20), commit=False)
        kept = traffic.send_in_transaction(make_posts(10, first=20), commit=True)
    records = read_outputs(broker, topic_prefix, ["posts"])
    assert [record.value for record in records] == [post.value for post in kept]
