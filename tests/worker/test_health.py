"""worker.health: alive by heartbeat, ready by components."""

from __future__ import annotations

import pytest

from worker.health import Component, Health


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_worker_that_just_started_is_alive_but_not_ready() -> None:
    health = Health(["broker", "partitions"])
    assert health.alive()
    readiness = health.readiness()
    assert not readiness.ready
    assert readiness.components["broker"] == Component(ok=False, detail="not reported yet")


def test_a_worker_without_components_is_not_ready() -> None:
    assert not Health().readiness().ready


def test_all_components_make_it_ready_and_one_makes_it_unready_again() -> None:
    health = Health(["broker", "partitions"])
    health.set_ready("partitions", True, "4 assigned")
    assert not health.readiness().ready
    health.set_ready("broker", True)
    assert health.readiness().ready
    health.set_ready("pack", False, "compiling")
    readiness = health.readiness()
    assert not readiness.ready
    assert list(readiness.components) == ["broker", "pack", "partitions"]


def test_without_a_beat_it_is_hung_and_a_beat_revives_it() -> None:
    clock = Clock()
    health = Health(["broker"], stall_seconds=10, clock=clock)
    health.set_ready("broker", True)
    clock.now += 10
    assert health.alive()
    clock.now += 0.1
    assert not health.alive()
    assert not health.readiness().ready
    assert health.beat_age() == pytest.approx(10.1)
    health.beat()
    assert health.alive()
    assert health.readiness().ready


def test_a_clock_that_steps_back_does_not_give_a_negative_age() -> None:
    clock = Clock()
    health = Health(clock=clock)
    clock.now -= 5
    assert health.beat_age() == 0.0


def test_a_stall_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="stall_seconds"):
        Health(stall_seconds=0)
