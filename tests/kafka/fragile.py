"""A judge for the shell's own tests: it counts, and dies or hangs where the record says so.

`MODERATOR_JUDGE=tests.kafka.fragile:judges`. Each record comes out as a decision with its account's running
number, so that a record lost, doubled or counted on a wrong state shows in the series.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from worker.engine.records import Judged, Output, Record
from worker.ports import PlainJudge
from worker.settings import Settings

DEADLY = b"this post kills the process"
ENDLESS = b"this post never ends"
_SECONDS_PER_RECORD = 20e-6  # so that there is something to interrupt


def judges(settings: Settings) -> Callable[[int, int], FragileJudge]:
    """The factory that the setting names."""
    return lambda partition, partitions: FragileJudge(partition)


class FragileJudge(PlainJudge):
    """See the module."""

    def __init__(self, partition: int) -> None:
        self.partition_record: dict[str, Any] = {}
        self._counts: dict[bytes, int] = {}
        self._key = b"p:%d" % partition

    def restore(self, key: bytes, value: bytes | None) -> None:
        if key == self._key:
            self.partition_record = json.loads(value or b"{}")
        else:
            self._counts[key] = int(value or b"0")

    def judge(self, records: Sequence[Record]) -> Judged:
        judged = Judged()
        for record in records:
            assert record.key is not None
            assert record.value is not None
            if DEADLY in record.value:
                os.kill(os.getpid(), signal.SIGKILL)
            while ENDLESS in record.value:
                time.sleep(1)
            key = b"a:" + record.key
            count = self._counts[key] = self._counts.get(key, 0) + 1
            post_id = json.loads(record.value)["post_id"]
            judged.outputs.append(
                Output("decisions", record.key, json.dumps({"post_id": post_id, "number": count}).encode())
            )
            judged.state[key] = b"%d" % count
        until = time.perf_counter() + len(records) * _SECONDS_PER_RECORD
        while time.perf_counter() < until:
            pass
        judged.count("moderator_records_total", records[0].topic, by=len(records))
        return judged

    def expire(self, now: datetime) -> Judged:
        return Judged()

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        body = {
            "partition": record.partition,
            "offset": record.offset,
            "reason": reason,
            "attempts": attempts,
        }
        return Judged([Output("dead-letter", record.key or b"", json.dumps(body).encode())])
