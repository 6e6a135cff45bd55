"""What the metadata of a media file says about the program that made it: XMP, EXIF, IPTC-IIM, PNG texts, MP4 tags.

Containers are walked by parsers of our own over the mapped file; each loop is counted and each text has a limit, so
that a hostile file costs little and gives nothing. What names a person, an address or a place is never read: the
fields are a closed list. The texts stay in this process; only names from closed lists leave it (`generators`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from worker.media import exif, xmp
from worker.media.containers import Data, opened
from worker.media.iso_media import Box
from worker.media.iso_media import boxes as all_boxes
from worker.media.source_types import source_term

MAX_TEXT: Final = 1 << 20  # bytes of one text, also when it was compressed
_MAX_TEXTS: Final = 256
_MAX_TOTAL: Final = 4 << 20  # characters of all texts together
_MAX_PARTS: Final = 10_000  # segments or chunks of one file
_MAX_ITEMS: Final = 1_000  # of an AVIF
_MAX_EXTENTS: Final = 4_000  # pieces of all its items
_MAX_READ: Final = 16  # items of an AVIF, or compressed texts of a PNG, that are read
_MAX_PACKETS: Final = 8  # of XMP

_XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE: Final = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_EXIF_HEAD: Final = b"Exif\0\0"
_XMP_UUID: Final = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


_PNG_KEYS: Final = {
    key.lower(): key
    for key in (
        "parameters",
        "prompt",
        "workflow",
        "Software",
        "Description",
        "Comment",
        "Dream",
        "sd-metadata",
        "invokeai_metadata",
        "invokeai_graph",
        "fooocus_scheme",
        "AIGC",
    )
}
_PNG_XMP: Final = "XML:com.adobe.xmp"
_MP4_ATOMS: Final = {b"\xa9too": "tool", b"\xa9cmt": "comment"}
_MP4_KEYS: Final = frozenset(("comment", "prompt", "workflow", "parameters", "AIGC", "invokeai_metadata"))


class _Packet(NamedTuple):
    """XMP that has been found and not read yet."""

    data: bytes


class Text(NamedTuple):
    """One field: where it stands ("exif.Software", "xmp.Credit", "png.parameters" …) and what it says."""

    field: str
    value: str


def read_metadata(path: Path, format_name: str) -> tuple[Text, ...]:
    """The known fields of a file of one of the formats of `sniffing`, in the order of the file; none of a broken one.

    It raises nothing: what cannot be read is not there.
    """
    texts: list[Text] = []
    total = 0
    try:
        with opened(path) as data:
            for text in _read_packets(_texts(data, format_name)):
                total += len(text.value)
                if total > _MAX_TOTAL or len(texts) >= _MAX_TEXTS:
                    break
                if text.value:
                    texts.append(text)
    except (OSError, ValueError, IndexError, OverflowError, MemoryError, zlib.error):
        pass  # what was read before stays
    return tuple(texts)


def source_types(texts: tuple[Text, ...]) -> tuple[str, ...]:
    """The IPTC's terms for how the file came to be, of all its packets, without repeats."""
    terms = (source_term(text.value) for text in texts if text.field == "xmp.DigitalSourceType")
    return tuple(dict.fromkeys(term for term in terms if term is not None))


def _read_packets(found: Iterator[Text | _Packet]) -> Iterator[Text]:
    left = _MAX_PACKETS
    for text in found:
        if isinstance(text, Text):
            yield text
        elif left and text.data:
            left -= 1
            for name, value in xmp.read_packet(text.data):
                yield Text("xmp." + name, value)


def _texts(data: Data, format_name: str) -> Iterator[Text | _Packet]:
    match format_name:
        case "jpeg":
            yield from _jpeg(data)
        case "png":
            yield from _png(data)
        case "webp":
            yield from _webp(data)
        case "tiff":
            yield from _tiff(data, 0, len(data))
        case "avif":
            yield from _avif(data)
        case "mp4" | "mov":
            yield from _mp4(data)
        case "gif" | "pdf":
            yield from _loose(data)


def _tiff(data: Data, start: int, end: int) -> Iterator[Text | _Packet]:
    fields = exif.read_fields(data, start, end)
    for name, value in exif.texts(fields):
        yield Text("exif." + name, value)
    yield _Packet(fields.get(exif.XMP, b""))
    yield from _iim(fields.get(exif.IIM, b""))


def _iim(data: bytes) -> Iterator[Text | _Packet]:
    for name, value in exif.iim_texts(data):
        yield Text("iptc." + name, value)


# ------------------------------------------------------------------ JPEG


def _jpeg(data: Data) -> Iterator[Text | _Packet]:
    more: dict[int, bytes] = {}
    more_size = 0
    for marker, start, end in _segments(data):
        head = bytes(data[start : start + len(_XMP_MORE)])
        if marker == 0xE1 and head.startswith(_EXIF_HEAD):
            yield from _tiff(data, start + 6, end)
        elif marker == 0xE1 and head.startswith(_XMP_HEAD):
            yield _Packet(bytes(data[start + len(_XMP_HEAD) : end]))
        elif marker == 0xE1 and head == _XMP_MORE:
            at = start + len(_XMP_MORE) + 32  # past the digest that names the packet
            size, offset = (int.from_bytes(data[place : place + 4]) for place in (at, at + 4))
            if size <= xmp.MAX_PACKET and at + 8 <= end:
                more_size = size
                more.setdefault(offset, bytes(data[at + 8 : end]))
        elif marker == 0xED and head.startswith(_PHOTOSHOP):
            yield from _iim(exif.photoshop_iim(bytes(data[start + len(_PHOTOSHOP) : end])))
    whole = b"".join(more[offset] for offset in sorted(more))
    if whole and len(whole) == more_size:
        yield _Packet(whole)


def _segments(data: Data) -> Iterator[tuple[int, int, int]]:
    """The segments before the picture itself: marker and [start, end) of the body."""
    at = 2
    for _ in range(_MAX_PARTS):
        if at + 4 > len(data) or data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that only fills
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        size = int.from_bytes(data[at + 2 : at + 4])
        if marker in {0xD9, 0xDA} or size < 2 or at + 2 + size > len(data):
            return
        yield marker, at + 4, at + 2 + size
        at += 2 + size


# ------------------------------------------------------------------ PNG, WebP


def _png(data: Data) -> Iterator[Text | _Packet]:
    at, left = 8, _MAX_READ
    for _ in range(_MAX_PARTS):
        if at + 12 > len(data):
            return
        size, kind = int.from_bytes(data[at : at + 4]), bytes(data[at + 4 : at + 8])
        start, end = at + 8, at + 8 + size
        if end + 4 > len(data) or kind == b"IEND":
            return
        if kind == b"tEXt" and size <= MAX_TEXT:
            yield from _png_text(kind, bytes(data[start:end]))
        elif kind in {b"zTXt", b"iTXt"} and size <= MAX_TEXT and left:
            left -= 1
            yield from _png_text(kind, bytes(data[start:end]))
        elif kind == b"eXIf":
            yield from _tiff(data, start, end)
        at = end + 4


def _png_text(kind: bytes, body: bytes) -> Iterator[Text | _Packet]:
    written, _, rest = body.partition(b"\0")
    key = written[:80].decode("latin-1")
    name = _PNG_KEYS.get(key.lower())
    if name is None and key != _PNG_XMP:
        return
    if kind == b"zTXt":
        value = _inflated(rest[1:])
    elif kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        value = _inflated(value) if compressed else value
    else:
        value = rest
    if key == _PNG_XMP:
        yield _Packet(value)
    elif name is not None:
        yield Text("png." + name, exif.decoded(value))


def _inflated(data: bytes) -> bytes:
    """What was compressed, or nothing if it is more than a text may be."""
    stream = zlib.decompressobj()
    try:
        value = stream.decompress(data, MAX_TEXT)
    except zlib.error:
        return b""
    return b"" if stream.unconsumed_tail else value


def _webp(data: Data) -> Iterator[Text | _Packet]:
    at = 12
    for _ in range(_MAX_PARTS):
        if at + 8 > len(data):
            return
        kind, size = bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8], "little")
        start, end = at + 8, min(at + 8 + size, len(data))
        if kind == b"EXIF":
            skip = 6 if bytes(data[start : start + 6]) == _EXIF_HEAD else 0
            yield from _tiff(data, start + skip, end)
        elif kind == b"XMP " and size <= xmp.MAX_PACKET:
            yield _Packet(bytes(data[start:end]))
        at = at + 8 + size + (size & 1)


# ------------------------------------------------------------------ AVIF, MP4, MOV


def boxes(data: Data, start: int, end: int) -> Iterator[Box]:
    """The first boxes between two places: metadata that comes after ten thousand others is not looked for."""
    return islice(all_boxes(data, start, end), _MAX_PARTS)


def first(data: Data, box: Box, *path: bytes) -> Box | None:
    """The first box at a path below another."""
    for kind in path:
        found = next((child for child in boxes(data, box.start, box.end) if child.kind == kind), None)
        if found is None:
            return None
        box = found
    return box


def _avif(data: Data) -> Iterator[Text | _Packet]:
    whole = Box(b"", 0, len(data))
    meta = first(data, whole, b"meta")
    if meta is None:
        return
    inside = Box(b"meta", meta.start + 4, meta.end)  # past version and flags
    names, places = first(data, inside, b"iinf"), first(data, inside, b"iloc")
    if names is None or places is None:
        return
    stored = first(data, inside, b"idat")
    wanted = dict(islice(_item_kinds(data, names), _MAX_READ))
    for item, extents, method in _item_places(data, places):
        kind = wanted.pop(item, None)
        base = 0 if method == 0 else stored.start if method == 1 and stored is not None else None
        size = sum(length for _, length in extents)
        if kind is None or base is None or not 0 < size <= MAX_TEXT:
            continue
        body = b"".join(bytes(data[base + at : base + at + length]) for at, length in extents)
        if kind == b"mime":
            yield _Packet(body)
        else:  # EXIF, whose first four bytes say where the TIFF structure begins
            start = 4 + int.from_bytes(body[:4])
            yield from _tiff(body, start, len(body))


def _item_kinds(data: Data, box: Box) -> Iterator[tuple[int, bytes]]:
    """The items that hold EXIF (b"Exif") or XMP (b"mime"), by number."""
    count = 2 if data[box.start] == 0 else 4
    for index, entry in enumerate(boxes(data, box.start + 4 + count, box.end)):
        if index >= _MAX_ITEMS:
            return
        version = data[entry.start] if entry.end > entry.start + 4 else 0
        if entry.kind != b"infe" or version < 2:
            continue
        width = 2 if version == 2 else 4
        number = int.from_bytes(data[entry.start + 4 : entry.start + 4 + width])
        at = entry.start + 4 + width + 2
        kind = bytes(data[at : at + 4])
        if kind == b"Exif":
            yield number, kind
        elif kind == b"mime":
            content = bytes(data[at + 4 : min(entry.end, at + 1_000)]).split(b"\0")[1:2]
            if content == [b"application/rdf+xml"]:
                yield number, kind


def _item_places(data: Data, box: Box) -> Iterator[tuple[int, list[tuple[int, int]], int]]:
    """Where items lie: number, [(offset, length) …] and whether that is in the file (0) or in `idat` (1)."""
    version = data[box.start]
    sizes = int.from_bytes(data[box.start + 4 : box.start + 6])
    offset_width, length_width, base_width = sizes >> 12 & 15, sizes >> 8 & 15, sizes >> 4 & 15
    index_width = sizes & 15 if version in {1, 2} else 0
    number_width = 2 if version < 2 else 4
    at, left = box.start + 6, _MAX_EXTENTS

    def take(width: int) -> int:
        nonlocal at
        at += width
        return int.from_bytes(data[at - width : at])

    for _ in range(min(take(number_width), _MAX_ITEMS)):
        if at >= box.end:
            return
        number = take(number_width)
        method = take(2) & 15 if version in {1, 2} else 0
        at += 2  # the number of a file that holds the data: this one
        base = take(base_width)
        extents: list[tuple[int, int]] = []
        for _ in range(take(2)):
            left -= 1
            if at >= box.end or left < 0:
                return
            at += index_width
            place = base + take(offset_width)
            extents.append((place, take(length_width)))
        yield number, extents, method


def _mp4(data: Data) -> Iterator[Text | _Packet]:
    whole = Box(b"", 0, len(data))
    for box in boxes(data, 0, len(data)):
        if box.kind == b"uuid":
            yield from _uuid(data, box)
        elif box.kind == b"moov":
            for child in boxes(data, box.start, box.end):
                if child.kind == b"uuid":
                    yield from _uuid(data, child)
                elif child.kind == b"meta":
                    yield from _tags(data, child)
    user = first(data, whole, b"moov", b"udta")
    if user is None:
        return
    for child in boxes(data, user.start, user.end):
        if child.kind == b"XMP_" and child.end - child.start <= xmp.MAX_PACKET:
            yield _Packet(bytes(data[child.start : child.end]))
        elif child.kind == b"meta":
            yield from _tags(data, child)


def _uuid(data: Data, box: Box) -> Iterator[Text | _Packet]:
    start = box.start + 16
    if bytes(data[box.start : start]) == _XMP_UUID and box.end - start <= xmp.MAX_PACKET:
        yield _Packet(bytes(data[start : box.end]))


def _tags(data: Data, meta: Box) -> Iterator[Text | _Packet]:
    """The tags of a `meta` box: by their four characters, or by names that its `keys` box lists."""
    # In MP4 version and flags come first, in QuickTime there are none.
    start = meta.start if bytes(data[meta.start + 4 : meta.start + 8]) == b"hdlr" else meta.start + 4
    inside = Box(b"meta", start, meta.end)
    listed, values = first(data, inside, b"keys"), first(data, inside, b"ilst")
    if values is None:
        return
    names: list[str] = []
    if listed is not None:
        for entry in boxes(data, listed.start + 8, listed.end):
            names.append(bytes(data[entry.start : min(entry.end, entry.start + 64)]).decode("latin-1"))
            if len(names) >= _MAX_ITEMS:
                break
    for index, item in enumerate(boxes(data, values.start, values.end)):
        if index >= _MAX_ITEMS:
            return
        number = int.from_bytes(item.kind)
        name = _MP4_ATOMS.get(item.kind)
        if name is None and 0 < number <= len(names) and names[number - 1] in _MP4_KEYS:
            name = names[number - 1]
        value = first(data, item, b"data")
        if name is not None and value is not None and value.end - value.start <= MAX_TEXT:
            yield Text("mp4." + name, exif.decoded(bytes(data[value.start + 8 : value.end])))


# ------------------------------------------------------------------ packets that stand anywhere


def _loose(data: Data) -> Iterator[Text | _Packet]:
    """XMP packets of formats that hold them uncompressed somewhere (GIF, PDF); the last four, the newest first."""
    end = len(data)
    for _ in range(4):
        start = data.rfind(b"<x:xmpmeta", 0, end)
        if start < 0:
            return
        close = data.find(b"</x:xmpmeta>", start, min(end, start + xmp.MAX_PACKET))
        if close >= 0:
            yield _Packet(bytes(data[start : close + 12]))
        end = start
