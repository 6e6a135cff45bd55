"""What a change of the policy pack costs while posts come in: delays and pauses before, during and after it."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.bench.children import percentiles
from worker.demo.stage import Stage, StageError, worker
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack
from worker.publishing_packs import bundle, pointer, read_published, records
from worker.reading import reader
from worker.sending import send_in_order

RATE = 500.0  # posts a second: enough for gaps to mean something, far from the worker's limit
_STEADY_SECONDS = 15.0
_WARM_SECONDS = 10.0  # in which nothing is measured: the first batches of a process are slow
_LONGEST_SECONDS = 400.0  # a pack that nobody compiled before takes a minute
_BY = "operator:bench"


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision: when it was appended, how long after its post was sent (ms), by which pack, on which partition."""

    at: float
    delay: float
    pack: str
    partition: int


class Watch(threading.Thread):
    """Sees the committed decisions as they come."""

    def __init__(self, broker: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self._broker = broker
        self._prefix = prefix
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.seen: list[Seen] = []

    def run(self) -> None:
        """Until `ended` is set."""
        with reader(self._broker, ["decisions"], self._prefix, from_end=True) as topic:
            self.ready.set()
            while not self.ended.is_set():
                for record in topic.poll(0.1):
                    value = json.loads(record.value or b"{}")
                    sent = datetime.fromisoformat(value["decided_at"]).timestamp()
                    at = record.timestamp / 1000
                    self.seen.append(Seen(at, (at - sent) * 1000, value["pack"], record.partition))


def edition(source: Path, target: Path) -> Path:
    """The same pack with another id: what it costs to switch does not depend on what changed."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    about = target / "pack.toml"
    name = tomllib.loads(about.read_text(encoding="utf-8"))["id"]
    about.write_text(about.read_text(encoding="utf-8").replace(f'"{name}"', f'"{name}-next"', 1), "utf-8")
    return target


def measure(
    broker: str, prefix: str, policies: Path | None, cache: Path | None, folder: Path
) -> dict[str, Any]:
    """Publishes a pack in the middle of an even load; delays in milliseconds, gaps between decisions of a partition.

    Raises:
        StageError: the worker ended, or did not switch in time.
    """
    target = folder / "next-pack"
    shutil.rmtree(target, ignore_errors=True)
    after = load_pack(edition(policies or DEFAULT_PACK, target), cache_dir=cache)
    began = time.perf_counter()
    with worker(
        bootstrap=broker, prefix=prefix, group=f"{prefix}switch", policies=policies, log=folder / "switch.log"
    ) as stage:
        watch = Watch(broker, prefix)
        watch.start()
        watch.ready.wait(30)
        pace = _pace(broker, prefix)
        try:
            published, switched = _change(stage, watch, broker, prefix, after)
        finally:
            pace.kill()
            pace.wait()
            watch.ended.set()
            watch.join(10)
    table = [
        _phase("before", watch.seen, published - _STEADY_SECONDS, published),
        _phase("checking and loading", watch.seen, published, switched),
        _phase("switching and after", watch.seen, switched - 2.0, float("inf")),
    ]
    return {
        "posts": len(watch.seen),
        "seconds": time.perf_counter() - began,
        "details": {
            "rate": RATE,
            "seconds_from_publication_to_the_first_decision_by_it": round(switched - published, 1),
            "partitions_that_went_back": _back(watch.seen),
        },
        "tables": [{"title": "A pack change under load, milliseconds", "rows": table}],
    }


def _pace(broker: str, prefix: str) -> subprocess.Popen[bytes]:
    arguments = {"broker": broker, "topic": f"{prefix}posts", "rate": RATE, "seconds": _LONGEST_SECONDS + 60}
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "worker.bench.children", "pace", json.dumps(arguments)],
        stdout=subprocess.DEVNULL,
    )


def _change(stage: Stage, watch: Watch, broker: str, prefix: str, after: Pack) -> tuple[float, float]:
    """Publishes after a while; when that was, and when the first decision by the new pack came."""
    warm = time.monotonic() + _LONGEST_SECONDS
    while not watch.seen and time.monotonic() < warm:
        stage.check()
        time.sleep(0.2)
    time.sleep(_WARM_SECONDS + _STEADY_SECONDS)
    now = datetime.now(UTC)
    new = bundle(after, now, _BY)
    current = pointer(read_published(broker, prefix).current, new.release, None, now, _BY)
    sent = list(records(read_published(broker, prefix), current, new))
    published = time.time()
    send_in_order(broker, sent, prefix, total=len(sent))
    end = time.monotonic() + _LONGEST_SECONDS
    partitions = {each.partition for each in watch.seen}
    while {each.partition for each in tuple(watch.seen) if each.pack == after.id} < partitions:
        stage.check()
        if time.monotonic() > end:
            raise StageError(f"the worker did not switch to the new pack; see {stage.worker_log}")
        time.sleep(0.2)
    time.sleep(_STEADY_SECONDS)
    return published, min(each.at for each in tuple(watch.seen) if each.pack == after.id)


def _phase(name: str, seen: Sequence[Seen], start: float, end: float) -> dict[str, Any]:
    part = [each for each in seen if start <= each.at < end]
    return {
        "phase": name,
        "decisions": len(part),
        **percentiles([each.delay for each in part]),
        "longest_gap_ms": _gap(part),
    }


def _gap(seen: Sequence[Seen]) -> float:
    """The longest time in milliseconds in which nothing at all was decided."""
    times = sorted(each.at for each in seen)
    return round(max((b - a for a, b in itertools.pairwise(times)), default=0.0) * 1000, 1)


def _back(seen: Sequence[Seen]) -> int:
    """Partitions on which a decision by the first pack follows one by the second; `seen` is in each partition's order."""
    last: dict[int, set[str]] = {}
    now: dict[int, str] = {}
    back = set()
    for each in seen:
        if each.pack != now.get(each.partition) and each.pack in last.setdefault(each.partition, set()):
            back.add(each.partition)
        now[each.partition] = each.pack
        last[each.partition].add(each.pack)
    return len(back)
