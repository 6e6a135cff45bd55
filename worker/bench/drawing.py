"""What the benchmark's pictures are drawn with: chance, colours, noise, shapes and letters."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]  # height x width x 3, RGB
Size = tuple[int, int]  # width, height
Colour = tuple[int, int, int]
Field = NDArray[np.float32]  # height x width, or with a third axis of three colours

_WORDS = (
    "river", "morning", "council", "lantern", "seven", "garden", "offer", "station", "winter", "letter", "harbour",
    "market", "open", "today", "blue", "mountain", "train", "music", "bread", "paper", "window", "summer", "evening",
)  # fmt: skip


def chance_for(kind: str, seed: int) -> np.random.Generator:
    """The same chances for the same kind and seed."""
    return np.random.default_rng([*kind.encode(), seed])


@cache
def letter_font(points: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with Pillow."""
    return ImageFont.load_default(points)


def some_colour(chance: np.random.Generator, low: int, high: int) -> Colour:
    """A colour whose parts are in [low, high)."""
    red, green, blue = (int(c) for c in chance.integers(low, high, 3))
    return red, green, blue


def light_or_dark(chance: np.random.Generator) -> Colour:
    """Nearly white or nearly black."""
    return (250, 250, 245) if chance.random() < 0.5 else (12, 12, 16)


def skin_tone(chance: np.random.Generator) -> Colour:
    """One of the colours that skin has."""
    tone = chance.uniform(0.35, 1.0)
    return int(245 * tone), int(200 * tone), int(170 * tone)


def darker(colour: Colour, share: float) -> Colour:
    """The colour at this share of its light."""
    return int(colour[0] * share), int(colour[1] * share), int(colour[2] * share)


def some_words(chance: np.random.Generator, count: int) -> str:
    """So many plain words."""
    return " ".join(str(word) for word in chance.choice(_WORDS, count))


def fractal(chance: np.random.Generator, size: Size, octaves: int, stretch: int = 1) -> Field:
    """Noise with detail at so many scales, 0..1; `stretch` makes it longer sideways."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        cells = 2 ** (octave + 2)
        grid = chance.random((max(2, cells), max(2, cells * size[0] // (size[1] * stretch) or 2)), np.float32)
        total += np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)) * 0.62**octave
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def heights(chance: np.random.Generator, points: int) -> Field:
    """A line of so many heights, 0..1, with detail at all scales."""
    total = np.zeros(points, np.float32)
    for octave in range(6):
        knots = chance.random(2 ** (octave + 1) + 2)
        total += (
            np.interp(np.linspace(0, 1, points), np.linspace(0, 1, len(knots)), knots) * 0.5**octave
        ).astype(np.float32)
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def gradient(size: Size, angle: float = 0.0) -> Field:
    """From 0 to 1 across the picture: downwards at angle 0, else turned by so many radians."""
    along, across = np.meshgrid(np.linspace(0, 1, size[1]), np.linspace(0, 1, size[0]), indexing="ij")
    field = (along - 0.5) * np.cos(angle) + (across - 0.5) * np.sin(angle)
    scaled: Field = ((field - field.min()) / np.ptp(field)).astype(np.float32)
    return scaled


def blend(first: Colour, second: Colour, share: Field) -> Field:
    """From the first colour, where the share is 0, to the second, where it is 1."""
    return (
        np.asarray(first, np.float32) * (1 - share[..., None])
        + np.asarray(second, np.float32) * share[..., None]
    )


def as_image(scene: Field) -> Image.Image:
    """The field as an image; what is too dark or too light is cut off."""
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def grained(scene: Field, chance: np.random.Generator, grain: float) -> Picture:
    """The picture with a film's grain of so many levels."""
    return np.clip(scene + chance.normal(0, grain, scene.shape[:2])[..., None], 0, 255).astype(np.uint8)


def oval(draw: ImageDraw.ImageDraw, x: float, y: float, wide: float, tall: float, colour: Colour) -> None:
    """A filled ellipse around a point; `wide` and `tall` are half axes."""
    draw.ellipse((x - wide, y - tall, x + wide, y + tall), fill=colour)


def some_box(chance: np.random.Generator, size: Size) -> tuple[float, float, float, float]:
    """A box that lies somewhere within the size, or a little beyond it."""
    x, y = sorted(chance.uniform(-0.1, 1.1, 2) * size[0]), sorted(chance.uniform(-0.1, 1.1, 2) * size[1])
    return x[0], y[0], x[1], y[1]


def draw_windows(
    draw: ImageDraw.ImageDraw, chance: np.random.Generator, box: tuple[int, int, int, int]
) -> None:
    """Windows in rows within left, top, right, bottom."""
    left, top, right, bottom = box
    wide, tall = (
        max(4, (right - left) // int(chance.integers(4, 9))),
        max(5, (bottom - top) // int(chance.integers(6, 16))),
    )
    lit, dark, share = some_colour(chance, 170, 255), some_colour(chance, 0, 70), chance.uniform(0.1, 0.8)
    for y in range(top + tall // 2, bottom - tall, tall):
        for x in range(left + wide // 3, right - wide // 2, wide):
            draw.rectangle(
                (x, y, x + wide // 2, y + tall // 2), fill=lit if chance.random() < share else dark
            )


def draw_letters(
    draw: ImageDraw.ImageDraw, words: str, size: Size, share: float, top: float, colour: Colour
) -> None:
    """Words in lines of letters that are this share of the picture's height, from `top` (a share, too)."""
    points = max(10, int(size[1] * share))
    line, y = "", size[1] * top
    for word in [*words.upper().split(), ""]:
        longer = f"{line} {word}".strip()
        if word and draw.textlength(longer, font=letter_font(points)) < size[0] * 0.92:
            line = longer
            continue
        draw.text((size[0] * 0.04, y), line, font=letter_font(points), fill=colour)
        line, y = word, y + points * 1.15
