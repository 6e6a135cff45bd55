"""The broker itself dies under load and comes back on the same disk: workers and clients find it again."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from tests.kafka.scene import Scene
from worker.embedded import EmbeddedKafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_a_broker_killed_under_load_and_started_again_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with (
        EmbeddedKafka(tmp_path / "kafka") as kafka,
        Scene(kafka.bootstrap, "broker-", tmp_path, settings={"batch": "20"}) as scene,
    ):
        scene.start(2)
        for _ in range(2):
            scene.post(12_000)
            scene.progress(300)
            with scene.without_clients():
                kafka.kill()
                kafka.restart(down_seconds=3.0)
            scene.recover("broker killed", 120.0)
        scene.finish(240.0).assert_exactly_once()
    del scene
    gc.collect()  # the sockets of refused connections are to be found here, not in another test
