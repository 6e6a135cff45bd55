"""Records of `media.signals`: what was found in one media item, of a post or of a profile."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.accounts import AccountRecord
from schemas.base import (
    Count,
    Hex32,
    Hex64,
    Id,
    InputRecord,
    Many,
    Ratio,
    Seconds,
    Time,
    TlshDigest,
    Wire,
)
from schemas.posts import AdMarker, Frame, MediaKind, Post, Provenance

ProfileField = Literal["avatar", "header"]


class Hashes(Wire):
    """Hashes of a media item."""

    sha256: Hex64 | None = None
    """SHA-256 of the file, 64 hex digits."""
    md5: Hex32 | None = None
    """MD5 of the file, 32 hex digits."""
    pdq: Hex64 | None = None
    """PDQ hash, 64 hex digits."""
    pdq_quality: Annotated[Count, Field(le=100)] | None = None
    """Quality that PDQ gives, 0 to 100."""
    tlsh: TlshDigest | None = None
    """TLSH of a document, 70 hex digits, after `T1` or not."""


class BankMatch(Wire):
    """One entry of a hash bank that the media matches."""

    bank: str
    """Name of the bank."""
    policy: str | None = None
    """Policy that the entry is filed under."""
    opinion: str | None = None
    """How sure the bank is: `confirmed`, or `seed` for what a person has to look at."""
    distance: Count = 0
    """Distance between the hashes, of PDQ in bits; 0 is the same."""
    kind: str | None = None
    """Which hash matches: `sha256`, `md5`, `pdq`, `vpdq` (of frames), `tlsh` or `audio`."""
    share: Ratio | None = None
    """Share of the frames that match, 0 to 1; null where there are none."""
    entry: str | None = None
    """Opaque id of the entry in its bank."""
    source: str | None = None
    """Where the bank has the entry from."""


class MediaContext(Wire):
    """What the media item stood in when it was examined, so that it can be judged as part of it."""

    post: Post | None = None
    """The post as it was received; of its other media items only id and kind may be there."""
    account: AccountRecord | None = None
    """The account's snapshot as it was received."""


# What `_is_about_one_thing` asks, for readers of the JSON Schema.
_ABOUT_ONE_THING: dict[str, Any] = {
    "oneOf": [
        {"properties": {"post_id": {"type": "string"}, "field": {"type": "null"}}},
        {"properties": {"post_id": {"type": "null"}, "field": {"type": "string"}}, "required": ["field"]},
    ]
}


class MediaSignals(InputRecord):
    """What was found in one media item."""

    model_config = ConfigDict(json_schema_extra=_ABOUT_ONE_THING)

    post_id: Id | None
    """The post that shows it; null only where a profile does (`field`)."""
    account_id: Id
    """The account that posted it; the record's key."""
    media_id: Id
    """The media item within the post or the profile."""
    field: ProfileField | None = None
    """Which picture of the account's profile it is; null for a post's media."""
    kind: MediaKind | None = None
    """What it really is; null when unknown, and for a document."""
    duration_seconds: Seconds | None = None
    """How long it plays."""
    hashes: Hashes | None = None
    """Its hashes."""
    scores: dict[str, Ratio] = Field(default_factory=dict)
    """Scores of a classifier by class, 0 to 1."""
    classifier: str | None = None
    """Name of the model that gave the scores."""
    provenance: Provenance | None = None
    """How it was made."""
    frames: Many[Frame] = ()
    """Hashed frames of a video."""
    ad_markers: Many[AdMarker] = ()
    """Announced advertisements."""
    matches: Many[BankMatch] = ()
    """Entries of hash banks that it matches."""
    context: MediaContext | None = None
    """The post or the profile that shows it; null when the producer does not know it, or it is too large."""
    observed_at: Time
    """When it was found: the time by which it is judged."""

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> MediaSignals:
        if (self.post_id is None) == (self.field is None):
            raise PydanticCustomError(
                "one_thing", "Exactly one of post_id and field should say whose media it is"
            )
        return self
