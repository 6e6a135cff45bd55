"""Sends records to topics from outside the worker, in their order, and waits until the cluster has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from worker.cluster import BrokerUnreachable, ClusterError, connect, refusals_named
from worker.engine.ids import partition_of

_PORTION = 500  # records sent before the acknowledgements are waited for
_ACKNOWLEDGED_SECONDS = 30.0


class Sent(NamedTuple):
    """A record to send: its topic by the contract's name, its key, value (None: a tombstone) and headers."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class NotAllSent(Exception):  # noqa: N818 - what a reader sees is the sentence
    """The cluster took only some of the records. `acknowledged` is how many; they count, and must not be undone."""

    def __init__(self, acknowledged: int, total: int, detail: str) -> None:
        super().__init__(f"{acknowledged} of {total} records were acknowledged: {detail}")
        self.acknowledged = acknowledged


def send_in_order(
    bootstrap: str,
    records: Iterable[Sent],
    prefix: str = "",
    *,
    total: int,
    per_second: int | None = None,
    told: Callable[[int], None] = lambda acknowledged: None,
    sleep: Callable[[float], None] = time.sleep,
    client_options: Mapping[str, Any] | None = None,
) -> int:
    """Sends records in their order, each to its key's partition, and waits until the cluster has them.

    Args:
        bootstrap: "HOST:PORT", or several with commas.
        records: what to send; read as it is sent.
        prefix: of the topics' names.
        total: how many there are, for messages.
        per_second: at most so many a second; None: as fast as the cluster takes them.
        told: is called with how many are acknowledged so far.
        sleep: waits so many seconds.
        client_options: further settings of the Kafka client, as `worker.security` makes them.

    Returns:
        How many were acknowledged: all.

    Raises:
        BrokerUnreachable: nobody answers at the address.
        ClusterError: a topic is missing, or the cluster refuses to take anything.
        NotAllSent: it took some and then no more.
    """
    from kafka import KafkaProducer

    with connect(bootstrap, client_options=client_options):
        pass  # says in words what is wrong with the address; the producer itself would only time out
    acknowledged = 0
    with refusals_named(bootstrap):
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=10_000,
            delivery_timeout_ms=int(_ACKNOWLEDGED_SECONDS * 1000),
            max_block_ms=10_000,
            **(client_options or {}),
        )
    partitions: dict[str, int] = {}
    try:
        for portion in _portions(records, _PORTION if per_second is None else min(_PORTION, per_second)):
            began = time.monotonic()
            taken = 0
            try:
                with refusals_named(bootstrap):
                    for future in _send(producer, prefix, partitions, portion):
                        future.get(timeout=_ACKNOWLEDGED_SECONDS)
                        taken += 1
            except (BrokerUnreachable, ClusterError) as error:
                if not acknowledged + taken:
                    raise
                raise NotAllSent(acknowledged + taken, total, str(error)) from error
            acknowledged += taken
            told(acknowledged)
            if per_second is not None and acknowledged < total:
                sleep(max(0.0, len(portion) / per_second - (time.monotonic() - began)))
    finally:
        producer.close(timeout=_ACKNOWLEDGED_SECONDS)
    return acknowledged


def _portions(records: Iterable[Sent], size: int) -> Iterator[Sequence[Sent]]:
    rest = iter(records)
    while portion := list(islice(rest, size)):
        yield portion


def _send(producer: Any, prefix: str, partitions: dict[str, int], records: Sequence[Sent]) -> list[Any]:
    """Sends, and gives what to wait for, one for each record."""
    futures = []
    for record in records:
        topic = prefix + record.topic
        if topic not in partitions:
            numbers = producer.partitions_for(topic)
            if not numbers:
                raise ClusterError(f"{topic}: the topic is missing. Create it: moderator topics create")
            partitions[topic] = len(numbers)
        # The partition is told, so that no default of a client can send it elsewhere.
        futures.append(
            producer.send(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=partition_of(record.key, partitions[topic]),
            )
        )
    producer.flush(timeout=_ACKNOWLEDGED_SECONDS)
    return futures
