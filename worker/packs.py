"""The `policies` topic: every worker reads all of it, without a group, and keeps it current.

It has one partition, so the group that shares the other topics cannot read it. The record `current` names the
pack in force; its files come before it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from worker.adapters import kafka
from worker.engine.records import Judged, Record

if TYPE_CHECKING:
    from worker.ports import ShellMetrics
    from worker.settings import Settings

log = logging.getLogger(__name__)

TOPIC = "policies"
CURRENT_KEY = b"current"
_RETRY_SECONDS = 5.0


class PackReader:
    """Reads published packs from the first record on, for as long as the worker runs.

    Each record is answered with a counted decision. `current` is the last record of that key.
    """

    def __init__(self, settings: Settings, metrics: ShellMetrics) -> None:
        self.current: bytes | None = None
        self._settings = settings
        self._metrics = metrics
        self._position = 0

    async def run(self) -> None:
        """Reads until it is cancelled; a broker that is away is waited for."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("cannot read published packs", extra={"error": type(error).__name__})
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self) -> None:
        partition = TopicPartition(self._settings.topic(TOPIC), 0)
        consumer = kafka.reader(self._settings)
        try:
            await consumer.start()
            consumer.assign([partition])
            if self._position:
                consumer.seek(partition, self._position)
            else:
                await consumer.seek_to_beginning(partition)
            while True:
                found = await consumer.getmany(timeout_ms=1000)
                for each in found.get(partition, ()):
                    record = Record(TOPIC, 0, each.offset, each.timestamp, each.key, each.value, each.headers)
                    self._metrics.add(self.take(record).tally)
                    self._position = each.offset + 1
        finally:
            await consumer.stop()

    def take(self, record: Record) -> Judged:
        """Takes one record of the topic; the decision about it is counted, never published."""
        if record.key == CURRENT_KEY:
            self.current = record.value
        judged = Judged()
        judged.count("moderator_records_total", TOPIC)
        judged.count("moderator_decisions_total", TOPIC, "clear")
        return judged
