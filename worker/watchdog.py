"""Ends a process whose event loop is held up by one batch for too long; a supervisor starts it again."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
_LOOK_SECONDS = 0.25


def _end_process(message: str) -> None:
    # The main thread hangs, perhaps in C code and with a logging lock: nothing but this is sure to work.
    os.write(sys.stderr.fileno(), f"moderator: {message}\n".encode())
    os._exit(EXIT_CODE)


class Watchdog:
    """A thread that watches how long a piece of work takes.

    Args:
        limit_seconds: the longest that a piece of work may take.
        end: what to do then; ends the process unless a test says otherwise.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        limit_seconds: float,
        *,
        end: Callable[[str], None] = _end_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit_seconds
        self._end = end
        self._clock = clock
        self._work: tuple[float, str] | None = None  # one assignment, so the thread sees both or neither
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="moderator-watchdog", daemon=True)

    def start(self) -> None:
        """Starts to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stops watching; may be called without a start."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def watching(self, what: str) -> Iterator[None]:
        """The block is one piece of work; `what` names it in the message ("posts-3")."""
        self._work = (self._clock(), what)
        try:
            yield
        finally:
            self._work = None

    def look(self) -> None:
        """Ends the process when the present piece of work has taken too long."""
        work = self._work
        if work is None:
            return
        began, what = work
        if self._clock() - began > self._limit:
            self.give_up(what)

    def give_up(self, what: str) -> None:
        """Ends the process over a piece of work that took too long."""
        self._end(
            f"judging a batch of {what} took longer than {self._limit:g} s; the process ends, and the next "
            "one judges the same records one by one"
        )

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            self.look()
