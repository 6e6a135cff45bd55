"""The agents, and who owns which partition: taking over after a rebalance, giving away before one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from faust.types import TP

from worker import heap, restore
from worker.attempts import first_to_judge, mark_at_start
from worker.partitions import Partition, Tools, Work

if TYPE_CHECKING:
    from worker.ports import Judge, JudgeFactory, Publisher
    from worker.settings import Settings
    from worker.transport import BatchConsumer

log = logging.getLogger(__name__)


class AssignmentError(RuntimeError):
    """This worker was given a partition number on some input topics but not on all of them."""


class Ownership:
    """The partition numbers of this process.

    Args:
        settings: what the operator set.
        topics: input topics, by the contract's names.
        partitions: how many partitions each of them has.
        make_judge: makes an empty judge for a number.
        make_publisher: makes a publisher for a number.
        tools: shared by all partitions.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Iterable[str],
        partitions: int,
        *,
        make_judge: JudgeFactory,
        make_publisher: Callable[[int], Publisher],
        tools: Tools,
    ) -> None:
        self._settings = settings
        self._topics = tuple(topics)
        self._partitions = partitions
        self._make_judge = make_judge
        self._make_publisher = make_publisher
        self._tools = tools
        self._owned: dict[int, Partition] = {}
        self._kept: dict[int, Partition] = {}  # given away, with their memory
        self._changing = asyncio.Lock()
        self._closed = False
        self._settled = False

    # --- records

    def accept(self, event: Any, consumer: BatchConsumer) -> None:
        """Hands a batch to the partition's queue. One that nobody owns any more will be read again."""
        batch = event.value
        tp = event.message.tp
        work = Work(batch, release=event.ack, begin=lambda: consumer.begun(tp))
        partition = self._owned.get(batch.partition)
        if partition is None:
            work.release()
        else:
            partition.put(work)

    def waiting(self) -> dict[TP, int]:
        """Records fetched and not judged, by the contract's topic and partition."""
        found: dict[TP, int] = {}
        for number, partition in self._owned.items():
            for topic, count in partition.queued().items():
                found[TP(topic, number)] = count
        return found

    @property
    def count(self) -> int:
        """How many partition numbers are owned now."""
        return len(self._owned)

    def judges(self) -> list[Judge]:
        """The judges of the partitions owned now."""
        return [partition.judge for partition in self._owned.values()]

    async def expire(self, now: datetime) -> None:
        """Lets every partition do what its timers owe."""
        for partition in tuple(self._owned.values()):
            await partition.expire(now)

    @property
    def settled(self) -> bool:
        """Whether the last assignment is in force: nothing is being restored, given away or waited for."""
        return self._settled

    # --- rebalances

    def drain(self) -> None:
        """Before a rebalance: the batch in hand is finished, those behind it are let go of."""
        for partition in self._owned.values():
            partition.drain()

    async def release(self, *, closing: bool = False) -> None:
        """Gives everything away, cleanly. Memory is kept until the next assignment is known."""
        async with self._changing:
            self._closed = self._closed or closing
            self._settled = False
            released, self._owned = self._owned, {}
            for partition in released.values():
                partition.drain()
            await asyncio.gather(*(partition.release() for partition in released.values()))
            self._kept.update(released)
            if closing:
                for partition in self._kept.values():
                    partition.judge.close()
            self._tools.metrics.set_partitions(0)

    async def take_over(self, assigned: Iterable[TP], consumer: BatchConsumer) -> None:
        """Becomes the owner: fence, read the committed offsets, restore, mark; then batches may come.

        Raises:
            AssignmentError: topics and numbers do not fit together.
            PublishError: a producer cannot start or publish.
            RestoreError: the state cannot be read.
        """
        async with self._changing:
            if self._closed:
                return
            numbers = self._numbers(assigned)
            for number, partition in tuple(self._owned.items()):
                # Faust has always revoked before; if it did not, this is still the order to keep.
                partition.drain()
                await partition.release()
                self._kept[number] = self._owned.pop(number)
            known = {number: self._kept[number] for number in numbers if number in self._kept}
            for gone in self._kept.keys() - numbers:
                self._tools.metrics.drop_partition(gone)
                self._kept[gone].judge.close()
            self._kept = {}
            publishers = {number: self._make_publisher(number) for number in numbers}
            await asyncio.gather(*(publisher.start() for publisher in publishers.values()))
            partitions = await self._with_state(numbers, known, publishers)
            await self._begin(partitions, consumer)
            self._owned = partitions
            self._settled = True
            self._tools.metrics.set_partitions(len(partitions))
            log.info("owns partitions", extra={"partitions": ",".join(map(str, sorted(numbers)))})

    def _numbers(self, assigned: Iterable[TP]) -> set[int]:
        names = {self._settings.topic(topic): topic for topic in self._topics}
        by_topic: dict[str, set[int]] = {topic: set() for topic in self._topics}
        for tp in assigned:
            if tp.topic in names:
                by_topic[names[tp.topic]].add(tp.partition)
        first = by_topic[self._topics[0]]
        for topic, numbers in by_topic.items():
            if numbers != first:
                raise AssignmentError(
                    f"was given other partitions of {topic} than of {self._topics[0]}: every worker of the "
                    "group must read the same topics with the same number of partitions"
                )
        return first

    async def _with_state(
        self, numbers: set[int], known: dict[int, Partition], publishers: dict[int, Publisher]
    ) -> dict[int, Partition]:
        """Partitions with their state: kept from before when nobody wrote since, else restored."""
        partitions: dict[int, Partition] = {}
        ends = await restore.state_ends(self._settings, known) if known else {}
        for number, partition in known.items():
            if partition.state_end is not None and partition.state_end == ends.get(number):
                partition.publisher = publishers[number]
                partitions[number] = partition
            else:
                partition.judge.close()
        kept = len(partitions)
        for number in sorted(numbers - partitions.keys()):
            judge = self._make_judge(number, self._partitions)
            partitions[number] = Partition(number, judge, publishers[number], self._tools)
        fresh = {
            number: partitions[number].judge.restore
            for number in numbers
            if partitions[number] is not known.get(number)
        }
        found = await restore.restore(self._settings, fresh)
        for restored in found.values():
            self._tools.metrics.observe_restore(restored.seconds, restored.records)
        # What was restored stays for as long as the partition does: the collector need not walk it again,
        # and Faust has it run before every rebalance.
        heap.settle()
        log.info(
            "state is in memory",
            extra={
                "kept": kept,
                "restored": len(found),
                "records": sum(each.records for each in found.values()),
                "seconds": round(max((each.seconds for each in found.values()), default=0.0), 3),
            },
        )
        return partitions

    async def _begin(self, partitions: dict[int, Partition], consumer: BatchConsumer) -> None:
        inputs = {
            TP(self._settings.topic(topic), number): topic for topic in self._topics for number in partitions
        }
        if not inputs:
            return
        committed = await consumer.committed(inputs)
        starts, ends = await consumer.bounds(inputs)

        def of(offsets: dict[TP, int], number: int) -> dict[str, int]:
            return {
                topic: offsets[tp] for tp, topic in inputs.items() if tp.partition == number and tp in offsets
            }

        begun = []
        for number, partition in partitions.items():
            last, floor, end = partition.last_mark, of(committed, number), of(ends, number)
            if not partition.publisher.atomic:
                floor = first_to_judge(last, floor, end)
            mark = mark_at_start(last, floor, end, of(starts, number), self._settings.batch)
            if not partition.publisher.atomic:
                mark.done = dict(floor)
            begun.append(partition.take_over(mark, floor))
        await asyncio.gather(*begun)


async def feed(ownership: Ownership, consumer: BatchConsumer, stream: Any) -> None:
    """The agent of every input topic: it only hands batches over, so that no partition holds another up.

    Acknowledgement is by hand (`noack`), when the batch is published; nothing here can raise.
    """
    events: AsyncIterable[Any] = stream.noack().events()
    async for event in events:
        ownership.accept(event, consumer)
