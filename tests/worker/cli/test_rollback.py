"""A policy version is rolled back on a real cluster: its actions are listed, reversed once, and stated beside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.oracle import Oracle, OutputRecord
from tests.kafka.traffic import Traffic, make_post
from tests.kafka.workers import Workers
from tests.worker.cli.conftest import Moderator
from worker.admin import create_topics

pytestmark = pytest.mark.kafka

TOPICS = ("enforcement.remove", "notices", "statements", "dead-letter")
POSTS = 24


def _reversed(records: list[OutputRecord]) -> list[str]:
    return [
        record.body["reverses"]
        for record in records
        if record.topic == "enforcement.remove" and record.body["operation"] == "reverse"
    ]


def test_what_a_version_did_is_reversed_once_and_stated_once(
    broker: str,
    topic_prefix: str,
    workers: Workers,
    moderator: Moderator,
    tmp_path: Path,
) -> None:
    create_topics(broker, topic_prefix, 2)
    where = ("--broker", broker, "--topic-prefix", topic_prefix)
    reverse = ("reverse", "--policy", "violence", "--version", "1", *where)
    posts = [make_post(f"p{n}", f"u{n % 5}", "zap" if n % 2 else "hello") for n in range(POSTS)]
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        worker = workers.start("--statements").wait_ready()
        traffic.send(posts)
        records = oracle.wait_for(
            lambda read: sum(each.topic == "statements" for each in read) >= POSTS // 2, 30.0, "statements"
        )
        applied = {each.body["action_id"] for each in records if each.topic == "enforcement.remove"}
        listed = moderator(*reverse, "--dry-run", "--json")
        assert {action["action_id"] for action in listed.json["actions"]} == applied
        assert len(applied) == POSTS // 2
        done = moderator(*reverse, "--yes", "--json", "--as", "ann")
        assert (done.code, done.json["published"]) == (0, POSTS // 2)
        records = oracle.wait_for(lambda read: len(_reversed(read)) >= POSTS // 2, 30.0, "the reversals")
        nothing = moderator(*reverse, "--yes", "--json")
        assert (nothing.json["standing"], nothing.json["published"]) == (0, 0)
        assert worker.metric("moderator_statements_total", policy="violence") == POSTS // 2
        assert worker.stop() == 0
        oracle.read_to_end()
    assert sorted(_reversed(oracle.records)) == sorted(applied)
    reversals = [
        each for each in oracle.records if each.topic == "notices" and each.body["kind"] == "reversal"
    ]
    assert len(reversals) == POSTS // 2
    assert not any(each.topic == "dead-letter" for each in oracle.records)
    exported = moderator("statements", "export", *where, "--out", str(tmp_path / "out"), "--json")
    assert exported.code == 0
    assert exported.json["statements"] == POSTS // 2
    assert exported.json["bad"] == []
