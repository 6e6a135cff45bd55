"""Workers that are killed, joined, left, stopped and resumed under load: 0 lost, 0 extra, 0 differing.

Each test waits for output between two faults: one that hits an idle worker proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.scene import Scene
from worker.watchdog import EXIT_CODE as WATCHDOG_EXIT

pytestmark = pytest.mark.kafka

KILLED = -9
FENCED = 1
SMALL_BATCHES = {"batch": "200"}  # many transactions, so that faults fall into them


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Scene]:
    with Scene(broker, topic_prefix, tmp_path, settings=SMALL_BATCHES) as scene:
        yield scene


def test_a_worker_killed_twice_under_load_loses_and_repeats_nothing(scene: Scene) -> None:
    scene.post_others(10)
    scene.start()
    for _ in range(2):
        scene.post(4000)
        scene.post_others(10)
        scene.progress(300)
        assert scene.fleet[0].kill() == KILLED
        scene.recover("kill")
    scene.finish().assert_exactly_once()
    assert scene.codes() == [KILLED, KILLED]


def test_one_worker_becomes_three_and_one_again_under_load(scene: Scene) -> None:
    first = scene.start()[0]
    scene.post(6000)
    scene.progress(300)
    others = scene.start(2)
    scene.wait(
        lambda: [scene.owned(each) for each in scene.fleet] == [1, 1, 1], 60, "one partition for each worker"
    )
    scene.post(3000)
    scene.progress(300)
    for other in others:
        scene.dismiss(other)
    scene.wait(lambda: scene.owned(first) == scene.partitions, 60, "the first worker to own everything again")
    scene.post(1000)
    scene.progress(300)
    scene.finish().assert_exactly_once()
    assert scene.codes() == []


def test_a_worker_stopped_past_its_session_is_fenced_and_ends(scene: Scene) -> None:
    zombie, survivor = scene.start(2)
    scene.wait(lambda: scene.owned(zombie) > 0 and scene.owned(survivor) > 0, 60, "both to own partitions")
    scene.post(8000)
    scene.progress(300)
    zombie.pause()
    scene.wait(lambda: scene.owned(survivor) == scene.partitions, 60, "the survivor to own everything")
    scene.post(2000)
    scene.progress(300)
    zombie.resume()
    scene.wait(lambda: not zombie.is_running, 60, "the zombie to end")
    scene.tend()
    outcome = scene.finish()
    outcome.assert_exactly_once()
    assert scene.codes() in ([FENCED], [WATCHDOG_EXIT])
    if scene.codes() == [FENCED]:
        assert "another owner" in scene.endings[0].log


def test_a_terminated_worker_drains_and_ends_with_zero(scene: Scene) -> None:
    for _ in range(2):
        worker = scene.start()[0]
        scene.post(5000)
        scene.progress(300)
        scene.dismiss(worker)
    decided = sum(record.topic == "decisions" for record in scene.oracle.read_to_end())
    assert decided < scene.sent, "both stops came after the work was done"
    scene.start()
    scene.finish().assert_exactly_once()
    assert scene.codes() == []


def test_at_least_once_kills_lose_nothing_and_repeat_only_equal_records(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = {**SMALL_BATCHES, "guarantee": "at-least-once"}
    with Scene(broker, topic_prefix, tmp_path, settings=settings) as scene:
        scene.start()
        for _ in range(2):
            scene.post(4000)
            scene.progress(300)
            assert scene.fleet[0].kill() == KILLED
            scene.recover("kill, at least once")
        scene.finish().assert_at_least_once()
        assert scene.codes() == [KILLED, KILLED]
