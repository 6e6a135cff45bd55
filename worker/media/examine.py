"""What is in one media file: runs in the sandbox's child, and needs no network and no settings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.posts import Frame, MediaKind
from worker.media.images import Picture, read_image
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.pdq import pdq
from worker.media.provenance import read_provenance
from worker.media.sniffing import DOCUMENTS, HEAD_BYTES, IMAGES, PLAYLISTS, accepts, sniff
from worker.media.tlsh import tlsh

if TYPE_CHECKING:
    from worker.media.classifier import Classifier

_CHUNK_BYTES: Final = 1 << 20
_SCORED_FRAMES: Final = 16  # of an animation, about


def examine(path: Path, asked: Asked, limits: Limits, classifier: Classifier | None = None) -> Found:
    """What is found in a file.

    Of a picture its PDQ hash and its scores, of an animation those of its frames (scores of some of them, the highest
    of each class); of a document its TLSH; of every file its exact hashes and what it says of its making.

    Raises:
        RefusedError: it cannot be examined, or is not what its record says.
    """
    with path.open("rb") as file:
        format_ = sniff(file.read(HEAD_BYTES))
    if format_ in PLAYLISTS:
        # Whatever it names would be loaded from where nobody allowed it.
        raise RefusedError(Refusal.PLAYLIST, "it is a list of other addresses")
    if format_ in DOCUMENTS:
        if asked.kind is not None:
            raise RefusedError(Refusal.MISLABELLED, f"a document is said to be of kind {asked.kind}")
        sha256, md5 = _digests(path)
        return Found(format=format_, sha256=sha256, md5=md5, tlsh=tlsh(path.read_bytes()))
    if format_ not in IMAGES:
        raise RefusedError(Refusal.UNSUPPORTED, "it is of a format that is not read here")
    picture = read_image(path, limits)
    kind: MediaKind = "gif" if picture.animated else "image"
    if asked.kind is not None and not accepts(asked.kind, kind):
        raise RefusedError(Refusal.MISLABELLED, f"an {_CALLED[kind]} is said to be of kind {asked.kind}")
    hashed, scores = _looked_at(picture, classifier)
    if not hashed:
        raise RefusedError(Refusal.UNREADABLE, "it has no frame that can be decoded")
    sha256, md5 = _digests(path)
    first = hashed[0]
    return Found(
        kind=kind,
        format=format_,
        sha256=sha256,
        md5=md5,
        pdq=first.pdq,
        pdq_quality=first.pdq_quality,
        width=picture.width,
        height=picture.height,
        frames=hashed if picture.animated else (),
        scores=scores,
        classifier=None if classifier is None else classifier.name,
        provenance=read_provenance(path, format_, limits),
    )


_CALLED: Final = {"image": "image", "gif": "animation"}


def _looked_at(picture: Picture, classifier: Classifier | None) -> tuple[tuple[Frame, ...], dict[str, float]]:
    """The frames with their hashes, and the highest score of each class."""
    hashed: list[Frame] = []
    scores: dict[str, float] = {}
    every = max(1, picture.frame_count // _SCORED_FRAMES)
    for index, (seconds, rgb) in enumerate(picture.timed_frames):
        hash_, quality = pdq(rgb)
        hashed.append(Frame(at_seconds=seconds, pdq=hash_, pdq_quality=quality))
        if classifier is not None and index % every == 0:
            for name, score in classifier.scores(rgb).items():
                scores[name] = max(score, scores.get(name, 0.0))
    return tuple(hashed), scores


def _digests(path: Path) -> tuple[str, str]:
    """SHA-256 and MD5 of the file, hex digits."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()
