from __future__ import annotations

import pytest

from worker.topics import (
    BY_NAME,
    JUDGED,
    MAX_OUTPUT_BYTES,
    OUTPUTS,
    TOPICS,
    Direction,
    Topic,
    invalid_characters,
    strip_prefix,
    wanted,
)

# The wire contract's list, on purpose written out again.
CONTRACT = [
    "posts",
    "accounts",
    "reports",
    "appeals",
    "reviews",
    "media.signals",
    "policies",
    "enforcement.label",
    "enforcement.remove",
    "enforcement.suspend",
    "review.queue",
    "notices",
    "decisions",
    "statements",
    "dead-letter",
    "state",
    "observations",
    "findings",
]


def test_the_table_has_the_contracts_topics_each_once() -> None:
    assert [topic.name for topic in TOPICS] == CONTRACT
    assert set(BY_NAME) == set(CONTRACT)


def test_only_policies_has_its_own_partition_count() -> None:
    assert {topic.name: topic.partition_count(12) for topic in TOPICS} == {
        name: 1 if name == "policies" else 12 for name in CONTRACT
    }


def test_policies_and_state_are_compacted_and_nothing_else() -> None:
    assert {topic.name for topic in TOPICS if topic.compacted} == {"policies", "state"}
    for topic in TOPICS:
        settings = topic.broker_config()
        assert settings["cleanup.policy"] == ("compact" if topic.compacted else "delete")
        assert ("retention.ms" in settings) is not topic.compacted


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_what_the_worker_writes_fits(topic: Topic) -> None:
    largest_dead_letter = -(-(512 * 1024) // 3) * 4 + 64 * 1024  # base64, and a generous envelope
    assert largest_dead_letter < MAX_OUTPUT_BYTES
    if topic.direction is not Direction.INPUT:
        assert int(topic.broker_config()["max.message.bytes"]) == MAX_OUTPUT_BYTES


def test_judged_topics_are_the_inputs_and_what_crosses_accounts() -> None:
    assert set(JUDGED) == {
        *("posts", "accounts", "reports", "appeals", "reviews", "media.signals"),
        *("observations", "findings"),
    }
    assert not set(JUDGED) & set(OUTPUTS)


def test_statements_may_be_missing_while_they_are_off() -> None:
    assert {topic.name for topic in wanted(statements=True)} - {topic.name for topic in wanted()} == {
        "statements"
    }


def test_a_prefix_is_put_in_front_and_taken_off_again() -> None:
    assert BY_NAME["posts"].full_name("eu.") == "eu.posts"
    assert strip_prefix("eu.media.signals", "eu.") == "media.signals"
    with pytest.raises(ValueError, match=r"us\."):
        strip_prefix("eu.posts", "us.")


def test_characters_that_kafka_refuses_are_named_once() -> None:
    assert tuple(invalid_characters("a b/c /")) == (" ", "/")
    assert not tuple(invalid_characters("Team_1.eu-west."))
    assert not any(tuple(invalid_characters(topic.name)) for topic in TOPICS)
