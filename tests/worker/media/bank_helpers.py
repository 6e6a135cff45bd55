"""Folders of hash banks for tests, and hashes that are near each other."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path


def digits(seed: str, count: int = 64) -> str:
    """Hex digits, different for each seed."""
    return (hashlib.sha256(seed.encode()).hexdigest() * 3)[:count]


def pdq_like(seed: str) -> str:
    """A hash of which half of the bits are set, as those of PDQ are."""
    bits = random.Random(seed).sample(range(256), 128)
    return f"{sum(1 << bit for bit in bits):064x}"


def near(value: str, distance: int) -> str:
    """A PDQ hash so many bits away."""
    flips = random.Random(value).sample(range(256), distance)
    return f"{int(value, 16) ^ sum(1 << bit for bit in flips):064x}"


def make_bank(
    folder: Path,
    name: str,
    *,
    policy: str = "illegal-goods",
    opinion: str = "confirmed",
    more: str = "",
    videos: Iterable[dict[str, object]] = (),
    **files: Sequence[str],
) -> Path:
    """A bank with these lines in its files (`pdq=[...]`)."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    info = f'policy = "{policy}"\nsource = "the test"\nopinion = "{opinion}"\n{more}\n'
    (path / "bank.toml").write_text(info)
    for kind, lines in files.items():
        (path / f"{kind}.txt").write_text("".join(f"{line}\n" for line in lines))
    lines = [json.dumps(video) for video in videos]
    if lines:
        (path / "vpdq.jsonl").write_text("\n".join(lines) + "\n")
    return path


def video(entry: str, frames: Iterable[str], quality: int = 90, **more: object) -> dict[str, object]:
    """A line of `vpdq.jsonl`."""
    return {
        "entry": entry,
        "frames": [f"{frame},{quality},{i}.000" for i, frame in enumerate(frames)],
        **more,
    }
