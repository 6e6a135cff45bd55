"""A trial: one record is judged in a process of its own, which may die of it.

`python -m worker.probe` reads the record from standard input, restores its partition's state from Kafka,
says `ready`, judges, and says `survived`. The parent takes the time from `ready` on: a slow restore is not
the record's fault. Settings come from the environment, as the parent passes them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from worker.engine.records import Record

if TYPE_CHECKING:
    from worker.settings import Settings

log = logging.getLogger(__name__)

_READY = b"ready\n"
_SURVIVED = b"survived\n"
_START_SECONDS = 300.0  # to load the pack and to restore the partition
_GRACE_SECONDS = 5.0  # for the parent, which is to be first in saying that it takes too long


async def survives(settings: Settings, record: Record, partitions: int) -> bool:
    """Whether a process survives judging the record.

    A trial that cannot be held (the child does not get as far as judging) speaks for the record.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "worker.probe",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=settings.to_environment(),
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        with contextlib.suppress(ConnectionError):
            child.stdin.write(_encode(record, partitions))
            await child.stdin.drain()
            child.stdin.close()
        try:
            async with asyncio.timeout(_START_SECONDS):
                if await child.stdout.readline() != _READY:
                    log.error("the trial of a record could not be held", extra={"topic": record.topic})
                    return True
        except TimeoutError:
            log.error("the trial of a record did not get ready", extra={"topic": record.topic})
            return True
        try:
            async with asyncio.timeout(settings.probe_limit):
                return await child.stdout.readline() == _SURVIVED
        except TimeoutError:
            return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _encode(record: Record, partitions: int) -> bytes:
    value: dict[str, Any] = {
        "partitions": partitions,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _to_text(record.key),
        "value": _to_text(record.value),
        "headers": [[name, _to_text(header)] for name, header in record.headers],
    }
    return json.dumps(value).encode()


def _decode(data: bytes) -> tuple[Record, int]:
    value: Mapping[str, Any] = json.loads(data)
    record = Record(
        value["topic"],
        value["partition"],
        value["offset"],
        value["timestamp"],
        _to_bytes(value["key"]),
        _to_bytes(value["value"]),
        tuple((name, _to_bytes(header)) for name, header in value["headers"]),
    )
    return record, value["partitions"]


def _to_text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _to_bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


async def _restored(settings: Settings, record: Record, partitions: int) -> Any:
    from worker import judges, restore

    # In memory: the folder on disk is the worker's, and this process is gone in a moment.
    judge = judges.load(settings.replace(state_dir=None))(record.partition, partitions)
    await restore.restore(settings, {record.partition: judge.restore})
    return judge


def _end_after(seconds: float) -> None:
    """Ends this process by then: a parent that was killed meanwhile cannot, and a record may hang for ever."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # of the system, not of Python: a hang in C must end too
    signal.setitimer(signal.ITIMER_REAL, seconds)


def main() -> int:
    """Holds the trial; returns 0 when the record was survived."""
    from worker.settings import Settings

    settings = Settings.from_environment()
    _end_after(_START_SECONDS)
    record, partitions = _decode(sys.stdin.buffer.read())
    judge = asyncio.run(_restored(settings, record, partitions))
    _end_after(settings.probe_limit + _GRACE_SECONDS)
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()
    judge.judge([record])
    sys.stdout.buffer.write(_SURVIVED)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
