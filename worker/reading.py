"""Reads topics from outside the worker, as any consumer would: read committed, no group, no commits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from worker.cluster import BrokerUnreachable, ClusterError, connect, refusals_named
from worker.engine.records import Record
from worker.topics import strip_prefix

_PATIENCE_SECONDS = 5.0  # without any progress towards an end that the broker named


class TopicReader:
    """Follows some topics with an independent client (kafka-python) that sees committed records only."""

    def __init__(self, consumer: Any, prefix: str, bootstrap: str = "") -> None:
        self._consumer = consumer
        self._bootstrap = bootstrap
        self._prefix = prefix

    def poll(self, timeout_seconds: float, at_most: int = 5000) -> list[Record]:
        """What has arrived: by partition in order. Names are the contract's, without the prefix."""
        batches = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=at_most)
        return [
            Record(
                topic=strip_prefix(message.topic, self._prefix),
                partition=message.partition,
                offset=message.offset,
                timestamp=message.timestamp,
                key=message.key,
                value=message.value,
                headers=tuple(message.headers or ()),
            )
            for messages in batches.values()
            for message in messages
        ]

    def partition_count(self, topic: str) -> int:
        """How many partitions a followed topic has; `topic` without the prefix."""
        return sum(place.topic == self._prefix + topic for place in self._consumer.assignment())

    def latest(self, limit: int) -> list[Record]:
        """At most this many of the newest records of all followed topics, oldest first by their timestamps.

        Reads back in widening steps: markers of transactions take offsets too, so that the end minus the
        limit may hold fewer records than that.
        """
        found: list[Record] = []
        begins = self._consumer.beginning_offsets(list(self._consumer.assignment()))
        ends = self._consumer.end_offsets(list(begins))
        for partition, end in ends.items():
            span = limit
            while True:
                span *= 4
                start = max(begins[partition], end - span)
                records = self._between(partition, start, end)
                if len(records) >= limit or start == begins[partition]:
                    break
            found += records[-limit:]
        found.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
        return found[-limit:]

    def everything(self) -> Iterator[Record]:
        """All records that the followed topics hold now, topic by topic and partition by partition.

        Raises:
            BrokerUnreachable: the broker fell silent before the end that it named.
        """
        partitions = sorted(
            self._consumer.assignment(), key=lambda partition: (partition.topic, partition.partition)
        )
        begins = self._consumer.beginning_offsets(partitions)
        ends = self._consumer.end_offsets(partitions)
        for partition in partitions:
            yield from self._follow(partition, begins[partition], ends[partition])
            if self._consumer.position(partition) < ends[partition]:
                where = f"it fell silent in partition {partition.partition} of {partition.topic}"
                raise BrokerUnreachable(self._bootstrap, where)

    def _between(self, partition: Any, start: int, end: int) -> list[Record]:
        return list(self._follow(partition, start, end))

    def _follow(self, partition: Any, start: int, end: int) -> Iterator[Record]:
        """The records of one partition from one offset up to another, as far as they come in time."""
        others = [other for other in self._consumer.assignment() if other != partition]
        self._consumer.pause(*others)
        self._consumer.resume(partition)
        self._consumer.seek(partition, start)
        reached, patience = start, time.monotonic() + _PATIENCE_SECONDS
        while reached < end and time.monotonic() < patience:
            yield from (record for record in self.poll(0.2) if record.offset < end)
            position = self._consumer.position(partition)
            if position > reached:
                reached, patience = position, time.monotonic() + _PATIENCE_SECONDS


@contextmanager
def reader(
    bootstrap: str,
    topics: Iterable[str],
    prefix: str = "",
    *,
    from_end: bool = False,
    client_options: Mapping[str, Any] | None = None,
) -> Iterator[TopicReader]:
    """Follows these topics (the contract's names) from their beginning or from their end.

    `client_options` are further settings of the Kafka client, as `worker.security` makes them.

    Raises:
        BrokerUnreachable: nobody answers at the address.
        ClusterError: a topic is missing, or the cluster refuses to let this client read.
    """
    from kafka import KafkaConsumer, TopicPartition

    with connect(bootstrap, client_options=client_options):
        pass  # says in words what is wrong with the address; the consumer itself would only time out
    with refusals_named(bootstrap):
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap.split(","),
            isolation_level="read_committed",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            **(client_options or {}),
        )
        try:
            partitions = []
            for name in topics:
                numbers = consumer.partitions_for_topic(prefix + name)
                if not numbers:
                    raise ClusterError(
                        f"{prefix}{name}: the topic is missing. Create it: moderator topics create"
                    )
                partitions += [TopicPartition(prefix + name, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            if from_end:
                consumer.seek_to_end(*partitions)
                for partition in partitions:
                    consumer.position(
                        partition
                    )  # seeking is lazy: without this, "the end" is that of the first poll
            yield TopicReader(consumer, prefix, bootstrap)
        finally:
            consumer.close()
