"""A record that could not be judged, kept whole as far as it fits, with the reason."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from schemas.base import LATEST, Subject, encode
from schemas.dead_letters import MAX_KEPT_PREFIX, MAX_KEPT_WHOLE, DeadLetter, Header
from worker import __version__
from worker.engine.ids import digest
from worker.engine.records import Output, Record
from worker.engine.times import EPOCH

MAX_KEY = 8 * 1024  # bytes of a key that are kept; ids are far shorter
MAX_HEADERS = 32 * 1024  # bytes of names and values
HEADER_OVERHEAD = 32  # bytes that even an empty header takes in the letter
_LATEST = (LATEST - EPOCH) // timedelta(milliseconds=1)


def time_of(milliseconds: int) -> datetime:
    """A broker's timestamp as a time; exact, and the epoch for what a broker cannot have meant."""
    return EPOCH + timedelta(milliseconds=milliseconds) if 0 <= milliseconds < _LATEST else EPOCH


def dead_letter(
    record: Record, reason: str, detail: str, attempts: int = 1, *, part: tuple[Subject, bytes] | None = None
) -> Output:
    """The dead letter of a record; all its times come from the record, so that a replay gives the same bytes.

    `detail` says what was wrong without repeating content. Values over 512 KiB keep their first 64 KiB,
    keys their first 8 KiB, and headers as many as fit into 32 KiB. `part` is for a record of which one thing only
    could not be judged: what that is, and its own JSON, which is kept instead of the record's value.
    """
    cause: tuple[object, ...] = (record.topic, record.partition, record.offset)
    subject = None
    if part is not None:
        subject, value = part
        cause += (subject.type, subject.id)
        record = replace(record, value=value)
    value = record.value or b""
    key = None if record.key is None else record.key[:MAX_KEY]
    headers, cut = _headers(record)
    # Key and headers come from outside too: what is kept of all three together must fit one request.
    truncated = len(value) > MAX_KEPT_WHOLE
    kept = value[:MAX_KEPT_PREFIX] if truncated else value
    letter = DeadLetter(
        schema_version=1,
        dead_letter_id=digest("dead-letter", *cause),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key_base64=None if key is None else base64.b64encode(key).decode(),
        headers=headers,
        value_base64=None if record.value is None else base64.b64encode(kept).decode(),
        value_bytes=len(value),
        value_sha256=None if record.value is None else hashlib.sha256(value).hexdigest(),
        truncated=truncated or cut or key != record.key,
        reason=reason,
        detail=detail[:1024],
        attempts=attempts,
        worker_version=__version__,
        failed_at=time_of(record.timestamp),
        subject=subject,
    )
    return Output("dead-letter", key or b"", encode(letter))


def _headers(record: Record) -> tuple[tuple[Header, ...], bool]:
    """The first headers, as many as fit, and whether some are left out."""
    kept: list[Header] = []
    room = MAX_HEADERS
    for name, data in record.headers:
        room -= HEADER_OVERHEAD + len(name.encode()) + len(data or b"")
        if room < 0:
            return tuple(kept), True
        kept.append(Header(key=name, value_base64=None if data is None else base64.b64encode(data).decode()))
    return tuple(kept), False
