"""What happens to pictures and films on their way: the changes under which the banks' recall is measured."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from worker.bench.drawing import Picture, letter_font
from worker.bench.pictures import captioned

Change = Callable[[Image.Image], Image.Image]


def _resized(share: float) -> Change:
    return lambda image: image.resize(
        (round(image.width * share), round(image.height * share)), Image.Resampling.BICUBIC
    )


def _encoded(format_: str, **options: object) -> Change:
    def change(image: Image.Image) -> Image.Image:
        data = BytesIO()
        image.save(data, format_, **options)
        data.seek(0)
        return Image.open(data).convert("RGB")

    return change


def _cropped(share: float) -> Change:
    """Half of this share of each side is cut off at each of its ends."""

    def change(image: Image.Image) -> Image.Image:
        x, y = image.width * share / 2, image.height * share / 2
        return image.crop((round(x), round(y), round(image.width - x), round(image.height - y)))

    return change


def _bordered(share: float, colour: str) -> Change:
    """A border on all sides, this share of the shorter side wide."""

    def change(image: Image.Image) -> Image.Image:
        wide = round(min(image.size) * share)
        made = Image.new("RGB", (image.width + 2 * wide, image.height + 2 * wide), colour)
        made.paste(image, (wide, wide))
        return made

    return change


def _small_mark(image: Image.Image) -> Image.Image:
    """A name in a corner."""
    made = image.copy()
    points = max(9, image.height // 22)
    place = (image.width - points // 2, image.height - points // 2)
    ImageDraw.Draw(made).text(
        place,
        "@some_account",
        font=letter_font(points),
        fill="white",
        stroke_width=1,
        stroke_fill="black",
        anchor="rd",
    )
    return made


def _large_mark(image: Image.Image) -> Image.Image:
    """Translucent letters across the whole picture, as stock agencies have them."""
    over = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(over)
    font = letter_font(max(14, image.height // 4))
    draw.text((image.width / 2, image.height / 2), "SAMPLE", font=font, fill=(255, 255, 255, 90), anchor="mm")
    return Image.alpha_composite(image.convert("RGBA"), over).convert("RGB")


def _gamma(power: float) -> Change:
    table = [round(255 * (level / 255) ** power) for level in range(256)] * 3
    return lambda image: image.point(table)


def _noisy(levels: float) -> Change:
    def change(image: Image.Image) -> Image.Image:
        values = np.asarray(image, np.float32)
        chance = np.random.default_rng(image.width)
        return Image.fromarray(
            np.clip(values + chance.normal(0, levels, values.shape), 0, 255).astype(np.uint8)
        )

    return change


def _turned(degrees: float) -> Change:
    """Turned around its middle within its own size; what becomes empty is black."""
    return lambda image: image.rotate(degrees, Image.Resampling.BICUBIC)


def _as_screenshot(image: Image.Image) -> Image.Image:
    """On a phone's screen, with bars above and below, a line of text, and margins."""
    wide = round(image.width * 1.08)
    made = Image.new("RGB", (wide, round(wide * 1.3)), (250, 250, 250))
    draw = ImageDraw.Draw(made)
    bar = made.height // 12
    draw.rectangle((0, 0, wide, bar), fill=(30, 60, 110))
    draw.text(
        (bar // 2, bar + bar // 2), "look at this", font=letter_font(max(9, bar // 2)), fill=(20, 20, 20)
    )
    made.paste(image, ((wide - image.width) // 2, bar * 2 + bar // 2))
    return made


def _captioned(image: Image.Image) -> Image.Image:
    return Image.fromarray(captioned(np.asarray(image), "WHEN THE TRAIN", "IS LATE AGAIN"))


def _after(*changes: Change) -> Change:
    def change(image: Image.Image) -> Image.Image:
        for one in changes:
            image = one(image)
        return image

    return change


def _enhanced(what: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Change:
    return lambda image: what(image).enhance(factor)


CHANGES: dict[str, Change] = {
    "none": lambda image: image,
    "resized to 1/2": _resized(0.5),
    "resized to 1/4": _resized(0.25),
    "resized to 3/2": _resized(1.5),
    "squeezed to a square": lambda image: image.resize((360, 360), Image.Resampling.BICUBIC),
    "JPEG, quality 90": _encoded("JPEG", quality=90),
    "JPEG, quality 50": _encoded("JPEG", quality=50),
    "JPEG, quality 20": _encoded("JPEG", quality=20),
    "WebP, quality 60": _encoded("WEBP", quality=60),
    "AVIF, quality 50": _encoded("AVIF", quality=50, speed=9, max_threads=1),
    "PNG of 256 colours": lambda image: image.quantize(256).convert("RGB"),
    "cropped by 2 %": _cropped(0.02),
    "cropped by 5 %": _cropped(0.05),
    "cropped by 10 %": _cropped(0.10),
    "cropped by 20 %": _cropped(0.20),
    "name in a corner": _small_mark,
    "large watermark": _large_mark,
    "border of 2 %, black": _bordered(0.02, "black"),
    "border of 5 %, black": _bordered(0.05, "black"),
    "border of 10 %, black": _bordered(0.10, "black"),
    "border of 2 %, white": _bordered(0.02, "white"),
    "border of 5 %, white": _bordered(0.05, "white"),
    "border of 10 %, white": _bordered(0.10, "white"),
    "brightness − 10 %": _enhanced(ImageEnhance.Brightness, 0.9),
    "brightness − 30 %": _enhanced(ImageEnhance.Brightness, 0.7),
    "brightness + 10 %": _enhanced(ImageEnhance.Brightness, 1.1),
    "brightness + 30 %": _enhanced(ImageEnhance.Brightness, 1.3),
    "contrast − 30 %": _enhanced(ImageEnhance.Contrast, 0.7),
    "contrast + 30 %": _enhanced(ImageEnhance.Contrast, 1.3),
    "gamma 1.5": _gamma(1.5),
    "blurred by 2 pixels": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "blurred by 5 pixels": lambda image: image.filter(ImageFilter.GaussianBlur(5)),
    "sharpened": lambda image: image.filter(ImageFilter.UnsharpMask(3, 150)),
    "noise of 12 levels": _noisy(12),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "colours inverted": lambda image: Image.fromarray(255 - np.asarray(image)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by 2°": _turned(2),
    "turned by 5°": _turned(5),
    "turned by 90°": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "caption above and below": _captioned,
    "screenshot of a phone": _as_screenshot,
    "half, JPEG 50, border of 2 %": _after(
        _resized(0.5), _bordered(0.02, "white"), _encoded("JPEG", quality=50)
    ),
    "half, JPEG 50, border of 5 %": _after(
        _resized(0.5), _bordered(0.05, "white"), _encoded("JPEG", quality=50)
    ),
    "half, name in a corner, JPEG 50": _after(_resized(0.5), _small_mark, _encoded("JPEG", quality=50)),
}
"""By name. Sizes and shares are of the picture as it was."""


def changed(picture: Picture, name: str) -> Picture:
    """The picture after one of `CHANGES`."""
    return np.asarray(CHANGES[name](Image.fromarray(picture)))
