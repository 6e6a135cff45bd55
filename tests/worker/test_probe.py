"""A trial gets the record exactly as it came."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from worker import probe
from worker.engine.records import Record
from worker.settings import Settings


@pytest.mark.parametrize(
    "record",
    [
        Record(
            "posts", 3, 17, 1_790_000_000_000, b"u1", b'{"text":"\xff\x00"}', (("a", b"\xfe"), ("b", None))
        ),
        Record("media.signals", 0, 0, 0, None, None),
        Record("posts", 0, 1, 2, b"", b""),
    ],
)
def test_a_record_reaches_the_child_as_it_was(record: Record) -> None:
    assert probe._decode(probe._encode(record, 6)) == (record, 6)


def test_a_trial_that_cannot_be_held_speaks_for_the_record() -> None:
    settings = Settings(broker="127.0.0.1:1", judge="no.such.module:judge")
    record = Record("posts", 0, 0, 0, b"u1", b"{}")
    assert asyncio.run(probe.survives(settings, record, 1)) is True


def test_a_trial_ends_even_when_nobody_is_left_to_end_it() -> None:
    hang = "import threading; from worker import probe; probe._end_after(0.1); threading.Event().wait()"
    done = subprocess.run([sys.executable, "-c", hang], timeout=30, check=False)
    assert done.returncode == -signal.SIGALRM
