"""Pictures as RGB arrays, within limits that are checked before anything is decoded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from worker.media.containers import opened
from worker.media.iso_media import boxes
from worker.media.item import Limits, Refusal, RefusedError
from worker.media.sniffing import HEAD_BYTES, IMAGES, sniff

Rgb = NDArray[np.uint8]
"""Height × width × 3, red, green, blue, 0..255."""

DRAFT_SIDE: Final = 1024  # a JPEG is decoded no larger than needed for sides of at least this
FRAME_PIXELS_RATIO: Final = (
    20  # all frames of an animation may have as many pixels as so many largest pictures
)
COUNTED_FRAMES_RATIO: Final = 40  # an animation may have as many frames for each that is looked at

_PLUGINS: Final = {
    "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "avif": "AVIF", "bmp": "BMP", "tiff": "TIFF",
}  # fmt: skip
_COUNTED_BY_HEADER: Final = frozenset(("png", "webp", "avif"))  # a TIFF's pages are no animation
_LISTS: Final = frozenset((b"iinf", b"iloc", b"iref"))  # boxes of an AVIF that grow with its pieces
_LIST_BYTES: Final = 65_536  # of one of them: some two thousand pieces
_NONSENSE_BYTES: Final = 65_536  # of a GIF, between its blocks
_ORIENTATION: Final = 0x0112  # tag of EXIF 2.32, section 4.6.4
_TRANSPOSE: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BACKGROUND: Final = 255  # white, what most viewers show behind what is transparent

# A truncated file is refused, never filled with grey: half a picture would get a hash of its own.
ImageFile.LOAD_TRUNCATED_IMAGES = False
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or an animation that was opened, not yet decoded. Width and height are as shown, in pixels.

    Frames can be gone through once. Large ones come smaller, by a whole factor, with sides of `DRAFT_SIDE` or
    more: what hashes and classifiers look at is far smaller still.
    """

    format: str
    width: int
    height: int
    animated: bool
    frame_count: int  # of the whole animation; 1 for a still picture
    timed_frames: Iterator[tuple[float, Rgb]]  # seconds from the start, and what is shown then

    @property
    def frames(self) -> Iterator[Rgb]:
        """The frames that are looked at: all, or every n-th of more than `Limits.frames`.

        Raises:
            RefusedError: while they are gone through, where the file is truncated or broken.
        """
        return (frame for _, frame in self.timed_frames)


def read_image(path: Path, limits: Limits) -> Picture:
    """Opens a picture; its pixels are decoded when the frames are asked for.

    Raises:
        RefusedError: UNSUPPORTED for what is no image of a format named in `sniffing.IMAGES`, TOO_MANY_PIXELS
            and TOO_MANY_FRAMES by what the header says, UNREADABLE for a broken one.
    """
    with path.open("rb") as file:
        format_ = sniff(file.read(HEAD_BYTES))
        if format_ not in IMAGES:
            raise RefusedError(Refusal.UNSUPPORTED, "it is no image of a format that is read here")
        frame_count = _count_gif_frames(file, limits) if format_ == "gif" else 1
    if format_ == "avif":
        _check_pieces(path)
    Image.MAX_IMAGE_PIXELS = limits.pixels
    with _faults_refused():
        image = Image.open(path, formats=(_PLUGINS[format_],))
    try:
        _check_size(image.size, limits)
        if format_ in _COUNTED_BY_HEADER:
            frame_count = int(getattr(image, "n_frames", 1))
            _check_count(frame_count, limits)
        budget = FRAME_PIXELS_RATIO * limits.pixels
        if frame_count > 1 and frame_count * image.width * image.height > budget:
            raise RefusedError(Refusal.TOO_MANY_FRAMES, "its frames together have more pixels than allowed")
        orientation = _orientation(image) if frame_count == 1 else 1
    except BaseException:
        image.close()
        raise
    width, height = image.size if orientation < 5 else image.size[::-1]
    animated = frame_count > 1
    frames = _animation(image, frame_count, limits) if animated else _still(image, orientation, limits)
    return Picture(format_, width, height, animated, frame_count, frames)


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    if min(size) < 1:
        raise RefusedError(Refusal.UNREADABLE, "a side of it has no pixels")
    if max(size) > limits.side_pixels:
        raise RefusedError(
            Refusal.TOO_MANY_PIXELS, f"a side of it is longer than {limits.side_pixels} pixels"
        )
    if size[0] * size[1] > limits.pixels:
        raise RefusedError(Refusal.TOO_MANY_PIXELS, f"it has more than {limits.pixels} pixels")


def _check_pieces(path: Path) -> None:
    """Refuses an AVIF that lists many thousands of pieces: the decoder takes time with the square of their number."""
    with opened(path) as data:
        listed = 0
        for meta in boxes(data, 0, len(data)):
            if meta.kind != b"meta":
                continue
            for part in boxes(data, meta.start + 4, meta.end):
                if part.kind in _LISTS:
                    listed = max(listed, part.end - part.start)
                elif part.kind == b"iprp":
                    owned = [
                        inner.end - inner.start
                        for inner in boxes(data, part.start, part.end)
                        if inner.kind == b"ipma"
                    ]
                    listed = max(listed, sum(owned))
    if listed > _LIST_BYTES:
        raise RefusedError(Refusal.UNREADABLE, "it consists of more pieces than allowed")


def _check_count(count: int, limits: Limits) -> None:
    if count > COUNTED_FRAMES_RATIO * limits.frames:
        raise RefusedError(
            Refusal.TOO_MANY_FRAMES, f"it has more than {COUNTED_FRAMES_RATIO * limits.frames} frames"
        )


class _faults_refused:  # noqa: N801  # reads as a statement: `with _faults_refused():`
    """Turns whatever Pillow raises for a file into a refusal."""

    def __enter__(self) -> None:
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")  # of broken metadata: many good pictures have some
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._warnings.__exit__(kind, error, trace)
        if (
            error is None
            or isinstance(error, (RefusedError, MemoryError))
            or not isinstance(error, Exception)
        ):
            return
        if isinstance(error, (Image.DecompressionBombWarning, Image.DecompressionBombError)):
            raise RefusedError(Refusal.TOO_MANY_PIXELS, "it has more pixels than allowed") from None
        if isinstance(error, UnidentifiedImageError):
            raise RefusedError(Refusal.UNREADABLE, "its header is broken") from None
        # Plugins raise nearly anything for a broken file: OSError, SyntaxError, struct.error, KeyError …
        raise RefusedError(Refusal.UNREADABLE, "it is truncated or broken") from None


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is missing or senseless."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except MemoryError:  # a PNG is decoded for it
        raise
    except Exception:  # noqa: BLE001  # metadata is the sender's; a picture with bad metadata is still shown
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _still(image: Image.Image, orientation: int, limits: Limits) -> Iterator[tuple[float, Rgb]]:
    with _faults_refused(), image:
        if isinstance(image, JpegImageFile):
            image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))  # decoded at ½, ¼ or ⅛ as far as that is enough
        image.load()
        _check_size(image.size, limits)  # a GIF's frame may enlarge the canvas
        shown = _rgb(image)
        if orientation in _TRANSPOSE:
            shown = shown.transpose(_TRANSPOSE[orientation])
        frame = np.asarray(shown)
    yield 0.0, frame


def _animation(image: Image.Image, count: int, limits: Limits) -> Iterator[tuple[float, Rgb]]:
    """Every n-th frame of an animation; those between are decoded too, as each is drawn over the one before."""
    stride = -(-count // limits.frames)
    seconds = 0.0
    try:
        for index in range(count):
            with _faults_refused():
                try:
                    image.seek(index)
                except EOFError:
                    return  # fewer than announced
                image.load()
                _check_size(image.size, limits)
                frame = np.asarray(_rgb(image)) if index % stride == 0 else None
                duration = image.info.get("duration", 0)
            if frame is not None:
                yield seconds, frame
            # Browsers show a frame of less than 20 ms for 100 ms.
            seconds += min(max(float(duration), 0.0), 1e6) / 1000 if duration and duration >= 20 else 0.1
    finally:
        image.close()


def _rgb(image: Image.Image) -> Image.Image:
    """The image in RGB, over white where it is transparent, smaller by a whole factor if it is large."""
    mode = image.mode
    if mode in ("I", "F") or mode.startswith("I;"):
        image = _deep_grey(image)
    elif mode == "LAB":
        image = image.getchannel(0)  # lightness; the colours are not worth a colour management system
    transparent = mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if transparent else "RGB")
    factor = min(image.size) // DRAFT_SIDE
    if factor >= 2 and image.mode != "1":
        image = image.reduce(factor)  # takes transparency into account
    if transparent:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (_BACKGROUND, _BACKGROUND, _BACKGROUND, 255))
        image = Image.alpha_composite(ground, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits in 8 bits."""
    values = np.asarray(image)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        highest = float(values.max(initial=0.0))
        values = values * (255.0 / highest) if highest > 0 else values
    elif image.mode.startswith("I;16") or int(values.max(initial=0)) > 255:
        values = values >> 8
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _count_gif_frames(file: BinaryIO, limits: Limits) -> int:
    """How many frames a GIF has, by its blocks alone; Pillow counts by going through them, however many there are.

    GIF89a specification, sections 17 to 27: blocks of sub-blocks, with a length byte before each. Bytes between
    blocks that mean nothing are skipped, as viewers do.
    """
    enough = COUNTED_FRAMES_RATIO * limits.frames + 1
    nonsense = count = 0
    try:
        file.seek(10)
        flags = file.read(3)[0]
        file.seek(13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0))
        while count < enough and nonsense < _NONSENSE_BYTES:
            kind = file.read(1)
            if kind == b"!":
                file.read(1)
            elif kind == b",":
                count += 1
                local = file.read(9)[8]
                file.seek((3 << ((local & 7) + 1) if local & 0x80 else 0) + 1, 1)
            elif kind in (b";", b""):
                break
            else:
                nonsense += 1
                continue
            while length := file.read(1)[0]:
                file.seek(length, 1)
    except IndexError:
        pass  # cut off: the decoder refuses it where it comes to the end
    if nonsense >= _NONSENSE_BYTES:
        raise RefusedError(Refusal.UNREADABLE, "it is broken between its blocks")
    _check_count(count, limits)
    return max(1, count)
