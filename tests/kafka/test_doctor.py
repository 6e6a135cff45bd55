"""`moderator doctor` on a real broker: what it says of one in order, and of each thing that is not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.traffic import Traffic, make_post, partition_of
from tests.worker.cli.conftest import PACK, Moderator, Ran, moderator, pattern_cache
from worker.admin import create_topics

__all__ = ["moderator", "pattern_cache"]  # fixtures

pytestmark = pytest.mark.kafka


def states(ran: Ran) -> dict[str, str]:
    return {finding["check"]: finding["state"] for finding in ran.json["findings"]}


def advice(ran: Ran, check: str) -> list[dict[str, Any]]:
    return [finding for finding in ran.json["findings"] if finding["check"] == check]


@pytest.fixture
def where(broker: str, topic_prefix: str) -> list[str]:
    return ["--broker", broker, "--topic-prefix", topic_prefix, "--policies", str(PACK), "--json"]


def test_a_cluster_in_order(moderator: Moderator, where: list[str], broker: str, topic_prefix: str) -> None:
    create_topics(broker, topic_prefix, 3)
    with Traffic(broker, topic_prefix) as traffic:
        for number in range(20):
            post = make_post(f"p{number}", f"account-{number}", "a text")
            traffic.send_raw(post.value, key=post.key)
    ran = moderator("doctor", *where)
    assert ran.code == 0, ran.out
    found = states(ran)
    assert {
        check: found[check] for check in ("broker", "topics", "permissions", "producers", "clock", "models")
    } == {
        "broker": "ok",
        "topics": "ok",
        "permissions": "ok",
        "producers": "ok",
        "clock": "ok",
        "models": "ok",
    }
    assert found["lag"] == "warning"  # nobody works there
    assert "no worker of the group" in advice(ran, "lag")[0]["detail"]
    shown = moderator("doctor", *[option for option in where if option != "--json"])
    assert "producers   all of the newest 20 posts" in shown.out
    assert "0 failed" in shown.err


def test_missing_topics_are_named_with_what_to_do(moderator: Moderator, where: list[str]) -> None:
    ran = moderator("doctor", *where)
    assert ran.code == 1
    (topics, *_) = advice(ran, "topics")
    assert topics["state"] == "failed"
    assert "moderator topics create" in topics["advice"]
    assert "producers" not in states(ran)


def test_a_producer_with_another_partitioner_and_a_clock_ahead_are_told(
    moderator: Moderator, where: list[str], broker: str, topic_prefix: str
) -> None:
    from kafka import KafkaProducer

    create_topics(broker, topic_prefix, 3)
    producer = KafkaProducer(bootstrap_servers=broker)
    post = make_post("p1", "account-1", "a text")
    producer.send(
        f"{topic_prefix}posts",
        key=post.key,
        value=post.value,
        partition=(partition_of(post.key, 3) + 1) % 3,
        timestamp_ms=int((time.time() + 3600) * 1000),
    )
    producer.send(f"{topic_prefix}posts", key=b"x", value=b"{")
    producer.flush()
    producer.close()
    ran = moderator("doctor", *where)
    assert ran.code == 1
    wrong, unreadable = advice(ran, "producers")
    assert (wrong["state"], unreadable["state"]) == ("failed", "warning")
    assert "1 of the newest 2 posts and accounts lie in the wrong partition" in wrong["detail"]
    assert "murmur2" in wrong["advice"]
    (clock,) = advice(ran, "clock")
    assert clock["state"] == "failed"
    assert "ahead of this machine" in clock["detail"]


def test_a_broken_pack_and_a_broker_that_is_away_are_both_told(moderator: Moderator, tmp_path: Path) -> None:
    (tmp_path / "pack" / "violence").mkdir(parents=True)
    (tmp_path / "pack" / "violence" / "policy.toml").write_text("id = [")
    ran = moderator("doctor", "--broker", "127.0.0.1:1", "--policies", str(tmp_path / "pack"), "--json")
    assert ran.code == 1
    found = states(ran)
    assert (found["broker"], found["pack"]) == ("failed", "failed")
    assert "moderator policies lint" in advice(ran, "pack")[0]["advice"]
