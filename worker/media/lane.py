"""The media worker's queue of one partition number: posts with media a few at a time, all others in passing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from worker.engine.records import Judged
from worker.lanes import Lane
from worker.media.item import Refusal, RefusedError
from worker.media.signals import claimed, merged, refused, signals
from worker.media.wanted import Holds, Item, Wanted, has_hashes, read
from worker.owning import Owner, of_number

if TYPE_CHECKING:
    from schemas.media_signals import BankMatch
    from schemas.posts import Media
    from worker.engine.records import Record
    from worker.media.examining import Examined
    from worker.media.item import Found
    from worker.ports import MediaBanks, Publisher, ShellMetrics
    from worker.settings import Settings
    from worker.transport import BatchConsumer

log = logging.getLogger(__name__)

_COMMIT_SECONDS = (
    5.0  # what is finished is published at least so often, so that little is done again after a crash
)
_SKIPPED_SECONDS = 1.0  # offsets of records without media are committed at most so often by themselves
_RECORD_SECONDS = 120.0  # items of one record that have not begun after that are refused
_GRACE_SECONDS = 2.0  # in a rebalance, for what is nearly done
_OF_A_FAULT = (ValidationError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


class ItemExaminer(Protocol):
    """The part of `worker.media.examining.Examiner` that a lane needs."""

    async def examine(self, media: Media) -> Examined: ...
    async def call(self, function: Callable[[], tuple[BankMatch, ...]]) -> tuple[BankMatch, ...]: ...


@dataclass(slots=True)
class MediaTools:
    """What the lanes of a process share.

    `batch` is how many records with media one transaction has at most, `grace_seconds` how long a rebalance waits for
    what is nearly done.
    """

    metrics: ShellMetrics
    examiner: ItemExaminer
    banks: Callable[[], MediaBanks]
    epoch: Callable[[], int]
    fail: Callable[[BaseException], None]
    batch: int = 16
    grace_seconds: float = _GRACE_SECONDS
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic


class MediaLane(Lane):
    """The owner of one partition number.

    Args:
        number: the partition number.
        publisher: not started.
        tools: what it shares with others.
    """

    def __init__(self, number: int, publisher: Publisher, tools: MediaTools) -> None:
        super().__init__(number, publisher, tools.epoch, tools.fail)
        self._tools = tools
        self._drained = asyncio.Event()
        self._pending: dict[str, int] = {}  # offsets that nothing else is to be published with
        self._published_at = tools.clock()

    def drain(self) -> None:
        """Lets go of what waits; what is in hand is finished if it is nearly done, else dropped and read again."""
        super().drain()
        self._drained.set()

    async def release(self) -> None:
        """As `Lane.release`: commits what was passed over, and stops the publisher."""
        self.drain()
        task, self._task = self._task, None
        async with self._lock:
            if task is not None:
                task.cancel()
                await self._publish(Judged())
            await self.publisher.stop()

    async def expire(self, now: datetime) -> None:
        """Commits the offsets of what was passed over; whoever is at work does so anyway."""
        if self._task is None or self._draining or self._lock.locked():
            return
        async with self._lock:
            await self._publish(Judged())

    async def handle(self, topic: str, records: Sequence[Record]) -> int:
        """As `Lane.handle`: every few records with media are a transaction, with the others between them."""
        chunk: list[tuple[Record, Wanted | None]] = []
        with_media, passed = 0, Judged()
        for record in records:
            found = read(record)
            passed.count("moderator_media_records_total", topic, _outcome(found))
            chunk.append((record, found if isinstance(found, Wanted) else None))
            with_media += isinstance(found, Wanted)
            if with_media >= self._tools.batch:
                self._tools.metrics.add(passed.tally)
                done = await self._together(topic, chunk)
                if done <= record.offset or self._draining:
                    return done
                chunk, with_media, passed = [], 0, Judged()
                # All partitions share one loop.
                await asyncio.sleep(0)
        self._tools.metrics.add(passed.tally)
        return await self._together(topic, chunk) if chunk else records[-1].offset + 1

    async def _together(self, topic: str, chunk: Sequence[tuple[Record, Wanted | None]]) -> int:
        """Examines the items of all these records at once and publishes what follows, in their order.

        Returns:
            The offset of the first record that is not done.
        """
        tasks = [None if wanted is None else asyncio.create_task(self._record(wanted)) for _, wanted in chunk]
        judged, done = Judged(), chunk[0][0].offset
        began, records = self._tools.clock(), 0
        try:
            for (record, _), task in zip(chunk, tasks, strict=True):
                if task is not None:
                    if not await self._finished(task):
                        break
                    judged.add(task.result())
                done = self._pending[topic] = record.offset + 1
                records += 1
                if judged.outputs and self._tools.clock() - self._published_at >= _COMMIT_SECONDS:
                    await self._publish(judged)
                    judged = Judged()
        finally:
            for task in tasks:
                if task is not None:
                    task.cancel()
        examined = self._tools.clock()
        if judged.outputs or examined - self._published_at >= _SKIPPED_SECONDS:
            await self._publish(judged)
        else:
            self._tools.metrics.add(judged.tally)
        if records:
            self._tools.metrics.observe_batch(
                topic, self.number, records, examined - began, self._tools.clock() - examined
            )
        return done

    async def _finished(self, task: asyncio.Task[Judged]) -> bool:
        """Waits for a record's items; false when there is no time for them because of a rebalance."""
        if task.done():
            return True
        drained = asyncio.ensure_future(self._drained.wait())
        try:
            await asyncio.wait({task, drained}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait({task}, timeout=self._tools.grace_seconds)
        finally:
            drained.cancel()
        return task.done()

    async def _record(self, wanted: Wanted) -> Judged:
        """What follows from one record's items, in their order."""
        until = self._tools.clock() + _RECORD_SECONDS
        judged = Judged()
        for each in await _all(self._item(wanted, item, until) for item in wanted.items):
            judged.add(each)
        return judged

    async def _item(self, wanted: Wanted, item: Item, until: float) -> Judged:
        judged = Judged()
        media = item.media
        topic = wanted.record.topic
        try:
            if not media.uri:
                await self._claims(wanted, item, judged)
                return judged
            if self._tools.clock() > until:
                raise RefusedError(Refusal.TIME, "the record has more media than can be examined in time")
            examined = await self._tools.examiner.examine(media)
            await self._examined(wanted, item, examined, judged)
        except RefusedError as error:
            kind = media.kind or "none"
            judged = Judged([refused(wanted, item, error)])
            judged.count("moderator_media_items_total", kind, "refused")
            judged.count("moderator_media_refused_total", str(error.reason))
            judged.count("moderator_dead_letters_total", topic, "media_refused")
            if has_hashes(media):
                # What upstream says of it is still worth looking up.
                with contextlib.suppress(RefusedError):
                    await self._claims(wanted, item, judged, counted=True)
        return judged

    async def _examined(self, wanted: Wanted, item: Item, examined: Examined, judged: Judged) -> None:
        found = examined.found
        matches = merged(await self._match(found), await self._match_claims(item.media))
        try:
            judged.outputs.append(signals(wanted, item, found, matches, self._observed_at()))
        except _OF_A_FAULT as error:
            raise _fault("what was found cannot be written", error) from None
        kind = found.kind or item.media.kind or "none"
        judged.count("moderator_media_items_total", kind, "cached" if examined.cached else "examined")
        if examined.loaded_bytes:
            judged.count("moderator_media_load_bytes_total", by=examined.loaded_bytes)
        if not examined.cached:
            judged.observed.append((("moderator_media_examine_seconds", kind), examined.seconds))
        _count_matches(judged, matches)

    async def _claims(self, wanted: Wanted, item: Item, judged: Judged, *, counted: bool = False) -> None:
        """Looks up what upstream says of an item; without a match there is nothing to publish."""
        matches = merged((), await self._match_claims(item.media))
        if matches:
            judged.outputs.append(signals(wanted, item, claimed(item.media), matches, self._observed_at()))
            _count_matches(judged, matches)
        if not counted:
            judged.count("moderator_media_items_total", item.media.kind or "none", "hashes_only")

    async def _match_claims(self, media: Media) -> tuple[BankMatch, ...]:
        return await self._match(claimed(media)) if has_hashes(media) else ()

    async def _match(self, found: Found) -> tuple[BankMatch, ...]:
        """The matches in the banks of this moment, looked up on a thread: a video has hundreds of frames.

        Raises:
            RefusedError: the banks fail over it.
        """
        banks = self._tools.banks()
        try:
            return await self._tools.examiner.call(lambda: banks.match(found))
        except (*_OF_A_FAULT, TimeoutError) as error:
            raise _fault("looking it up in the banks failed", error) from None

    def _observed_at(self) -> datetime:
        return datetime.fromtimestamp(round(self._tools.now(), 3), UTC)

    async def _publish(self, judged: Judged) -> None:
        """Publishes what follows, with the offsets of everything that is done."""
        offsets, self._pending = self._pending, {}
        if judged.outputs or offsets:
            await self.publisher.publish(judged.outputs, {}, offsets)
            self._tools.metrics.set_last_commit(self._tools.now())
        self._published_at = self._tools.clock()
        self._tools.metrics.add(judged.tally)
        self._tools.metrics.observe(judged.observed)

    def begin(self, floor: dict[str, int]) -> None:
        """Begins to own: the publisher is started; `floor` has the committed offsets."""
        self.ready(floor)
        self.start()


class MediaOwner(Owner[MediaLane]):
    """The partition numbers of a media worker; there is no state to restore.

    Args:
        settings: what the operator set.
        topics: input topics, by the contract's names.
        make_publisher: makes a publisher for a number.
        tools: shared by all lanes.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Iterable[str],
        *,
        make_publisher: Callable[[int], Publisher],
        tools: MediaTools,
    ) -> None:
        super().__init__(settings, topics, tools.metrics)
        self._make_publisher = make_publisher
        self._tools = tools
        self._before: set[int] = set()

    async def begin(self, numbers: set[int], consumer: BatchConsumer) -> dict[int, MediaLane]:
        """As `Owner.begin`: fence, then read the committed offsets.

        Raises:
            PublishError: a producer cannot start.
        """
        for gone in self._before - numbers:
            self._tools.metrics.drop_partition(gone)
        self._before = set(numbers)
        publishers = {number: self._make_publisher(number) for number in numbers}
        await asyncio.gather(*(publisher.start() for publisher in publishers.values()))
        inputs = self.inputs(numbers)
        committed = await consumer.committed(inputs) if inputs else {}
        lanes = {number: MediaLane(number, publishers[number], self._tools) for number in sorted(numbers)}
        for number, lane in lanes.items():
            lane.begin(of_number(inputs, committed, number))
        return lanes


async def _all(works: Iterable[Coroutine[None, None, Judged]]) -> list[Judged]:
    """The results in their order; when one fails, the others are not left behind."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()


def _outcome(found: Wanted | Holds) -> str:
    return str(Holds.MEDIA if isinstance(found, Wanted) else found)


def _fault(what: str, error: Exception) -> RefusedError:
    """A fault of this program over one item. Its message may hold contents: only its kind is told."""
    log.error("%s: %s", what, type(error).__name__)
    return RefusedError(Refusal.CRASHED, f"{what}: {type(error).__name__}")


def _count_matches(judged: Judged, matches: Sequence[BankMatch]) -> None:
    for policy, opinion in {(match.policy or "", match.opinion or "") for match in matches}:
        judged.count("moderator_media_matches_total", policy, opinion)
