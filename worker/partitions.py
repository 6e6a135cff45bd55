"""One partition number: its judge, its publisher, and the one queue through which everything goes.

All input topics of a number share it, and so do timers: one batch, one transaction at a time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from worker.attempts import FIRST_NAMED, TRIED_ALONE, Mark, Suspect, Treatment, treatment
from worker.engine.records import Begun, Judged, Record
from worker.engine.store import StoreError
from worker.lanes import HoleError, Lane, Work

if TYPE_CHECKING:
    from worker.ports import Judge, PublishedPacks, Publisher, SecondOpinion, ShellMetrics
    from worker.watchdog import Watchdog

__all__ = ["HoleError", "JudgeFailedError", "Partition", "Tools", "Work"]

log = logging.getLogger(__name__)

CRASHED = "crashed_worker"
_SLICE = 250  # records judged in a row, some ten milliseconds

Done = TypeVar("Done")
Trial = Callable[[Record], Awaitable[bool]]


class JudgeFailedError(RuntimeError):
    """The judge raised, which it never should; its memory cannot be trusted, so the process must end."""


@dataclass(slots=True)
class Tools:
    """What every partition of a process shares."""

    metrics: ShellMetrics
    watchdog: Watchdog
    trial: Trial  # whether a record survives being judged in a process of its own
    epoch: Callable[[], int]  # of the consumer's seeks
    thinking: Executor  # where the second model reads
    think_limit: float = 30.0  # seconds that it may read one slice of a batch
    thinking_since: float | None = None  # when it began with the slice in hand, by perf_counter
    endpoint: SecondOpinion | None = None  # an operator's own model
    packs: PublishedPacks | None = None  # None where nobody publishes any
    now: Callable[[], float] = time.time
    fail: Callable[[BaseException], None] = field(default=lambda error: None)  # ends the process


class Partition(Lane):
    """The owner of one partition number.

    Args:
        number: the partition number.
        judge: empty, or as it was when the partition was last given away.
        publisher: not started.
        tools: what it shares with others.
    """

    def __init__(self, number: int, judge: Judge, publisher: Publisher, tools: Tools) -> None:
        super().__init__(number, publisher, tools.epoch, tools.fail)
        self.judge = judge
        self.state_end: int | None = None  # where `state` ends if nobody else wrote; None: not known
        self._tools = tools
        self._mark = Mark()
        self._failed = False  # the judge's store broke
        self._told = 0  # version of the packs that the partition was told of last
        self._published = b"{}"  # the partition's own record as it was published last

    # --- coming and going

    @property
    def last_mark(self) -> Mark:
        """What the last owner left, as the state was restored."""
        return Mark.from_json(self.judge.partition_record.get("shell"))

    async def take_over(self, mark: Mark, floor: dict[str, int]) -> None:
        """Begins to own: the publisher is started, the state restored; `floor` has the committed offsets.

        Batches count from the consumer's next seek on.
        """
        self._mark = mark
        self.ready(floor)
        if mark.careful or mark.suspect:
            log.warning(
                "the last owner ended without progress; judging record by record",
                extra={"partition": self.number, "records": sum(mark.careful.values())},
            )
        # Without transactions, what the state has taken in may be ahead of the group's offsets: they follow.
        await self._publish(Judged(), dict(mark.done), marked=True)
        self.start()

    async def release(self) -> None:
        """Says in the state that this end is a clean one, and stops the publisher. The memory stays."""
        self.drain()
        task, self._task = self._task, None
        async with self._lock:
            if task is not None:
                task.cancel()
                self._mark = Mark(running=False, done=self._mark.done)
                await self._publish(Judged(), {}, marked=True)
            await self.publisher.stop()

    # --- work

    async def expire(self, now: datetime) -> None:
        """Publishes what timers owe, in a transaction of its own."""
        async with self._lock:
            if self._task is None or self._draining:
                return
            await self._tell_of_packs()
            judged = self._ask("timers", lambda: self.judge.expire(now))
            if judged.outputs or judged.state:
                await self._publish(judged, {})
            self._tools.metrics.add(judged.tally)
            self._tools.metrics.observe(judged.observed)

    async def _tell_of_packs(self) -> None:
        """Publishes what has the partition switch once it is read: what depends on load enters as a record first."""
        wanted = None if self._tools.packs is None else self._tools.packs.wanted
        if wanted is None or wanted.version <= max(self.judge.version, self._told):
            return
        self._told = wanted.version
        await self._publish(self.judge.switch(wanted), {})

    async def handle(self, topic: str, records: Sequence[Record]) -> int:
        """As `Lane.handle`: judges them, and publishes what follows in one transaction."""
        last = records[-1].offset
        if self._mark.careful.get(topic):
            records = await self._one_by_one(topic, records)
        if records:
            await self._all_at_once(topic, records)
        return last + 1

    async def _all_at_once(self, topic: str, records: Sequence[Record]) -> None:
        judged, judging = Judged(), 0.0
        begun: list[tuple[Begun, asyncio.Future[None] | None]] = []
        for start in range(0, len(records), _SLICE):
            # All partitions share one loop: without a pause, one's judging would hold up the others' transactions.
            await asyncio.sleep(0)
            began = time.perf_counter()
            half = self._ask(topic, partial(self.judge.begin, records[start : start + _SLICE]))
            # What the second model is to read it reads on its own thread, while the loop goes on.
            begun.append((half, half.think and self._think(half.think)))
            judging += time.perf_counter() - began
        for half, thought in begun:
            if thought is not None:
                await self._thought(topic, thought)
            else:
                await asyncio.sleep(0)
            began = time.perf_counter()
            judged.add(self._ask(topic, partial(self.judge.finish, half)))
            judging += time.perf_counter() - began
        began = time.perf_counter()
        await self._publish(judged, {topic: records[-1].offset + 1})
        self._observe(topic, judged, records, judging, time.perf_counter() - began)

    async def _one_by_one(self, topic: str, records: Sequence[Record]) -> Sequence[Record]:
        """Judges as many records as are suspicious, each named in the state first; returns the others."""
        mark = self._mark
        careful = records[: mark.careful[topic]]
        done, offsets = Judged(), dict[str, int]()
        for record in careful:
            how = treatment(mark, topic, record.offset)
            if how is Treatment.TRIAL and not await self._tools.trial(record):
                how = Treatment.GIVE_UP
            if how is Treatment.GIVE_UP:
                attempts = mark.suspect.attempts + 1 if mark.suspect else TRIED_ALONE
                log.error(
                    "gave a record up", extra={"topic": topic, "partition": self.number, "attempts": attempts}
                )
                mark.suspect = None
                await self._publish(done, offsets, marked=True)
                done = self.judge.dead_letter(
                    record, CRASHED, "the worker crashed or hung on this record", attempts
                )
            else:
                attempts = TRIED_ALONE if how is Treatment.TRIAL else FIRST_NAMED
                mark.suspect = Suspect(topic, record.offset, attempts)
                await self._publish(done, offsets, marked=True)
                done = self._judge(topic, [record])
            offsets = {topic: record.offset + 1}
            mark.careful[topic] -= 1
            self._observe(topic, done, [record], 0.0, 0.0)
        mark.suspect = None
        if mark.careful[topic] <= 0:
            del mark.careful[topic]
        await self._publish(done, offsets, marked=True)
        return records[len(careful) :]

    def _think(self, think: Callable[[], None]) -> asyncio.Future[None]:
        """Lets the second model read; its time and what it waits for a free thread are measured."""
        asked = time.perf_counter()

        def timed() -> None:
            began = self._tools.thinking_since = time.perf_counter()
            try:
                think()
            finally:
                self._tools.thinking_since = None
            self._tools.metrics.observe_model(began - asked, time.perf_counter() - began)

        return asyncio.get_running_loop().run_in_executor(self._tools.thinking, timed)

    async def _thought(self, what: str, thought: asyncio.Future[None]) -> None:
        """Waits for the second model, however long others keep it busy, but not while it hangs."""
        limit = self._tools.think_limit
        while not (await asyncio.wait({thought}, timeout=limit))[0]:
            since = self._tools.thinking_since
            if since is not None and time.perf_counter() - since >= limit:
                # A thread cannot be ended, only its process can.
                self._tools.watchdog.give_up(f"{what}-{self.number}")
                raise JudgeFailedError(f"the second model took too long over {what}")
        try:
            thought.result()
        except Exception as error:  # noqa: BLE001  # it contains its own failures: this is a fault of the judge
            raise JudgeFailedError(f"the second model raised {type(error).__name__} over {what}") from None

    def _judge(self, topic: str, records: Sequence[Record]) -> Judged:
        return self._ask(topic, lambda: self.judge.judge(records))

    def _ask(self, what: str, judging: Callable[[], Done]) -> Done:
        with self._tools.watchdog.watching(f"{what}-{self.number}"):
            try:
                return judging()
            except StoreError:  # no fault of the record, and it says what is wrong without quoting any
                # The memory may be ahead of what is published: nothing more is judged, or told, by it.
                self._failed = self._draining = True
                raise
            except Exception as error:  # noqa: BLE001  # a fault of the judge, which contains those of rules
                # Its message may quote the post, and this one ends up in the log: only the place is told.
                frames = traceback.extract_tb(error.__traceback__)[-3:]
                places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
                raise JudgeFailedError(f"judging {what} raised {type(error).__name__} at {places}") from None

    async def _publish(self, judged: Judged, offsets: dict[str, int], *, marked: bool = False) -> None:
        state = judged.state
        if offsets and not self.publisher.atomic:
            self._mark.done.update(offsets)
            marked = True
        if marked:
            # The engine's part of the record stays as it is; what it wrote in this batch is in it already.
            known = json.loads(self._published) if self._failed else self.judge.partition_record
            known["shell"] = self._mark.to_json()
            record = json.dumps(known, separators=(",", ":"), sort_keys=True).encode()
            # Last, so that where it can be read, everything that it speaks of can.
            state = {key: value for key, value in state.items() if key != self.mark_key}
            state[self.mark_key] = record
        end = await self.publisher.publish(judged.outputs, state, offsets)
        if end is not None:
            self.state_end = end
        self._published = state.get(self.mark_key) or self._published
        if judged.questions and self._tools.endpoint is not None:
            self._tools.endpoint.ask(self.number, judged.questions)
        self._tools.metrics.set_last_commit(self._tools.now())

    @property
    def mark_key(self) -> bytes:
        """The key of the partition's own record in `state`."""
        return b"p:%d" % self.number

    def _observe(
        self,
        topic: str,
        judged: Judged,
        records: Sequence[Record],
        judge_seconds: float,
        publish_seconds: float,
    ) -> None:
        metrics = self._tools.metrics
        metrics.add(judged.tally)
        metrics.observe(judged.observed)
        metrics.observe_batch(topic, self.number, len(records), judge_seconds, publish_seconds)
        now = self._tools.now()
        for timestamp, count in Counter(judged.acted).items():
            metrics.observe_end_to_end(max(0.0, now - timestamp / 1000), count)
