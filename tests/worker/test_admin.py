from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from worker.admin import BrokerUnreachable, ClusterError, Problem, check_topics, create_topics
from worker.cluster import connect
from worker.embedded.settings import free_port
from worker.topics import TOPICS

pytestmark = pytest.mark.kafka


def make_topic(broker: str, name: str, partitions: int, **settings: str) -> None:
    configs = {key.replace("_", "."): value for key, value in settings.items()}
    request: dict[str, dict[str, Any]] = {
        name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    }
    with connect(broker) as admin:
        admin.create_topics(request, wait_for_metadata=True)


def test_creating_twice_makes_every_topic_once(broker: str, topic_prefix: str) -> None:
    names = tuple(topic_prefix + topic.name for topic in TOPICS)
    first = create_topics(broker, topic_prefix, partitions=2, replication_factor=1)
    assert (first.created, first.existing, first.problems) == (names, (), ())
    second = create_topics(broker, topic_prefix, partitions=2, replication_factor=1)
    assert (second.created, second.existing, second.problems) == ((), names, ())
    assert check_topics(broker, topic_prefix) == ()


def test_no_topics_at_all_is_one_problem(broker: str, topic_prefix: str) -> None:
    (problem,) = check_topics(broker, topic_prefix)
    assert problem.where == f"{topic_prefix}*"
    assert "moderator topics create" in problem.action


def test_each_missing_topic_is_named(broker: str, topic_prefix: str) -> None:
    make_topic(broker, topic_prefix + "posts", 3)
    problems = check_topics(broker, topic_prefix)
    assert {problem.where for problem in problems} == {
        topic_prefix + topic.name for topic in TOPICS if topic.name not in {"posts", "statements"}
    }
    assert all("--partitions 3" in problem.action for problem in problems)


def test_unequal_counts_and_wrong_settings_are_named(broker: str, topic_prefix: str) -> None:
    make_topic(broker, topic_prefix + "reports", 3)
    make_topic(broker, topic_prefix + "policies", 2, cleanup_policy="compact")
    make_topic(broker, topic_prefix + "state", 2, cleanup_policy="delete", max_message_bytes="2097152")
    make_topic(broker, topic_prefix + "dead-letter", 2, max_message_bytes="100000")
    report = create_topics(broker, topic_prefix, partitions=2, replication_factor=1)
    found = {problem.where.removeprefix(topic_prefix): problem.what for problem in report.problems}
    assert set(found) == {"reports", "policies", "state", "dead-letter"}
    assert "3 partitions" in found["reports"]
    assert "on 1" in found["policies"]
    assert "cleanup.policy is delete" in found["state"]
    assert "max.message.bytes is 100000" in found["dead-letter"]
    assert report.problems == check_topics(broker, topic_prefix, statements=True)


def test_a_second_partition_count_is_refused_before_anything_is_made(broker: str, topic_prefix: str) -> None:
    make_topic(broker, topic_prefix + "posts", 3)
    with pytest.raises(ClusterError, match="--partitions 3"):
        create_topics(broker, topic_prefix, partitions=4, replication_factor=1)
    with connect(broker) as admin:
        assert [name for name in admin.list_topics() if name.startswith(topic_prefix)] == [
            topic_prefix + "posts"
        ]


def test_another_count_of_complete_topics_is_one_problem(broker: str, topic_prefix: str) -> None:
    create_topics(broker, topic_prefix, partitions=1, replication_factor=1)
    (problem,) = check_topics(broker, topic_prefix, partitions=4)
    assert "1 partition, not 4" in problem.what


def test_too_few_brokers_for_the_replicas_is_said_in_kafkas_words(broker: str, topic_prefix: str) -> None:
    with pytest.raises(ClusterError, match="replication factor of 99"):
        create_topics(broker, topic_prefix, partitions=1, replication_factor=99)


def test_a_prefix_that_kafka_refuses_is_named_before_connecting() -> None:
    with pytest.raises(ClusterError, match="' '"):
        check_topics("127.0.0.1:1", "my topics ")


@pytest.mark.parametrize("address", ["", "host:port", "host:0", ":9092", "host:99999"])
def test_what_is_no_address_is_a_usage_error(address: str) -> None:
    with pytest.raises(ClusterError, match="HOST:PORT"):
        check_topics(address)


def test_a_closed_port_is_reported_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"
    begin = time.monotonic()
    with pytest.raises(BrokerUnreachable, match="nothing listens") as caught:
        check_topics(address)
    assert caught.value.bootstrap == address
    assert time.monotonic() - begin < 5


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # kafka-python leaves its own open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_port_that_does_not_speak_kafka_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with pytest.raises(BrokerUnreachable, match="nothing that speaks Kafka"):
            check_topics(f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=1.5)
        assert time.monotonic() - begin < 6


def test_an_unknown_client_option_is_a_usage_error(broker: str) -> None:
    with pytest.raises(ClusterError, match="no_such_option"):
        check_topics(broker, client_options={"no_such_option": 1})


def test_a_problem_reads_as_one_sentence_after_another() -> None:
    problem = Problem("the topic is missing", "eu.posts", "Create it: moderator topics create")
    assert str(problem) == "eu.posts: the topic is missing. Create it: moderator topics create"
