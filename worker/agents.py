"""The owner of the judging worker: memory kept or restored, and every number's mark."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from worker import heap, restore
from worker.attempts import first_to_judge, mark_at_start
from worker.owning import AssignmentError, Owner, of_number
from worker.partitions import Partition, Tools

if TYPE_CHECKING:
    from worker.ports import Judge, JudgeFactory, Publisher
    from worker.settings import Settings
    from worker.transport import BatchConsumer

__all__ = ["AssignmentError", "Ownership"]

log = logging.getLogger(__name__)


class Ownership(Owner[Partition]):
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
        super().__init__(settings, topics, tools.metrics)
        self._partitions = partitions
        self._make_judge = make_judge
        self._make_publisher = make_publisher
        self._tools = tools
        self._kept: dict[int, Partition] = {}  # given away, with their memory

    def judges(self) -> list[Judge]:
        """The judges of the partitions owned now."""
        return [partition.judge for partition in self._owned.values()]

    # --- rebalances

    def gave(self, released: Mapping[int, Partition]) -> None:
        """Keeps their memory until the next assignment is known."""
        self._kept.update(released)

    def close(self) -> None:
        """Lets go of what is kept."""
        for partition in self._kept.values():
            partition.judge.close()

    async def begin(self, numbers: set[int], consumer: BatchConsumer) -> dict[int, Partition]:
        """Fence, read the committed offsets, restore, mark.

        Raises:
            PublishError: a producer cannot start or publish.
            RestoreError: the state cannot be read.
        """
        known = {number: self._kept[number] for number in numbers if number in self._kept}
        for gone in self._kept.keys() - numbers:
            self._tools.metrics.drop_partition(gone)
            self._kept[gone].judge.close()
        self._kept = {}
        publishers = {number: self._make_publisher(number) for number in numbers}
        await asyncio.gather(*(publisher.start() for publisher in publishers.values()))
        partitions = await self._with_state(numbers, known, publishers)
        await self._begin(partitions, consumer)
        return partitions

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
        await self._never_back(partitions[number].judge for number in fresh)
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

    async def _never_back(self, judges: Iterable[Judge]) -> None:
        """Has restored judges judge by packs that are not older than those by which their partitions were judged."""
        packs = self._tools.packs
        if packs is None:
            return
        for judge in judges:
            if judge.judged_version > judge.version:
                await packs.reach(judge.judged_version, self._settings.pack_check_limit)
                judge.adopt(packs.latest)

    async def _begin(self, partitions: dict[int, Partition], consumer: BatchConsumer) -> None:
        inputs = self.inputs(partitions)
        if not inputs:
            return
        committed = await consumer.committed(inputs)
        starts, ends = await consumer.bounds(inputs)
        begun = []
        for number, partition in partitions.items():
            last, end = partition.last_mark, of_number(inputs, ends, number)
            floor = of_number(inputs, committed, number)
            if not partition.publisher.atomic:
                floor = first_to_judge(last, floor, end)
            mark = mark_at_start(last, floor, end, of_number(inputs, starts, number), self._settings.batch)
            if not partition.publisher.atomic:
                mark.done = dict(floor)
            begun.append(partition.take_over(mark, floor))
        await asyncio.gather(*begun)
