"""Loading and examining media items: in threads, as many at once as allowed, none twice, none for longer than its limit."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from worker.media.cache import FoundCache
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError

if TYPE_CHECKING:
    from schemas.posts import Media, MediaKind
    from worker.ports import Loaded, MediaLoader, MediaSandbox

log = logging.getLogger(__name__)

LOST_MOST = 8  # threads that never came back; with more of them the process is beyond use
_TRIES = 3
_SLACK_SECONDS = 10.0
_LOADS_A_PROCESS = 2  # one loads while another is examined

# A chessboard of 64 by 64 pixels.
_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQAAAACCEkxzAAAAHUlEQVR42mNg+A+BTAxQQB4DZgwDpeaMumdIuQcASqggUTqXwogAAAAASUVO"
    "RK5CYII="
)

Value = TypeVar("Value")


class ExaminingError(RuntimeError):
    """Nothing can be examined any more, by no fault of a file; the process must end."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in an item, and what it took. `cached`: nothing was decoded for it."""

    found: Found
    cached: bool = False
    loaded_bytes: int = 0
    seconds: float = 0.0


class Examiner:
    """Examines items that have a URI.

    An item that somebody waits for already, or whose file was examined lately, is not examined again. What nobody
    waits for any more goes on to its end all the same, so that it is found when its record is read again.

    Args:
        loader: fetches files.
        sandbox: examines them.
        limits: of one file.
        processes: how many the sandbox examines at once.
        folder: where files lie meanwhile; each item has a folder of its own there, which goes with it.
        cache: what was found lately.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        loader: MediaLoader,
        sandbox: MediaSandbox,
        limits: Limits,
        *,
        processes: int,
        folder: Path,
        cache: FoundCache,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loader = loader
        self._sandbox = sandbox
        self._limits = limits
        self._folder = folder
        self._cache = cache
        self._clock = clock
        self._places = asyncio.Semaphore(processes * _LOADS_A_PROCESS)
        self._slots = threading.Semaphore(processes)
        self._flying: dict[tuple[str, MediaKind | None], asyncio.Task[Examined]] = {}
        self._closed = threading.Event()
        self._lost = 0
        # Loading, waiting for another file to be examined, examining.
        self.item_seconds = limits.load_seconds * 2 + limits.examine_seconds * 2 + _SLACK_SECONDS
        """The longest that one item takes once it has begun."""

    async def examine(self, media: Media) -> Examined:
        """What is in the item's file.

        Raises:
            RefusedError: it cannot be examined.
            ExaminingError: the process must end.
        """
        assert media.uri
        found = self._cache.of_uri(media.uri, media.kind)
        if found is not None:
            return Examined(found, cached=True)
        key = (media.uri, media.kind)
        flight = self._flying.get(key)
        if flight is None:
            flight = self._flying[key] = asyncio.create_task(self._fly(media.uri, Asked(kind=media.kind)))
            flight.add_done_callback(lambda done: self._landed(key, done))
            return await asyncio.shield(flight)
        examined = await asyncio.shield(flight)
        return Examined(examined.found, cached=True)

    async def call(self, function: Callable[[], Value]) -> Value:
        """Runs something that takes a while in a thread, as long as one item may take.

        Raises:
            TimeoutError: it took longer.
        """
        return await _in_thread(function, self.item_seconds)

    async def check(self) -> None:
        """Examines a picture that is in order, so that a sandbox that cannot work here is told at the start.

        Raises:
            ExaminingError: it cannot; the message says why.
        """
        path = self._folder / "check.png"
        try:
            path.write_bytes(base64.b64decode(_PICTURE))
            await self.call(lambda: self._sandbox.examine(path, Asked(kind="image")))
        except OSError as error:
            raise _broken(error) from error
        except RefusedError as error:
            raise ExaminingError(f"a picture in order is refused: {error.detail}") from None
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Ends what is under way; nothing is examined afterwards."""
        self._closed.set()
        for flight in self._flying.values():
            flight.cancel()
        self._sandbox.close()

    # --- one item

    def _landed(self, key: tuple[str, MediaKind | None], done: asyncio.Task[Examined]) -> None:
        del self._flying[key]
        if not done.cancelled():
            done.exception()  # whoever waits has it; where nobody does, nobody is to be told

    async def _fly(self, uri: str, asked: Asked) -> Examined:
        async with self._places:
            try:
                return await _in_thread(lambda: self._work(uri, asked), self.item_seconds)
            except TimeoutError:
                self._lost += 1
                log.error("examining a media item did not come to an end", extra={"lost": self._lost})
                if self._lost > LOST_MOST:
                    raise ExaminingError(f"{self._lost} media items never came to an end") from None
                raise RefusedError(Refusal.TIME, "examining it did not come to an end in time") from None

    def _work(self, uri: str, asked: Asked) -> Examined:
        """Loads and examines, on a thread of its own."""
        try:
            folder = Path(tempfile.mkdtemp(dir=self._folder, prefix="item-"))
        except OSError as error:
            raise _broken(error) from error
        try:
            try:
                loaded = self._load(uri, folder)
            except OSError as error:  # the copy cannot be written
                raise _broken(error) from error
            known = self._cache.of_file(loaded.sha256, asked.kind)
            if known is None:
                return self._examine(uri, asked, loaded)
            self._cache.keep(uri, loaded.sha256, asked.kind, known)
            if isinstance(known, RefusedError):
                raise RefusedError(known.reason, known.detail)
            return Examined(known, cached=True, loaded_bytes=loaded.bytes)
        except (RefusedError, ExaminingError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it costs this file only
            # A fault of this program over one file. Its message may hold the file's address: only the kind is told.
            log.error("examining a media item failed: %s", type(error).__name__)
            raise RefusedError(Refusal.CRASHED, f"examining it failed: {type(error).__name__}") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _load(self, uri: str, folder: Path) -> Loaded:
        """Loads, again after a pause where the store did not answer, within the time for loading."""
        end = self._clock() + self._limits.load_seconds
        for attempt in range(1, _TRIES + 1):
            self._go_on()
            try:
                return self._loader.load(uri, folder)
            except RefusedError as error:
                pause = self._limits.load_seconds / 30 * 3 ** (attempt - 1)
                if (
                    error.reason is not Refusal.UNREACHABLE
                    or attempt == _TRIES
                    or self._clock() + pause >= end
                ):
                    raise
                self._closed.wait(pause)
        raise AssertionError("the last attempt returns or raises")

    def _examine(self, uri: str, asked: Asked, loaded: Loaded) -> Examined:
        with self._slots:
            self._go_on()
            began = self._clock()
            try:
                found = self._sandbox.examine(loaded.path, asked)
            except RefusedError as error:
                self._cache.keep(uri, loaded.sha256, asked.kind, error)
                raise
            except OSError as error:  # no process can be started
                raise _broken(error) from error
            seconds = self._clock() - began
        self._cache.keep(uri, loaded.sha256, asked.kind, found)
        return Examined(found, loaded_bytes=loaded.bytes, seconds=seconds)

    def _go_on(self) -> None:
        if self._closed.is_set():
            raise ExaminingError("the worker stops")


def _broken(error: OSError) -> ExaminingError:
    return ExaminingError(
        f"media files cannot be kept while they are examined: {error.strerror or 'unknown'}"
    )


async def _in_thread(function: Callable[[], Value], seconds: float) -> Value:
    """What the function gives, called on a thread that nobody waits for at the end of the process.

    Raises:
        TimeoutError: it took longer; the thread goes on, and what comes of it is dropped.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Value] = loop.create_future()

    def deliver(result: Value | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # without an error it is a value

    def run() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # whoever waits gets it
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(deliver, result, failure)

    threading.Thread(target=run, name="moderator-media", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await future
