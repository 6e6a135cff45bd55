"""A format is told by the first bytes alone, whatever the file is called and whoever says what it is."""

from __future__ import annotations

import struct
import wave
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.media import hostile_files as hostile
from worker.media.sniffing import (
    AUDIOS,
    DOCUMENTS,
    EXECUTABLE,
    HEAD_BYTES,
    IMAGES,
    PLAYLISTS,
    VIDEOS,
    accepts,
    class_of,
    sniff,
)

KNOWN = IMAGES | VIDEOS | AUDIOS | DOCUMENTS | PLAYLISTS | {EXECUTABLE, ""}


def wav() -> bytes:
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(100))
    return buffer.getvalue()


def transport(packets: int, extra: int = 0) -> bytes:
    return (bytes(extra) + b"\x47" + bytes(187)) * packets


@pytest.mark.parametrize("format_", hostile.FORMATS)
def test_pictures_are_known_by_their_first_bytes(format_) -> None:
    whole = hostile.picture(format_)
    assert sniff(whole[:HEAD_BYTES]) == format_
    assert class_of(format_) == "image"


@pytest.mark.parametrize(
    ("head", "format_"),
    [
        (hostile.box(b"ftyp", b"isom\0\0\0\0isomavc1"), "mp4"),
        (hostile.box(b"ftyp", b"qt  \0\0\0\0"), "mov"),
        (hostile.box(b"moov", bytes(8)), "mov"),
        (hostile.box(b"ftyp", b"avif\0\0\0\0"), "avif"),
        (hostile.box(b"ftyp", b"mif1\0\0\0\0avifmiaf"), "avif"),
        (hostile.box(b"ftyp", b"heic\0\0\0\0mif1heic"), ""),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\1B\x82\x84webm", "webm"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\1B\x82\x88matroska", "mkv"),
        (b"\x1aE\xdf\xa3" + bytes(100) + b"webm", ""),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0CDXA", ""),
        (b"FLV\x01\5\0\0\0\t", "flv"),
        (transport(5), "mpegts"),
        (transport(3), "mpegts"),
        (transport(5, extra=4), "mpegts"),
        (b"G" + b"a" * 187 + b"G" + b"b" * 187, "text"),
        (wav(), "wav"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"OggS\0\2", "ogg"),
        (b"ID3\4\0\0", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\xff\xfd\xa0\x00" + bytes(400), "mp3"),
        (b"%PDF-1.7\n", "pdf"),
        (hostile.zip_bomb(1)[:100], "zip"),
        (b"<!DOCTYPE html><p>", "html"),
        (b"\n\n  <HTML>", "html"),
        (b"<?xml version='1.0'?><a/>", "xml"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "xml"),
        (b"Dear all,\n", "text"),
        ("\ufeffDear all".encode("utf-16-le"), "text"),
        (b"\x7fELF\2\1\1", EXECUTABLE),
        (b"MZ" + bytes(100), EXECUTABLE),
        (b"#!/bin/sh\n", EXECUTABLE),
        (b"BM hello, this is a text and no picture", "text"),
        (b"", ""),
        (bytes(100), ""),
        (b"a\0b", ""),
    ],
)  # fmt: skip
def test_formats_are_known_by_their_first_bytes(head, format_) -> None:
    assert sniff(head) == format_


HLS = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://169.254.169.254/latest/meta-data/\n"
DASH = b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://10.0.0.1/</BaseURL></MPD>'
CONCAT = b"ffconcat version 1.0\nfile 'http://127.0.0.1:1/a.ts'\n"


@pytest.mark.parametrize(("head", "format_"), [(HLS, "m3u8"), (DASH, "mpd"), (CONCAT, "ffconcat")])
@pytest.mark.parametrize(
    "dressed",
    [
        lambda text: text,
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\r\n \t\n" + text,
        lambda text: text.replace(b"EXTM3U", b"extm3u").replace(b"<MPD", b"<mpd"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: ("\ufeff" + text.decode()).encode("utf-16-le"),
        lambda text: ("\ufeff" + text.decode()).encode("utf-16-be"),
    ],
    ids=["plain", "bom", "spaces", "case", "crlf", "utf-16-le", "utf-16-be"],
)
def test_a_playlist_is_one_however_it_is_dressed(head, format_, dressed) -> None:
    found = sniff(dressed(head))
    assert found == format_
    assert class_of(found) == "playlist"


@pytest.mark.parametrize("front", [hostile.picture("gif"), hostile.picture("jpeg"), b"%PDF-1.7\n"])
@pytest.mark.parametrize("behind", [HLS, CONCAT, b"<script>", hostile.zip_bomb(1), b"\x7fELF"])
def test_a_file_that_is_two_things_is_what_it_begins_with(front, behind) -> None:
    assert sniff((front + behind)[:HEAD_BYTES]) == sniff(front)


@given(st.binary(max_size=600))
def test_every_head_has_one_of_the_known_answers(head) -> None:
    found = sniff(head)
    assert found in KNOWN
    assert class_of(found) in {"image", "video", "audio", "document", "playlist", ""}


@given(st.sampled_from(hostile.FORMATS), st.binary(max_size=64))
def test_what_follows_the_head_changes_nothing(format_, behind) -> None:
    assert sniff(hostile.picture(format_)[:HEAD_BYTES] + behind) == format_


def test_a_bmp_is_told_from_words_that_begin_like_one() -> None:
    header = b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<Iii", 40, 4, 4)
    assert sniff(header) == "bmp"


@pytest.mark.parametrize(
    ("asked", "found", "accepted"),
    [
        ("image", "gif", True), ("gif", "image", True), ("gif", "video", True), ("video", "gif", True),
        ("video", "audio", True), ("image", "video", False), ("video", "image", False), ("audio", "video", False),
        ("audio", "image", False), ("live_video", "video", True), (None, "image", True),
    ],
)  # fmt: skip
def test_labels_may_be_loose_but_not_false(asked, found, accepted) -> None:
    assert accepts(asked, found) is accepted
