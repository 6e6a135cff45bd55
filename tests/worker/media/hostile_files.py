"""Files that mean harm to whatever reads them, made by code: small on disk, large or endless once read."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from tests.worker.media.pictures import landscape

FORMATS = ("jpeg", "png", "gif", "webp", "bmp", "tiff", "avif")


@cache
def picture(format_: str, size: tuple[int, int] = (64, 48), seed: int = 1) -> bytes:
    """A picture that is in order."""
    buffer = BytesIO()
    Image.fromarray(landscape(seed, size)).save(buffer, format_)
    return buffer.getvalue()


@cache
def animation(format_: str, frames: int = 3, size: tuple[int, int] = (48, 32)) -> bytes:
    """An animation that is in order."""
    pictures = [Image.fromarray(landscape(seed, size)) for seed in range(frames)]
    buffer = BytesIO()
    pictures[0].save(buffer, format_, save_all=True, append_images=pictures[1:], duration=100)
    return buffer.getvalue()


def zeros(megabytes: int) -> bytes:
    """So many megabytes of zeros, compressed with zlib."""
    stream = zlib.compressobj(9)
    block = b"\0" * 1_000_000
    return b"".join(stream.compress(block) for _ in range(megabytes)) + stream.flush()


# --- PNG


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, data: bytes, *before: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of this header, with chunks before its compressed data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(before)
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def small_png(*before: bytes) -> bytes:
    """A PNG of 32 x 32 pixels with chunks before its data."""
    rows = b"".join(b"\0" + landscape(3, (32, 32))[row].tobytes() for row in range(32))
    return png(32, 32, zlib.compress(rows), *before)


def long_png(width: int, height: int) -> bytes:
    """A PNG that really has so many pixels, all black."""
    return png(width, height, zlib.compress(b"\0" * ((width + 7) // 8 + 1) * height), depth=1, colour=0)


# --- GIF


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    """A GIF of this screen, of two colours, with these blocks."""
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff"
        + b"".join(blocks)
    )


def gif_frame(width: int = 1, height: int = 1, left: int = 0, top: int = 0) -> bytes:
    """A frame with one pixel of data, of whatever size it claims."""
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02\x02\x44\x01\x00"


# --- WebP


def webp_animation(width: int, height: int, frames: int) -> bytes:
    """An animation that draws one small picture over and over on a canvas of this size."""
    still = picture("webp", (16, 16))
    data = still[12:]
    size = b"%b%b" % ((width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little"))
    frame = bytes(6) + (15).to_bytes(3, "little") * 2 + (10).to_bytes(3, "little") + b"\0" + data
    parts = _riff(b"VP8X", b"\x02\0\0\0" + size) + _riff(b"ANIM", bytes(6)) + _riff(b"ANMF", frame) * frames
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WEBP" + parts


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


# --- TIFF


def tiff(entries: dict[int, tuple[int, int, int]], data: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF of one directory: tag -> (type, count, value or place); the data lies from byte 8 on."""
    rows = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in sorted(entries.items()))
    directory = struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def tiff_of(width: int, height: int, data: bytes, compression: int = 8, following: int = 0) -> bytes:
    """A grey TIFF in one strip, compressed with zlib by default; `following` is where the next page would lie."""
    return tiff(
        {
            256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, compression), 262: (3, 1, 1),
            273: (4, 1, 8), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, len(data)),
        },
        data,
        following,
    )  # fmt: skip


def tiff_pages(count: int) -> bytes:
    """A TIFF of many small pages."""
    pages = [Image.fromarray(np.full((4, 4), index % 256, np.uint8)) for index in range(count)]
    buffer = BytesIO()
    pages[0].save(buffer, "tiff", save_all=True, append_images=pages[1:])
    return buffer.getvalue()


# --- AVIF


def box(kind: bytes, body: bytes) -> bytes:
    """A box of ISO base media."""
    return struct.pack(">I", len(body) + 8) + kind + body


def avif_grid(rows: int, columns: int, side: int = 64) -> bytes:
    """An AVIF that is a grid of tiles which all have the same bytes: a large picture from a small file."""
    tile = picture("avif", (side, side))
    start = tile.index(b"mdat") + 4
    data, config = tile[start:], tile[tile.index(b"av1C") - 4 :]
    config = config[: struct.unpack(">I", config[:4])[0]]
    count = rows * columns
    grid = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, columns * side, rows * side)

    def size(width: int, height: int) -> bytes:
        return box(b"ispe", struct.pack(">III", 0, width, height))

    def meta(offset: int) -> bytes:
        items = [(1, b"grid"), *((number, b"av01") for number in range(2, count + 2))]
        names = b"".join(
            box(b"infe", struct.pack(">IHH", 2 << 24, number, 0) + kind + b"\0") for number, kind in items
        )
        places = struct.pack(">HHHII", 1, 0, 1, offset, len(grid)) + b"".join(
            struct.pack(">HHHII", number, 0, 1, offset + len(grid), len(data))
            for number in range(2, count + 2)
        )
        uses = struct.pack(">HH", 1, count) + b"".join(struct.pack(">H", n) for n in range(2, count + 2))
        properties = (
            size(columns * side, rows * side)
            + size(side, side)
            + config
            + box(b"pixi", b"\0\0\0\0\x03\x08\x08\x08")
        )
        owned = struct.pack(">HBBB", 1, 2, 1, 4) + b"".join(
            struct.pack(">HBBBB", number, 3, 2, 0x83, 4) for number in range(2, count + 2)
        )
        return box(
            b"meta",
            bytes(4)
            + box(b"hdlr", bytes(8) + b"pict" + bytes(13))
            + box(b"pitm", struct.pack(">IH", 0, 1))
            + box(b"iloc", struct.pack(">IBBH", 0, 0x44, 0, count + 1) + places)
            + box(b"iinf", struct.pack(">IH", 0, count + 1) + names)
            + box(b"iref", bytes(4) + box(b"dimg", uses))
            + box(b"iprp", box(b"ipco", properties) + box(b"ipma", struct.pack(">II", 0, count + 1) + owned)),
        )

    head = box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", grid + data)


# --- documents


def zip_bomb(megabytes: int) -> bytes:
    """A document whose text is zeros without end."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as file,
    ):
        for _ in range(megabytes):
            file.write(b"\0" * 1_000_000)
    return buffer.getvalue()


def laughs(depth: int = 12) -> bytes:
    """XML whose entities name each other ten times each."""
    names = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, depth))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "ha">{names}]><x>&e{depth - 1};</x>'.encode()
