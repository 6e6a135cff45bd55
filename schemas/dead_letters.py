"""Records of `dead-letter`: a record that could not be judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt

from schemas.base import Count, Flag, Hex64, Id, Many, Record, Subject, Time, Wire, not_always

MAX_KEPT_WHOLE = 512 * 1024  # bytes of a value that is kept whole
MAX_KEPT_PREFIX = 64 * 1024  # bytes that are kept of a longer one

DeadLetterReason = Literal[
    "bad_utf8", "bad_json", "invalid", "null_value", "too_large", "too_deep", "unsupported_version", "misrouted",
    "crashed_worker", "media_refused",
]  # fmt: skip


class Header(Wire):
    """One header of the record; names may repeat."""

    key: str
    """Name of the header."""
    value_base64: str | None = None
    """Its value; null when it has none."""


class DeadLetter(Record):
    """A record that could not be judged, with what is needed to replay it."""

    model_config = ConfigDict(json_schema_extra=not_always("subject"))

    dead_letter_id: Id
    """Id of the dead letter, the same whenever the same record fails."""
    topic: str
    """Topic of the record, without the prefix."""
    partition: Count
    """Its partition number."""
    offset: Count
    """Its offset."""
    timestamp: StrictInt
    """Its timestamp in milliseconds since 1970, as the broker stored it; -1 when it has none."""
    key_base64: str | None = None
    """Its key; null when it has none."""
    headers: Many[Header] = ()
    """Its headers, in order."""
    value_base64: str | None = None
    """Its value; over 512 KiB only the first 64 KiB; null when it has none."""
    value_bytes: Count
    """Size of the whole value."""
    value_sha256: Hex64 | None = None
    """SHA-256 of the whole value; null when it has none."""
    truncated: Flag = False
    """Whether `value_base64` is only the beginning."""
    reason: DeadLetterReason
    """Why it could not be judged."""
    detail: Annotated[str, Field(max_length=1024)] = ""
    """Where and what was wrong; never what people wrote."""
    attempts: Annotated[Count, Field(ge=1)]
    """How often it was tried."""
    worker_version: str
    """Version of the worker that gave up."""
    failed_at: Time
    """When it was given up."""
    subject: Annotated[Subject | None, Field(exclude_if=lambda subject: subject is None)] = None
    """What of the record could not be judged, where the rest could: a media item or a picture of a profile. The value
    is that item's own JSON then. Left out where it is the whole record."""
