"""The watchdog ends a process that hangs, and no other."""

from __future__ import annotations

import subprocess
import sys
import threading

from worker.watchdog import EXIT_CODE, Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_work_within_the_limit_is_left_alone() -> None:
    ended: list[str] = []
    clock = Clock()
    watchdog = Watchdog(30.0, end=ended.append, clock=clock)
    with watchdog.watching("posts-3"):
        clock.now += 30.0
        watchdog.look()
    assert ended == []


def test_work_beyond_the_limit_ends_the_process_and_says_what_it_was() -> None:
    ended: list[str] = []
    clock = Clock()
    watchdog = Watchdog(30.0, end=ended.append, clock=clock)
    with watchdog.watching("posts-3"):
        clock.now += 30.1
        watchdog.look()
    assert len(ended) == 1
    assert "posts-3" in ended[0]
    assert "30 s" in ended[0]


def test_a_pause_between_two_pieces_of_work_does_not_count() -> None:
    ended: list[str] = []
    clock = Clock()
    watchdog = Watchdog(30.0, end=ended.append, clock=clock)
    with watchdog.watching("posts-3"):
        pass
    clock.now += 1000
    watchdog.look()
    assert ended == []


def test_a_process_that_hangs_ends_with_code_70() -> None:
    program = (
        "from worker.watchdog import Watchdog\n"
        "dog = Watchdog(0.1)\n"
        "dog.start()\n"
        "with dog.watching('posts-0'):\n"
        "    while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert done.returncode == EXIT_CODE == 70
    assert done.stderr.startswith(b"moderator: judging a batch of posts-0 took longer than 0.1 s")


def test_it_stops_when_told() -> None:
    watchdog = Watchdog(30.0)
    watchdog.start()
    assert _watching() == 1
    watchdog.stop()
    watchdog.stop()
    assert _watching() == 0


def test_it_may_be_stopped_without_a_start() -> None:
    Watchdog(30.0).stop()
    assert _watching() == 0


def _watching() -> int:
    return sum(thread.name == "moderator-watchdog" for thread in threading.enumerate())
