"""XMP packets: the few properties that tell how a file came to be, read from XML that may be hostile.

No document types, no entities, no addresses are followed (defusedxml); no tree is built; a packet over a mebibyte,
with too many elements or nested too deep is not read. Properties that name people or places are not looked at.
Sources: XMP Specification Part 1 (ISO 16684-1); IPTC Photo Metadata Standard 2025.1,
https://iptc.org/std/photometadata/specification/IPTC-PhotoMetadata, read 2026-11-24; GB 45438-2025 (`AIGC`).
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import DefusedXMLParser

MAX_PACKET: Final = 1 << 20
_MAX_ELEMENTS: Final = 20_000
_MAX_ATTRIBUTES: Final = 20_000
_MAX_DEPTH: Final = 64
_MAX_TEXT: Final = 262_144  # characters of one property
_MAX_FOUND: Final = 64

_IPTC: Final = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_WANTED: Final = {
    _IPTC + "DigitalSourceType": "DigitalSourceType",
    _IPTC + "DigitalSourcefileType": "DigitalSourceType",  # its first name
    _IPTC + "AISystemUsed": "AISystemUsed",
    "{http://ns.adobe.com/xap/1.0/}CreatorTool": "CreatorTool",
    "{http://ns.adobe.com/photoshop/1.0/}Credit": "Credit",
    "{http://ns.adobe.com/tiff/1.0/}Software": "Software",
    "{http://ns.adobe.com/exif/1.0/}UserComment": "UserComment",
    "{http://purl.org/dc/elements/1.1/}description": "description",
    "{http://www.tc260.org.cn/ns/AIGC/1.0/}AIGC": "AIGC",
}
_RESOURCE: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"


def read_packet(packet: bytes) -> tuple[tuple[str, str], ...]:
    """The wanted properties as (name, text), in the packet's order; none of a packet that is too large or broken."""
    packet = _trimmed(packet)
    if not packet or len(packet) > MAX_PACKET:
        return ()
    collector = _Collector()
    parser = DefusedXMLParser(target=collector, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(packet)
        parser.close()
    except (ParseError, ValueError, LookupError, RecursionError, MemoryError):
        return ()
    return tuple(collector.found)


def _trimmed(packet: bytes) -> bytes:
    """The packet without the padding and the zeros that writers leave around it."""
    start = packet.find(b"<x:xmpmeta")
    if start >= 0:
        end = packet.rfind(b"</x:xmpmeta>")
        return packet[start : end + 12] if end > start else packet[start:]
    return packet.strip(b"\0 \t\r\n")


class _Collector:
    """Hears the parser and keeps wanted properties, whether written as attributes, elements or lists."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self._elements = self._attributes = self._depth = 0
        self._inside: tuple[str, int] | None = None
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        self._attributes += len(attributes)
        self._depth += 1
        if (
            self._elements > _MAX_ELEMENTS
            or self._attributes > _MAX_ATTRIBUTES
            or self._depth > _MAX_DEPTH
            or len(self.found) > _MAX_FOUND
        ):
            raise ValueError("the packet is too large")
        for name, value in attributes.items():
            if name in _WANTED:
                self._keep(_WANTED[name], value)
        wanted = _WANTED.get(tag)
        if wanted is not None and self._inside is None:
            self._inside, self._text, self._length = (wanted, self._depth), [], 0
            if _RESOURCE in attributes:
                self._keep(wanted, attributes[_RESOURCE])

    def data(self, text: str) -> None:
        """Text within an element."""
        if self._inside is not None and self._length < _MAX_TEXT:
            self._text.append(text)
            self._length += len(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        if self._inside is not None and self._inside[1] == self._depth:
            self._keep(self._inside[0], "".join(self._text))
            self._inside = None
        self._depth -= 1

    def close(self) -> None:
        """The document ends."""

    def _keep(self, name: str, value: str) -> None:
        value = value[:_MAX_TEXT].strip()
        if value:
            self.found.append((name, value))
