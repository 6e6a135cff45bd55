"""What is asked of the examination of one media file, what it finds, and why a file is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from schemas.posts import AdMarker, Frame, MediaKind, Provenance


class Refusal(StrEnum):
    """Why a media item was not examined; the closed set of reasons in metrics and dead letters."""

    SCHEME = "scheme"  # the URI's scheme is not allowed
    HOST = "host"  # its host or bucket is not allowed, or its path leaves the folder
    PRIVATE_ADDRESS = "private_address"  # its host resolves to an address that is not public
    REDIRECT = "redirect"  # it redirects to another host
    NOT_FOUND = "not_found"
    UNREACHABLE = "unreachable"  # the store did not answer, or answered with an error, also when asked again
    TOO_LARGE = "too_large"  # more bytes than allowed
    TOO_SLOW = "too_slow"  # loading took longer than allowed
    UNSUPPORTED = "unsupported"  # a format that nothing here reads
    MISLABELLED = "mislabelled"  # it is not what its record says it is
    UNREADABLE = "unreadable"  # truncated or broken
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_FRAMES = "too_many_frames"
    PLAYLIST = "playlist"  # it is a list of other addresses
    TIME = "time"  # examining took longer than allowed
    MEMORY = "memory"  # examining took more memory than allowed
    CRASHED = "crashed"  # examining ended its process


class RefusedError(Exception):
    """A media item cannot be examined. `detail` says why in one sentence, without addresses, ids or contents."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. Bytes are of the file, pixels of one decoded frame, seconds of wall clock."""

    file_bytes: int = 64 * 1024 * 1024
    pixels: int = 50_000_000
    side_pixels: int = 20_000  # the longer side
    load_seconds: float = 10.0
    examine_seconds: float = 30.0
    memory_bytes: int = (
        1536 * 1024 * 1024
    )  # address space that examining may add to what the process begins with
    frames: int = 240  # of a video or an animation that are looked at
    frame_interval_seconds: float = 1.0  # of a video; larger where `frames` would not reach its end
    played_seconds: float = 4 * 3600.0  # a longer video is looked at up to here
    c2pa_trust: str | None = (
        None  # file of certificates (PEM) whose C2PA manifests are trusted, not only valid
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a record says of the item, as far as examining it depends on that."""

    kind: MediaKind | None = None  # as labelled; None: nobody said
    turned: bool = (
        False  # also the hashes of the picture turned and mirrored; commands ask for them, workers do not
    )
    preview_pixels: int = 0  # of the longer side of a small picture of it, for a person to see; 0: none


@dataclass(frozen=True, slots=True)
class Found:
    """What examining one file found. Hashes are hex digits in lower case, scores 0..1 by class."""

    kind: MediaKind | None = None  # what it really is; None for a document
    format: str = ""  # "jpeg", "mp4", "pdf" …
    sha256: str | None = None
    md5: str | None = None
    tlsh: str | None = None  # documents only
    pdq: str | None = None  # of an image; of a video none, its frames have theirs
    pdq_quality: int | None = None
    inner_pdq: str | None = None  # of an image with a plain border: of the picture inside it
    inner_pdq_quality: int | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: tuple[Frame, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)  # the highest of all frames
    classifier: str | None = None  # name of the model that gave them
    provenance: Provenance | None = None
    ad_markers: tuple[AdMarker, ...] = ()
    turned: tuple[str, ...] = ()  # PDQ hashes as `pdq.dihedral` orders them; only where they were asked for
    preview: str | None = None  # JPEG in base64; only where it was asked for
