"""Video and sound files for tests, made by code, and transport streams with splice information in them."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from worker.media.scte35 import TICKS, crc32_mpeg2

FPS = 25
CODECS = {
    "mp4": "mp4v",
    "mov": "mp4v",
    "mkv": "mp4v",
    "avi": "MJPG",
    "flv": "FLV1",
    "ts": "mpg2",
    "webm": "VP80",
}
_SPLICE_PID = 0x1F0
_PACKET = 188


def write_video(
    path: Path, scenes: Sequence[NDArray[np.uint8]], seconds: float = 1.0, fps: int = FPS
) -> Path:
    """Shows each scene (RGB) for so long; the container is what the name's ending says."""
    height, width = scenes[0].shape[:2]
    code = cv2.VideoWriter.fourcc(*CODECS[path.suffix[1:]])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height))
    assert writer.isOpened(), path.suffix
    for scene in scenes:
        picture = cv2.cvtColor(scene, cv2.COLOR_RGB2BGR)
        for _ in range(round(seconds * fps)):
            writer.write(picture)
    writer.release()
    return path


def write_wav(path: Path, seconds: float = 1.0, rate: int = 8000) -> Path:
    """A tone."""
    time = np.arange(round(seconds * rate)) / rate
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.sin(time * 2765) * 9000).astype("<i2").tobytes())
    return path


def section(body: bytes) -> bytes:
    """A section whose length and CRC are right; `body` from table_id on, with any length in it, without CRC."""
    length = len(body) + 4 - 3
    head = bytes((body[0], body[1] & 0xF0 | length >> 8, length & 0xFF)) + body[3:]
    return head + crc32_mpeg2(head).to_bytes(4)


def splice_insert(seconds: float | None, *, out: bool = True, adjustment: int = 0) -> bytes:
    """A splice_insert of the whole programme at a time of the stream, or at once."""
    command = (7).to_bytes(4) + b"\x7f"
    if seconds is None:
        command += bytes(((0xC0 if out else 0x40) | 0x1F,))
    else:
        pts = round(seconds * TICKS) | 0x7E << 32 | 1 << 39
        command += bytes(((0xC0 if out else 0x40) | 0x0F,)) + pts.to_bytes(5)
    command += (1).to_bytes(2) + b"\0\0"
    return splice(0x05, command, b"", adjustment=adjustment)


def time_signal(seconds: float, type_id: int) -> bytes:
    """A time_signal with one segmentation descriptor."""
    descriptor = b"CUEI" + (9).to_bytes(4) + b"\x7f" + b"\xbf" + b"\x0f\x00" + bytes((type_id, 1, 1))
    pts = round(seconds * TICKS) | 0x7E << 32 | 1 << 39
    return splice(0x06, pts.to_bytes(5), bytes((2, len(descriptor))) + descriptor)


def splice(command: int, body: bytes, descriptors: bytes, *, adjustment: int = 0) -> bytes:
    """A splice_info_section."""
    head = b"\xfc\x30\0\0" + (adjustment & (1 << 33) - 1).to_bytes(5) + b"\0"
    head += (0xFFF << 12 | len(body)).to_bytes(3) + bytes((command,))
    return section(head + body + len(descriptors).to_bytes(2) + descriptors)


def insert_cues(stream: Path, cues: Iterable[bytes], *, registered: bool = True) -> Path:
    """Puts splice sections in front of a transport stream, and a programme map that names their stream."""
    data = stream.read_bytes()
    out = bytearray()
    counter = 0
    told = False
    for at in range(0, len(data), _PACKET):
        packet = data[at : at + _PACKET]
        if _is_map(packet):
            out += _packet(_pid(packet), packet[3] & 15, _with_splices(packet, registered))
            if not told:
                told = True
                for cue in cues:
                    out += _packet(_SPLICE_PID, counter & 15, cue)
                    counter += 1
        else:
            out += packet
    stream.write_bytes(out)
    return stream


def _pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3]) & 0x1FFF


def _is_map(packet: bytes) -> bool:
    return packet[1] & 0x40 != 0 and packet[3] & 0x30 == 0x10 and packet[4:6] == b"\0\x02"


def _with_splices(packet: bytes, registered: bool) -> bytes:
    table = packet[5:]
    old = table[: 3 + (int.from_bytes(table[1:3]) & 0xFFF) - 4]
    own = int.from_bytes(old[10:12]) & 0xFFF
    cuei = b"\x05\x04CUEI" if registered else b""
    stream = bytes((0x86,)) + (0xE000 | _SPLICE_PID).to_bytes(2) + b"\xf0\0"
    body = old[:10] + (0xF000 | own + len(cuei)).to_bytes(2) + old[12 : 12 + own] + cuei + old[12 + own :]
    return section(body + stream)


def _packet(pid: int, counter: int, payload: bytes) -> bytes:
    head = bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | counter))
    body = head + b"\0" + payload
    assert len(body) <= _PACKET
    return body + b"\xff" * (_PACKET - len(body))


def event_message(cue: bytes, seconds: float, scheme: str = "urn:scte:scte35:2013:bin") -> bytes:
    """An `emsg` box of version 1."""
    body = b"\1\0\0\0" + (1000).to_bytes(4) + round(seconds * 1000).to_bytes(8) + bytes(8)
    body += scheme.encode() + b"\0" + b"1\0" + cue
    return (len(body) + 8).to_bytes(4) + b"emsg" + body
