"""Where a video file announces advertisements: splice information (SCTE 35) in transport streams and MP4 event messages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from schemas.posts import AdMarker
from worker.media import scte35
from worker.media.containers import opened
from worker.media.iso_media import event_messages
from worker.media.transport_stream import read_cues

KIND: Final = "scte35"
_MOST: Final = 256  # markers of one file; a broadcast of a day has fewer
_MOST_MESSAGES: Final = (
    20_000  # messages of a file that are looked at; most are repeats or announce no advertisement
)
_SAME_SECONDS: Final = (
    1.0  # markers closer together announce the same advertisement: senders repeat themselves
)
# Schemes of event messages (ANSI/SCTE 214-1, section 6.7).
_BINARY: Final = "urn:scte:scte35:2013:bin"
_XML: Final = frozenset(("urn:scte:scte35:2014:xml+bin", "urn:scte:scte35:2013:xml"))


def read_ad_markers(path: Path, format_: str) -> tuple[AdMarker, ...]:
    """The places where advertisements begin in a file of one of `sniffing`'s video formats, in order of time.

    Formats other than mp4, mov and mpegts carry no splice information. What is broken or encrypted is left out.
    """
    with opened(path) as data:
        if format_ == "mpegts":
            places = [
                place
                for cue in read_cues(data, _MOST_MESSAGES)
                if (info := _parsed(cue.section)) and info.begins_advertisement
                for place in ([cue.seconds(time) for time in info.times] or [cue.seconds(None)])
            ]
        elif format_ in ("mp4", "mov"):
            places = [
                message.seconds
                for message in event_messages(data, _MOST_MESSAGES)
                if any(
                    info.begins_advertisement
                    for section in _sections(message.scheme, message.data)
                    if (info := _parsed(section))
                )
            ]
        else:
            places = []
    return tuple(AdMarker(at_seconds=place, kind=KIND) for place in _apart(places))


def _apart(places: list[float]) -> list[float]:
    kept: list[float] = []
    for place in sorted(places):
        if not kept or place - kept[-1] > _SAME_SECONDS:
            kept.append(round(place, 3))
    return kept[:_MOST]


def _parsed(section: bytes) -> scte35.SpliceInfo | None:
    try:
        return scte35.parse(section)
    except scte35.Scte35Error:
        return None


def _sections(scheme: str, data: bytes) -> Iterator[bytes]:
    if scheme == _BINARY:
        yield data
    elif scheme in _XML:
        try:
            root = defusedxml.ElementTree.fromstring(data.rstrip(b"\0"))
        except (defusedxml.ElementTree.ParseError, DefusedXmlException, ValueError, LookupError):
            return
        for element in root.iter():
            if element.tag.rpartition("}")[2] == "Binary" and element.text:
                try:
                    yield base64.b64decode("".join(element.text.split()), validate=True)
                except (ValueError, binascii.Error):
                    continue
