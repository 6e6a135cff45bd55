"""A record that could not be judged, kept whole as far as it fits, with the reason."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from schemas.base import LATEST, encode
from schemas.dead_letters import MAX_KEPT_PREFIX, MAX_KEPT_WHOLE, DeadLetter, Header
from worker import __version__
from worker.engine.ids import digest
from worker.engine.records import Output, Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = (LATEST - _EPOCH) // timedelta(milliseconds=1)


def time_of(milliseconds: int) -> datetime:
    """A broker's timestamp as a time; exact, and the epoch for what a broker cannot have meant."""
    return _EPOCH + timedelta(milliseconds=milliseconds) if 0 <= milliseconds < _LATEST else _EPOCH


def dead_letter(record: Record, reason: str, detail: str, attempts: int = 1) -> Output:
    """The dead letter of a record; all its times come from the record, so that a replay gives the same bytes.

    `detail` says what was wrong without repeating content. Values over 512 KiB keep their first 64 KiB.
    """
    value = record.value or b""
    truncated = len(value) > MAX_KEPT_WHOLE
    kept = value[:MAX_KEPT_PREFIX] if truncated else value
    letter = DeadLetter(
        schema_version=1,
        dead_letter_id=digest("dead-letter", record.topic, record.partition, record.offset),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key_base64=None if record.key is None else base64.b64encode(record.key).decode(),
        headers=tuple(
            Header(key=name, value_base64=None if data is None else base64.b64encode(data).decode())
            for name, data in record.headers
        ),
        value_base64=None if record.value is None else base64.b64encode(kept).decode(),
        value_bytes=len(value),
        value_sha256=None if record.value is None else hashlib.sha256(value).hexdigest(),
        truncated=truncated,
        reason=reason,
        detail=detail[:1024],
        attempts=attempts,
        worker_version=__version__,
        failed_at=time_of(record.timestamp),
    )
    return Output("dead-letter", record.key or b"", encode(letter))
