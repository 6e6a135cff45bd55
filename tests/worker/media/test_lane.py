"""One partition number of the media worker: everything once, in order, and given away in good order."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from faust.types import TP

from schemas.dead_letters import DeadLetter
from schemas.decode import decode
from schemas.media_signals import BankMatch, MediaSignals
from schemas.posts import Frame
from tests.worker.media.records import account, item, post, record
from worker.adapters.media import MemoryBanks, MemoryLoader, MemorySandbox
from worker.adapters.memory import MemoryPublisher
from worker.engine.records import Record
from worker.lanes import HoleError, Work
from worker.media.cache import FoundCache
from worker.media.examining import Examiner, ExaminingError
from worker.media.item import Found, Limits, Refusal, RefusedError
from worker.media.lane import MediaLane, MediaOwner, MediaTools
from worker.media.signals import LARGEST
from worker.metrics import Metrics
from worker.settings import Settings
from worker.transport import Batch

HASH = "1" * 64
KNOWN = "2" * 64
PICTURE = Found(
    kind="image",
    format="jpeg",
    sha256=HASH,
    md5="3" * 32,
    pdq="4" * 64,
    pdq_quality=90,
    scores={"nudity": 0.7},
)
MATCH = BankMatch(bank="ncii", policy="non-consensual-nudity", opinion="confirmed", distance=0, kind="sha256")
LIMITS = Limits(load_seconds=1.0, examine_seconds=5.0)


class Bench:
    """A lane with everything around it in memory."""

    def __init__(self, folder: Path, *, batch: int = 16, grace: float = 0.05) -> None:
        self.loader = MemoryLoader({"file:///a": b"a", "file:///b": b"b"})
        self.sandbox = MemorySandbox({b"a": PICTURE, b"b": PICTURE})
        self.banks = MemoryBanks({HASH: MATCH, KNOWN: MATCH})
        self.publisher = MemoryPublisher()
        self.metrics = Metrics(strict=True)
        self.failures: list[BaseException] = []
        self.released: list[int] = []
        self.epoch = 1
        self.clock = 0.0
        self.tools = MediaTools(
            metrics=self.metrics,
            examiner=Examiner(
                self.loader, self.sandbox, LIMITS, processes=2, folder=folder, cache=FoundCache(100, 60.0)
            ),
            banks=lambda: self.banks,
            epoch=lambda: self.epoch,
            fail=self.failures.append,
            batch=batch,
            grace_seconds=grace,
            now=lambda: 1_700_000_100.25,
            clock=lambda: self.clock,
        )
        self.lane = MediaLane(0, self.publisher, self.tools)

    def own(self, floor: dict[str, int] | None = None) -> None:
        self.lane.begin(floor or {})
        self.epoch += 1

    def put(
        self, bodies: Sequence[Any], first: int = 0, follows: int | None = None, topic: str = "posts"
    ) -> None:
        records: tuple[Record, ...] = tuple(
            record(body, offset=first + place, topic=topic) for place, body in enumerate(bodies)
        )
        batch = Batch(topic, 0, records, self.epoch, follows)
        self.lane.put(
            Work(batch, release=lambda: self.released.append(batch.last_offset), begin=lambda: None)
        )

    async def done(self, batches: int = 1) -> None:
        async with asyncio.timeout(10):
            while len(self.released) < batches and not self.failures:
                await asyncio.sleep(0.002)

    @property
    def signals(self) -> list[MediaSignals]:
        return [cast("MediaSignals", model) for model in self._of("media.signals")]

    @property
    def letters(self) -> list[DeadLetter]:
        return [cast("DeadLetter", model) for model in self._of("dead-letter")]

    def _of(self, topic: str) -> list[Any]:
        return [decode(topic, each.value).model for each in self.publisher.outputs if each.topic == topic]


def run(folder: Path, bodies: Sequence[Any], topic: str = "posts", **options: Any) -> Bench:
    """Owns the number, handles one batch, gives the number away."""

    async def main() -> Bench:
        bench = Bench(folder, **options)
        bench.own()
        bench.put(bodies, topic=topic)
        await bench.done()
        await bench.lane.release()
        assert bench.failures == []
        return bench

    return asyncio.run(main())


def drive(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def test_an_item_becomes_one_record_with_what_was_found_and_where_it_stood(tmp_path: Path) -> None:
    media = item("m1", "file:///a", kind="image", alt_text="a beach")
    other = item("m2", alt_text="another", kind="video")
    bench = run(tmp_path, [post("p1", media, other, text="look")])
    (output,) = bench.publisher.outputs
    assert (output.topic, output.key, output.partition) == ("media.signals", b"u1", None)
    (found,) = bench.signals
    assert (found.post_id, found.account_id, found.media_id, found.field) == ("p1", "u1", "m1", None)
    assert found.hashes is not None
    assert (found.hashes.sha256, found.hashes.md5, found.hashes.pdq_quality) == (HASH, "3" * 32, 90)
    assert found.scores == {"nudity": 0.7}
    assert found.matches == (MATCH,)
    assert found.observed_at.timestamp() == 1_700_000_100.25
    assert found.context is not None
    assert found.context.post is not None
    assert found.context.post.text == "look"
    assert [(each.media_id, each.kind, each.alt_text) for each in found.context.post.media] == [
        ("m1", "image", "a beach"),
        ("m2", "video", None),
    ]
    assert bench.publisher.offsets == {"posts": 1}
    assert bench.metrics.value("moderator_media_items_total", "image", "examined") == 1
    assert bench.metrics.value("moderator_media_matches_total", "non-consensual-nudity", "confirmed") == 1
    assert bench.metrics.value("moderator_media_records_total", "posts", "media") == 1


def test_a_profiles_pictures_are_records_about_the_profile(tmp_path: Path) -> None:
    body = account(avatar=item("a1", "file:///a"), header=item("h1", "file:///b"))
    bench = run(tmp_path, [body], topic="accounts")
    assert [(each.post_id, each.field) for each in bench.signals] == [(None, "avatar"), (None, "header")]
    context = bench.signals[0].context
    assert context is not None
    assert context.account is not None
    assert context.account.account_id == "u1"


def test_records_without_media_cost_a_commit_and_nothing_else(tmp_path: Path) -> None:
    bench = run(tmp_path, [post(f"p{number}") for number in range(50)])
    assert bench.publisher.outputs == []
    assert len(bench.publisher.transactions) == 1  # when it is given away
    assert bench.publisher.offsets == {"posts": 50}
    assert bench.loader.loaded == []


def test_offsets_of_records_without_media_are_committed_now_and_then(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.own()
        bench.put([post("p1")])
        bench.put([post("p2")], first=1, follows=0)
        await bench.done(2)
        assert bench.publisher.transactions == []
        bench.clock = 1.5
        bench.put([post("p3")], first=2, follows=1)
        await bench.done(3)
        assert bench.publisher.offsets == {"posts": 3}
        bench.put([post("p4")], first=3, follows=2)
        await bench.done(4)
        from worker.shell import utc_now

        await bench.lane.expire(utc_now())
        assert bench.publisher.offsets == {"posts": 4}
        await bench.lane.expire(utc_now())
        assert len(bench.publisher.transactions) == 2

    drive(work)


def test_a_refused_item_is_a_dead_letter_of_the_item_alone_and_the_others_go_on(tmp_path: Path) -> None:
    body = post(
        "p1", item("bad", "file:///nowhere", kind="image"), item("good", "file:///a"), text="private words"
    )
    bench = run(tmp_path, [body])
    (letter,) = bench.letters
    assert (letter.reason, letter.detail) == ("media_refused", "not_found: there is no such file")
    assert letter.subject is not None
    assert (letter.subject.type, letter.subject.id) == ("media", "p1/bad")
    assert (letter.topic, letter.partition, letter.offset) == ("posts", 0, 0)
    value = json.loads(base64.b64decode(letter.value_base64 or ""))
    assert (value["media_id"], value["uri"]) == ("bad", "file:///nowhere")
    assert b"private words" not in base64.b64decode(letter.value_base64 or "")
    assert base64.b64decode(letter.key_base64 or "") == b"u1"
    assert [each.media_id for each in bench.signals] == ["good"]
    assert bench.metrics.value("moderator_media_refused_total", "not_found") == 1
    assert bench.metrics.value("moderator_dead_letters_total", "posts", "media_refused") == 1
    assert bench.metrics.value("moderator_dead_letter_ratio") == 0


def test_two_refused_items_of_a_post_are_two_dead_letters(tmp_path: Path) -> None:
    bench = run(tmp_path, [post("p1", item("m1", "file:///x"), item("m2", "file:///y"))])
    assert len({letter.dead_letter_id for letter in bench.letters}) == 2


def test_the_same_item_refused_again_has_the_same_dead_letter(tmp_path: Path) -> None:
    letters = [run(tmp_path, [post("p1", item("m1", "file:///x"))]).publisher.outputs for _ in range(2)]
    assert letters[0] == letters[1]


def test_hashes_of_a_refused_item_are_looked_up_all_the_same(tmp_path: Path) -> None:
    bench = run(tmp_path, [post("p1", item("m1", "file:///x", sha256=KNOWN))])
    assert len(bench.letters) == 1
    assert [each.matches for each in bench.signals] == [(MATCH,)]


def test_hashes_without_a_file_are_published_only_when_a_bank_knows_them(tmp_path: Path) -> None:
    known, unknown = item("m1", sha256=KNOWN.upper()), item("m2", sha256="9" * 64)
    frames = item("m3", kind="video", frames=[{"at_seconds": 1.0, "pdq": KNOWN, "pdq_quality": 90}])
    bench = run(tmp_path, [post("p1", known, unknown, frames)])
    assert [each.media_id for each in bench.signals] == ["m1", "m3"]
    assert bench.letters == []
    assert bench.metrics.value("moderator_media_items_total", "none", "hashes_only") == 2


def test_what_upstream_says_of_a_file_is_looked_up_beside_what_was_found(tmp_path: Path) -> None:
    found = run(tmp_path, [post("p1", item("m1", "file:///a", sha256=KNOWN))])
    (signal,) = found.signals
    assert signal.hashes is not None
    assert signal.hashes.sha256 == HASH  # what the file is, not what was said of it
    assert signal.matches == (MATCH,)  # the same entry once


def test_bad_and_deleted_records_are_only_counted(tmp_path: Path) -> None:
    bodies = [
        b'{"media_id": 1',
        post("p1", item("m1", "file:///a"), deleted=True),
        post("p2", item("m1", "file:///a")),
    ]
    bench = run(tmp_path, bodies)
    assert bench.letters == []
    assert [each.post_id for each in bench.signals] == ["p2"]
    assert bench.metrics.value("moderator_media_records_total", "posts", "unreadable") == 1
    assert bench.metrics.value("moderator_media_records_total", "posts", "deleted") == 1


def test_few_records_with_media_are_one_transaction(tmp_path: Path) -> None:
    bench = run(tmp_path, [post(f"p{number}", item("m1", "file:///a")) for number in range(7)], batch=3)
    assert [len(outputs) for outputs, _, _ in bench.publisher.transactions] == [3, 3, 1]
    assert [offsets for _, _, offsets in bench.publisher.transactions] == [
        {"posts": 3},
        {"posts": 6},
        {"posts": 7},
    ]
    assert [each.post_id for each in bench.signals] == [f"p{number}" for number in range(7)]
    assert bench.sandbox.examined == [b"a"]


def test_what_is_finished_is_published_while_a_long_one_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        go_on = threading.Event()
        bench.sandbox.on_examine = lambda content: (content == b"b" and go_on.wait(5), None)[1]
        bench.own()
        ticks = iter([0.0, 0.0])
        bench.tools.clock = lambda: next(ticks, 100.0)
        bench.put([post("p1", item("m1", "file:///a")), post("p2", item("m1", "file:///b"))])
        async with asyncio.timeout(5):
            while not bench.publisher.transactions:
                await asyncio.sleep(0.002)
        assert bench.publisher.offsets == {"posts": 1}
        go_on.set()
        await bench.done()
        assert bench.publisher.offsets == {"posts": 2}

    drive(work)


def test_a_rebalance_drops_what_would_take_long_and_publishes_what_is_done(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        begun, go_on = threading.Event(), threading.Event()

        def examine(content: bytes) -> None:
            if content == b"b":
                begun.set()
                go_on.wait(5)

        bench.sandbox.on_examine = examine
        bench.own()
        bodies = [
            post("p1", item("m1", "file:///a")),
            post("p2"),
            post("p3", item("m1", "file:///b")),
            post("p4"),
        ]
        bench.put(bodies)
        bench.put([post("p5", item("m1", "file:///a"))], first=4, follows=3)
        while not begun.is_set():
            await asyncio.sleep(0.002)
        bench.lane.drain()
        await bench.lane.release()
        assert sorted(bench.released) == [3, 4]
        assert bench.publisher.offsets == {"posts": 2}  # p3 and what follows will be read again
        assert [each.post_id for each in bench.signals] == ["p1"]
        assert not bench.publisher.started
        go_on.set()
        assert bench.failures == []

    drive(work)


def test_a_record_below_the_committed_offset_is_not_examined_again(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.own({"posts": 2})
        bench.put([post(f"p{number}", item("m1", "file:///a")) for number in range(4)])
        await bench.done()
        assert [each.post_id for each in bench.signals] == ["p2", "p3"]

    drive(work)


def test_a_batch_that_went_missing_ends_the_process(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.own()
        bench.put([post("p1")])
        bench.put([post("p9")], first=8, follows=7)
        await bench.done(2)
        assert [type(error) for error in bench.failures] == [HoleError]

    drive(work)


def test_what_is_no_fault_of_a_file_ends_the_process_and_publishes_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.loader.contents["file:///a"] = OSError(28, "No space left on device")
        bench.own()
        bench.put([post("p1", item("m1", "file:///a"))])
        await bench.done()
        assert [type(error) for error in bench.failures] == [ExaminingError]
        assert bench.publisher.transactions == []

    drive(work)


def test_banks_that_fail_over_an_item_make_it_a_dead_letter(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)

        class Broken(MemoryBanks):
            def match(self, found: Found) -> tuple[BankMatch, ...]:
                raise ValueError("file:///secret")

        bench.banks = Broken()
        bench.own()
        bench.put([post("p1", item("m1", "file:///a", sha256=KNOWN))])
        await bench.done()
        (letter,) = bench.letters
        assert letter.detail == "crashed: looking it up in the banks failed: ValueError"
        assert bench.failures == []

    drive(work)


def test_a_record_that_would_be_too_large_leaves_its_context_and_then_frames_out(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        many = tuple(Frame(at_seconds=float(at), pdq="a" * 64, pdq_quality=90) for at in range(10_000))
        bench.sandbox.found[b"a"] = Found(kind="video", sha256=HASH, frames=many)
        bench.own()
        bench.put([post("p1", item("m1", "file:///a"))])
        bench.put([post("p2", item("m1", "file:///b"), hashtags=["x" * 900] * 1000)], first=1, follows=0)
        await bench.done(2)
        video, wide = bench.publisher.outputs
        assert all(len(output.value or b"") <= LARGEST for output in (video, wide))
        first, second = bench.signals
        assert len(first.frames) == 5_000
        assert second.context is None
        assert second.hashes is not None

    drive(work)


@pytest.mark.parametrize("reason", list(Refusal))
def test_every_refusal_has_its_dead_letter_and_its_count(reason: Refusal, tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        bench.sandbox.found[b"a"] = RefusedError(reason, "a sentence")
        bench.own()
        bench.put([post("p1", item("m1", "file:///a"))])
        await bench.done()
        (letter,) = bench.letters
        assert letter.detail == f"{reason}: a sentence"
        assert bench.metrics.value("moderator_media_refused_total", reason) == 1

    drive(work)


class Consumer:
    """What an owner asks of the consumer."""

    def __init__(self, offsets: dict[TP, int]) -> None:
        self.offsets = offsets

    async def committed(self, partitions: Any) -> dict[TP, int]:
        return {tp: self.offsets[tp] for tp in partitions if tp in self.offsets}


def test_an_owner_begins_at_the_committed_offsets_of_each_number(tmp_path: Path) -> None:
    async def work() -> None:
        bench = Bench(tmp_path)
        publishers = [MemoryPublisher(), MemoryPublisher()]
        owner = MediaOwner(
            Settings(topic_prefix="t."),
            ("posts", "accounts"),
            make_publisher=publishers.__getitem__,
            tools=bench.tools,
        )
        consumer = cast("Any", Consumer({TP("t.posts", 1): 7}))
        assigned = [TP(f"t.{topic}", number) for topic in ("posts", "accounts") for number in (0, 1)]
        await owner.take_over(assigned, consumer)
        assert owner.settled
        assert owner.count == 2
        assert all(publisher.started for publisher in publishers)
        await owner.release(closing=True)
        assert not any(publisher.started for publisher in publishers)

    drive(work)
