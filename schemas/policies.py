"""Records of `policies`: a published policy pack, its files in pieces, then the pointer to it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Hex64, Many, Record, Time, Wire

MAX_PIECE_BYTES = 512 * 1024  # of a file, before base64
CURRENT_KEY = b"current"

PackPath = Annotated[str, Field(min_length=1, max_length=1024)]


class PolicyFile(Record):
    """One piece of one file of a pack, with key `<pack>/<path>/<n>`."""

    path: PackPath
    """Path of the file within the pack, with slashes."""
    n: Count
    """Number of this piece, from 0."""
    of: Annotated[Count, Field(ge=1)]
    """How many pieces the file has."""
    sha256: Hex64
    """SHA-256 of this piece's bytes."""
    data_base64: Annotated[str, Field(max_length=(MAX_PIECE_BYTES + 2) // 3 * 4)]
    """The bytes, at most 512 KiB before base64."""


class PackFile(Wire):
    """One file of the pack in force."""

    path: PackPath
    """Path of the file within the pack, with slashes."""
    sha256: Hex64
    """SHA-256 of the whole file."""
    bytes: Count
    """Size of the whole file."""


class Release(Wire):
    """A pack that was published: what is needed to bring it back."""

    pack: Annotated[str, Field(min_length=1, max_length=128)]
    """Id of the pack."""
    sha256: Hex64
    """SHA-256 of the pack."""
    files: Many[PackFile]
    """Its files, sorted by path."""
    published_at: Time
    """When it was published first."""
    published_by: str
    """Who published it."""


class Rollout(Release):
    """A pack that is tried beside the one in force."""

    share: Annotated[float, Field(gt=0.0, le=1.0)]
    """Of all accounts, chosen by a stable hash, how many it is tried on."""
    shadow: bool
    """It is only asked and counted; the pack in force judges all accounts."""


class PolicyCurrent(Record):
    """Which pack is in force, with key `current`, written after all its files."""

    pack: Annotated[str, Field(min_length=1, max_length=128)]
    """Id of the pack, e.g. `2026-11-22.1`."""
    sha256: Hex64
    """SHA-256 of the pack."""
    files: Many[PackFile]
    """Its files, sorted by path."""
    published_at: Time
    """When this record was made; later than that of every such record before it."""
    published_by: str
    """Who published it."""
    rollout: Rollout | None = None
    """The pack that is tried beside it; null when there is none."""
    previous: Many[Release] = ()
    """Packs that were in force before, the last one first; at most 5."""
