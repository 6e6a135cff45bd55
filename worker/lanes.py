"""The queue of one partition number: batches one after the other, each once, also across rebalances."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from worker.engine.store import StoreError

if TYPE_CHECKING:
    from worker.engine.records import Record
    from worker.ports import Publisher
    from worker.transport import Batch


@dataclass(slots=True)
class Work:
    """A batch with what to call when it is out of hand, and when it begins."""

    batch: Batch
    release: Callable[[], None]
    begin: Callable[[], None]


class HoleError(RuntimeError):
    """A batch went missing on its way here; the process must end and read it again."""


class Lane(ABC):
    """What all owners of one partition number share: one queue for all input topics, one batch at a time.

    Args:
        number: the partition number.
        publisher: not started.
        epoch: of the consumer's seeks, at any time.
        fail: ends the process.
    """

    def __init__(
        self,
        number: int,
        publisher: Publisher,
        epoch: Callable[[], int],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.number = number
        self.publisher = publisher
        self._epoch = epoch
        self._fail = fail
        self._lock = asyncio.Lock()
        self._queue: asyncio.Queue[Work] = asyncio.Queue()
        self._queued: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None
        self._draining = False
        self._floor: dict[str, int] = {}  # by topic: everything below is committed
        self._since = 0  # batches of earlier epochs are void
        self._handled: dict[str, tuple[int, int]] = {}  # topic: epoch and offset of the last record handled

    # --- what each kind of lane does in its own way

    @abstractmethod
    async def handle(self, topic: str, records: Sequence[Record]) -> int:
        """Does what follows from consecutive records and publishes it, as long as the lane is not draining.

        Returns:
            The offset of the first record that is not done.
        """

    @abstractmethod
    async def expire(self, now: datetime) -> None:
        """Does what timers owe."""

    @abstractmethod
    async def release(self) -> None:
        """Gives the number away, cleanly, and stops the publisher."""

    # --- coming and going

    def queued(self) -> Counter[str]:
        """Records that wait here, by topic."""
        return Counter(self._queued)

    def ready(self, floor: dict[str, int]) -> None:
        """Prepares for batches; `floor` has the committed offsets. They count from the consumer's next seek on."""
        self._floor = floor
        self._handled.clear()
        # Only what is fetched after the seek that ends this rebalance counts. Faust may let batches through
        # before: a rebalance that another one overtakes resumes the flow all the same when it ends.
        self._since = self._epoch() + 1
        self._draining = False

    def start(self) -> None:
        """Begins to work; call it once the publisher is started."""
        self._task = asyncio.create_task(self._run(), name=f"partition-{self.number}")

    def drain(self) -> None:
        """Finishes the batch in hand and lets go of those behind it; they will be read again."""
        self._draining = True
        while not self._queue.empty():
            self._queue.get_nowait().release()
        self._queued.clear()

    # --- work

    def put(self, work: Work) -> None:
        """Queues a batch; while draining it is let go of at once."""
        if self._draining:
            work.release()
        else:
            self._queue.put_nowait(work)
            self._queued[work.batch.topic] += len(work.batch.records)

    async def _run(self) -> None:
        while True:
            work = await self._queue.get()
            try:
                async with self._lock:
                    work.begin()
                    self._queued[work.batch.topic] -= len(work.batch.records)
                    if not self._draining:
                        await self._take(work.batch)
            except asyncio.CancelledError:
                work.release()
                raise
            except StoreError as error:  # the worker ends in good order: what is let go of is read again
                work.release()
                self._fail(error)
                return
            except BaseException as error:  # noqa: BLE001  # whatever it is, the batch is not done: the process must end
                self._fail(error)
                return
            work.release()

    async def _take(self, batch: Batch) -> None:
        if batch.epoch < self._since or batch.epoch != self._epoch():
            return  # fetched before the consumer went back; it comes again
        epoch, last = self._handled.get(batch.topic, (batch.epoch, None))
        if batch.follows != (last if epoch == batch.epoch else None):
            raise HoleError(f"a batch of {batch.topic}-{batch.partition} went missing in the worker")
        floor = self._floor.get(batch.topic, 0)
        records: Sequence[Record] = batch.records
        if records[0].offset < floor:
            records = [record for record in records if record.offset >= floor]
        done = await self.handle(batch.topic, records) if records else batch.last_offset + 1
        self._handled[batch.topic] = (batch.epoch, batch.last_offset)
        # Whatever makes the consumer go back: no record is done twice by one owner.
        self._floor[batch.topic] = max(floor, done)
