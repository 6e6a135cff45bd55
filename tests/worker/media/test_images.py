"""Pictures are decoded as they are shown, and only within limits."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.worker.media import hostile_files as hostile
from tests.worker.media.pictures import landscape
from worker.media.images import DRAFT_SIDE, Picture, read_image
from worker.media.item import Limits, Refusal, RefusedError

LIMITS = Limits(pixels=4_000_000, side_pixels=5_000, frames=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def opened(path: Path, content: bytes, limits: Limits = LIMITS) -> Picture:
    path.write_bytes(content)
    return read_image(path, limits)


def first_frame(path: Path, content: bytes, limits: Limits = LIMITS) -> np.ndarray:
    return next(iter(opened(path, content, limits).frames))


def refused(path: Path, content: bytes, limits: Limits = LIMITS) -> Refusal:
    with pytest.raises(RefusedError) as told:
        list(opened(path, content, limits).frames)
    return told.value.reason


def saved(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format_", hostile.FORMATS)
def test_every_format_gives_the_picture_that_was_saved(path, format_) -> None:
    original = landscape(1, (64, 48)).astype(int)
    picture = opened(path, hostile.picture(format_))
    assert (picture.format, picture.width, picture.height) == (format_, 64, 48)
    assert (picture.animated, picture.frame_count) == (False, 1)
    (frame,) = picture.frames
    assert frame.dtype == np.uint8
    assert np.abs(frame.astype(int) - original).mean() < 25, "as far as 256 colours or a codec allow"


@pytest.mark.parametrize("format_", ["gif", "webp", "png", "avif"])
def test_an_animation_gives_its_frames_and_when_they_are_shown(path, format_) -> None:
    picture = opened(path, hostile.animation(format_))
    assert (picture.animated, picture.frame_count) == (True, 3)
    times, frames = zip(*picture.timed_frames, strict=True)
    assert times == pytest.approx((0.0, 0.1, 0.2))
    assert len({frame.tobytes() for frame in frames}) == 3


def test_of_a_long_animation_every_nth_frame_is_looked_at_to_its_end(path) -> None:
    picture = opened(path, hostile.animation("gif", 20), Limits(frames=8))
    times = [seconds for seconds, _ in picture.timed_frames]
    assert times == pytest.approx([0.0, 0.3, 0.6, 0.9, 1.2, 1.5, 1.8])


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
)
def test_every_way_to_write_pixels_is_read(path, mode) -> None:
    grey = np.tile(np.linspace(0, 255, 64, dtype=np.float32), (48, 1))
    if mode in {"I;16", "I"}:
        image = Image.fromarray((grey * 257).astype(np.uint16 if mode == "I;16" else np.int32))
    elif mode == "F":
        image = Image.fromarray(np.where(grey == 0, np.nan, grey / 255))
    else:
        plain = Image.fromarray(grey.astype(np.uint8))
        image = _converted(plain, mode)
    assert image.mode == mode
    frame = first_frame(path, saved(image, "tiff"))
    assert frame.shape == (48, 64, 3)
    bright = frame[..., 1].astype(int)
    assert bright[:, 48:].mean() > 150 > 100 > bright[:, 1:16].mean(), "dark on the left, bright on the right"


def _converted(image: Image.Image, mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.merge("LAB", (image, *(Image.new("L", image.size, 128),) * 2))
    return image.convert("RGB").convert(mode) if mode in {"CMYK", "YCbCr"} else image.convert(mode)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_seen_as_it_is_shown(path, orientation) -> None:
    shown = np.zeros((40, 64, 3), np.uint8)
    shown[:10, :16] = 255  # the bright corner is at the upper left as shown
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF's value -> Pillow's operation that undoes it
    image = Image.fromarray(shown)
    stored = image if orientation == 1 else image.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = opened(path, saved(stored, "png", exif=exif))
    (frame,) = picture.frames
    assert (picture.width, picture.height) == (64, 40)
    assert np.array_equal(frame, shown)


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_a_senseless_orientation_turns_nothing(path, value) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert first_frame(path, saved(Image.new("RGB", (64, 40)), "jpeg", exif=exif)).shape == (40, 64, 3)


def test_what_is_transparent_is_shown_over_white(path) -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 20, 40))
    for content in (saved(image, "png"), saved(image, "webp", lossless=True)):
        frame = first_frame(path, content)
        assert tuple(frame[20, 10]) == (255, 0, 0)
        assert tuple(frame[20, 30]) == (255, 255, 255)
    keyed = saved(Image.new("RGB", (40, 40), (1, 2, 3)), "png", transparency=(1, 2, 3))
    assert first_frame(path, keyed).min() == 255


@pytest.mark.parametrize("format_", ["jpeg", "png", "tiff"])
def test_a_large_picture_comes_smaller_but_says_how_large_it_is(path, format_) -> None:
    image = Image.fromarray(landscape(2, (320, 240))).resize((4096, 3072))
    picture = opened(path, saved(image, format_), Limits())
    (frame,) = picture.frames
    assert (picture.width, picture.height) == (4096, 3072)
    assert DRAFT_SIDE <= min(frame.shape[:2]) < 2 * DRAFT_SIDE


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (hostile.png(5_001, 1, b""), Refusal.TOO_MANY_PIXELS),
        (hostile.png(1, 5_001, b""), Refusal.TOO_MANY_PIXELS),
        (hostile.png(2_001, 2_000, b""), Refusal.TOO_MANY_PIXELS),
        (hostile.png(0x7FFFFFFF, 0x7FFFFFFF, b""), Refusal.TOO_MANY_PIXELS),
        (hostile.png(0, 5, b""), Refusal.UNREADABLE),
        (hostile.gif(65_535, 65_535, hostile.gif_frame()), Refusal.TOO_MANY_PIXELS),
        (hostile.gif(1, 1, hostile.gif_frame(65_535, 65_535)), Refusal.TOO_MANY_PIXELS),
        (hostile.gif(1, 1, hostile.gif_frame(1, 1, 60_000, 60_000)), Refusal.TOO_MANY_PIXELS),
        (hostile.webp_animation(16_384, 16_384, 2), Refusal.TOO_MANY_PIXELS),
        (hostile.avif_grid(36, 36), Refusal.TOO_MANY_PIXELS),
        (hostile.tiff_of(65_000, 65_000, b"x"), Refusal.TOO_MANY_PIXELS),
        (hostile.tiff_of(1, 50_000, b"x"), Refusal.TOO_MANY_PIXELS),
        (b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 60_000, -60_000, 1, 1, 1, 0, 0, 0, 0, 0),
         Refusal.TOO_MANY_PIXELS),
    ],
    ids=["wide", "tall", "area", "largest", "none", "gif screen", "gif frame", "gif corner", "webp", "grid", "tiff",
         "tall tiff", "bmp"],
)  # fmt: skip
def test_too_many_pixels_are_refused_by_the_header(path, content, reason) -> None:
    assert len(content) < 200_000
    assert refused(path, content) is reason


@pytest.mark.parametrize(
    "content",
    [
        hostile.gif(8, 8, hostile.gif_frame() * 1_000),
        hostile.webp_animation(16, 16, 400),
        hostile.small_png(hostile.chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0))),
    ],
    ids=["gif", "webp", "apng"],
)
def test_too_many_frames_are_refused_by_the_header(path, content) -> None:
    assert refused(path, content) is Refusal.TOO_MANY_FRAMES


def test_frames_that_are_many_and_large_are_refused_together(path) -> None:
    content = hostile.webp_animation(1_900, 1_900, 30)
    assert refused(path, content) is Refusal.TOO_MANY_FRAMES
    assert len(list(opened(path, hostile.webp_animation(190, 190, 30)).frames)) == 8


def test_a_gif_of_blocks_without_end_or_sense_is_refused(path) -> None:
    assert refused(path, hostile.gif(8, 8, b"\x01" * 70_000)) is Refusal.UNREADABLE
    comments = hostile.gif(8, 8, (b"!\xfe\xff" + b"x" * 255 + b"\0") * 2_000, hostile.gif_frame(8, 8))
    assert refused(path, comments) is Refusal.UNREADABLE, "its frame has one pixel of the 64"


def test_of_a_tiff_of_many_pages_the_first_is_looked_at(path) -> None:
    picture = opened(path, hostile.tiff_pages(300))
    assert (picture.animated, len(list(picture.frames))) == (False, 1)
    loop = hostile.tiff_of(4, 4, bytes(16), compression=1, following=24)
    assert len(list(opened(path, loop).frames)) == 1, "a page that comes after itself"


@pytest.mark.parametrize(
    "content",
    [
        hostile.gif(8, 8),
        hostile.gif(8, 8, b";"),
        hostile.webp_animation(16, 16, 0),
        hostile.tiff_of(8, 8, b""),
        hostile.tiff({256: (4, 1, 8), 257: (4, 1, 8)}),
        hostile.png(8, 8, b""),
    ],
    ids=["gif", "ended gif", "webp", "tiff", "stripless tiff", "png"],
)
def test_a_picture_without_pixels_is_refused(path, content) -> None:
    assert refused(path, content) is Refusal.UNREADABLE


@pytest.mark.parametrize("format_", hostile.FORMATS)
def test_a_picture_cut_off_anywhere_is_refused_or_whole(path, format_) -> None:
    """Half a picture would get a hash of its own: whoever cuts off more than the file's end mark gets none."""
    whole = hostile.picture(format_, (32, 24))
    pixels = first_frame(path, whole)
    for length in range(1, len(whole)):
        outcome: np.ndarray | Refusal
        try:
            outcome = first_frame(path, whole[:length])
        except RefusedError as error:
            outcome = error.reason
        if isinstance(outcome, Refusal):
            assert outcome in {Refusal.UNREADABLE, Refusal.UNSUPPORTED}, length
        else:
            assert np.array_equal(outcome, pixels), length
            assert len(whole) - length < 40, "no more than what ends the file"
