"""Kafka clients made from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiokafka
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import UnknownTopicOrPartitionError

from worker import security

if TYPE_CHECKING:
    from worker.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """What every client of this process is told about the cluster."""
    return {
        "bootstrap_servers": [address.strip() for address in settings.broker.split(",")],
        "client_id": settings.client_id(),
        **security.for_aiokafka(settings),
    }


def producer(settings: Settings, *, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:
    """An idempotent producer, transactional when it has an id; not started."""
    options: dict[str, Any] = {}
    if transactional_id is not None:
        options["transactional_id"] = transactional_id
        options["transaction_timeout_ms"] = int(settings.transaction_timeout * 1000)
    return aiokafka.AIOKafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=True,
        linger_ms=int(settings.linger * 1000),
        compression_type=settings.compression or None,
        max_batch_size=settings.max_request_size,
        max_request_size=settings.max_request_size,
        request_timeout_ms=10_000,
        **options,
    )


def reader(settings: Settings, **options: Any) -> aiokafka.AIOKafkaConsumer:
    """A consumer without a group that reads committed records only; not started."""
    return aiokafka.AIOKafkaConsumer(
        **connection(settings),
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        **options,
    )


async def partition_count(settings: Settings, topic: str) -> int:
    """How many partitions a topic (by the contract's name) has.

    Raises:
        KafkaError: the cluster did not say, or has no such topic.
    """
    client = AIOKafkaClient(**connection(settings), request_timeout_ms=10_000)
    try:
        await client.bootstrap()
        cluster = await client.fetch_all_metadata()
    finally:
        await client.close()
    partitions = cluster.partitions_for_topic(settings.topic(topic))
    if not partitions:
        raise UnknownTopicOrPartitionError(settings.topic(topic))
    return len(partitions)
