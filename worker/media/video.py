"""Frames of a video: OpenCV's FFmpeg, held to the one container format that the file has, to files, and to known codecs.

FFmpeg opens whatever it is given, lists of other addresses included; so the demuxer is named and not guessed, and
protocols and codecs are lists. What a header says of rate and length is a hint at best: frames are taken by the times
that they have themselves, and the time for all of it is bounded. See docs/adr/0028-video-by-opencv.md.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.media.images import DRAFT_SIDE
from worker.media.item import Limits, Refusal, RefusedError

# What FFmpeg prints may hold text of the file; both are read when the module is loaded.
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
import cv2

cv2.setNumThreads(1)

Rgb = NDArray[np.uint8]

# FFmpeg's names. Its hundreds of other demuxers and decoders are for formats that nobody posts.
_DEMUXERS: Final = {
    "mp4": "mov",
    "mov": "mov",
    "webm": "matroska",
    "mkv": "matroska",
    "avi": "avi",
    "flv": "flv",
    "mpegts": "mpegts",
}
_DECODERS: Final = "h264,hevc,vp8,vp9,mpeg4,mpeg2video,mpeg1video,mjpeg,h263,flv"
# The same as OpenCV calls them once a file is open: it opens a decoder that is not on the list all the same.
_CODECS: Final = frozenset(
    (
        "H264", "AVC1", "X264", "HEVC", "H265", "HVC1", "HEV1", "VP80", "VP90", "FMP4", "MP4V", "MPG1", "MPG2", "MJPG", "H263", "FLV1",
    )
)  # fmt: skip
_EVERY_SHARE: Final = 0.4  # of the time for examining, in which every frame is decoded
_LOOKING_SHARE: Final = 0.8  # after which the frames so far have to do
_BROKEN_READS: Final = 64  # packets in a row that give no picture, after which the stream has ended
_LEAST_STEP: Final = 1e-3  # seconds between frames of a stream whose times stand still or run backwards
_OPTIONS: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


@dataclass(slots=True)
class Video:
    """An open video: sizes in pixels as it is shown, and its frames, which can be gone through once.

    `frames` gives (seconds, picture), the first frame included, at least `frame_interval_seconds` apart; the distance
    doubles each time that there are `Limits.frames` of them, so that they may be up to some times as many. They come in
    ascending order, but where time runs short. Pictures are RGB, shape (height, width, 3), smaller by a whole factor where they are
    large. `seconds` is where the last frame that was come by stands.
    """

    width: int
    height: int
    frames: Iterator[tuple[float, Rgb]]
    seconds: float = 0.0


class _Track:
    """The picture track of one file, read from its beginning."""

    def __init__(self, path: Path, format_: str) -> None:
        options = {
            "input_format": _DEMUXERS[format_],
            "format_whitelist": _DEMUXERS[format_],
            "protocol_whitelist": "file",
            "codec_whitelist": _DECODERS,
        }
        os.environ[_OPTIONS] = "|".join(f"{name};{value}" for name, value in options.items())
        os.environ["OPENCV_FFMPEG_READ_ATTEMPTS"] = str(_BROKEN_READS)
        try:
            self.capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        except cv2.error:
            raise RefusedError(Refusal.UNREADABLE, "it is truncated or broken") from None
        if not self.capture.isOpened():
            raise RefusedError(
                Refusal.UNREADABLE, "it has no picture that can be decoded: broken, or of another codec"
            )
        code = int(self.capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        if code.to_bytes(4, "little").decode("latin-1").upper() not in _CODECS:
            self.close()
            raise RefusedError(Refusal.UNSUPPORTED, "its picture is of a codec that is not read here")
        self.width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def next(self) -> float | None:
        """Goes to the next frame; its time in seconds, None at the end."""
        try:
            if not self.capture.grab():
                return None
        except cv2.error:
            return None
        milliseconds = float(self.capture.get(cv2.CAP_PROP_POS_MSEC))
        return milliseconds / 1000 if np.isfinite(milliseconds) else 0.0

    def claimed_seconds(self) -> float:
        """Its length, as the header says; 0 where it does not."""
        count, rate = (float(self.capture.get(what)) for what in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
        seconds = count / rate if rate > 0 and count > 0 else 0.0
        return seconds if np.isfinite(seconds) else 0.0

    def seek(self, seconds: float) -> float | None:
        """Goes to the frame at a time; the time of the one that it came to, None if there is none."""
        try:
            self.capture.set(cv2.CAP_PROP_POS_MSEC, seconds * 1000)
        except cv2.error:
            return None
        return self.next()

    def picture(self, limits: Limits) -> Rgb | None:
        """The frame that it is at, in RGB; None if it cannot be decoded.

        Raises:
            RefusedError: it has more pixels than allowed; a stream may change its size.
        """
        try:
            read, bgr = self.capture.retrieve()
        except cv2.error:
            return None
        if not read or bgr is None:
            return None
        check_size(bgr.shape[1], bgr.shape[0], limits)
        factor = min(bgr.shape[:2]) // DRAFT_SIDE
        if factor >= 2:
            size = (bgr.shape[1] // factor, bgr.shape[0] // factor)
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        self.capture.release()


def check_size(width: int, height: int, limits: Limits) -> None:
    """Raises RefusedError where a frame of this size has more pixels than allowed, or none."""
    if min(width, height) < 1:
        raise RefusedError(Refusal.UNREADABLE, "a side of its picture has no pixels")
    if max(width, height) > limits.side_pixels or width * height > limits.pixels:
        raise RefusedError(Refusal.TOO_MANY_PIXELS, f"its picture has more than {limits.pixels} pixels")


def read_video(
    path: Path, format_: str, limits: Limits, *, clock: Callable[[], float] = time.monotonic
) -> Video:
    """The video in a file of one of the formats mp4, mov, webm, mkv, avi, flv, mpegts; frames come as they are asked for.

    All of it is decoded for a part of `examine_seconds`; what is left then is looked at here and there, up to its end. A
    broken stream gives the frames that can be decoded.

    Raises:
        RefusedError: TOO_MANY_PIXELS, or UNREADABLE: broken, without a picture, or of a codec that is not read.
    """
    began = clock()
    track = _Track(path, format_)
    try:
        check_size(track.width, track.height, limits)
    except RefusedError:
        track.close()
        raise

    def spent() -> float:
        return (clock() - began) / limits.examine_seconds

    def frames() -> Iterator[tuple[float, Rgb]]:
        spacing = _Spacing(limits.frame_interval_seconds, limits.frames)
        with contextlib.closing(track):
            for seconds in _times(track, limits):
                video.seconds = seconds
                if spacing.due(seconds) and (picture := track.picture(limits)) is not None:
                    spacing.took(seconds)
                    yield seconds, picture
                if spent() > _EVERY_SHARE:
                    break
            else:
                return
            for seconds, picture in _looks(track, video.seconds, limits):
                video.seconds = max(video.seconds, seconds)
                yield seconds, picture
                if spent() > _LOOKING_SHARE:
                    return

    video = Video(track.width, track.height, frames())
    return video


def _looks(track: _Track, after: float, limits: Limits) -> Iterator[tuple[float, Rgb]]:
    """Frames here and there behind a time: the middle, then the middles of what lies between, and so on.

    However soon this is stopped, they are spread about evenly. Where the header says that it is longer than it is, the end that was
    come to counts.
    """
    spans = deque([(after, min(track.claimed_seconds(), limits.played_seconds))])
    taken = 0
    while spans and taken < limits.frames:
        begin, end = spans.popleft()
        if end - begin <= 2 * limits.frame_interval_seconds:
            continue
        middle = (begin + end) / 2
        reached = track.seek(middle)
        if reached is None or not begin < reached <= end:
            spans.append((begin, middle))
            continue
        picture = track.picture(limits)
        if picture is not None:
            taken += 1
            yield round(reached, 3), picture
        spans.append((begin, min(middle, reached)))
        if reached >= middle - limits.frame_interval_seconds:
            spans.append((max(middle, reached), end))


class _Spacing:
    """Which frames are taken: the first, and then one whenever an interval is over that doubles as they get many.

    What a header says of rate and length is not asked: one that lies would choose what is looked at.
    """

    def __init__(self, interval: float, most: int) -> None:
        self._interval = interval
        self._most = max(2, most)
        self._taken = 0
        self._next = 0.0

    def due(self, seconds: float) -> bool:
        return seconds >= self._next

    def took(self, seconds: float) -> None:
        self._taken += 1
        if self._taken >= self._most:
            self._taken //= 2
            self._interval *= 2
        self._next = seconds + self._interval


def _times(track: _Track, limits: Limits) -> Iterator[float]:
    """When each frame is shown, in seconds, ascending, up to `played_seconds`."""
    at = -_LEAST_STEP
    while (seconds := track.next()) is not None:
        at = round(max(seconds, at + _LEAST_STEP), 3)
        if at > limits.played_seconds:
            return
        yield at
