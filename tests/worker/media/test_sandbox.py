"""Files are examined in processes of their own; whatever happens there, the next file is examined."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.worker.media.pictures import landscape
from worker.media.item import Asked, Limits, Refusal, RefusedError
from worker.media.sandbox import Sandbox

FORMATS = ("jpeg", "png", "gif", "webp", "bmp", "tiff")


def encoded(format_: str, seed: int = 1, size: tuple[int, int] = (320, 240)) -> bytes:
    buffer = BytesIO()
    Image.fromarray(landscape(seed, size)).save(buffer, format_)
    return buffer.getvalue()


def flat_png(side: int) -> bytes:
    """A small file that takes long and much memory to decode, within the limits of pixels."""
    buffer = BytesIO()
    Image.new("RGB", (side, side)).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(Limits(examine_seconds=20.0), 2)
    yield made
    made.close()


def refused(sandbox: Sandbox, path: Path, asked: Asked | None = None) -> RefusedError:
    with pytest.raises(RefusedError) as told:
        sandbox.examine(path, asked or Asked())
    return told.value


@pytest.fixture
def write(tmp_path: Path):
    def make(content: bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return make


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("format_", FORMATS)
def test_a_picture_has_its_hashes_whatever_its_format(sandbox, write, format_) -> None:
    found = sandbox.examine(write(encoded(format_)), Asked("image"))
    assert (found.kind, found.format, found.width, found.height) == ("image", format_, 320, 240)
    assert found.pdq is not None
    assert found.pdq_quality is not None
    assert found.pdq_quality >= 50
    assert found.sha256 is not None
    reference = sandbox.examine(write(encoded("png"), "reference"), Asked()).pdq
    distance = (int(found.pdq, 16) ^ int(reference, 16)).bit_count()
    assert distance <= (31 if format_ == "gif" else 10), "the same picture"


def test_an_animation_has_the_hashes_of_its_frames(sandbox, write) -> None:
    buffer = BytesIO()
    frames = [Image.fromarray(landscape(seed, (200, 160))) for seed in (1, 2, 3)]
    frames[0].save(buffer, "gif", save_all=True, append_images=frames[1:], duration=500, loop=0)
    found = sandbox.examine(write(buffer.getvalue()), Asked("gif"))
    assert found.kind == "gif"
    assert len(found.frames) == 3
    assert [frame.at_seconds for frame in found.frames] == [0.0, 0.5, 1.0]
    assert len({frame.pdq for frame in found.frames}) == 3


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (png(100_000, 100_000), "image", Refusal.TOO_MANY_PIXELS),
        (png(1, 50_000), "image", Refusal.TOO_MANY_PIXELS),
        (png(50_000, 1), "image", Refusal.TOO_MANY_PIXELS),
        (png(640, 480), "image", Refusal.UNREADABLE),
        (encoded("jpeg")[:-2000], "image", Refusal.UNREADABLE),
        (encoded("jpeg"), "video", Refusal.MISLABELLED),
        (b"<html><body>hello</body></html>", "image", Refusal.MISLABELLED),
        (b"#EXTM3U\nhttp://127.0.0.1:1/secret.ts\n", "video", Refusal.PLAYLIST),
        (b"#EXTM3U\nhttp://169.254.169.254/latest/meta-data/\n", "image", Refusal.PLAYLIST),
        (b"\x7fELF" + b"\0" * 200, "image", Refusal.UNSUPPORTED),
        (b"", "image", Refusal.UNSUPPORTED),
        (os.urandom(4000), "image", Refusal.UNSUPPORTED),
    ],
    ids=[
        "huge", "tall", "wide", "no pixels", "truncated", "mislabelled", "html", "playlist", "metadata address",
        "program", "empty", "noise",
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_with_its_reason(sandbox, write, content, kind, reason) -> None:
    error = refused(sandbox, write(content), Asked(kind))
    assert error.reason is reason
    assert "127.0.0.1" not in error.detail, "no address from the file"


def test_a_decompression_bomb_is_refused_before_it_is_decoded(sandbox, write) -> None:
    bomb = png(20_000, 20_000, b"\0" * 100_000_000)
    assert len(bomb) < 200_000
    began = time.monotonic()
    assert refused(sandbox, write(bomb)).reason is Refusal.TOO_MANY_PIXELS
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("format_", FORMATS)
def test_broken_files_never_end_the_sandbox(sandbox, write, format_) -> None:
    whole = encoded(format_, size=(96, 64))
    chance = random.Random(7)
    for _ in range(60):
        broken = bytearray(whole[: chance.randrange(1, len(whole) + 1)])
        for _ in range(chance.randrange(0, 6)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with contextlib.suppress(RefusedError):
            sandbox.examine(write(bytes(broken)), Asked("image"))
    assert sandbox.examine(write(whole), Asked("image")).format == format_


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_examined(write) -> None:
    sandbox = Sandbox(Limits(examine_seconds=0.25), 1)
    try:
        assert refused(sandbox, write(flat_png(7000), "big")).reason is Refusal.TIME
        assert sandbox.examine(write(encoded("png", size=(32, 32)), "small"), Asked()).kind == "image"
    finally:
        sandbox.close()


def test_a_file_that_takes_too_much_memory_is_refused_and_the_next_is_examined(write) -> None:
    sandbox = Sandbox(Limits(memory_bytes=96 * 1024 * 1024), 1)
    try:
        assert refused(sandbox, write(flat_png(7000), "big")).reason is Refusal.MEMORY
        assert sandbox.examine(write(encoded("png"), "small"), Asked()).kind == "image"
    finally:
        sandbox.close()


def test_a_child_that_dies_costs_its_own_file_only(write) -> None:
    sandbox = Sandbox(Limits(), 1)
    try:
        small = write(encoded("png"), "small")
        sandbox.examine(small, Asked())
        big = write(flat_png(7000), "big")
        killer = threading.Thread(target=_kill_soon, args=(sandbox,))
        killer.start()
        assert refused(sandbox, big).reason is Refusal.CRASHED
        killer.join()
        assert sandbox.examine(small, Asked()).kind == "image"
    finally:
        sandbox.close()


def _kill_soon(sandbox: Sandbox) -> None:
    while not sandbox._busy:
        time.sleep(0.001)
    (child,) = sandbox._busy
    os.kill(child._process.pid, signal.SIGSEGV)


def test_closing_ends_the_children_and_refuses_what_comes_later(write) -> None:
    sandbox = Sandbox(Limits(), 1)
    path = write(encoded("png"))
    sandbox.examine(path, Asked())
    (child,) = sandbox._idle
    sandbox.close()
    assert child._process.poll() is not None
    assert refused(sandbox, path).reason is Refusal.CRASHED


def test_children_have_neither_the_environment_nor_open_files_of_the_worker(write, monkeypatch) -> None:
    monkeypatch.setenv("MODERATOR_SECRET_FOR_TEST", "x" * 30)
    kept = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(kept, True)
    sandbox = Sandbox(Limits(), 1)
    try:
        sandbox.examine(write(encoded("png")), Asked())
        (child,) = sandbox._idle
        pid = child._process.pid
        assert b"SECRET_FOR_TEST" not in Path(f"/proc/{pid}/environ").read_bytes()
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max file size             0 " in limits
        assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()
        opened = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        assert not any(name.startswith("socket:") for name in opened)
    finally:
        os.close(kept)
        sandbox.close()
