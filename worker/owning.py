"""Who owns which partition number: taking over after a rebalance, giving away before one; whatever is done with them."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from faust.types import TP

from worker.lanes import Lane, Work

if TYPE_CHECKING:
    from worker.ports import ShellMetrics
    from worker.settings import Settings
    from worker.transport import BatchConsumer

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound=Lane)


class AssignmentError(RuntimeError):
    """This worker was given a partition number on some input topics but not on all of them."""


class Owner(ABC, Generic[Kind]):
    """The partition numbers of this process, each with its lane.

    Args:
        settings: what the operator set.
        topics: input topics, by the contract's names.
        metrics: told how many numbers are owned.
    """

    def __init__(self, settings: Settings, topics: Iterable[str], metrics: ShellMetrics) -> None:
        self._settings = settings
        self._topics = tuple(topics)
        self._metrics = metrics
        self._owned: dict[int, Kind] = {}
        self._changing = asyncio.Lock()
        self._closed = False
        self._settled = False

    # --- what each kind of owner does in its own way

    @abstractmethod
    async def begin(self, numbers: set[int], consumer: BatchConsumer) -> dict[int, Kind]:
        """Becomes the owner of these numbers: fences whoever had them, and makes their lanes, ready for batches."""

    def gave(self, released: Mapping[int, Kind]) -> None:
        """Takes note of lanes that were just released."""

    def close(self) -> None:
        """Nothing will be taken over any more."""

    # --- records

    def accept(self, event: Any, consumer: BatchConsumer) -> None:
        """Hands a batch to the number's lane. One that nobody owns any more will be read again."""
        batch = event.value
        tp = event.message.tp
        work = Work(batch, release=event.ack, begin=lambda: consumer.begun(tp))
        lane = self._owned.get(batch.partition)
        if lane is None:
            work.release()
        else:
            lane.put(work)

    def waiting(self) -> dict[TP, int]:
        """Records fetched and not begun, by the contract's topic and partition."""
        found: dict[TP, int] = {}
        for number, lane in self._owned.items():
            for topic, count in lane.queued().items():
                found[TP(topic, number)] = count
        return found

    @property
    def count(self) -> int:
        """How many partition numbers are owned now."""
        return len(self._owned)

    async def expire(self, now: datetime) -> None:
        """Lets every lane do what its timers owe."""
        for lane in tuple(self._owned.values()):
            await lane.expire(now)

    @property
    def settled(self) -> bool:
        """Whether the last assignment is in force: nothing is being restored, given away or waited for."""
        return self._settled

    # --- rebalances

    def drain(self) -> None:
        """Before a rebalance: the batch in hand is finished, those behind it are let go of."""
        for lane in self._owned.values():
            lane.drain()

    async def release(self, *, closing: bool = False) -> None:
        """Gives everything away, cleanly."""
        async with self._changing:
            self._closed = self._closed or closing
            self._settled = False
            released, self._owned = self._owned, {}
            for lane in released.values():
                lane.drain()
            await asyncio.gather(*(lane.release() for lane in released.values()))
            self.gave(released)
            if closing:
                self.close()
            self._metrics.set_partitions(0)

    async def take_over(self, assigned: Iterable[TP], consumer: BatchConsumer) -> None:
        """Becomes the owner; then batches may come.

        Raises:
            AssignmentError: topics and numbers do not fit together.
            PublishError: a producer cannot start or publish.
        """
        async with self._changing:
            if self._closed:
                return
            numbers = self._numbers(assigned)
            for number, lane in tuple(self._owned.items()):
                # Faust has always revoked before; if it did not, this is still the order to keep.
                lane.drain()
                await lane.release()
                self.gave({number: self._owned.pop(number)})
            lanes = await self.begin(numbers, consumer)
            self._owned = lanes
            self._settled = True
            self._metrics.set_partitions(len(lanes))
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

    # --- for kinds of owners

    def inputs(self, numbers: Iterable[int]) -> dict[TP, str]:
        """The cluster's input partitions of these numbers, each with the contract's name of its topic."""
        return {
            TP(self._settings.topic(topic), number): topic for number in numbers for topic in self._topics
        }


def of_number(inputs: Mapping[TP, str], offsets: Mapping[TP, int], number: int) -> dict[str, int]:
    """The offsets of one number by the contract's topic; a topic without one is left out."""
    return {topic: offsets[tp] for tp, topic in inputs.items() if tp.partition == number and tp in offsets}


async def feed(owner: Owner[Any], consumer: BatchConsumer, stream: Any) -> None:
    """The agent of every input topic: it only hands batches over, so that no partition holds another up.

    Acknowledgement is by hand (`noack`), when the batch is published; nothing here can raise.
    """
    events: AsyncIterable[Any] = stream.noack().events()
    async for event in events:
        owner.accept(event, consumer)
