"""What grows: the cost of longer lists, and of more accounts to restore."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from pathlib import Path
from typing import Any

from worker import heap, restore
from worker.bench import data
from worker.bench.core import START, batches
from worker.engine.ids import partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import Pack, load_pack
from worker.settings import Settings

_SEED = 11
_SYLLABLES = ("ba", "ke", "li", "mo", "nu", "pra", "ste", "tri", "vor", "zan", "qui", "dal", "fen", "gor")
_POSTS_EACH = 3
_STATE_BATCH = 5_000
_ROUNDS = 3  # the best counts: what else runs on the machine only ever makes it slower


def lists(
    count: int, accounts: int, batch: int, policies: str | None, cache_dir: str | None, entries: int
) -> dict[str, Any]:
    """The core with the pack as it is, and with so many further terms in its word lists.

    The terms are made up and none of them occurs: what is measured is what a list costs by its length.
    """
    folder, cache = _path(policies), _path(cache_dir)
    chunks = list(batches(count, accounts, batch))
    load_pack(folder, cache_dir=cache)  # so that neither of the two pays for the cache
    began = time.process_time()
    plain = load_pack(folder, cache_dir=cache)
    between = time.process_time()
    # Of a signal that every post is scanned for: what only matters around it would cost nothing.
    name = min(plain.policies[0].gate)
    longer = load_pack(folder, cache_dir=cache, extra_terms=[(name, _terms(entries))])
    loaded = time.process_time()
    heap.settle()
    before = after = float("inf")
    for _ in range(_ROUNDS):
        before = min(before, _cpu_seconds(plain, chunks))
        after = min(after, _cpu_seconds(longer, chunks))
    return {
        "posts": count,
        "seconds": after,
        "cpu_seconds": after,
        "details": {
            "entries": entries,
            "load_cpu_seconds_before": round(between - began, 3),
            "load_cpu_seconds_after": round(loaded - between, 3),
            "cpu_us_a_post_before": round(before / count * 1e6, 2),
            "cpu_us_a_post_after": round(after / count * 1e6, 2),
        },
    }


def _cpu_seconds(pack: Pack, chunks: list[list[Record]]) -> float:
    judge = PartitionJudge(pack, 0)
    began = time.process_time()
    for chunk in chunks:
        judge.judge(chunk)
    return time.process_time() - began


def _terms(entries: int) -> list[str]:
    chance = random.Random(_SEED)  # noqa: S311 - a benchmark's load, not a secret
    terms: dict[str, None] = {}
    while len(terms) < entries:
        words = ("".join(chance.choices(_SYLLABLES, k=3)) for _ in range(chance.choice((1, 1, 2))))
        terms[f"{' '.join(words)}{chance.randrange(1000)}"] = None
    return list(terms)


def state(broker: str, prefix: str, partitions: int, accounts: int) -> dict[str, Any]:
    """Writes to `state` what so many accounts leave that have posted three times each, batch by batch."""
    return {"posts": asyncio.run(_state(Settings(broker=broker, topic_prefix=prefix), partitions, accounts))}


async def _state(settings: Settings, partitions: int, accounts: int) -> int:
    from aiokafka import AIOKafkaProducer

    judge = PartitionJudge(load_pack(backend="re2"), 0)
    producer = AIOKafkaProducer(bootstrap_servers=settings.broker, linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    written = 0
    try:
        for start in range(0, accounts * _POSTS_EACH, _STATE_BATCH):
            numbers = range(start, min(start + _STATE_BATCH, accounts * _POSTS_EACH))
            for key, value in judge.judge([_post(number, accounts) for number in numbers]).state.items():
                await producer.send(
                    settings.topic("state"), value, key=key, partition=partition_of(key, partitions)
                )
                written += 1
        await producer.flush()
    finally:
        await producer.stop()
    return written


def _post(number: int, accounts: int) -> Record:
    author = f"r{number % accounts}"
    return Record("posts", 0, number, 0, None, data.value(f"r-{number}", author, START, "a fine day"))


def restored(broker: str, prefix: str, partitions: int) -> dict[str, Any]:
    """Restores every partition of `state`, as a worker does that owns them all."""
    return asyncio.run(_restored(Settings(broker=broker, topic_prefix=prefix), partitions))


async def _restored(settings: Settings, partitions: int) -> dict[str, Any]:
    pack = load_pack(backend="re2")  # nothing is scanned here
    judges = {number: PartitionJudge(pack, number) for number in range(partitions)}
    before = _resident_bytes()
    cpu, began = time.process_time(), time.perf_counter()
    found = await restore.restore(settings, {number: judge.restore for number, judge in judges.items()})
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    held = sum(len(judge.accounts) for judge in judges.values())
    records = sum(each.records for each in found.values())
    return {
        "posts": records,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "details": {
            "accounts": held,
            "state_records": records,
            "restore_seconds": round(seconds, 3),
            "restore_cpu_seconds": round(cpu, 3),
            "resident_bytes_an_account": round((_resident_bytes() - before) / max(held, 1)),
        },
    }


def _resident_bytes() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * resource.getpagesize()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
