"""What tests of the streaming shell put around it: a judge that counts, and records."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from worker.adapters.memory import MemoryPublisher
from worker.engine.records import Judged, Output, Record
from worker.metrics import Metrics
from worker.partitions import Partition, Tools, Work
from worker.ports import PlainJudge
from worker.transport import Batch
from worker.watchdog import Watchdog


class CountingJudge(PlainJudge):
    """Counts the records of each account in `state`, and publishes each record's number as a decision."""

    def __init__(self, partition: int = 0) -> None:
        self.partition_record: dict[str, Any] = {}
        self.counts: dict[bytes, int] = {}
        self.batches: list[list[int]] = []  # offsets, as they came
        self.due: list[Output] = []
        self._key = b"p:%d" % partition

    def restore(self, key: bytes, value: bytes | None) -> None:
        if key == self._key:
            self.partition_record = json.loads(value or b"{}")
        else:
            self.counts[key] = int(value or b"0")

    def judge(self, records: Sequence[Record]) -> Judged:
        judged = Judged()
        self.batches.append([record.offset for record in records])
        for record in records:
            key = b"a:" + (record.key or b"")
            count = self.counts[key] = self.counts.get(key, 0) + 1
            judged.outputs.append(Output("decisions", record.key or b"", b"%d" % count))
            judged.state[key] = b"%d" % count
            judged.count("moderator_records_total", record.topic)
        return judged

    def expire(self, now: datetime) -> Judged:
        judged, self.due = Judged(self.due), []
        return judged

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        judged = Judged(
            [Output("dead-letter", record.key or b"", f"{reason} {record.offset} {attempts}".encode())]
        )
        judged.count("moderator_dead_letters_total", record.topic, reason)
        return judged


def records(first: int, last: int, topic: str = "posts", partition: int = 0) -> tuple[Record, ...]:
    """Records with the offsets from first to last, both included, all of one account."""
    return tuple(Record(topic, partition, offset, 0, b"u1", b"{}") for offset in range(first, last + 1))


class Bench:
    """A partition with everything around it in memory."""

    def __init__(self, partition: int = 0) -> None:
        self.judge = CountingJudge(partition)
        self.publisher = MemoryPublisher()
        self.failures: list[BaseException] = []
        self.tried: list[int] = []
        self.survives: Callable[[Record], bool] = lambda record: True
        self.epoch = 1
        self.released = 0
        self.begun = 0
        self.metrics = Metrics(strict=True)
        self.tools = Tools(
            metrics=self.metrics,
            watchdog=Watchdog(30.0),
            trial=self._trial,
            epoch=lambda: self.epoch,
            thinking=ThreadPoolExecutor(1),
            now=lambda: 1000.0,
            fail=self.failures.append,
        )
        self.partition = Partition(partition, self.judge, self.publisher, self.tools)

    async def _trial(self, record: Record) -> bool:
        self.tried.append(record.offset)
        return self.survives(record)

    def put(
        self,
        first: int,
        last: int,
        *,
        topic: str = "posts",
        follows: int | None = None,
        epoch: int | None = None,
    ) -> None:
        """Queues a batch of the records from first to last."""
        batch = Batch(topic, 0, records(first, last, topic), self.epoch if epoch is None else epoch, follows)
        self.partition.put(Work(batch, release=self._release, begin=self._begin))

    def _release(self) -> None:
        self.released += 1

    def _begin(self) -> None:
        self.begun += 1
