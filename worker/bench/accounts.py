"""What the accounts' state costs: throughput beside a judge that writes none, memory, disk and restore."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker import heap, judges
from worker.bench.core import batches
from worker.bench.scale import resident_bytes
from worker.engine.ids import digest, partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import Pack, load_pack
from worker.engine.state import Account, Accounts
from worker.engine.store import MemoryStore, Store
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.ports import Judge, JudgeFactory

_MODELS = 300  # accounts whose records all others get a copy of
_POSTS_EACH = 10
_SKIPPED = 5  # batches, at least as many posts as those records know
_WARM_UP = 3  # batches before the clock starts


class Unwritten(Accounts):
    """Accounts that are only objects in memory: decided by in the same way, but never encoded, stored or written."""

    def flush(self) -> dict[bytes, bytes | None]:
        """Nothing; all stay as they are."""
        self._changed.clear()
        return {}


def without_state(settings: Settings) -> JudgeFactory:
    """The engine's judges, writing no account: what the full worker is compared with (`settings.judge`)."""
    make = judges.engine(settings)

    def unwritten(partition: int, partitions: int) -> Judge:
        judge = make(partition, partitions)
        assert isinstance(judge, PartitionJudge)
        judge.accounts.__class__ = Unwritten
        return judge

    return unwritten


class Copies:
    """Records of `state` for as many accounts of the benchmark's posts as are asked for.

    A few hundred accounts' records are written by the engine itself, of ten posts each and what it did about them;
    every other account has a copy of one of them.
    """

    def __init__(self, pack: Pack) -> None:
        judge = PartitionJudge(pack, 0)
        written: dict[bytes, bytes | None] = {}
        for chunk in batches(_MODELS * _POSTS_EACH, _MODELS, 1_000):
            written.update(judge.judge(chunk).state)
        self._models = [value for key, value in written.items() if key[:2] == b"a:" and value]
        self._actions = [
            [
                known
                for action in Account.from_bytes(value).actions
                if (known := written.get(b"x:" + action.action_id.encode()))
            ]
            for value in self._models
        ]

    def of(self, number: int) -> bytes:
        """The record of the account with this number; bytes of its own, as a consumer would give them."""
        return bytes(bytearray(self._models[number % len(self._models)]))

    def records(self, accounts: int, actions: bool = True) -> Iterator[tuple[bytes, bytes]]:
        """The records of so many accounts, and of their actions unless their timers are not to run, by key."""
        for number in range(accounts):
            yield b"a:b%d" % number, self.of(number)
            for value in self._actions[number % len(self._models)] if actions else ():
                action = json.loads(value)["action"]
                owner = b'"account_id":' + json.dumps(action["account_id"]).encode()
                yield (
                    b"x:" + digest(action["action_id"], number).encode(),
                    value.replace(owner, b'"account_id":"b%d"' % number),
                )


def accounts(
    count: int, accounts: int, batch: int, policies: str | None, cache_dir: str | None, disk: bool
) -> dict[str, Any]:
    """Judges the same posts by two judges, batch by batch in turn: one keeps the state of so many accounts as a
    worker does, the other has those it needs as objects in memory and neither reads nor writes a record.
    """
    pack = load_pack(_path(policies), cache_dir=_path(cache_dir))
    copies = Copies(pack)
    folder = Path(tempfile.mkdtemp(prefix="moderator-state-"))
    try:
        store = _store(folder, disk)
        judge, plain = PartitionJudge(pack, 0, store=store), PartitionJudge(pack, 0)
        plain.accounts.__class__ = Unwritten
        heap.settle()
        before = resident_bytes()
        for key, value in copies.records(accounts):
            judge.restore(key, value)
        heap.settle()
        held = resident_bytes() - before
        seconds = {plain: 0.0, judge: 0.0}
        cpu = dict(seconds)
        # What the models' accounts posted is in the records already.
        chunks = itertools.islice(batches(count + _SKIPPED * batch, accounts, batch), _SKIPPED, None)
        posts = 0
        for number, chunk in enumerate(chunks):
            _know(plain.accounts, chunk, copies)
            for each in (plain, judge) if number % 2 else (judge, plain):
                began, spent = time.perf_counter(), time.process_time()
                each.judge(chunk)
                if number >= _WARM_UP:
                    seconds[each] += time.perf_counter() - began
                    cpu[each] += time.process_time() - spent
            posts += len(chunk) if number >= _WARM_UP else 0
        details = {
            "accounts": len(judge.accounts),
            "actions": len(judge.ledger),
            "cpu_us_a_post_without_state": round(cpu[plain] / posts * 1e6, 2),
            "cpu_us_a_post_with_state": round(cpu[judge] / posts * 1e6, 2),
            "throughput_beside_none": round(seconds[plain] / seconds[judge], 3),
            "cpu_beside_none": round(cpu[plain] / cpu[judge], 3),
            "resident_mb_of_state_restored": round(held / 1e6, 1),
            "record_bytes": round(sum(len(copies.of(number)) for number in range(_MODELS)) / _MODELS),
            "disk_mb": round((store.disk_bytes or 0) / 1e6, 1),
        }
        store.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"posts": posts, "seconds": seconds[judge], "cpu_seconds": cpu[judge], "details": details}


def written(
    broker: str,
    prefix: str,
    partitions: int,
    accounts: int,
    policies: str | None,
    cache_dir: str | None,
    actions: bool = True,
) -> dict[str, Any]:
    """Writes the state of so many accounts to the `state` topic, with their actions or without."""
    pack = load_pack(_path(policies), cache_dir=_path(cache_dir))
    settings = Settings(broker=broker, topic_prefix=prefix)
    return {"posts": asyncio.run(_written(settings, partitions, Copies(pack).records(accounts, actions)))}


async def _written(settings: Settings, partitions: int, records: Iterator[tuple[bytes, bytes]]) -> int:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=settings.broker, linger_ms=20, max_batch_size=512 * 1024)
    await producer.start()
    count = 0
    try:
        for key, value in records:
            count += 1
            await producer.send(
                settings.topic("state"), value, key=key, partition=partition_of(key, partitions)
            )
        await producer.flush()
    finally:
        await producer.stop()
    return count


def _know(accounts: Accounts, chunk: list[Record], copies: Copies) -> None:
    """Has these posts' authors in memory, as objects: what the clock is not to see."""
    for author in {record.key.decode() for record in chunk if record.key is not None}:
        if author not in accounts:
            accounts.restore(author, copies.of(int(author[1:])))
            accounts.get(author)


def _store(folder: Path, disk: bool) -> Store:
    if not disk:
        return MemoryStore()
    from worker.adapters.spill import SpillStore

    return SpillStore(folder / "partition")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
