"""The core's stages, each timed on the same posts in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from schemas.base import encode
from schemas.decode import decode
from schemas.posts import Post
from worker.bench import data
from worker.engine.chain import Chain
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import load_pack
from worker.engine.subjects import post_subject

T = TypeVar("T")
R = TypeVar("R")
_WARM_UP = 5  # batches judged before the clock starts


def measure(
    count: int, accounts: int, batch: int, policies: Path | None, cache_dir: Path | None
) -> dict[str, Any]:
    """Posts a second of the whole core, and CPU microseconds a post of each stage.

    `decide_and_state` is what remains of the whole: decisions, actions, strikes, the accounts' records.
    """
    pack = load_pack(policies, cache_dir=cache_dir)
    start = data.now()
    records = [
        Record("posts", 0, offset, 0, key, value)
        for offset, (key, value) in enumerate(data.posts(count, accounts, start))
    ]
    batches = [records[first : first + batch] for first in range(0, len(records), batch)]
    chain = Chain(pack.policies)

    def posts_of(chunk: Sequence[Record]) -> list[Post]:
        return [model for record in chunk if isinstance(model := decode("posts", record.value).model, Post)]

    # Every stage runs on all batches before the next one, as it would with warm caches.
    posts, decoding = _timed(posts_of, batches)
    subjects, making = _timed(lambda chunk: [post_subject(post) for post in chunk], posts)
    signals, measuring = _timed(pack.signals.measure, subjects)
    _, ruling = _timed(
        lambda pair: [
            chain.run(subject, found, post.created_at) for subject, found, post in zip(*pair, strict=True)
        ],
        list(zip(subjects, signals, posts, strict=True)),
    )
    for chunk in batches[:_WARM_UP]:
        PartitionJudge(pack, 0).judge(chunk)
    judge = PartitionJudge(pack, 0)
    wall = time.perf_counter()
    judged, whole = _timed(judge.judge, batches)
    wall = time.perf_counter() - wall
    outputs = [
        decode(output.topic, output.value).model
        for chunk in judged
        for output in chunk.outputs
        if output.value is not None
    ]
    _, encoding = _timed(lambda chunk: [encode(model) for model in chunk], [outputs])
    known = {"decode": decoding, "signals": making + measuring, "rules": ruling, "encode": encoding}
    stages = {**known, "decide_and_state": max(0.0, whole - sum(known.values()))}
    return {
        "posts": count,
        "seconds": wall,
        "cpu_seconds": whole,
        "outputs": len(outputs),
        "stages_us": {name: round(seconds / count * 1e6, 2) for name, seconds in stages.items()},
    }


def _timed(work: Callable[[T], R], items: Sequence[T]) -> tuple[list[R], float]:
    """The results, and the CPU seconds that they took."""
    started = time.process_time()
    results = [work(item) for item in items]
    return results, time.process_time() - started
