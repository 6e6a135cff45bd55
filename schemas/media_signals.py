"""Records of `media.signals`: what was found in one media item after the post was judged."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Hex64, Id, InputRecord, Many, Ratio, Time, Wire
from schemas.posts import AdMarker, Frame, Provenance


class Hashes(Wire):
    """Hashes of a media item."""

    sha256: Hex64 | None = None
    """SHA-256 of the file, 64 hex digits."""
    pdq: Hex64 | None = None
    """PDQ hash, 64 hex digits."""
    pdq_quality: Annotated[Count, Field(le=100)] | None = None
    """Quality that PDQ gives, 0 to 100."""


class BankMatch(Wire):
    """One entry of a hash bank that the media matches."""

    bank: str
    """Name of the bank."""
    policy: str | None = None
    """Policy that the entry is filed under."""
    opinion: str | None = None
    """How sure the bank is, e.g. `confirmed`."""
    distance: Count = 0
    """Distance between the hashes in bits; 0 is the same."""


class MediaSignals(InputRecord):
    """What was found in one media item."""

    post_id: Id
    """The post that shows it."""
    account_id: Id
    """The account that posted it; the record's key."""
    media_id: Id
    """The media item within the post."""
    hashes: Hashes | None = None
    """Its hashes."""
    scores: dict[str, Ratio] = Field(default_factory=dict)
    """Scores of a classifier by class, 0 to 1."""
    provenance: Provenance | None = None
    """How it was made."""
    frames: Many[Frame] = ()
    """Hashed frames of a video."""
    ad_markers: Many[AdMarker] = ()
    """Announced advertisements."""
    matches: Many[BankMatch] = ()
    """Entries of hash banks that it matches."""
    observed_at: Time
    """When it was found: the time by which it is judged."""
