"""What is in one media file: runs in the sandbox's child, and needs no network and no settings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from schemas.posts import Frame, MediaKind
from worker.media.ad_markers import read_ad_markers
from worker.media.audio import audio_seconds
from worker.media.borders import without_border
from worker.media.images import read_image
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.pdq import Pdq, pdq
from worker.media.provenance import read_provenance
from worker.media.sniffing import AUDIOS, DOCUMENTS, HEAD_BYTES, IMAGES, PLAYLISTS, VIDEOS, accepts, sniff
from worker.media.tlsh import tlsh
from worker.media.video import read_video

if TYPE_CHECKING:
    from worker.media.classifier import Classifier

_CHUNK_BYTES: Final = 1 << 20
_SCORED_FRAMES: Final = 16  # of an animation or a video, before only every other one is; then every fourth …


def examine(path: Path, asked: Asked, limits: Limits, classifier: Classifier | None = None) -> Found:
    """What is found in a file.

    Of a picture its PDQ hash, that of what a plain border surrounds, and its scores, of an animation or a video those of its frames (scores of some of them,
    the highest of each class) and where it announces advertisements; of sound its length; of a document its TLSH; of every file its exact
    hashes and what it says of its making.

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
    if format_ in VIDEOS:
        return _video(path, format_, asked, limits, classifier)
    if format_ in AUDIOS:
        return _audio(path, format_, asked, limits)
    if format_ not in IMAGES:
        raise RefusedError(Refusal.UNSUPPORTED, "it is of a format that is not read here")
    return _image(path, format_, asked, limits, classifier)


def _image(path: Path, format_: str, asked: Asked, limits: Limits, classifier: Classifier | None) -> Found:
    picture = read_image(path, limits)
    kind: MediaKind = "gif" if picture.animated else "image"
    _check_label(asked, kind)
    inner: list[Pdq] = []

    def frames() -> Iterator[tuple[float, NDArray[np.uint8]]]:
        for seconds, rgb in picture.timed_frames:
            if not picture.animated and (inside := without_border(rgb)) is not None:
                inner.append(pdq(inside))
            yield seconds, rgb

    hashed, scores = _looked_at(frames(), classifier)
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
        inner_pdq=inner[0].hash if inner else None,
        inner_pdq_quality=inner[0].quality if inner else None,
        width=picture.width,
        height=picture.height,
        frames=hashed if picture.animated else (),
        scores=scores,
        classifier=None if classifier is None else classifier.name,
        provenance=read_provenance(path, format_, limits),
    )


def _video(path: Path, format_: str, asked: Asked, limits: Limits, classifier: Classifier | None) -> Found:
    kind: MediaKind = "live_video" if asked.kind == "live_video" else "video"
    _check_label(asked, kind)
    video = read_video(path, format_, limits)
    hashed, scores = _looked_at(video.frames, classifier)
    if not hashed:
        raise RefusedError(Refusal.UNREADABLE, "it has no frame that can be decoded")
    sha256, md5 = _digests(path)
    return Found(
        kind=kind,
        format=format_,
        sha256=sha256,
        md5=md5,
        width=video.width,
        height=video.height,
        duration_seconds=video.seconds,
        frames=_thinned(hashed, limits.frames),
        scores=scores,
        classifier=None if classifier is None else classifier.name,
        provenance=read_provenance(path, format_, limits),
        ad_markers=read_ad_markers(path, format_),
    )


def _audio(path: Path, format_: str, asked: Asked, limits: Limits) -> Found:
    _check_label(asked, "audio")
    seconds = None if format_ == _RAW_AUDIO else audio_seconds(path)
    sha256, md5 = _digests(path)
    return Found(
        kind="audio",
        format=format_,
        sha256=sha256,
        md5=md5,
        duration_seconds=seconds,
        provenance=read_provenance(path, format_, limits),
    )


_RAW_AUDIO: Final = "aac"  # frames without a container, which states no length
_CALLED: Final = {
    "image": "an image",
    "gif": "an animation",
    "video": "a video",
    "live_video": "a video",
    "audio": "sound",
}


def _check_label(asked: Asked, kind: MediaKind) -> None:
    if not accepts(asked.kind, kind):
        raise RefusedError(Refusal.MISLABELLED, f"{_CALLED[kind]} is said to be of kind {asked.kind}")


def _looked_at(
    frames: Iterable[tuple[float, NDArray[np.uint8]]], classifier: Classifier | None
) -> tuple[tuple[Frame, ...], dict[str, float]]:
    """The frames with their hashes, and the highest score of each class."""
    hashed: list[Frame] = []
    scores: dict[str, float] = {}
    every = 1  # how many frames lie between those that are scored; how many there will be, no header says reliably
    for index, (seconds, rgb) in enumerate(frames):
        hash_, quality = pdq(rgb)
        hashed.append(Frame(at_seconds=seconds, pdq=hash_, pdq_quality=quality))
        if classifier is not None and index % every == 0:
            if index // every >= _SCORED_FRAMES:
                every *= 2
            for name, score in classifier.scores(rgb).items():
                scores[name] = max(score, scores.get(name, 0.0))
    return tuple(sorted(hashed, key=lambda frame: frame.at_seconds)), scores


def _thinned(frames: tuple[Frame, ...], most: int) -> tuple[Frame, ...]:
    """At most so many of the frames, about as far apart in time as each other."""
    if len(frames) <= most:
        return frames
    begin, end = frames[0].at_seconds, frames[-1].at_seconds
    step = (end - begin) / most
    kept: list[Frame] = []
    for frame in frames:
        if frame.at_seconds >= begin + len(kept) * step and len(kept) < most:
            kept.append(frame)
    return tuple(kept)


def _digests(path: Path) -> tuple[str, str]:
    """SHA-256 and MD5 of the file, hex digits."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()
