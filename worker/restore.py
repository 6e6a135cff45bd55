"""Restoring partitions' state: a plain reader without a group, from the first record to the end, by position."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from worker.adapters import kafka
from worker.transactions import STATE_TOPIC

if TYPE_CHECKING:
    from worker.settings import Settings

log = logging.getLogger(__name__)

_STALL_SECONDS = 60.0
_READ_RECORDS = 2000  # between two looks at the event loop

Take = Callable[[bytes, bytes | None], None]


class RestoreError(RuntimeError):
    """The state topic could not be read to its end."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How much was read of one partition, until which offset, in how many seconds."""

    records: int
    end: int
    seconds: float


async def state_ends(settings: Settings, partitions: Iterable[int]) -> dict[int, int]:
    """Last stable offsets of the `state` topic's partitions.

    Raises:
        RestoreError: the broker did not say.
    """
    wanted = _topic_partitions(settings, partitions)
    if not wanted:
        return {}
    consumer = kafka.reader(settings)
    try:
        await consumer.start()
        ends = await consumer.end_offsets(list(wanted))
        return {partition.partition: offset for partition, offset in ends.items()}
    except (KafkaError, OSError, TimeoutError) as error:
        raise RestoreError(f"cannot read the ends of {settings.topic(STATE_TOPIC)}: {error!r}") from error
    finally:
        await consumer.stop()


async def restore(settings: Settings, take: Mapping[int, Take]) -> dict[int, Restored]:
    """Hands every committed record of these partitions of `state` to its taker, in order.

    The end is a position and not a record: a partition may end in transaction markers, or in records of an
    aborted transaction, which a reader never sees. The fence comes first, so that nobody writes any more.

    Raises:
        RestoreError: the broker failed, or nothing came for a minute.
    """
    waiting = _topic_partitions(settings, take)
    if not waiting:
        return {}
    started = time.monotonic()
    consumer = kafka.reader(settings, max_partition_fetch_bytes=4 << 20, fetch_max_bytes=64 << 20)
    try:
        await consumer.start()
        consumer.assign(sorted(waiting))
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(waiting))
        await consumer.seek_to_beginning(*waiting)
        return await _read(consumer, take, ends, started)
    except (KafkaError, OSError) as error:
        raise RestoreError(f"cannot read {settings.topic(STATE_TOPIC)}: {error!r}") from error
    finally:
        await consumer.stop()


async def _read(
    consumer: Any, take: Mapping[int, Take], ends: Mapping[TopicPartition, int], started: float
) -> dict[int, Restored]:
    counts = dict.fromkeys(take, 0)
    done: dict[int, Restored] = {}
    positions: dict[TopicPartition, int] = {}
    moved = time.monotonic()
    while True:
        for partition, end in ends.items():
            number = partition.partition
            if number in done:
                continue
            position = await consumer.position(partition)
            if position != positions.get(partition):
                positions[partition] = position
                moved = time.monotonic()
            if position >= end:
                done[number] = Restored(counts[number], end, time.monotonic() - started)
                consumer.pause(partition)
        if len(done) == len(ends):
            return done
        if time.monotonic() - moved > _STALL_SECONDS:
            raise RestoreError(f"no record of the state topic came for {_STALL_SECONDS:g} s")
        found = await consumer.getmany(timeout_ms=200, max_records=_READ_RECORDS)
        for partition, records in found.items():
            receive = take[partition.partition]
            for record in records:
                if record.key is not None:
                    receive(record.key, record.value)
            counts[partition.partition] += len(records)
        await asyncio.sleep(0)


def _topic_partitions(settings: Settings, partitions: Iterable[int]) -> set[TopicPartition]:
    return {TopicPartition(settings.topic(STATE_TOPIC), partition) for partition in partitions}
