"""What the demonstration runs on: a Kafka, its topics, a worker as a child process; all of it ends with us."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PREFERRED_PORT = 8000
_READY_SECONDS = 240.0  # the first start of all compiles the expressions of nineteen policies
_STOP_SECONDS = 10.0
_LOG_LINES = 8


class StageError(Exception):
    """The demonstration cannot go on; the message says why and where to look."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running. `metrics_url` is None without a worker."""

    bootstrap: str
    prefix: str
    metrics_url: str | None = None
    worker: subprocess.Popen[bytes] | None = None
    worker_log: Path | None = None

    def check(self) -> None:
        """Raises `StageError` when the worker has ended by itself."""
        if self.worker is not None and self.worker.poll() is not None:
            raise StageError(
                f"the worker ended with exit code {self.worker.returncode}{_last_words(self.worker_log)}"
            )


@contextmanager
def worker(
    *,
    bootstrap: str,
    prefix: str,
    group: str,
    policies: Path | None,
    log: Path,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Stage]:
    """Starts a worker that publishes all decisions, waits until it is ready, and stops it at the end.

    It runs in a session of its own, so that Ctrl-C reaches only us and we stop it in order.

    Raises:
        StageError: the worker ended, or was not ready in time; with the last lines of its log.
    """
    with contextlib.ExitStack() as stack:
        try:
            stage = stack.enter_context(_started(bootstrap, prefix, group, policies, log, free_port(), wait))
        except StageError:
            if not _port_was_taken(log):
                raise
            # Somebody else took the port between our look at it and the worker's.
            other = free_port(preferred=False)
            stage = stack.enter_context(_started(bootstrap, prefix, group, policies, log, other, wait))
        yield stage


@contextmanager
def _started(
    bootstrap: str,
    prefix: str,
    group: str,
    policies: Path | None,
    log: Path,
    port: int,
    wait: Callable[[float], None],
) -> Iterator[Stage]:
    command = [
        sys.executable, "-m", "worker.cli", "run", "--broker", bootstrap, "--topic-prefix", prefix, "--group", group,
        "--decisions", "all", "--http-port", str(port), "--http-host", "127.0.0.1",
    ]  # fmt: skip
    if policies is not None:
        command += ["--policies", str(policies)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)  # noqa: S603 - our own program
        stage = Stage(bootstrap, prefix, f"http://127.0.0.1:{port}/metrics", process, log)
        try:
            _wait_until_ready(stage, port, wait)
            yield stage
        finally:
            stop(process)


def _port_was_taken(log: Path) -> bool:
    return "the port is in use" in log.read_text(encoding="utf-8", errors="replace")


def free_port(*, preferred: bool = True) -> int:
    """The usual port of the endpoint when it is free and `preferred`, so that its address is the documented one; else any."""
    for wanted in (_PREFERRED_PORT, 0) if preferred else (0,):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise StageError("no free port on the loopback interface for the worker's metrics")


def _wait_until_ready(stage: Stage, port: int, wait: Callable[[float], None]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        stage.check()
        if _listens(stage) and _is_ready(port):
            return
        wait(0.1)
    raise StageError(f"the worker was not ready within {_READY_SECONDS:g} s{_last_words(stage.worker_log)}")


def _listens(stage: Stage) -> bool:
    """Whether our worker says that the port is its own; till then somebody else's may answer there."""
    assert stage.worker_log is not None
    assert stage.metrics_url is not None
    return stage.metrics_url in stage.worker_log.read_text(encoding="utf-8", errors="replace")


def _is_ready(port: int) -> bool:
    with (
        contextlib.suppress(OSError, urllib.error.URLError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer,
    ):
        return bool(answer.status == 200)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a worker in order, or by force when that takes too long."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_words(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    return "".join(["; its log ", str(log), " ends with:", *(f"\n  {line}" for line in lines)])


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets SIGTERM and SIGHUP end us as Ctrl-C does: in order, so that nothing stays behind."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGTERM] + ([signal.SIGHUP] if os.name == "posix" else [])
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
