"""Batches through Faust: a transport whose messages are what one fetch brought of a partition.

Faust costs about 100 µs an event, whatever the event holds. So an event is a batch here: `getmany` yields,
for each partition, one message whose value is a `Batch` and whose offset is that of its last record. Offsets
are not Faust's business for these topics: see `BatchConsumer`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import aiokafka
import aiokafka.client
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode.utils.futures import notify

from worker.engine.records import Record

_POLL_SECONDS = 0.02  # between two looks while some partition has enough waiting
_BACKLOG_BATCHES = 2  # fetched and not yet begun, of one partition of one topic
_FETCH_WAIT_MS = 20  # how long the broker may keep a fetch that finds nothing


def never_create_topics() -> None:
    """Stops aiokafka's clients in this process from creating a topic by asking for it.

    aiokafka 0.14 has no option for it: every metadata request says that the broker may create what it
    names, and a topic born that way has the broker's default number of partitions.
    """
    aiokafka.client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive records of one partition, at least one.

    `topic` is the contract's name. `epoch` counts the seeks of the consumer; a batch of an epoch before the
    present one will be fetched again. `follows` is the offset of the record fetched before the first of
    these in the same epoch, None for the first: who handles batches sees from it that none went missing.
    """

    topic: str
    partition: int
    records: tuple[Record, ...]
    epoch: int
    follows: int | None

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.records[-1].offset


class BatchConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust has no types here
    """The thread that fetches: read_committed always, and all committed offsets in one request."""

    consumer: BatchConsumer

    def __post_init__(self) -> None:
        super().__post_init__()
        self.epoch = 0  # of seeks; written by this thread only
        self._drained: dict[TP, int] = {}  # offset of the last record drained since the seek

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        # Faust reads committed only in its own transactional mode, so it is told here that it is in one
        # for as long as the consumer is made; for the rest of the time that mode is off.
        self.consumer.in_transaction = True
        try:
            consumer = super()._create_worker_consumer(transport)
        finally:
            self.consumer.in_transaction = False
        # Faust asks for 1.5 s, and a broker answers the requests of a connection in their order: the questions
        # for offsets during a take-over would each wait as long behind a fetch of an idle partition.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """The group's committed offsets; partitions without one are left out."""
        return dict(await self.call_thread(self._fetch_committed, frozenset(partitions)))

    async def _fetch_committed(self, partitions: frozenset[TP]) -> dict[TP, int]:
        wanted = [TopicPartition(*partition) for partition in partitions]
        found: Mapping[TopicPartition, OffsetAndMetadata]
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets(wanted)
        return {TP(*key): value.offset for key, value in found.items() if value.offset >= 0}

    async def bounds(self, partitions: Iterable[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        """First offsets and last stable offsets, asked of the broker now."""
        return await self.call_thread(self._fetch_bounds, frozenset(partitions))  # type: ignore[no-any-return]  # faust is untyped here

    async def _fetch_bounds(self, partitions: frozenset[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        consumer = self._ensure_consumer()
        wanted = [TopicPartition(*partition) for partition in partitions]
        starts = await consumer.beginning_offsets(wanted)
        ends = await consumer.end_offsets(wanted)
        return (
            {TP(*key): offset for key, offset in starts.items()},
            {TP(*key): offset for key, offset in ends.items()},
        )

    async def unfetched(self) -> dict[TP, int]:
        """Records between position and last stable offset, by partition, as of the last fetch."""
        return dict(await self.call_thread(self._unfetched))

    async def _unfetched(self) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        subscription = consumer._subscription.subscription
        found: dict[TP, int] = {}
        if subscription is None or subscription.assignment is None:
            return found
        for partition in subscription.assignment.tps:
            state = subscription.assignment.state_value(partition)
            # Never the committed offset: transaction markers take offsets of their own, so a topic read to
            # its end may be committed one short of it for ever.
            if state is not None and state.has_valid_position and state.lso is not None and state.lso >= 0:
                found[TP(*partition)] = max(0, state.lso - state.position)
        return found

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[Batch]]:
        found = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        # No await from the draining inside to here: the epoch is that of the position drained from.
        batches: dict[TP, list[Batch]] = {}
        for tp, drained in found.items():
            topic, partition = self.consumer.batched_topics[tp.topic], tp.partition
            records = tuple(
                Record(topic, partition, each.offset, each.timestamp, each.key, each.value, each.headers)
                for each in drained
            )
            batches[TP(*tp)] = [Batch(topic, partition, records, self.epoch, self._drained.get(tp))]
            self._drained[tp] = records[-1].offset
        return batches

    async def silence(self) -> float:
        """Seconds since the broker last answered a fetch for the partition that waits the longest."""
        return float(await self.call_thread(self._silence))

    async def _silence(self) -> float:
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return 0.0
        states = [subscription.assignment.state_value(each) for each in subscription.assignment.tps]
        answered = [state.timestamp for state in states if state is not None and state.timestamp]
        return max(0.0, time.time() - min(answered) / 1000) if answered else 0.0

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seeks every assigned partition to its committed offset, with one request for all of them."""
        return await self.call_thread(self._seek_to_committed)  # type: ignore[no-any-return]  # faust is untyped here

    async def _seek_to_committed(self) -> dict[TopicPartition, int]:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        committed = await self._fetch_committed(frozenset(TP(*partition) for partition in assigned))
        starts = await consumer.beginning_offsets([each for each in assigned if TP(*each) not in committed])
        offsets: dict[TopicPartition, int] = {}
        for partition in assigned:
            offset = committed.get(TP(*partition), starts.get(partition, 0))
            # Without a commit as well: what was fetched before the rebalance must be fetched again.
            consumer.seek(partition, offset)
            offsets[partition] = offset
        self.epoch += 1
        self._drained.clear()
        return offsets


class BatchConsumer(driver.Consumer):  # type: ignore[misc]  # Faust has no types here
    """Faust's consumer, with a batch for a message.

    What is done is told by `mark_done`, not by Faust's acknowledgements: Faust acknowledges what it drops
    during a rebalance, its account of gaps counts records, and with a first batch of one record it stops
    committing for good (offset 0 is taken for "no offset" there). Acknowledgements only say what a
    rebalance has to wait for. With transactions nothing is ever marked, so Faust commits nothing: its
    commits between two transactions would move the offset backwards.
    """

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._done: dict[TP, int] = {}
        self._waiting: dict[TP, int] = {}  # batches fetched and not begun
        self.on_revocation: Callable[[], None] = lambda: None
        super().__init__(*args, **kwargs)
        self.batched_topics: Mapping[str, str] = self.app.batched_topics  # cluster's name to the contract's

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # --- fetching

    @property
    def epoch(self) -> int:
        """How often the consumer went back to the committed offsets; batches of before are void."""
        return self._thread.epoch

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Yields one message a partition for what the next fetch brings.

        A batch is dropped only while a rebalance is under way, which seeks back when it ends, or after it has.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        if not active:
            await self.sleep(_POLL_SECONDS if self._buffered_partitions else timeout)
            return
        # A partition that is switched back on does not wake a fetch that waits for the others.
        wait = _POLL_SECONDS if self._buffered_partitions else timeout
        found: dict[TP, list[Batch]] = await self._getmany(active_partitions=active, timeout=wait)
        generation = self.app.consumer_generation_id
        for tp, batches in found.items():
            for batch in batches:
                if self.should_stop or not self.flow_active or self.app.consumer_generation_id != generation:
                    return
                if batch.epoch == self.epoch:
                    self._begin_waiting(tp)
                    yield tp, _message(tp, batch, generation)

    def _begin_waiting(self, tp: TP) -> None:
        count = self._waiting[tp] = self._waiting.get(tp, 0) + 1
        if count >= _BACKLOG_BATCHES:
            self.on_buffer_full(tp)

    def begun(self, tp: TP) -> None:
        """A batch is being judged, so there is room for the next."""
        count = self._waiting[tp] = max(0, self._waiting.get(tp, 0) - 1)
        if count < _BACKLOG_BATCHES:
            self.on_buffer_drop(tp)

    async def perform_seek(self) -> None:
        """Goes back to the committed offsets, after a rebalance."""
        self._waiting.clear()
        await super().perform_seek()
        # Faust drops what lies below the offset it read last; for batches that is for `Batch.follows` to say.
        self._read_offset.clear()

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust would report that it has not committed, which with transactions it never does."""

    # --- offsets

    def mark_done(self, tp: TP, next_offset: int) -> None:
        """Everything below `next_offset` is published and acknowledged by the broker (at-least-once)."""
        self._done[tp] = next_offset

    def ack(self, message: Message) -> bool:
        """The message is no longer in anyone's hands; says nothing about offsets."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return iter(tuple(self._done))

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: the gap before a batch's last record is the batch."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Lets the batch in hand finish, drops those behind it, commits, then gives the partitions away."""
        self.on_revocation()
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(tp, None)

    # --- what the shell asks

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """The group's committed offsets now; partitions without one are left out."""
        return await self._thread.committed(partitions)

    async def bounds(self, partitions: Iterable[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        """First and last stable offsets now."""
        return await self._thread.bounds(partitions)

    async def unfetched(self) -> dict[TP, int]:
        """Records not fetched yet, by partition."""
        return await self._thread.unfetched()

    async def silence(self) -> float:
        """Seconds since the broker last answered."""
        return await self._thread.silence()

    def highwater(self, tp: TP) -> int:
        """The last offset that Faust's monitor shows; 0 before the first fetch."""
        try:
            return super().highwater(tp) or 0
        except (AssertionError, AttributeError):  # between two assignments there is none
            return 0


class BatchTransport(driver.Transport):  # type: ignore[misc]  # Faust has no types here
    """Faust's Kafka transport with `BatchConsumer`."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


def _message(tp: TP, batch: Batch, generation: int) -> ConsumerMessage:
    last = batch.records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000.0,
        0,
        (),
        None,
        batch,
        None,
        0,
        0,
        tp,
        generation_id=generation,
    )
