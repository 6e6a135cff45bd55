"""EXIF and TIFF directories, and IPTC-IIM records: the few fields that tell which program made a picture.

Fields that may hold a person's name, an address or a place (artist, owner, GPS, copyright …) are not read at all.
Sources: TIFF 6.0, EXIF 2.32 (CIPA DC-008), IPTC-IIM 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from worker.media.containers import Data

Order = Literal["little", "big"]

MAX_VALUE: Final = 1 << 20  # bytes of one field that are read
_MAX_ENTRIES: Final = 1_000  # of one directory

_EXIF_DIRECTORY: Final = 34665
XMP: Final = 700
IIM: Final = 33723
_NAMES: Final = {270: "ImageDescription", 271: "Make", 272: "Model", 305: "Software", 37510: "UserComment"}
_WANTED: Final = frozenset((*_NAMES, XMP, IIM, _EXIF_DIRECTORY))
_WIDTHS: Final = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 13: 4, 129: 1}  # bytes of a value by its type
_ORDERS: Final[dict[bytes, Order]] = {b"II": "little", b"MM": "big"}
_IIM_NAMES: Final = {(2, 65): "Program", (2, 110): "Credit"}


def read_fields(data: Data, start: int, end: int) -> dict[int, bytes]:
    """The wanted tags of the TIFF structure at [start, end), raw, by number; what is broken is left out."""
    order = _ORDERS.get(bytes(data[start : start + 2]))
    if order is None or _number(data, start + 2, 2, order) != 42:
        return {}
    found: dict[int, bytes] = {}
    _directory(data, start, end, _number(data, start + 4, 4, order), order, found)
    pointer = found.pop(_EXIF_DIRECTORY, b"")
    if len(pointer) == 4:
        _directory(data, start, end, int.from_bytes(pointer, order), order, found)
        found.pop(_EXIF_DIRECTORY, None)
    return found


def texts(fields: dict[int, bytes]) -> Iterator[tuple[str, str]]:
    """The names and texts of what `read_fields` found, in the order of the tags' numbers."""
    for tag, name in _NAMES.items():
        if tag in fields:
            value = fields[tag]
            yield name, _comment(value) if name == "UserComment" else decoded(value)


def iim_texts(data: bytes) -> Iterator[tuple[str, str]]:
    """The credit and the program of an IPTC-IIM block."""
    at = 0
    while at + 5 <= len(data) and data[at] == 0x1C:
        record, dataset, size = data[at + 1], data[at + 2], int.from_bytes(data[at + 3 : at + 5], "big")
        if size & 0x8000:  # an extended dataset: none that is wanted is as long
            return
        name = _IIM_NAMES.get((record, dataset))
        if name is not None:
            yield name, decoded(data[at + 5 : at + 5 + size])
        at += 5 + size


def photoshop_iim(data: bytes) -> bytes:
    """The IPTC-IIM block within Photoshop's image resources (an APP13 segment's body), or nothing."""
    at = 0
    while at + 12 <= len(data) and data[at : at + 4] == b"8BIM":
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = data[at + 6] + 1
        size_at = at + 6 + name + (name & 1)
        size = int.from_bytes(data[size_at : size_at + 4], "big")
        if number == 0x0404:
            return data[size_at + 4 : size_at + 4 + size]
        at = size_at + 4 + size + (size & 1)
    return b""


def decoded(value: bytes) -> str:
    """Text as UTF-8, or else Latin-1, without the zeros at its end."""
    value = value.rstrip(b"\0 ")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _comment(value: bytes) -> str:
    """EXIF's UserComment: eight bytes name the code; writers differ in the byte order of UTF-16."""
    code, text = value[:8], value[8:]
    if code.startswith(b"UNICODE"):
        big = text[0:200:2].count(0) >= text[1:200:2].count(0)
        return text.decode("utf-16-be" if big else "utf-16-le", "replace").rstrip("\0 ")
    return decoded(text)


def _directory(data: Data, start: int, end: int, offset: int, order: Order, found: dict[int, bytes]) -> None:
    at = start + offset
    if offset < 8 or at + 2 > end:
        return
    for index in range(min(_number(data, at, 2, order), _MAX_ENTRIES)):
        entry = at + 2 + 12 * index
        if entry + 12 > end:
            return
        tag = _number(data, entry, 2, order)
        width = _WIDTHS.get(_number(data, entry + 2, 2, order))
        if tag not in _WANTED or width is None or tag in found:
            continue
        size = width * _number(data, entry + 4, 4, order)
        place = entry + 8 if size <= 4 else start + _number(data, entry + 8, 4, order)
        if 0 < size <= MAX_VALUE and place + size <= end:
            found[tag] = bytes(data[place : place + size])


def _number(data: Data, at: int, width: int, order: Order) -> int:
    return int.from_bytes(data[at : at + width], order)
