"""Pictures made by code: what the figures about media are measured on, and what the tests of media look at.

Every picture is an RGB array (height x width x 3, uint8), the same for the same kind, seed and size. Nobody is in
them and nobody made them: terrain, towns, drawn faces, bowls, posters, screens, charts, weaves. They have what a
perceptual hash lives on (large shapes, light, detail at all scales), but they are not photographs: figures on them
say how a hash behaves under a change of the picture, not how often strangers' photographs look alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from worker.bench.drawing import (
    Picture,
    Size,
    as_image,
    blend,
    chance_for,
    darker,
    draw_letters,
    draw_windows,
    fractal,
    gradient,
    grained,
    heights,
    letter_font,
    light_or_dark,
    oval,
    skin_tone,
    some_box,
    some_colour,
    some_words,
)

SIZE: Size = (480, 360)


def landscape(seed: int, size: Size = SIZE) -> Picture:
    """Hills behind hills under a clouded sky with its sun, water in front."""
    chance, (width, height) = chance_for("landscape", seed), size
    high, low = some_colour(chance, 40, 170), some_colour(chance, 130, 240)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    clouds = fractal(chance, size, 4)
    sky = blend(high, low, np.broadcast_to(down, (height, width)))
    sky += (np.clip(clouds - chance.uniform(0.35, 0.6), 0, 1) * chance.uniform(150, 380))[..., None]
    across, along = np.meshgrid(np.arange(width), np.arange(height))
    sun = (chance.uniform(0.1, 0.9) * width, chance.uniform(0.08, 0.35) * height)
    far = np.hypot(across - sun[0], along - sun[1]) / height
    sky += (np.exp(-((far / chance.uniform(0.04, 0.11)) ** 2)) * 200 + np.exp(-far * 4) * 60)[..., None]
    rock = fractal(chance, size, 6)
    shore = chance.uniform(0.62, 0.85)
    layers = int(chance.integers(2, 5))
    for layer in range(layers):
        near = (layer + 1) / layers
        base = shore - (1 - near) * chance.uniform(0.1, 0.3) - 0.04
        ridge = base - heights(chance, width) * chance.uniform(0.1, 0.38) * (1.2 - 0.5 * near)
        ground = blend(
            low, some_colour(chance, 15, 120), np.full((height, width), 0.35 + 0.65 * near, np.float32)
        )
        ground += ((rock - 0.5) * 150 * near)[..., None]
        sky = np.where((along / height >= ridge[None, :])[..., None], ground, sky)
    first = int(shore * height)
    depth = height - first
    mirrored = sky[np.clip(first - 1 - (np.arange(depth) * 1.4).astype(int), 0, None)]
    waves = fractal(chance, (width, depth), 6, stretch=6)
    sky[first:] = mirrored * 0.6 + np.asarray(high) * 0.2 + ((waves - 0.5) * 120)[..., None]
    return grained(sky, chance, 3)


def city(seed: int, size: Size = SIZE) -> Picture:
    """Rows of houses with lit and dark windows, a street in front."""
    chance, (width, height) = chance_for("city", seed), size
    top, bottom = some_colour(chance, 10, 180), some_colour(chance, 90, 250)
    image = as_image(blend(top, bottom, gradient(size)) + ((fractal(chance, size, 4) - 0.5) * 70)[..., None])
    draw = ImageDraw.Draw(image)
    for row in range(3):
        left = int(-chance.integers(0, max(2, width // 8)))
        while left < width:
            wide = int(chance.uniform(0.07, 0.2) * width) + 8
            roof = int(height * (chance.uniform(0.12, 0.6) + row * 0.1))
            wall = tuple(int(c * (0.45 + 0.25 * row)) for c in some_colour(chance, 40, 230))
            draw.rectangle((left, roof, left + wide, height), fill=wall)
            draw_windows(draw, chance, (left, roof, left + wide, height))
            left += wide + int(chance.integers(0, max(2, width // 40)))
    street = int(height * chance.uniform(0.86, 0.94))
    draw.rectangle((0, street, width, height), fill=some_colour(chance, 30, 90))
    for left in range(int(chance.integers(0, 40)), width, max(8, width // 9)):
        draw.rectangle(
            (left, (street + height) // 2, left + width // 20, (street + height) // 2 + 3),
            fill=(220, 220, 200),
        )
    return grained(np.asarray(image, np.float32), chance, 4)


def portrait_like(seed: int, size: Size = SIZE) -> Picture:
    """A drawn head and shoulders of nobody before a blurred background."""
    chance, (width, height) = chance_for("portrait", seed), size
    behind = blend(some_colour(chance, 20, 140), some_colour(chance, 90, 245), fractal(chance, size, 3))
    image = as_image(behind)
    draw = ImageDraw.Draw(image)
    unit = min(width, height)
    x, y = width * chance.uniform(0.38, 0.62), height * chance.uniform(0.36, 0.5)
    wide, tall = unit * chance.uniform(0.15, 0.21), unit * chance.uniform(0.21, 0.29)
    skin, hair, shirt = skin_tone(chance), some_colour(chance, 10, 150), some_colour(chance, 20, 235)
    oval(draw, x, y + tall * 2.3, unit * chance.uniform(0.34, 0.46), tall * 1.25, shirt)
    draw.rectangle((x - wide * 0.4, y + tall * 0.6, x + wide * 0.4, y + tall * 1.35), fill=darker(skin, 0.85))
    long = chance.uniform(0.0, 1.0)
    oval(
        draw,
        x,
        y - tall * 0.15 + tall * 0.4 * long,
        wide * (1.15 + 0.25 * long),
        tall * (1.1 + 0.35 * long),
        hair,
    )
    oval(draw, x, y + tall * 0.08, wide, tall * 0.98, skin)
    for side in (-1, 1):
        eye = x + side * wide * chance.uniform(0.38, 0.46)
        oval(draw, eye, y - tall * 0.08, wide * 0.19, tall * 0.07, (240, 240, 236))
        oval(draw, eye, y - tall * 0.08, wide * 0.08, tall * 0.06, some_colour(chance, 10, 110))
        brow = y - tall * chance.uniform(0.22, 0.3)
        draw.line(
            (eye - wide * 0.24, brow, eye + wide * 0.24, brow - side * tall * 0.03),
            fill=darker(hair, 0.8),
            width=max(2, unit // 90),
        )
    draw.line(
        (x, y, x - wide * 0.12, y + tall * 0.3, x + wide * 0.08, y + tall * 0.32),
        fill=darker(skin, 0.7),
        width=max(2, unit // 140),
    )
    mouth = (x - wide * 0.38, y + tall * 0.42, x + wide * 0.38, y + tall * chance.uniform(0.58, 0.7))
    draw.chord(mouth, 10, 170, fill=darker((190, 80, 80), chance.uniform(0.6, 1)))
    picture = np.asarray(image.filter(ImageFilter.GaussianBlur(unit / 220)), np.float32)
    light = 0.7 + 0.55 * gradient(size, chance.uniform(0, 6.3))
    return grained(picture * light[..., None] + ((fractal(chance, size, 6) - 0.5) * 36)[..., None], chance, 3)


def still_life(seed: int, size: Size = SIZE) -> Picture:
    """Balls, fruit and bottles on a table, lit from one side, with their shadows."""
    chance, (width, height) = chance_for("still life", seed), size
    edge = chance.uniform(0.45, 0.62)
    down = gradient(size)
    wall = blend(some_colour(chance, 40, 200), some_colour(chance, 40, 220), fractal(chance, size, 3))
    wood = blend(
        some_colour(chance, 50, 150), some_colour(chance, 90, 220), fractal(chance, size, 5, stretch=8)
    )
    scene = np.where((down > edge)[..., None], wood, wall)
    angle = chance.uniform(0, 6.3)
    across, along = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    unit = min(width, height)
    for _ in range(int(chance.integers(4, 9))):
        x, y = chance.uniform(0.08, 0.92) * width, chance.uniform(edge, 0.88) * height
        wide = unit * chance.uniform(0.05, 0.15)
        tall = wide * chance.choice([1.0, 1.0, 0.7, 2.2])
        u, v = (across - x) / wide, (along - y + tall) / tall
        shade = np.exp(
            -(
                ((across - x - wide * 0.9 * np.cos(angle)) / (wide * 1.4)) ** 2
                + ((along - y) / (wide * 0.35)) ** 2
            )
        )
        scene *= (1 - 0.6 * shade)[..., None]
        inside = u * u + v * v < 1
        depth = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        light = np.clip(0.25 + 0.75 * (-u * np.cos(angle) * 0.6 - v * 0.45 + depth * 0.6), 0.12, 1.2)
        colour = np.asarray(some_colour(chance, 30, 250), np.float32)
        gloss = np.clip(light - 0.95, 0, 1)[..., None] * 700
        scene = np.where(inside[..., None], colour * light[..., None] + gloss, scene)
    return grained(scene, chance, 4)


def poster(seed: int, text: str | None = None, size: Size = SIZE) -> Picture:
    """A poster: large letters over blocks of colour, some with a picture in them."""
    chance, (width, height) = chance_for("poster", seed), size
    image = as_image(
        blend(
            some_colour(chance, 10, 250), some_colour(chance, 10, 250), gradient(size, chance.uniform(0, 6.3))
        )
    )
    draw = ImageDraw.Draw(image)
    for _ in range(int(chance.integers(2, 6))):
        draw.rectangle(some_box(chance, size), fill=some_colour(chance, 0, 255))
    if chance.random() < 0.6:
        inner = (
            max(16, int(width * chance.uniform(0.3, 0.8))),
            max(16, int(height * chance.uniform(0.3, 0.6))),
        )
        kind = (landscape, city, still_life)[int(chance.integers(3))]
        at = (int(chance.uniform(0, width - inner[0])), int(chance.uniform(0, height - inner[1])))
        image.paste(Image.fromarray(kind(seed + 7_000, inner)), at)
    words = some_words(chance, int(chance.integers(3, 7))) if text is None else text
    draw_letters(
        draw, words, size, chance.uniform(0.08, 0.16), chance.uniform(0.05, 0.6), light_or_dark(chance)
    )
    return grained(np.asarray(image, np.float32), chance, 2)


def meme(seed: int, text: str | None = None, size: Size = SIZE) -> Picture:
    """A picture with white capitals above and below."""
    chance = chance_for("meme", seed)
    kind = (landscape, city, portrait_like, still_life)[int(chance.integers(4))]
    image = Image.fromarray(kind(seed + 9_000, size))
    words = (some_words(chance, int(chance.integers(4, 9))) if text is None else text).upper().split()
    middle = (len(words) + 1) // 2
    return captioned(np.asarray(image), " ".join(words[:middle]), " ".join(words[middle:]))


def screenshot(seed: int, text: str | None = None, size: Size = SIZE) -> Picture:
    """A page of posts: a bar, round avatars, lines of text, here and there a picture."""
    chance, (width, height) = chance_for("screenshot", seed), size
    dark = chance.random() < 0.5
    paper, ink = ((18, 22, 28), (225, 228, 232)) if dark else ((252, 252, 252), (30, 32, 36))
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    line = max(9, height // 26)
    draw.rectangle((0, 0, width, line * 2), fill=some_colour(chance, 30, 200))
    top, font = line * 3, letter_font(line)
    words = text
    while top < height:
        left = line * 4
        draw.ellipse((line, top, line * 3, top + line * 2), fill=some_colour(chance, 40, 240))
        for _ in range(int(chance.integers(2, 5))):
            draw.text(
                (left, top), words or some_words(chance, int(chance.integers(3, 9))), font=font, fill=ink
            )
            words, top = None, top + int(line * 1.3)
        if chance.random() < 0.5:
            inner = (
                max(16, int(width * chance.uniform(0.4, 0.75))),
                max(16, int(height * chance.uniform(0.2, 0.4))),
            )
            kind = (landscape, city, still_life)[int(chance.integers(3))]
            image.paste(Image.fromarray(kind(int(chance.integers(1 << 30)), inner)), (left, top))
            top += inner[1]
        top += line
        draw.line(
            (0, top - line // 2, width, top - line // 2),
            fill=tuple((p + i) // 2 for p, i in zip(paper, ink, strict=True)),
        )
    return np.asarray(image)


def chart(seed: int, size: Size = SIZE) -> Picture:
    """Bars or lines between axes, with a title and a legend."""
    chance, (width, height) = chance_for("chart", seed), size
    image = Image.new("RGB", size, (255, 255, 255) if chance.random() < 0.7 else some_colour(chance, 15, 50))
    draw = ImageDraw.Draw(image)
    left, bottom, top = int(width * 0.1), int(height * 0.88), int(height * 0.15)
    count = int(chance.integers(5, 14))
    for mark in range(5):
        y = bottom - (bottom - top) * mark // 4
        draw.line((left, y, width * 0.96, y), fill=(160, 160, 160))
        draw.text(
            (4, y - 6),
            str(mark * int(chance.integers(1, 90))),
            font=letter_font(max(9, height // 34)),
            fill=(120, 120, 120),
        )
    for row in range(int(chance.integers(1, 4))):
        colour, values = some_colour(chance, 20, 220), heights(chance, count)
        step = (width * 0.86) / count
        points = [(left + step * (i + 0.5), bottom - (bottom - top) * float(v)) for i, v in enumerate(values)]
        if chance.random() < 0.5:
            draw.line(points, fill=colour, width=max(2, height // 90))
        else:
            for middle, peak in points:
                bar = (middle - step * 0.4 + row * 3, peak, middle + step * 0.2 + row * 3, bottom)
                draw.rectangle(bar, fill=colour)
        draw.rectangle((width * 0.75, top + row * 16, width * 0.78, top + row * 16 + 9), fill=colour)
    draw.text(
        (left, height * 0.04),
        some_words(chance, 4).capitalize(),
        font=letter_font(max(11, height // 18)),
        fill=(90, 90, 90),
    )
    return np.asarray(image)


def texture(seed: int, size: Size = SIZE) -> Picture:
    """Wood, weave, bricks or stones, without anything in front."""
    chance, (width, height) = chance_for("texture", seed), size
    across, along = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bend = fractal(chance, size, 5)
    unit = min(width, height)
    match int(chance.integers(4)):
        case 0:  # wood
            pattern = np.sin(along / unit * chance.uniform(8, 30) + bend * chance.uniform(6, 20)) * 0.5 + 0.5
        case 1:  # weave
            period = unit / chance.uniform(6, 22)
            pattern = (
                np.sin(across / period * 6.3 + bend * 3) * np.sin(along / period * 6.3 + bend * 3)
            ) * 0.5 + 0.5
        case 2:  # bricks
            tall, wide = unit / chance.uniform(5, 12), unit / chance.uniform(2, 6)
            row = np.floor(along / tall)
            column = np.floor((across + (row % 2) * wide / 2) / wide)
            joint = ((along % tall) < tall * 0.1) | (((across + (row % 2) * wide / 2) % wide) < tall * 0.1)
            pattern = np.where(joint, 0.95, ((row * 7.3 + column * 3.7) * 1.618 % 1) * 0.6)
        case _:  # stones
            points = chance.uniform(0, 1, (int(chance.integers(25, 90)), 2)) * (width, height)
            near = np.min(
                np.stack([np.hypot(across - x, along - y) for x, y in points]).astype(np.float32), axis=0
            )
            pattern = near / near.max()
    scene = blend(some_colour(chance, 10, 130), some_colour(chance, 110, 250), pattern.astype(np.float32))
    return grained(scene + ((bend - 0.5) * 140)[..., None], chance, 4)


def abstract(seed: int, size: Size = SIZE) -> Picture:
    """Overlapping translucent shapes and curves."""
    chance, (width, _) = chance_for("abstract", seed), size
    scene = blend(some_colour(chance, 0, 255), some_colour(chance, 0, 255), fractal(chance, size, 3))
    for _ in range(int(chance.integers(6, 16))):
        mask = Image.new("L", size)
        draw = ImageDraw.Draw(mask)
        match int(chance.integers(3)):
            case 0:
                draw.ellipse(some_box(chance, size), fill=255)
            case 1:
                draw.polygon(
                    [
                        tuple(p)
                        for p in (chance.uniform(-0.1, 1.1, (int(chance.integers(3, 7)), 2)) * size).tolist()
                    ],
                    fill=255,
                )
            case _:
                points = chance.uniform(-0.1, 1.1, (5, 2)) * size
                draw.line(
                    [tuple(p) for p in points.tolist()],
                    fill=255,
                    width=int(chance.integers(3, max(4, width // 14))),
                    joint="curve",
                )
        share = np.asarray(mask, np.float32)[..., None] / 255 * chance.uniform(0.5, 0.95)
        scene = (scene * (1 - share) + np.asarray(some_colour(chance, 0, 255), np.float32) * share).astype(
            np.float32
        )
    return grained(scene, chance, 1)


def logo(seed: int, size: Size = SIZE) -> Picture:
    """One or two flat shapes and a word on a plain ground: what a perceptual hash is weakest on."""
    chance, (width, height) = chance_for("logo", seed), size
    image = Image.new("RGB", size, (255, 255, 255) if chance.random() < 0.6 else some_colour(chance, 0, 255))
    draw = ImageDraw.Draw(image)
    unit = min(width, height)
    x, y, half = (
        width * chance.uniform(0.35, 0.65),
        height * chance.uniform(0.32, 0.5),
        unit * chance.uniform(0.14, 0.26),
    )
    for shrink in (1.0, chance.uniform(0.35, 0.75)):
        box = (x - half * shrink, y - half * shrink, x + half * shrink, y + half * shrink)
        match int(chance.integers(4)):
            case 0:
                draw.ellipse(box, fill=some_colour(chance, 0, 240))
            case 1:
                draw.rounded_rectangle(box, radius=half * shrink * 0.3, fill=some_colour(chance, 0, 240))
            case 2:
                draw.regular_polygon(
                    (x, y, half * shrink),
                    int(chance.integers(3, 9)),
                    rotation=int(chance.integers(90)),
                    fill=some_colour(chance, 0, 240),
                )
            case _:
                draw.pieslice(
                    box,
                    int(chance.integers(180)),
                    int(chance.integers(200, 360)),
                    fill=some_colour(chance, 0, 240),
                )
    font = letter_font(unit // 8)
    draw.text(
        (x, height * 0.82),
        some_words(chance, 1).capitalize(),
        font=font,
        fill=some_colour(chance, 0, 160),
        anchor="mm",
    )
    return np.asarray(image)


def black_frame(size: Size = SIZE) -> Picture:
    """Nothing: what a film begins and ends with. Its PDQ quality is 0."""
    return np.zeros((size[1], size[0], 3), np.uint8)


KINDS: dict[str, Callable[..., Picture]] = {
    "landscape": landscape,
    "city": city,
    "portrait": portrait_like,
    "still life": still_life,
    "poster": poster,
    "meme": meme,
    "screenshot": screenshot,
    "chart": chart,
    "texture": texture,
    "abstract": abstract,
    "logo": logo,
}

GRAPHICS = frozenset(("poster", "meme", "screenshot", "chart", "logo"))
"""Kinds that are letters and flat shapes; the others are scenes."""


def mixed(count: int, first: int = 0, size: Size = SIZE) -> Iterator[tuple[str, Picture]]:
    """So many pictures of all kinds in turn, each with its kind's name; seeds from `first` on."""
    kinds = list(KINDS.items())
    for number in range(count):
        name, make = kinds[number % len(kinds)]
        yield name, make(first + number, size=size)


def clip(seed: int, seconds: float = 6.0, rate: float = 10.0, size: Size = (320, 240)) -> list[Picture]:
    """A film of a few scenes: the camera moves over each, something crosses it. `rate` is in frames a second."""
    chance, (width, height) = chance_for("clip", seed), size
    kinds = [landscape, city, still_life, portrait_like, texture]
    frames: list[Picture] = []
    total = max(1, round(seconds * rate))
    cuts = sorted({0, *(int(cut) for cut in chance.uniform(0.2, 0.9, max(0, int(seconds // 3))) * total)})
    for start, end in zip(cuts, [*cuts[1:], total], strict=True):
        wide = (int(width * 1.5), int(height * 1.25))
        ground = kinds[int(chance.integers(len(kinds)))](int(chance.integers(1 << 30)), size=wide)
        colour, across, along = some_colour(chance, 0, 255), *chance.uniform(0.1, 0.9, 2)
        for number in range(end - start):
            done = number / rate / max(seconds, 1e-9)
            left, top = int((wide[0] - width) * done), int((wide[1] - height) * (1 - done))
            image = Image.fromarray(ground[top : top + height, left : left + width])
            x, y = ((across + done) % 1) * width, along * height
            oval(ImageDraw.Draw(image), x, y, width / 12, height / 10, colour)
            frames.append(np.asarray(image))
    return frames


def captioned(picture: Picture, above: str, below: str = "") -> Picture:
    """The picture with large white letters, edged in black, above and below."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    width, height = image.size
    for words, y, anchor in ((above, height * 0.03, "ma"), (below, height * 0.97, "md")):
        if words:
            points = max(10, int(min(height / 7, 1.7 * width / max(len(words), 8))))
            draw.text(
                (width / 2, y),
                words,
                font=letter_font(points),
                fill="white",
                stroke_width=max(1, points // 12),
                stroke_fill="black",
                anchor=anchor,
            )
    return np.asarray(image)
