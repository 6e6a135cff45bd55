"""Publishing what a batch leads to: in one transaction with its offsets, or acknowledged before them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import aiokafka.producer.sender
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from worker.adapters import kafka
from worker.engine.records import Output
from worker.ports import FencedError, PublishError

if TYPE_CHECKING:
    from worker.settings import Settings

log = logging.getLogger(__name__)

STATE_TOPIC = "state"
_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.2
_STOP_SECONDS = 3.0
_FENCING = (ProducerFenced, InvalidProducerEpoch, OutOfOrderSequenceNumber)


def begin_sooner() -> None:
    """Has aiokafka's producers in this process ask again sooner whether a transaction may begin.

    The broker refuses the next transaction until the markers of the last one are written, which takes it
    one or two milliseconds; aiokafka 0.14 waits 20 before it asks again, and has no option for it. That
    made a transaction of one small batch after the other last 25 ms instead of 5.
    """
    aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.002


async def _send_all(producer: Any, prefix: str, partition: int, records: Iterable[Output]) -> dict[str, int]:
    """Sends records in their order by topic and partition, and waits until the broker has them.

    One builder for each topic and partition instead of one `send` for each record: a tenth of the cost. What names
    no partition goes to `partition`.

    Returns:
        The offset of the last record of each topic on `partition` itself.
    """
    builders: dict[tuple[str, int], Any] = {}
    counts: dict[str, int] = {}
    own: dict[str, asyncio.Future[Any]] = {}  # the last batch of each topic on this partition
    futures: list[asyncio.Future[Any]] = []

    async def flush(place: tuple[str, int]) -> None:
        topic, number = place
        builder = builders.pop(place)
        builder.close()
        future = await producer.send_batch(builder, prefix + topic, partition=number)
        futures.append(future)
        if number == partition:
            counts[topic] = builder.record_count()
            own[topic] = future

    for record in records:
        place = (record.topic, partition if record.partition is None else record.partition)
        builder = builders.get(place)
        if builder is None:
            builder = builders[place] = producer.create_batch()
        # None means that the builder is full; an empty one takes a record of any size.
        if builder.append(key=record.key, value=record.value, timestamp=None) is None:
            await flush(place)
            builder = builders[place] = producer.create_batch()
            builder.append(key=record.key, value=record.value, timestamp=None)
    for place in tuple(builders):
        await flush(place)
    # All of them, also after the first failure: none may be left without anyone to take its exception.
    results = await asyncio.gather(*futures, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return {topic: future.result().offset + counts[topic] - 1 for topic, future in own.items()}


def _state_outputs(state: Mapping[bytes, bytes | None]) -> Iterable[Output]:
    return (Output(STATE_TOPIC, key, value) for key, value in state.items())


class TransactionalPublisher:
    """One transactional producer for one partition number: outputs, state and offsets in one transaction.

    The transactional id is made from group and partition, so starting it fences whoever had it before.
    Between begin and commit there is only I/O, bounded by the broker's transaction timeout. What fails and
    can be tried again is aborted and published again, unchanged; after a few times, or once fenced, the
    process must end.
    """

    atomic = True

    def __init__(
        self,
        settings: Settings,
        partition: int,
        *,
        on_attempt: Callable[[str], None] = lambda result: None,
    ) -> None:
        self.transactional_id = f"{settings.topic_prefix}{settings.group}-{partition}"
        self._settings = settings
        self._partition = partition
        self._on_attempt = on_attempt
        self._producer: Any = None

    async def start(self) -> None:
        """Fences the owner before, whose open transaction is aborted when this returns."""
        producer = kafka.producer(self._settings, transactional_id=self.transactional_id)
        try:
            async with asyncio.timeout(self._settings.transaction_timeout * 2 + 10):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await _stop(producer)
            raise PublishError(
                f"cannot start the producer of partition {self._partition}: {error!r}"
            ) from error
        self._producer = producer

    async def publish(
        self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
    ) -> int | None:
        """See `worker.ports.Publisher`."""
        records = [*outputs, *_state_outputs(state)]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                last = await self._transaction(records, offsets)
            except _FENCING as error:
                self._on_attempt("fenced")
                raise FencedError(
                    f"partition {self._partition} has another owner ({type(error).__name__})"
                ) from error
            except (KafkaError, TimeoutError) as error:
                self._on_attempt("aborted")
                if self._producer._txn_manager.is_fatal_error() or attempt == _ATTEMPTS:
                    raise PublishError(
                        f"partition {self._partition}: transaction failed: {error!r}"
                    ) from error
                log.warning(
                    "transaction aborted, publishing again",
                    extra={"partition": self._partition, "attempt": attempt, "error": type(error).__name__},
                )
                await self._abort()
                await asyncio.sleep(_BACKOFF_SECONDS * attempt)
            else:
                self._on_attempt("committed")
                return last
        raise AssertionError("the last attempt returns or raises")

    async def _transaction(self, records: list[Output], offsets: Mapping[str, int]) -> int | None:
        producer, settings = self._producer, self._settings
        # Above the broker's own limit: after that the broker has aborted, and the next request says so.
        async with asyncio.timeout(settings.transaction_timeout * 2):
            await producer.begin_transaction()
            last = await _send_all(producer, settings.topic_prefix, self._partition, records)
            if offsets:
                commit = {
                    TopicPartition(settings.topic(topic), self._partition): OffsetAndMetadata(offset, "")
                    for topic, offset in offsets.items()
                }
                await producer.send_offsets_to_transaction(commit, settings.group)
            await producer.commit_transaction()
        # After the last record there is the marker of the transaction.
        return last[STATE_TOPIC] + 2 if STATE_TOPIC in last else None

    async def _abort(self) -> None:
        try:
            async with asyncio.timeout(self._settings.transaction_timeout):
                await self._producer.abort_transaction()
        except _FENCING as error:
            raise FencedError(
                f"partition {self._partition} has another owner ({type(error).__name__})"
            ) from error
        except (KafkaError, TimeoutError, AssertionError) as error:  # aiokafka asserts on its state machine
            raise PublishError(f"partition {self._partition}: cannot abort: {error!r}") from error

    async def stop(self) -> None:
        """Closes the producer; a transaction left open is aborted by the next owner."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


class AcknowledgedPublisher:
    """At least once: outputs, then state, each acknowledged by all replicas in sync before what follows.

    State must not come first: after a crash between the two, the records would be read again and taken for
    ones that were judged already, and their outputs would be lost. The offset is told to Faust's consumer,
    which commits it soon.
    """

    atomic = False

    def __init__(
        self, settings: Settings, partition: int, producer: Any, mark_done: Callable[[str, int, int], None]
    ) -> None:
        self._settings = settings
        self._partition = partition
        self._producer = producer  # shared by all partitions; whoever made it stops it
        self._mark_done = mark_done

    async def start(self) -> None:
        """Nothing to fence with."""

    async def publish(
        self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
    ) -> int | None:
        """See `worker.ports.Publisher`."""
        prefix = self._settings.topic_prefix
        try:
            await _send_all(self._producer, prefix, self._partition, outputs)
            last = await _send_all(self._producer, prefix, self._partition, _state_outputs(state))
        except (KafkaError, TimeoutError) as error:
            raise PublishError(f"partition {self._partition}: not acknowledged: {error!r}") from error
        for topic, offset in offsets.items():
            self._mark_done(topic, self._partition, offset)
        return last[STATE_TOPIC] + 1 if STATE_TOPIC in last else None

    async def stop(self) -> None:
        """Nothing of its own to close."""


async def _stop(producer: Any) -> None:
    # What a producer says while it is closed changes nothing: the transaction is committed, or is aborted.
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()
