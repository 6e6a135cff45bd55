"""Faults under a load of which the state matters: the same final records and action ids as nothing had happened.

Workers are killed, become three and one again, and lose the folder in which they keep what memory has no room for.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.lives import PACK, Lives, Sent, comparable
from tests.kafka.recomputed import read_state
from tests.kafka.scene import Scene
from tests.kafka.traffic import SyntheticPost

# Rarely, on a busy machine, kafka-python's close leaves a socket to the garbage collector.
_LEAK = "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings(_LEAK)]

PARTITIONS = 3
KILLED = -9


class Run:
    """One load on one scene; faults come when a share of a stage is decided."""

    def __init__(self, scene: Scene, lives: Lives, state_dir: Path) -> None:
        self.scene = scene
        self.lives = lives
        self.state_dir = state_dir
        self.kills = 0
        self.wipes = 0
        self._sent: Counter[str] = Counter()

    def send(self, stage: Sequence[Sent]) -> None:
        """Sends a stage; nothing is waited for."""
        posts = [SyntheticPost("", each.key, each.value, None) for each in stage if each.topic == "posts"]
        if posts:
            self.scene.traffic.send(posts)
        for each in stage:
            if each.topic != "posts":
                self.scene.traffic.send_raw(each.value, topic=each.topic, key=each.key.encode())
        self._sent.update(each.topic for each in stage)

    def decided(self, topic: str) -> int:
        """How many records of a topic have come out as decisions."""
        return sum(
            record.topic == "decisions" and record.body["record"]["topic"] == topic
            for record in self.scene.oracle.records
        )

    def settle(self, topic: str) -> None:
        """Waits until everything that was sent to a topic is decided."""
        self.scene.wait(lambda: self.decided(topic) >= self._sent[topic], 120.0, f"all of {topic}")

    def kill(self, more: int) -> None:
        """Waits for so many more outputs, then kills a worker; the supervisor starts another."""
        self.scene.progress(more)
        assert self.scene.fleet[0].kill() == KILLED
        self.kills += 1
        self.scene.tend()
        self.scene.recover("kill")

    def wipe(self) -> None:
        """Takes the state folder away from under the workers."""
        shutil.rmtree(self.state_dir, ignore_errors=True)
        self.wipes += 1

    def compare(self) -> dict[str, Any]:
        """Waits for the timers, stops the workers, and says what is lost, extra and different."""
        expected = self.lives.finish()
        wanted = self.lives.actions

        def found() -> Counter[str]:
            return Counter(
                record.body["action_id"]
                for record in self.scene.oracle.records
                if record.topic.startswith("enforcement.")
            )

        self.scene.wait(lambda: wanted <= found().keys(), 90.0, "all actions and their ends")
        for process in tuple(self.scene.fleet):
            self.scene.dismiss(process)
        self.scene.oracle.read_to_end()
        actions = found()
        state = comparable(read_state(self.scene.broker, self.scene.prefix))
        differing = [key for key in expected.keys() | state.keys() if expected.get(key) != state.get(key)]
        return {
            "actions": len(wanted),
            "state_records": len(expected),
            "lost": sorted(wanted - actions.keys()),
            "extra": sorted(actions.keys() - wanted),
            "repeated": sorted(name for name, times in actions.items() if times > 1),
            "differing": [
                f"{key!r}: {json.dumps(expected.get(key))} became {json.dumps(state.get(key))}"[:600]
                for key in sorted(differing)
            ],
        }


def scene_of(broker: str, prefix: str, folder: Path, state_dir: Path, batch: int) -> Scene:
    settings = {"policies": str(PACK), "batch": str(batch), "state_dir": str(state_dir)}
    return Scene(broker, prefix, folder, partitions=PARTITIONS, settings=settings)


def assert_same(result: dict[str, Any]) -> None:
    assert result["lost"] == []
    assert result["extra"] == []
    assert result["repeated"] == []
    assert result["differing"] == []


def test_what_is_remembered_survives_kills_rebalances_and_a_lost_folder(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    lives = Lives(PARTITIONS, posts=1200, accounts=60)
    with scene_of(broker, topic_prefix, tmp_path, tmp_path / "spill", batch=50) as scene:
        run = Run(scene, lives, tmp_path / "spill")
        first = scene.start()[0]
        run.send(lives.write(0))
        run.kill(more=40)
        run.send(lives.campaign(0.1))
        run.settle("posts")

        run.wipe()  # while a worker runs
        others = scene.start(2)
        appeals = lives.appeal(2)
        assert len(appeals) > 20
        run.send(appeals)
        run.settle("appeals")
        reviews = lives.review(3)
        assert len(reviews) > 40
        run.send(reviews)
        scene.progress(10)
        for other in others:
            if other in scene.fleet:
                scene.dismiss(other)
        run.settle("reviews")

        run.send(lives.write(5))
        run.wipe()
        run.kill(more=40)
        run.settle("posts")
        result = run.compare()
    assert first.exit_code == KILLED
    assert result["actions"] > 200
    assert_same(result)
    assert run.kills == 2


def test_a_worker_whose_state_folder_is_gone_ends_in_good_order_and_suspects_no_record(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    lives = Lives(PARTITIONS, posts=150, accounts=30)
    with scene_of(broker, topic_prefix, tmp_path, tmp_path / "spill", batch=50) as scene:
        run = Run(scene, lives, tmp_path / "spill")
        scene.start()
        run.send(lives.write(0))
        run.settle("posts")
        run.wipe()
        run.send(lives.write(1))
        run.settle("posts")
        next_one = scene.fleet[0]
        result = run.compare()
    (ending,) = scene.endings
    assert ending.code == 1
    assert "is gone" in ending.log
    assert "stopped" in ending.log  # in good order, with everything given away
    for log in (ending.log, next_one.log()):
        assert "trying a record" not in log
        assert "Traceback" not in log
    assert_same(result)


@pytest.mark.slow
def test_ten_kills_and_two_rebalances_leave_the_same_records(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    lives = Lives(PARTITIONS, posts=12_000, accounts=400, seed=2)
    with scene_of(broker, topic_prefix, tmp_path, tmp_path / "spill", batch=100) as scene:
        run = Run(scene, lives, tmp_path / "spill")
        scene.start()
        run.send(lives.write(0))
        run.send(lives.campaign(0.1, accounts=40))
        for _ in range(3):
            run.kill(more=150)
        run.wipe()
        scene.start(2)
        scene.wait(lambda: [scene.owned(each) for each in scene.fleet] == [1, 1, 1], 60, "one partition each")
        for _ in range(2):
            run.kill(more=150)
        run.settle("posts")
        run.send(lives.appeal(2))
        run.kill(more=20)
        run.settle("appeals")
        run.wipe()
        run.send(lives.review(3))
        run.kill(more=50)
        run.settle("reviews")
        for other in tuple(scene.fleet[1:]):
            scene.dismiss(other)
        run.send(lives.write(5))
        for _ in range(3):
            run.kill(more=150)
            run.wipe()
        run.settle("posts")
        result = run.compare()
    print({name: value if isinstance(value, int) else len(value) for name, value in result.items()})
    assert_same(result)
    assert run.kills == 10
    assert result["actions"] > 2_000
