"""What grows: the cost of longer lists, and of more accounts to restore."""

from __future__ import annotations

import asyncio
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker import heap, restore
from worker.bench.core import batches
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import Pack, load_pack
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.adapters.spill import Spill

_SEED = 11
_SYLLABLES = ("ba", "ke", "li", "mo", "nu", "pra", "ste", "tri", "vor", "zan", "qui", "dal", "fen", "gor")
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


def restored(broker: str, prefix: str, partitions: int, disk: bool = False) -> dict[str, Any]:
    """Restores every partition of `state`, as a worker does that owns them all, into memory or to disk."""
    settings = Settings(broker=broker, topic_prefix=prefix)
    if not disk:
        return asyncio.run(_restored(settings, partitions, None))
    from worker.adapters.spill import Spill

    with tempfile.TemporaryDirectory(prefix="moderator-state-") as folder:
        return asyncio.run(_restored(settings, partitions, Spill(Path(folder))))


async def _restored(settings: Settings, partitions: int, spill: Spill | None) -> dict[str, Any]:
    pack = load_pack(backend="re2")  # nothing is scanned here
    judges = {
        number: PartitionJudge(pack, number, store=None if spill is None else spill.open(number))
        for number in range(partitions)
    }
    before = resident_bytes()
    cpu, began = time.process_time(), time.perf_counter()
    found = await restore.restore(settings, {number: judge.restore for number, judge in judges.items()})
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    held = sum(len(judge.accounts) for judge in judges.values())
    records = sum(each.records for each in found.values())
    resident = resident_bytes() - before
    disk = sum(judge.store.disk_bytes or 0 for judge in judges.values())
    for judge in judges.values():
        judge.close()
    return {
        "posts": records,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "details": {
            "accounts": held,
            "state_records": records,
            "restore_seconds": round(seconds, 3),
            "restore_cpu_seconds": round(cpu, 3),
            "resident_bytes_an_account": round(resident / max(held, 1)),
            "disk_mb": round(disk / 1e6, 1),
        },
    }


def resident_bytes() -> int:
    """This process's memory now."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * resource.getpagesize()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
