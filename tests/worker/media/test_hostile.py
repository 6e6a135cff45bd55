"""Whatever a file does, it is refused with a reason or examined, and the next one is examined by the same worker."""

from __future__ import annotations

import os
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.media import hostile_files as hostile
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.sandbox import Sandbox

GOOD = hostile.picture("png")
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:%d/secret.ts\n"
DASH = b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://127.0.0.1:%d/</BaseURL></MPD>'
CONCAT = b"ffconcat version 1.0\nfile 'http://127.0.0.1:%d/secret.ts'\n"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    made = Sandbox(Limits(examine_seconds=20.0), 1, folder=tmp_path_factory.getbasetemp())
    yield made
    made.close()


def outcome(sandbox: Sandbox, path: Path, content: bytes, asked: Asked | None = None) -> Found | Refusal:
    path.write_bytes(content)
    try:
        return sandbox.examine(path, asked or Asked())
    except RefusedError as error:
        refusal = error
    assert str(path) not in refusal.detail
    assert "127.0.0.1" not in refusal.detail
    return refusal.reason


def is_well(sandbox: Sandbox, path: Path) -> bool:
    found = outcome(sandbox, path, GOOD)
    return isinstance(found, Found) and found.format == "png"


def child_of(sandbox: Sandbox) -> int:
    (child,) = sandbox._idle
    return child._process.pid


text = b"Title\0\0" + hostile.zeros(200)
rows = zlib.compress(b"\0" * 40_000_000, 9)

BOMBS = {
    "pixels": (hostile.png(20_000, 20_000, rows), {Refusal.TOO_MANY_PIXELS}),
    "1 x 50 000": (hostile.long_png(1, 50_000), {Refusal.TOO_MANY_PIXELS}),
    "50 000 x 1": (hostile.long_png(50_000, 1), {Refusal.TOO_MANY_PIXELS}),
    "zTXt": (hostile.small_png(hostile.chunk(b"zTXt", text)), {Refusal.UNREADABLE}),
    "iTXt": (hostile.small_png(hostile.chunk(b"iTXt", b"Title\0\1\0\0\0" + hostile.zeros(200))), {Refusal.UNREADABLE}),
    "iCCP": (hostile.small_png(hostile.chunk(b"iCCP", text)), {Refusal.UNREADABLE}),
    "many texts": (hostile.small_png(*[hostile.chunk(b"zTXt", b"a\0\0" + hostile.zeros(1))] * 200), {Refusal.UNREADABLE}),
    "more data than pixels": (hostile.png(32, 32, rows), None),
    "GIF screen": (hostile.gif(65_535, 65_535, hostile.gif_frame()), {Refusal.TOO_MANY_PIXELS}),
    "endless GIF": (hostile.gif(8, 8, hostile.gif_frame(8, 8) * 100_000), {Refusal.TOO_MANY_FRAMES}),
    "GIF frames": (hostile.gif(7_000, 7_000, hostile.gif_frame(7_000, 7_000) * 30), {Refusal.TOO_MANY_FRAMES}),
    "WebP canvas": (hostile.webp_animation(16_384, 16_384, 2), {Refusal.TOO_MANY_PIXELS, Refusal.UNREADABLE, Refusal.MEMORY}),
    "WebP frames": (hostile.webp_animation(16, 16, 20_000), {Refusal.TOO_MANY_FRAMES}),
    "APNG": (hostile.small_png(hostile.chunk(b"acTL", b"\x7f\xff\xff\xff\0\0\0\0")), {Refusal.TOO_MANY_FRAMES}),
    "TIFF pages": (hostile.tiff_pages(2_000), None),
    "TIFF strip": (hostile.tiff_of(20_000, 20_000, hostile.zeros(400)), {Refusal.TOO_MANY_PIXELS}),
    "TIFF list": (hostile.tiff({256: (4, 1, 8), 257: (4, 1, 8), 273: (4, 0x3FFFFFFF, 8)}), {Refusal.UNREADABLE}),
    "AVIF grid": (hostile.avif_grid(40, 40, 256), {Refusal.TOO_MANY_PIXELS}),
    "AVIF pieces": (hostile.avif_grid(200, 200), {Refusal.UNREADABLE}),
    "zip": (hostile.zip_bomb(200), None),
    "zip in a picture": (hostile.picture("jpeg") + hostile.zip_bomb(50), None),
    "entities": (hostile.laughs(), None),
    "entities in XMP": (hostile.small_png(hostile.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + hostile.laughs())), None),
    "deep XMP": (hostile.small_png(hostile.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<a>" * 200_000)), None),
    "PDF": (b"%PDF-1.7\n1 0 obj<</Length 9999999999/Filter/FlateDecode>>stream\n" + hostile.zeros(50), None),
    "HTML": (b"<html>" + b"<div>" * 1_000_000, None),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_its_own_file_only(sandbox, tmp_path, name) -> None:
    content, expected = BOMBS[name]
    assert len(content) < 6_000_000
    began = time.monotonic()
    found = outcome(sandbox, tmp_path / "file", content)
    assert time.monotonic() - began < 4
    if expected is None:
        assert isinstance(found, Found)
    else:
        assert isinstance(found, Refusal)
        assert found in expected
    assert is_well(sandbox, tmp_path / "next")


@pytest.mark.parametrize("list_", [HLS, DASH, CONCAT], ids=["HLS", "DASH", "ffconcat"])
@pytest.mark.parametrize("name", ["clip.mp4", "list.m3u8", "list.mpd", "picture%d.jpg"])
@pytest.mark.parametrize("kind", ["video", "image", None])
def test_a_playlist_is_refused_and_nobody_is_asked_for_what_it_names(
    sandbox, tmp_path, list_, name, kind
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.02)
        content = list_ % server.getsockname()[1]
        assert outcome(sandbox, tmp_path / name, content, Asked(kind)) is Refusal.PLAYLIST
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "front",
    [
        hostile.box(b"ftyp", b"isom\0\0\0\0isommp42"),
        hostile.box(b"moov", b""),
        b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska",
        (b"\x47" + bytes(187)) * 5,
        b"FLV\x01\5\0\0\0\x09\0\0\0\0",
        b"RIFF\0\0\0\0AVI LIST",
    ],
    ids=["mp4", "mov", "mkv", "mpegts", "flv", "avi"],
)
@pytest.mark.parametrize("list_", [HLS, DASH, CONCAT], ids=["HLS", "DASH", "ffconcat"])
def test_a_playlist_in_a_videos_clothes_is_not_followed(sandbox, tmp_path, front, list_) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.02)
        content = front + list_ % server.getsockname()[1]
        assert isinstance(outcome(sandbox, tmp_path / "clip.m3u8", content, Asked("video")), Refusal)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(
    "name", ["a\nb.png", "löwe 🦁.png", "-rf.png", "%d.png", "a'b\"c.png", "x" * 200, "file:a", "concat:a|b"]
)
def test_a_name_is_a_name(sandbox, tmp_path, name) -> None:
    assert is_well(sandbox, tmp_path / name)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (GOOD, "video"), (GOOD, "audio"), (hostile.laughs(), "image"), (b"%PDF-1.7", "video"),
        (hostile.zip_bomb(1), "gif"),
    ],
)  # fmt: skip
def test_a_false_label_is_refused(sandbox, tmp_path, content, kind) -> None:
    assert outcome(sandbox, tmp_path / "file", content, Asked(kind)) is Refusal.MISLABELLED


def test_a_file_that_went_away_costs_its_own_examination_only(sandbox, tmp_path) -> None:
    assert is_well(sandbox, tmp_path / "before")
    away = [tmp_path / "none", tmp_path]
    if not sandbox._idle[0]._missing:  # a system that fences files off
        away += [Path("/etc/passwd"), Path(f"/proc/{os.getpid()}/environ")]
    for path in away:
        with pytest.raises(RefusedError) as told:
            sandbox.examine(path, Asked())
        assert told.value.reason is Refusal.CRASHED
        assert str(path) not in told.value.detail
    assert is_well(sandbox, tmp_path / "next")


def test_nothing_stays_open_after_many_files(sandbox, tmp_path) -> None:
    """A child may have 64 files open: with one leaked now and then it would refuse what is in order."""
    path = tmp_path / "file"
    while True:  # until a child begins that will live through all of this
        assert is_well(sandbox, path)
        (child,) = sandbox._idle
        if child.files < 5:
            break
        sandbox._give(child, keep=False)
        sandbox._idle.clear()
    before = len(os.listdir(f"/proc/{child_of(sandbox)}/fd"))
    contents = [
        *(hostile.picture(format_) for format_ in hostile.FORMATS),
        hostile.animation("gif"),
        b"x",
        HLS,
    ]
    for turn in range(150):
        content = contents[turn % len(contents)]
        outcome(sandbox, path, content[: len(content) - turn % 3 * 40], Asked("image"))
    assert sandbox._idle == [child]
    assert len(os.listdir(f"/proc/{child_of(sandbox)}/fd")) <= before + 1


FUZZ = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MAGICS = st.sampled_from([
    b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0*", b"BM", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0AVI ",
    hostile.box(b"ftyp", b"avif\0\0\0\0"), hostile.box(b"ftyp", b"isom\0\0\0\0"), b"\x1aE\xdf\xa3", b"FLV\1", b"OggS", b"ID3", b"%PDF-",
    b"PK\3\4", b"<?xml ", b"RIFF\0\0\0\0WAVE", b"fLaC", b"",
])  # fmt: skip


@FUZZ
@given(
    magic=MAGICS, rest=st.binary(max_size=400), kind=st.sampled_from(["image", "gif", "video", "audio", None])
)
def test_any_bytes_are_examined_or_refused(sandbox, tmp_path, magic, rest, kind) -> None:
    found = outcome(sandbox, tmp_path / "file", magic + rest, Asked(kind))
    assert isinstance(found, Found) or found not in {Refusal.CRASHED, Refusal.TIME}
    assert is_well(sandbox, tmp_path / "next")


GOOD_ONES = [
    *(hostile.picture(format_, (24, 16)) for format_ in hostile.FORMATS),
    hostile.animation("gif"),
    hostile.animation("webp"),
]


@FUZZ
@given(
    content=st.sampled_from(GOOD_ONES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6),
    cut=st.floats(0.5, 1),
    twice=st.booleans(),
)
def test_a_good_file_that_was_tampered_with_is_examined_or_refused(
    sandbox, tmp_path, content, changes, cut, twice
) -> None:
    broken = bytearray(content)
    for place, value in changes:
        at = int(place * (len(broken) - 1))
        broken[at : at + len(value)] = value
    del broken[int(len(broken) * cut) :]
    found = outcome(sandbox, tmp_path / "file", bytes(broken) * (1 + twice), Asked("image"))
    assert isinstance(found, Found) or found not in {Refusal.CRASHED, Refusal.TIME}
    assert is_well(sandbox, tmp_path / "next")
