"""Worker processes under a test's control: start, kill, stop, continue; none is left behind.

Each runs under the guardian of the embedded broker: if the test run is killed, the workers end too.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import worker.embedded.guardian as guardian
from tests.kafka.traffic import PACK
from tests.kafka.waiting import wait_until
from worker.embedded.settings import HOST, free_port

_LOG_TAIL = 3000
_SIGNALLED = 128  # the guardian's exit codes from here on mean a signal
_ROOT = Path(__file__).parent.parent.parent


class WorkerProcess:
    """One `moderator run`. `exit_code` is negative for a signal, as in `subprocess`."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, port: int
    ) -> None:
        self.name = name
        self.port = port
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("ab") as log:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", guardian.__file__, "", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=dict(environment),
                cwd=folder,
                start_new_session=True,
            )
        assert self._guardian.stdout is not None
        line = self._guardian.stdout.readline()
        assert line.strip().isdigit(), f"{name} did not start: {self.log()}"
        self.pid = int(line)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        code = self._guardian.poll()
        return code if code is None or code <= _SIGNALLED else _SIGNALLED - code

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    def log(self) -> str:
        """The end of what it printed."""
        with contextlib.suppress(OSError):
            return self.log_path.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
        return ""

    def get(self, path: str, timeout_seconds: float = 2.0) -> tuple[int, str]:
        """Status and body of its HTTP endpoint; (0, "") when nobody answers."""
        url = f"http://{HOST}:{self.port}{path}"
        try:
            try:
                response = urllib.request.urlopen(url, timeout=timeout_seconds)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return int(response.status or 0), response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):  # killed while it answered is no answer either
            return 0, ""

    def is_ready(self) -> bool:
        """Whether /readyz says that it judges."""
        return self.get("/readyz")[0] == 200

    def wait_ready(self, timeout_seconds: float = 60.0) -> Self:
        """Waits for /readyz.

        Raises:
            TimeoutError: it did not become ready in time.
            AssertionError: it ended instead.
        """

        def ready() -> bool:
            assert self.is_running, f"{self.name} ended with {self.exit_code}:\n{self.log()}"
            return self.is_ready()

        wait_until(
            ready, timeout_seconds, f"{self.name} to be ready", lambda: f"its log ends with:\n{self.log()}"
        )
        return self

    def metric(self, name: str, **labels: str) -> float:
        """The sum over the series of a metric that have these labels; 0 when there are none.

        `name` is the sample's name, with `_total` or `_count` where it has one.
        """
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] != name or line.startswith("#"):
                continue
            if all(f'{label}="{text}"' in series for label, text in labels.items()):
                total += float(value)
        return total

    def kill(self) -> int:
        """SIGKILL, also to a stopped process; returns when it is gone, with its exit code."""
        self._order(b"K")
        return self.wait(10.0)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._order(b"T")

    def stop(self, timeout_seconds: float = 30.0) -> int:
        """SIGTERM and wait; returns the exit code.

        Raises:
            subprocess.TimeoutExpired: it is still there; it gets killed.
        """
        self.terminate()
        try:
            return self.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def pause(self) -> None:
        """SIGSTOP: it stays in the group until its session times out, and does not know."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self, timeout_seconds: float) -> int:
        """Waits for its end; returns the exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        self._guardian.wait(timeout_seconds)
        self._close_pipes()
        code = self.exit_code
        assert code is not None
        return code

    def _order(self, order: bytes) -> None:
        if self._guardian.stdin is not None and not self._guardian.stdin.closed:
            with contextlib.suppress(OSError):  # it has ended already
                self._guardian.stdin.write(order)
                self._guardian.stdin.flush()

    def _close_pipes(self) -> None:
        for pipe in (self._guardian.stdin, self._guardian.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Workers:
    """Starts workers of one group on one set of topics; a context manager that ends them all.

    Args:
        bootstrap: the broker.
        prefix: the topics' prefix; the group gets a name of its own from it.
        folder: for logs and working directories.
        settings: further `MODERATOR_…` variables, with or without that beginning, for every worker.
    """

    def __init__(
        self, bootstrap: str, prefix: str, folder: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.started: list[WorkerProcess] = []
        self._bootstrap = bootstrap
        self._folder = folder
        self._settings = {
            "MODERATOR_TOPIC_PREFIX": prefix,
            "MODERATOR_GROUP": f"{prefix}group",
            "MODERATOR_POLICIES": str(PACK),
            "MODERATOR_SESSION_TIMEOUT": "6",  # seconds; the broker's minimum, so that takeovers are quick
            **_with_beginning(settings or {}),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.kill()

    @property
    def running(self) -> list[WorkerProcess]:
        """Those that have not ended, oldest first."""
        return [process for process in self.started if process.is_running]

    def start(self, *options: str, settings: Mapping[str, str] | None = None) -> WorkerProcess:
        """Starts one more worker, without waiting for it; `options` go to `moderator run`."""
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "worker.cli",
            "run",
            "--broker",
            self._bootstrap,
            "--http-port",
            str(port),
        ]
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(_ROOT),
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),
            **self._settings,
            **_with_beginning(settings or {}),
        }
        name = f"worker-{len(self.started) + 1}"
        process = WorkerProcess(name, [*command, *options], environment, self._folder, port)
        self.started.append(process)
        return process

    def start_many(self, count: int, *options: str) -> list[WorkerProcess]:
        """Starts workers and waits until all of them are ready."""
        processes = [self.start(*options) for _ in range(count)]
        return [process.wait_ready() for process in processes]

    def exit_codes(self) -> list[int | None]:
        """One for each worker ever started, in order; None for those that run."""
        return [process.exit_code for process in self.started]


def _with_beginning(settings: Mapping[str, str]) -> dict[str, str]:
    beginning = "MODERATOR_"
    return {
        name if name.startswith(beginning) else beginning + name.upper(): value
        for name, value in settings.items()
    }
