"""Which format a file has, by its first bytes alone: names, extensions and labels are whatever the sender likes."""

from __future__ import annotations

from typing import Final

from schemas.posts import MediaKind

HEAD_BYTES: Final = 4096  # what `sniff` wants to see; fewer at the end of a short file

IMAGES: Final = frozenset(("jpeg", "png", "gif", "webp", "avif", "bmp", "tiff"))
VIDEOS: Final = frozenset(("mp4", "mov", "webm", "mkv", "avi", "flv", "mpegts"))
AUDIOS: Final = frozenset(("mp3", "wav", "flac", "ogg", "aac"))
DOCUMENTS: Final = frozenset(("pdf", "html", "xml", "text", "zip"))
PLAYLISTS: Final = frozenset(("m3u8", "mpd", "ffconcat"))
EXECUTABLE: Final = "executable"

_TS_PACKET = 188
_M2TS_PACKET = 192  # the same with a timestamp of four bytes before each
_SYNC = 0x47
_SPACES = b" \t\r\n\f"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BOM_CODECS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"FLV\x01", "flv"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x7fELF", EXECUTABLE),
    (b"\xca\xfe\xba\xbe", EXECUTABLE),
    (b"\xfe\xed\xfa\xce", EXECUTABLE),
    (b"\xfe\xed\xfa\xcf", EXECUTABLE),
    (b"\xce\xfa\xed\xfe", EXECUTABLE),
    (b"\xcf\xfa\xed\xfe", EXECUTABLE),
    (b"#!", EXECUTABLE),
)
_RIFF = {b"WEBP": "webp", b"AVI ": "avi", b"WAVE": "wav"}
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_IMAGE_BRANDS = frozenset((b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"))
_MP4_BOXES = frozenset((b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"))  # QuickTime without `ftyp`
_HTML = (
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<body",
    b"<script",
    b"<iframe",
    b"<title",
    b"<meta",
    b"<table",
)


def sniff(head: bytes) -> str:
    """The format of a file that begins with these bytes (`HEAD_BYTES` of them), or "" if none is known.

    One of jpeg, png, gif, webp, avif, bmp, tiff · mp4, mov, webm, mkv, avi, flv, mpegts · mp3, wav, flac, ogg,
    aac · pdf, html, xml, text, zip · the playlists m3u8, mpd, ffconcat · executable. It says what the file
    claims to be, not that it can be read.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and len(head) >= 12:
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[4:8] in _MP4_BOXES and len(head) >= 8:
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in head[:64] else "mkv" if b"matroska" in head[:64] else ""
    if head.startswith(b"MZ") and len(head) >= 64:
        return EXECUTABLE
    if head.startswith(b"BM") and len(head) >= 26 and head[6:10] == b"\0\0\0\0":
        return "bmp"
    if head.startswith(tuple(_BOM_CODECS)) and (text := _text(head)):
        return text  # the mark of UTF-16 is also how a frame of sound may begin
    return _transport_stream(head) or _audio_frame(head) or _text(head)


def class_of(name: str) -> str:
    """ "image", "video", "audio", "document", "playlist" or "", for a format that `sniff` gave."""
    for group, answer in (
        (IMAGES, "image"),
        (VIDEOS, "video"),
        (AUDIOS, "audio"),
        (DOCUMENTS, "document"),
        (PLAYLISTS, "playlist"),
    ):
        if name in group:
            return answer
    return ""


def accepts(asked: MediaKind | None, found: MediaKind) -> bool:
    """Whether an item labelled `asked` may turn out to be `found`.

    Platforms call short silent videos GIFs, and still GIFs images: only a label of another class is false.
    """
    return asked is None or found in _ACCEPTED[asked]


_ACCEPTED: dict[MediaKind, frozenset[MediaKind]] = {
    "image": frozenset(("image", "gif")),
    "gif": frozenset(("image", "gif", "video")),
    "video": frozenset(
        ("video", "gif", "live_video", "audio")
    ),  # a container may turn out to hold sound only
    "live_video": frozenset(("video", "gif", "live_video", "audio")),
    "audio": frozenset(("audio",)),
}


def _iso_media(head: bytes) -> str:
    """ISO base media (ISO/IEC 14496-12): the brands of `ftyp` say what kind."""
    size = min(int.from_bytes(head[:4]), len(head))
    brands = {head[8:12]} | {head[at : at + 4] for at in range(16, size - 3, 4)}
    if head[8:12] in _AVIF_BRANDS or (head[8:12] in _IMAGE_BRANDS and brands & _AVIF_BRANDS):
        return "avif"
    if head[8:12] in _IMAGE_BRANDS:
        return ""  # HEIF with a codec that nothing here decodes
    return "mov" if head[8:12] == b"qt  " else "mp4"


def _transport_stream(head: bytes) -> str:
    for size, first in ((_TS_PACKET, 0), (_M2TS_PACKET, 4)):
        places = range(first, min(len(head), first + 5 * size), size)
        if len(places) >= 3 and all(head[at] == _SYNC for at in places):
            return "mpegts"
    # One or two packets: too little to tell from text beginning with a G.
    if len(head) in (_TS_PACKET, 2 * _TS_PACKET) and head[0] == _SYNC and head[-_TS_PACKET] == _SYNC:
        return "mpegts" if b"\0" in head or b"\xff" in head else ""
    return ""


def _audio_frame(head: bytes) -> str:
    """MPEG audio and ADTS both begin with eleven or twelve set bits (ISO/IEC 11172-3, 13818-7)."""
    if len(head) < 4 or head[0] != 0xFF:
        return ""
    if head[1] & 0xF6 == 0xF0:
        return "aac" if (head[2] >> 2) & 0xF < 13 else ""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    valid = head[1] & 0xE0 == 0xE0 and version != 1 and layer != 0 and bitrate not in (0, 15) and rate != 3
    return "mp3" if valid else ""


def _text(head: bytes) -> str:
    for bom, codec in _BOM_CODECS.items():
        if head.startswith(bom):
            head = head[2:].decode(codec, "ignore").encode()
            break
    else:
        if head.startswith(_BOMS[0]):
            head = head[3:]
    if not head or b"\0" in head or _binary(head):
        return ""
    start = head.lstrip(_SPACES)
    lower = start.lower()
    if lower.startswith(b"#extm3u"):
        return "m3u8"
    if lower.startswith(b"ffconcat version"):
        return "ffconcat"
    if b"<mpd" in lower and lower.startswith(b"<"):
        return "mpd"
    if lower.startswith(b"<?xml"):
        return "html" if b"<html" in lower else "xml"
    if lower.startswith(_HTML) or (lower.startswith(b"<!--") and b"<html" in lower):
        return "html"
    if lower.startswith((b"<svg", b"<smoothstreamingmedia", b"<smil", b"<rss", b"<feed", b"<!doctype")):
        return "xml"
    return "text"


def _binary(head: bytes) -> bool:
    """Whether bytes occur that no text has: most control characters."""
    return any(byte < 32 and byte not in b"\t\n\r\f\x1b\b" for byte in head)
