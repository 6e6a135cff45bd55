"""The streaming shell on a real broker: every record once, on the right state, whatever happens to workers."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from tests.kafka.fragile import DEADLY, ENDLESS
from tests.kafka.oracle import Oracle
from tests.kafka.traffic import Traffic, make_post, make_posts
from tests.kafka.workers import WorkerProcess, Workers
from worker.admin import create_topics

pytestmark = pytest.mark.kafka

PARTITIONS = 4
SETTINGS = {"JUDGE": "tests.kafka.fragile:judges", "BATCH": "200"}
TOPICS = ("decisions", "dead-letter")


def check_series(oracle: Oracle, posts: int) -> None:
    """Every post came out once, and each account's numbers run from 1 without a hole."""
    numbers: dict[bytes | None, list[int]] = defaultdict(list)
    ids: Counter[str] = Counter()
    for record in oracle.read_to_end():
        if record.topic == "decisions":
            numbers[record.key].append(record.body["number"])
            ids[record.body["post_id"]] += 1
    assert len(ids) == posts
    assert max(ids.values()) == 1
    assert all(series == list(range(1, len(series) + 1)) for series in numbers.values())


def supervise(workers: Workers, count: int) -> None:
    """Starts as many workers as are missing, as a supervisor does."""
    while len(workers.running) < count:
        workers.start(settings=SETTINGS)


def wait_for(
    oracle: Oracle, done: Callable[[], bool], workers: Workers, count: int, timeout_seconds: float = 90.0
) -> None:
    """Reads on until it is done, replacing workers that ended."""
    deadline = time.monotonic() + timeout_seconds
    while not done():
        supervise(workers, count)
        oracle.poll()
        assert time.monotonic() < deadline, f"exit codes {workers.exit_codes()}: {workers.started[-1].log()}"


def test_killed_workers_lose_nothing_and_repeat_nothing(
    broker: str, topic_prefix: str, workers: Workers
) -> None:
    create_topics(broker, topic_prefix, PARTITIONS)
    posts = 12_000
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        supervise(workers, 2)
        for part in range(3):
            traffic.send(make_posts(posts // 4, first=part * posts // 4))
            oracle.wait_for_progress(500)
            workers.running[part % 2].kill()
            supervise(workers, 2)
        traffic.send(make_posts(posts // 4, first=3 * posts // 4))
        wait_for(oracle, lambda: len(oracle.records) >= posts, workers, 2)
        assert [process.stop() for process in workers.running] == [0, 0]
        check_series(oracle, posts)


def test_partitions_that_move_or_stay_lose_nothing_and_repeat_nothing(
    broker: str, topic_prefix: str, workers: Workers
) -> None:
    create_topics(broker, topic_prefix, PARTITIONS)
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        first = workers.start(settings=SETTINGS).wait_ready()
        traffic.send(make_posts(4000))
        oracle.wait_for_progress(500)
        second = workers.start(settings=SETTINGS)
        traffic.send(make_posts(4000, first=4000))
        second.wait_ready()
        oracle.wait_for_progress(500)
        assert second.stop() == 0
        traffic.send(make_posts(4000, first=8000))
        wait_for(oracle, lambda: len(oracle.records) >= 12_000, workers, 1)
        assert first.stop() == 0
        check_series(oracle, 12_000)


@pytest.mark.parametrize(("text", "code"), [(DEADLY, -9), (ENDLESS, 70)])
def test_a_record_that_ends_the_process_becomes_one_dead_letter(
    broker: str, topic_prefix: str, workers: Workers, text: bytes, code: int
) -> None:
    create_topics(broker, topic_prefix, 1)
    limits = {**SETTINGS, "BATCH_LIMIT": "1", "PROBE_LIMIT": "1"}
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        traffic.send(make_posts(20))
        traffic.send([make_post("bad", "account-1", text.decode())])
        traffic.send(make_posts(20, first=20))
        codes = []
        for _ in range(2):
            codes.append(workers.start(settings=limits).wait(60.0))
        last = workers.start(settings=limits)
        oracle.wait_for(lambda records: len(records) >= 41, 60.0, "40 decisions and a dead letter")
        assert last.stop() == 0
        assert codes == [code, code]
        check_series(oracle, 40)
        (letter,) = [record.body for record in oracle.records if record.topic == "dead-letter"]
        assert letter == {"partition": 0, "offset": 20, "reason": "crashed_worker", "attempts": 3}


def test_innocent_records_survive_an_operator_who_kills_the_worker_again_and_again(
    broker: str, topic_prefix: str, workers: Workers
) -> None:
    create_topics(broker, topic_prefix, 1)
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        traffic.send(make_posts(2000))
        for _ in range(3):
            workers.start(settings={**SETTINGS, "BATCH": "50"})
            oracle.wait_for_progress(1)
            workers.running[0].kill()
        workers.start(settings={**SETTINGS, "BATCH": "50"})
        oracle.wait_for(lambda records: len(records) >= 2000, 90.0, "all decisions")
        assert all(record.topic == "decisions" for record in oracle.records)
        check_series(oracle, 2000)


def test_a_worker_that_was_stopped_past_its_session_is_fenced(
    broker: str, topic_prefix: str, workers: Workers
) -> None:
    create_topics(broker, topic_prefix, PARTITIONS)
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        zombie: WorkerProcess = workers.start(settings=SETTINGS).wait_ready()
        traffic.send(make_posts(3000))
        oracle.wait_for_progress(500)
        zombie.pause()
        heir = workers.start(settings=SETTINGS).wait_ready()
        zombie.resume()
        traffic.send(make_posts(3000, first=3000))
        wait_for(oracle, lambda: len(oracle.records) >= 6000, workers, 1)
        # It noticed while it was judging or giving its partitions away, or it came back and joined.
        assert zombie.exit_code in {None, 1}
        assert heir.exit_code is None
        check_series(oracle, 6000)


def test_at_least_once_loses_nothing(broker: str, topic_prefix: str, workers: Workers) -> None:
    create_topics(broker, topic_prefix, PARTITIONS)
    settings = {**SETTINGS, "GUARANTEE": "at-least-once"}
    with Traffic(broker, topic_prefix) as traffic, Oracle(broker, topic_prefix, TOPICS) as oracle:
        traffic.send(make_posts(6000))
        workers.start(settings=settings)
        oracle.wait_for_progress(500)
        workers.running[0].kill()
        workers.start(settings=settings)
        every = {post.post_id for post in make_posts(6000)}
        oracle.wait_for(
            lambda records: {record.body["post_id"] for record in records} >= every,
            90.0,
            "every post at least once",
        )


def test_a_start_without_broker_or_topics_says_so(broker: str, topic_prefix: str, workers: Workers) -> None:
    bare = workers.start(settings=SETTINGS)
    assert bare.wait(30.0) == 2
    assert topic_prefix in bare.log()
    assert "moderator topics create" in bare.log()
    lost = workers.start("--broker", "127.0.0.1:9", settings={**SETTINGS, "CONNECT_TIMEOUT": "1"})
    assert lost.wait(30.0) == 3
    assert "127.0.0.1:9" in lost.log()
