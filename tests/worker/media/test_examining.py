"""Files are loaded and examined at once, within limits, and none twice."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from schemas.decode import decode
from schemas.posts import Media, Post
from tests.worker.media.records import item, post, record
from worker.adapters.media import MemoryFile, MemoryLoader, MemorySandbox
from worker.media.cache import FoundCache
from worker.media.examining import LOST_MOST, Examiner, ExaminingError
from worker.media.item import Found, Limits, Refusal, RefusedError

PICTURE = Found(kind="image", sha256="1" * 64)
LIMITS = Limits(load_seconds=1.0, examine_seconds=1.0)
Result = TypeVar("Result")


def media(uri: str, kind: str | None = "image") -> Media:
    model = decode("posts", record(post("p1", item("m1", uri, kind=kind))).value).model
    assert isinstance(model, Post)
    return model.media[0]


class Bench:
    """An examiner on memory; made within a loop."""

    def __init__(self, folder: Path, *, processes: int = 2, room: int = 100) -> None:
        self.loader = MemoryLoader({"file:///a": b"a", "file:///b": b"b", "file:///copy": b"a"})
        self.sandbox = MemorySandbox({b"a": PICTURE, b"b": PICTURE})
        self.folder = folder
        self.examiner = Examiner(
            self.loader,
            self.sandbox,
            LIMITS,
            processes=processes,
            folder=folder,
            cache=FoundCache(room, 60.0),
        )


def run(work: Callable[[], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        return await work()

    return asyncio.run(main())


def test_what_is_found_comes_with_what_it_took_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        examined = await bench.examiner.examine(media("file:///a"))
        assert examined.found is PICTURE
        assert (examined.cached, examined.loaded_bytes) == (False, 1)
        assert list(tmp_path.iterdir()) == []

    run(work)


def test_a_repost_is_neither_loaded_nor_examined_again(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        await bench.examiner.examine(media("file:///a"))
        again = await bench.examiner.examine(media("file:///a"))
        assert (again.found, again.cached) == (PICTURE, True)
        copy = await bench.examiner.examine(media("file:///copy"))
        assert (copy.found, copy.cached) == (PICTURE, True)
        assert bench.loader.loaded == ["file:///a", "file:///copy"]
        assert bench.sandbox.examined == [b"a"]

    run(work)


def test_two_who_want_the_same_file_at_once_share_one_examination(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path, room=0)
        found = await asyncio.gather(*(bench.examiner.examine(media("file:///a")) for _ in range(5)))
        assert [each.cached for each in found] == [False, True, True, True, True]
        assert bench.sandbox.examined == [b"a"]

    run(work)


def test_no_more_than_allowed_are_examined_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path, processes=2)
        at_once, most, lock = 0, 0, threading.Lock()
        met = threading.Barrier(2, timeout=5)

        def together(content: bytes) -> None:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            met.wait()
            with lock:
                at_once -= 1

        for number in range(8):
            bench.loader.contents[f"file:///{number}"] = content = b"%d" % number
            bench.sandbox.found[content] = PICTURE
        bench.sandbox.on_examine = together
        await asyncio.gather(*(bench.examiner.examine(media(f"file:///{number}")) for number in range(8)))
        assert most == 2

    run(work)


def test_a_store_that_does_not_answer_is_asked_three_times(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.loader.contents["s3://b/x"] = RefusedError(Refusal.UNREACHABLE, "its store did not answer")
        with pytest.raises(RefusedError) as raised:
            await bench.examiner.examine(media("s3://b/x"))
        assert raised.value.reason is Refusal.UNREACHABLE
        assert bench.loader.loaded == ["s3://b/x"] * 3

    run(work)


def test_a_store_that_answers_again_costs_only_the_pause(tmp_path: Path) -> None:
    class Recovering(MemoryLoader):
        def load(self, uri: str, folder: Path) -> MemoryFile:
            if len(self.loaded) == 1:
                self.contents["s3://b/x"] = b"a"
            return super().load(uri, folder)

    async def work() -> None:
        bench = Bench(tmp_path)
        bench.examiner._loader = Recovering({"s3://b/x": RefusedError(Refusal.UNREACHABLE, "away")})
        assert (await bench.examiner.examine(media("s3://b/x"))).found is PICTURE

    run(work)


def test_any_other_refusal_is_not_tried_again(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        with pytest.raises(RefusedError):
            await bench.examiner.examine(media("file:///nowhere"))
        assert bench.loader.loaded == ["file:///nowhere"]

    run(work)


def test_a_hostile_file_is_decoded_once_and_then_known(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.loader.contents["file:///bomb"] = b"bomb"
        bench.sandbox.found[b"bomb"] = RefusedError(Refusal.TOO_MANY_PIXELS, "it has too many pixels")
        for _ in range(2):
            with pytest.raises(RefusedError) as raised:
                await bench.examiner.examine(media("file:///bomb"))
            assert raised.value.reason is Refusal.TOO_MANY_PIXELS
        assert bench.sandbox.examined == [b"bomb"]

    run(work)


def test_a_fault_of_the_program_refuses_the_file_without_quoting_it(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.sandbox.found[b"a"] = ZeroDivisionError("file:///a")
        with pytest.raises(RefusedError) as raised:
            await bench.examiner.examine(media("file:///a"))
        assert raised.value.reason is Refusal.CRASHED
        assert "file:" not in raised.value.detail

    run(work)


def test_a_full_disk_is_no_fault_of_the_file(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.loader.contents["file:///a"] = OSError(errno.ENOSPC, "No space left on device")
        with pytest.raises(ExaminingError, match="No space left"):
            await bench.examiner.examine(media("file:///a"))

    run(work)


def test_what_nobody_waits_for_any_more_is_found_when_it_is_read_again(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        begun, go_on = threading.Event(), threading.Event()

        def wait(content: bytes) -> None:
            begun.set()
            go_on.wait(5)

        bench.sandbox.on_examine = wait
        asked = asyncio.ensure_future(bench.examiner.examine(media("file:///a")))
        while not begun.is_set():
            await asyncio.sleep(0.005)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        go_on.set()
        assert (await bench.examiner.examine(media("file:///a"))).cached
        assert bench.sandbox.examined == [b"a"]

    run(work)


def test_what_never_comes_to_an_end_is_refused_and_too_many_of_it_end_the_process(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path, processes=20)
        bench.examiner.item_seconds = 0.02
        for_ever = threading.Event()
        bench.sandbox.on_examine = lambda content: (for_ever.wait(10), None)[1]
        ends = []
        for number in range(LOST_MOST + 1):
            bench.loader.contents[f"file:///{number}"] = b"a"
            with pytest.raises((RefusedError, ExaminingError)) as raised:
                await bench.examiner.examine(media(f"file:///{number}"))
            ends.append(type(raised.value))
        for_ever.set()
        assert ends == [RefusedError] * LOST_MOST + [ExaminingError]

    run(work)


def test_closing_ends_the_sandbox_and_whoever_waits(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.sandbox.on_examine = lambda content: (bench.sandbox.closed.wait(5), None)[1]
        asked = asyncio.ensure_future(bench.examiner.examine(media("file:///a")))
        await asyncio.sleep(0.02)
        bench.examiner.close()
        (end,) = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError)
        assert bench.sandbox.closed.is_set()

    run(work)
