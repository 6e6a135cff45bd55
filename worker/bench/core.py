"""The core's stages, each timed on the same posts in batches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from schemas.base import encode
from schemas.decode import decode
from schemas.posts import Post
from worker import heap
from worker.bench import data
from worker.engine.chain import Chain
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import Pack, load_pack
from worker.engine.subjects import post_subject

START = datetime(
    2026, 11, 23, tzinfo=UTC
)  # of the posts: without a broker the clock on the wall decides nothing
_WARM_UP = 5  # batches before the clock starts


def measure(
    count: int, accounts: int, batch: int, policies: Path | None, cache_dir: Path | None
) -> dict[str, Any]:
    """Posts a second of the whole core, and CPU microseconds a post of each stage.

    Each batch goes through the stages one by one and then, as a whole, through the judge that the worker
    uses. `decide_and_state` is what remains of the whole: decisions, actions, strikes, accounts' records.
    """
    pack = load_pack(policies, cache_dir=cache_dir)
    chain, judge = Chain(pack.policies), PartitionJudge(pack, 0)
    stages = dict.fromkeys(("decode", "signals", "fast_model", "second_model", "rules", "encode"), 0.0)
    cascade = pack.models.cascade
    whole = wall = 0.0
    outputs = 0
    _warm_up(pack, count, accounts, batch)
    heap.settle()  # as the worker does once it runs
    for chunk in batches(count, accounts, batch):
        clock = _Clock(stages)
        posts = [model for record in chunk if isinstance(model := decode("posts", record.value).model, Post)]
        clock.lap("decode")
        subjects = [post_subject(post) for post in posts]
        signals = pack.signals.measure(subjects)
        clock.lap("signals")
        if cascade is not None:
            asked = cascade.first(subjects, signals)
            clock.lap("fast_model")
            cascade.second(asked)
            clock.lap("second_model")
            cascade.settle(asked)
            clock.lap("fast_model")
        for subject, found, post in zip(subjects, signals, posts, strict=True):
            chain.run(subject, found, post.created_at)
        clock.lap("rules")
        del posts, subjects, signals
        began, at = time.process_time(), time.perf_counter()
        judged = judge.judge(chunk)
        whole += time.process_time() - began
        wall += time.perf_counter() - at
        published = [
            decode(output.topic, output.value).model for output in judged.outputs if output.value is not None
        ]
        outputs += len(published)
        clock = _Clock(stages)
        for model in published:
            encode(model)
        clock.lap("encode")
    stages["decide_and_state"] = max(0.0, whole - sum(stages.values()))
    return {
        "posts": count,
        "seconds": wall,
        "cpu_seconds": whole,
        "outputs": outputs,
        "stages_us": {name: round(seconds / count * 1e6, 2) for name, seconds in stages.items()},
    }


class _Clock:
    """Adds CPU seconds since the last lap to named sums."""

    def __init__(self, sums: dict[str, float]) -> None:
        self._sums = sums
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self._sums[name] += now - self._last
        self._last = time.process_time()


def _warm_up(pack: Pack, count: int, accounts: int, batch: int) -> None:
    judge = PartitionJudge(pack, 0)
    for chunk in itertools.islice(batches(count, accounts, batch), _WARM_UP):
        judge.judge(chunk)


def batches(count: int, accounts: int, batch: int) -> Iterator[list[Record]]:
    """The benchmark's posts as records of one partition."""
    posts = enumerate(data.posts(count, accounts, START))
    while chunk := [
        Record("posts", 0, offset, 0, key, value) for offset, (key, value) in itertools.islice(posts, batch)
    ]:
        yield chunk
