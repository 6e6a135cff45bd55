from __future__ import annotations

import pytest

from schemas.base import encode, parse_time
from schemas.dead_letters import DeadLetter
from tests.worker.cli.conftest import Moderator

pytestmark = pytest.mark.kafka


def _letter(number: int) -> DeadLetter:
    time = parse_time("2026-11-22T09:30:00Z")
    return DeadLetter.model_validate(
        {
            "schema_version": 1,
            "dead_letter_id": f"d{number}",
            "topic": "posts",
            "partition": 0,
            "offset": number,
            "timestamp": 1_790_000_000_000 + number,
            "key_base64": "dTE=",
            "value_base64": "c2VjcmV0",
            "value_bytes": 6,
            "value_sha256": "0" * 64,
            "reason": "bad_json",
            "detail": "expected value at line 1 column 1",
            "attempts": 1,
            "worker_version": "0",
            "failed_at": time,
        }
    )


def test_topics_are_made_once_and_then_found(moderator: Moderator, broker: str, topic_prefix: str) -> None:
    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    missing = moderator("topics", "check", *where)
    assert missing.code == 2
    assert f"{topic_prefix}*: none of the topics exists" in missing.out
    made = moderator("topics", "create", *where, "--partitions", "2", "--json")
    assert made.code == 0
    assert f"{topic_prefix}state" in made.json["created"]
    again = moderator("topics", "create", *where, "--partitions", "2", "--json").json
    assert (again["created"], again["problems"]) == ([], [])
    assert moderator("topics", "check", *where).code == 0


def test_the_newest_dead_letters_are_listed_without_their_content(
    moderator: Moderator, broker: str, topic_prefix: str
) -> None:
    from kafka import KafkaProducer

    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    assert moderator("dead-letters", "list", *where).code == 2
    assert moderator("topics", "create", *where, "--partitions", "2").code == 0
    assert "no dead letters" in moderator("dead-letters", "list", *where).err
    producer = KafkaProducer(bootstrap_servers=broker)
    for number in range(30):
        producer.send(
            f"{topic_prefix}dead-letter",
            encode(_letter(number)),
            partition=number % 2,
            timestamp_ms=1_790_000_000_000 + number,
        )
    producer.flush()
    producer.close()
    ran = moderator("dead-letters", "list", *where, "--limit", "3")
    assert ran.code == 0
    assert "bad_json" in ran.out
    letters = moderator("dead-letters", "list", *where, "--limit", "3", "--json").json["dead_letters"]
    assert [letter["dead_letter_id"] for letter in letters] == ["d27", "d28", "d29"]
    assert all("value_base64" not in letter and "key_base64" not in letter for letter in letters)
    whole = moderator("dead-letters", "list", *where, "--json", "--content").json["dead_letters"]
    assert len(whole) == 30
    assert whole[0]["value_base64"] == "c2VjcmV0"


def test_run_without_topics_is_code_2(moderator: Moderator, broker: str, topic_prefix: str) -> None:
    ran = moderator("run", "--broker", broker, "--topic-prefix", topic_prefix, "--http-port", "0")
    assert ran.code == 2
