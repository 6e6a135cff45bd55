"""What examining pictures costs, by format and size, and what looking hashes up costs, by how many there are."""

from __future__ import annotations

import gc
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worker.bench.pictures import mixed
from worker.bench.scale import resident_bytes
from worker.media.examine import examine
from worker.media.item import Asked, Limits
from worker.signals.hashes import PDQ_DISTANCE
from worker.signals.near_hashes import NearHashes

SIZES = ((640, 480), (1600, 1200), (4000, 3000))
FORMATS: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 85},
    "webp": {"quality": 80, "method": 2},
    "png": {"compress_level": 1},
    "avif": {"quality": 60, "speed": 9},
    "gif": {},
}
HASHES = (10_000, 100_000, 1_000_000)
_AT_ONCE = (1, 16, 64)
_FILES = 8  # different ones of a format and size
_MADE = (800, 600)  # pixels at which they are drawn; larger ones are scaled up from it, with noise added
SECONDS = 4.0  # for which each is measured
_FLIPPED = 20  # bits, in which a query that is near an entry differs from it
_NEAR = 0.1  # share of the queries that are near an entry

Child = Callable[..., dict[str, Any]]


def examined(format_: str, width: int, height: int, seconds: float) -> dict[str, Any]:
    """Examines files of a format and size in this process, and through a sandbox of one process.

    The provenance and the exact hashes are read as well, as for any file; no classifier.
    """
    from worker.media.sandbox import Sandbox

    limits = Limits()
    with tempfile.TemporaryDirectory(prefix="moderator-bench-") as made:
        paths = _written(Path(made), format_, (width, height))
        size = sum(path.stat().st_size for path in paths) / len(paths)
        inside = _timed(lambda path: examine(path, Asked(), limits), paths, seconds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        sandbox = Sandbox(limits, 1)
        try:
            sandboxed = _timed(lambda path: sandbox.examine(path, Asked()), paths, seconds)
        finally:
            sandbox.close()
    return {
        "format": format_,
        "pixels": f"{width} × {height}",
        "file_kb": round(size / 1000, 1),
        "cpu_ms_an_image": round(inside.cpu * 1000, 2),
        "images_a_second_a_core": round(1 / inside.cpu, 1),
        "ms_an_image": round(inside.wall * 1000, 2),
        "ms_an_image_sandboxed": round(sandboxed.wall * 1000, 2),
        "sandboxed_to_inside": round(sandboxed.wall / inside.wall, 3),
        "peak_mb": round(peak / 1e6),
    }


@dataclass(frozen=True, slots=True)
class _Cost:
    """Seconds a file: of the clock, the median; and of this process's CPU, the mean."""

    wall: float
    cpu: float


def _timed(look: Callable[[Path], object], paths: list[Path], seconds: float) -> _Cost:
    for path in paths[:2]:
        look(path)
    times: list[float] = []
    gc.collect()
    spent, began = time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds or len(times) < len(paths):
        at = time.perf_counter()
        look(paths[len(times) % len(paths)])
        times.append(time.perf_counter() - at)
    return _Cost(float(np.median(times)), (time.process_time() - spent) / len(times))


def _written(folder: Path, format_: str, size: tuple[int, int]) -> list[Path]:
    """Different pictures of all kinds in this format; larger ones have the grain that a camera's have."""
    paths = []
    for number, (_, picture) in enumerate(mixed(_FILES, 77, _MADE)):
        image = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
        values = np.asarray(image, np.int16) + np.random.default_rng(number).integers(
            -3, 4, (size[1], size[0], 1)
        )
        path = folder / f"{number}.{format_}"
        Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).save(path, format_, **FORMATS[format_])
        paths.append(path)
    return paths


def queried(count: int, seconds: float) -> dict[str, Any]:
    """Builds an index of so many hashes and looks queries up in it, one by one and several at once."""
    chance = np.random.default_rng(11)
    words = chance.integers(0, 1 << 64, (count, 4), np.uint64)
    gc.collect()
    before, began, spent = resident_bytes(), time.perf_counter(), time.process_time()
    index = NearHashes(words)
    built, cpu = time.perf_counter() - began, time.process_time() - spent
    held = resident_bytes() - before
    queries = chance.integers(0, 1 << 64, (4_096, 4), np.uint64)
    near = chance.random(len(queries)) < _NEAR
    owners = chance.integers(0, count, len(queries))
    queries[near] = words[owners[near]]
    for query in np.nonzero(near)[0].tolist():
        for bit in chance.choice(256, _FLIPPED, replace=False).tolist():
            queries[query, bit // 64] ^= np.uint64(1 << (bit % 64))
    row: dict[str, Any] = {
        "hashes": count,
        "build_seconds": round(built, 2),
        "build_cpu_seconds": round(cpu, 2),
        "memory_mb": round((held + words.nbytes) / 1e6),
    }
    for many in _AT_ONCE:
        row[f"cpu_us_a_query_{many}_at_once"] = round(_query_cost(index, queries, many, seconds) * 1e6, 1)
    found, entries, _ = index.within_many(queries, PDQ_DISTANCE)
    matched = set(zip(found.tolist(), entries.tolist(), strict=True))
    known = sum((query, int(owners[query])) in matched for query in np.nonzero(near)[0].tolist())
    row["near_ones_found"] = round(known / int(near.sum()), 4)
    return row


def _query_cost(
    index: NearHashes, queries: np.ndarray[Any, np.dtype[np.uint64]], many: int, seconds: float
) -> float:
    """CPU seconds a query, so many at once; half of the time only warms caches up."""
    for share in (seconds / 4, seconds / 2):
        done, place = 0, 0
        spent, began = time.process_time(), time.perf_counter()
        while time.perf_counter() - began < share:
            index.within_many(queries[place : place + many], PDQ_DISTANCE)
            done += many
            place = (place + many) % (len(queries) - many + 1)
        cost = (time.process_time() - spent) / done
    return cost


def measure(child: Child, seconds: float) -> dict[str, Any]:
    """All formats and sizes, then all sizes of the index, each in a process of its own and for so many seconds."""
    began = time.perf_counter()
    files = [
        child("media_examined", format_=format_, width=width, height=height, seconds=seconds)
        for width, height in SIZES
        for format_ in FORMATS
    ]
    queries = [child("media_queried", count=count, seconds=seconds) for count in HASHES]
    for row in (*files, *queries):
        row.pop("peak_bytes", None)
    return {
        "posts": len(files) * _FILES,
        "seconds": time.perf_counter() - began,
        "details": {},
        "tables": [
            {"title": "Decoding and hashing, one process", "rows": files},
            {"title": "Looking hashes up", "rows": queries},
        ],
    }
