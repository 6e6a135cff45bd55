from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tests.worker.media.films import (
    event_message,
    insert_cues,
    splice,
    splice_insert,
    time_signal,
    write_video,
)
from tests.worker.media.pictures import landscape
from worker.media.ad_markers import read_ad_markers
from worker.media.containers import opened
from worker.media.examine import examine
from worker.media.item import Asked, Limits
from worker.media.transport_stream import read_cues


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("film") / "a.ts"
    return write_video(path, [landscape(1, (320, 240)), landscape(2, (320, 240))], 2).read_bytes()


def first_time(path: Path) -> float:
    """Where the stream's clock stands at its first picture, in seconds."""
    insert_cues(path, [splice_insert(None)])
    with opened(path) as data:
        first = read_cues(data, 1)[0].first_pts
    assert first is not None
    return first / 90_000


def places(path: Path, format_: str) -> list[float]:
    return [marker.at_seconds for marker in read_ad_markers(path, format_)]


def test_a_transport_stream_says_where_advertisements_begin(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(film)
    begin = first_time(path)
    path.write_bytes(film)
    insert_cues(
        path,
        [
            splice(0x00, b"", b""),  # a heartbeat
            time_signal(begin + 0.5, 0x10),  # a programme begins
            splice_insert(begin + 1.5),
            splice_insert(begin + 1.5),  # sent again, as senders do
            splice_insert(begin + 1.6, out=False),
            time_signal(begin + 3, 0x30),
        ],
    )
    found = examine(path, Asked("video"), Limits())
    assert [marker.at_seconds for marker in found.ad_markers] == pytest.approx([1.5, 3.0], abs=0.01)
    assert {marker.kind for marker in found.ad_markers} == {"scte35"}
    assert len(found.frames) == 4  # and it is still a video


def test_one_that_takes_effect_at_once_stands_where_it_was_sent(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(film)
    insert_cues(path, [splice_insert(None)])
    assert places(path, "mpegts") == [0.0]


def test_a_stream_type_that_discs_use_for_sound_is_no_splice_information(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(film)
    insert_cues(path, [splice_insert(None)], registered=False)
    assert places(path, "mpegts") == []


def test_a_broken_section_is_left_out(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(film)
    insert_cues(path, [splice_insert(None)[:-1] + b"\0", splice_insert(None)])
    assert places(path, "mpegts") == [0.0]


def test_a_stream_without_splice_information_has_no_markers(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(film)
    assert places(path, "mpegts") == []


def test_event_messages_of_mp4_are_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [landscape(1, (320, 240))], 4)
    whole = path.read_bytes()
    text = base64.b64encode(time_signal(0, 0x44))
    xml = b'<Signal xmlns="http://www.scte.org/schemas/35/2016"><Binary>\n' + text + b"</Binary></Signal>"
    path.write_bytes(
        whole
        + event_message(splice_insert(None), 1.25)
        + event_message(splice_insert(None, out=False), 2)
        + event_message(xml, 3, "urn:scte:scte35:2014:xml+bin")
        + event_message(splice_insert(None), 3.5, "urn:example:other")
    )
    found = examine(path, Asked(), Limits())
    assert [marker.at_seconds for marker in found.ad_markers] == [1.25, 3]


def test_a_message_of_a_segment_counts_from_where_the_segment_begins(tmp_path: Path) -> None:
    def box(kind: bytes, body: bytes) -> bytes:
        return (len(body) + 8).to_bytes(4) + kind + body

    header = box(b"tkhd", bytes(12) + (7).to_bytes(4) + bytes(64))
    scale = box(b"mdhd", bytes(12) + (600).to_bytes(4) + bytes(8))
    movie = box(b"moov", box(b"trak", header + box(b"mdia", scale)))
    body = bytes(4) + b"urn:scte:scte35:2013:bin\0" + b"1\0"
    body += (1000).to_bytes(4) + (500).to_bytes(4) + bytes(8) + splice_insert(None)
    time = box(b"tfhd", bytes(4) + (7).to_bytes(4)) + box(b"tfdt", bytes(4) + (6000).to_bytes(4))
    path = tmp_path / "a.mp4"
    path.write_bytes(
        box(b"ftyp", b"isom" + bytes(4)) + movie + box(b"emsg", body) + box(b"moof", box(b"traf", time))
    )
    assert places(path, "mp4") == [10.5]


@pytest.mark.parametrize(
    "body",
    [
        b"<Signal><Binary>not base64!</Binary></Signal>",
        b"<Signal><Binary>",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><a>&b;&b;</a>',
        b"\xff\xfe\0",
        b"",
    ],
)
def test_broken_messages_are_left_out(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.mp4"
    good = event_message(splice_insert(None), 1)
    path.write_bytes(event_message(body, 3, "urn:scte:scte35:2014:xml+bin") + good)
    assert places(path, "mp4") == [1.0]


def test_a_file_of_nothing_but_cues_gives_a_bounded_answer(tmp_path: Path, film: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"".join(event_message(splice_insert(None), 2.0 * at) for at in range(3000)))
    assert len(places(path, "mp4")) == 256


@pytest.mark.parametrize("format_", ["mpegts", "mp4", "mov", "webm", "avi", "flv"])
def test_nonsense_has_no_markers(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "a"
    for data in (b"", b"G", b"G" * 400, os.urandom(50_000), b"\0" * 5000, b"\0\0\0\x01emsg" + b"\xff" * 8):
        path.write_bytes(data)
        assert places(path, format_) == []
