"""Who owns which partition: fence, restore or keep, mark; and never half a number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest
from faust.types import TP

from tests.worker.shell import Bench, CountingJudge
from worker import restore
from worker.adapters.memory import MemoryPublisher
from worker.agents import AssignmentError, Ownership
from worker.restore import Restored, Take
from worker.settings import Settings
from worker.transport import Batch

TOPICS = ("posts", "reports")
SETTINGS = Settings(topic_prefix="t.", batch=100)


class Consumer:
    """What the ownership asks of the consumer."""

    def __init__(self) -> None:
        self.offsets: dict[TP, int] = {}
        self.ends: dict[TP, int] = {}
        self.begun_on: list[TP] = []

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, int]:
        return {tp: self.offsets[tp] for tp in partitions if tp in self.offsets}

    async def bounds(self, partitions: Iterable[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        return dict.fromkeys(partitions, 0), {tp: self.ends.get(tp, 0) for tp in partitions}

    def begun(self, tp: TP) -> None:
        self.begun_on.append(tp)


class Event:
    """A Faust event that holds a batch."""

    def __init__(self, batch: Batch) -> None:
        self.value = batch
        self.message = self
        self.tp = TP("t." + batch.topic, batch.partition)
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Cluster:
    """The `state` topic in memory, and an ownership on it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = Bench()
        self.state: dict[int, list[tuple[bytes, bytes | None]]] = {}
        self.restored: list[int] = []
        self.publishers: list[MemoryPublisher] = []
        self.consumer = Consumer()
        monkeypatch.setattr(restore, "restore", self._restore)
        monkeypatch.setattr(restore, "state_ends", self._ends)
        self.ownership = Ownership(
            SETTINGS,
            TOPICS,
            4,
            make_judge=lambda partition, partitions: CountingJudge(partition),
            make_publisher=self._publisher,
            tools=self.bench.tools,
        )

    def _publisher(self, number: int) -> MemoryPublisher:
        log = self.state.setdefault(number, [])

        class Logged(MemoryPublisher):
            async def publish(
                self, outputs: Any, state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
            ) -> int | None:
                await super().publish(outputs, state, offsets)
                log.extend(state.items())
                return len(log) if state else None

        made = Logged()
        self.publishers.append(made)
        return made

    async def _ends(self, settings: Settings, partitions: Iterable[int]) -> dict[int, int]:
        return {number: len(self.state.get(number, [])) for number in partitions}

    async def _restore(self, settings: Settings, take: Mapping[int, Take]) -> dict[int, Restored]:
        for number, receive in take.items():
            assert all(publisher.started for publisher in self.publishers[-1:])  # the fence comes first
            self.restored.append(number)
            for key, value in self.state.get(number, []):
                receive(key, value)
        return {number: Restored(len(self.state.get(number, [])), 0, 0.0) for number in take}

    async def assign(self, *numbers: int, topics: Iterable[str] = TOPICS) -> None:
        tps = [TP("t." + topic, number) for topic in topics for number in numbers]
        await self.ownership.take_over(tps, cast("Any", self.consumer))
        self.bench.epoch += 1  # Faust goes back to the committed offsets when it resumes

    def accept(self, first: int, last: int, partition: int = 0, follows: int | None = None) -> Event:
        from worker.engine.records import Record

        found = tuple(
            Record("posts", partition, offset, 0, b"u1", b"{}") for offset in range(first, last + 1)
        )
        event = Event(Batch("posts", partition, found, self.bench.epoch, follows))
        self.ownership.accept(event, cast("Any", self.consumer))
        return event


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def test_an_assignment_restores_and_then_takes_batches(cluster: Cluster) -> None:
    cluster.state[1] = [(b"a:u1", b"41")]

    async def main() -> None:
        await cluster.assign(0, 1)
        event = cluster.accept(0, 0, partition=1)
        await settle()
        assert event.acked

    asyncio.run(main())
    assert sorted(cluster.restored) == [0, 1]
    assert cluster.state[1][-1] == (b"a:u1", b"42")
    assert cluster.consumer.begun_on == [TP("t.posts", 1)]
    assert cluster.ownership.settled
    assert cluster.ownership.count == 2


def test_a_batch_of_a_partition_that_is_not_owned_is_let_go_of(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0)
        assert cluster.accept(0, 3, partition=2).acked

    asyncio.run(main())


def test_a_partition_that_comes_back_keeps_its_memory_when_nobody_wrote(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0)
        cluster.accept(0, 4)
        await settle()
        await cluster.ownership.release()
        assert not cluster.ownership.settled
        await cluster.assign(0)
        cluster.accept(5, 5)
        await settle()

    asyncio.run(main())
    assert cluster.restored == [0]
    assert (b"a:u1", b"6") in cluster.state[0]
    assert len(cluster.publishers) == 2  # a new one, which fences whoever had the partition in between


def test_a_partition_that_comes_back_is_restored_when_somebody_wrote(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0)
        cluster.accept(0, 4)
        await settle()
        await cluster.ownership.release()
        cluster.state[0].append((b"a:u1", b"100"))
        await cluster.assign(0)
        cluster.accept(5, 5)
        await settle()

    asyncio.run(main())
    assert cluster.restored == [0, 0]
    assert cluster.state[0][-1] == (b"a:u1", b"101")


def test_a_partition_that_went_to_another_worker_is_forgotten(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0, 1)
        await cluster.ownership.release()
        await cluster.assign(1)
        await cluster.ownership.release()
        await cluster.assign(0, 1)

    asyncio.run(main())
    assert sorted(cluster.restored) == [0, 0, 1]


def test_giving_away_leaves_a_clean_mark(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0)
        key, value = cluster.state[0][-1]
        assert key == b"p:0"
        assert json.loads(value or b"")["shell"]["running"] is True
        await cluster.ownership.release()

    asyncio.run(main())
    assert json.loads(cluster.state[0][-1][1] or b"")["shell"]["running"] is False


def test_an_owner_that_was_killed_without_progress_leaves_careful_work(cluster: Cluster) -> None:
    cluster.state[0] = [(b"p:0", b'{"shell":{"running":true,"offsets":{"posts":7}}}')]
    cluster.consumer.offsets = {TP("t.posts", 0): 7}
    cluster.consumer.ends = {TP("t.posts", 0): 10}

    async def main() -> None:
        await cluster.assign(0)

    asyncio.run(main())
    mark = json.loads(cluster.state[0][-1][1] or b"")["shell"]
    assert mark["careful"] == {"posts": 3}


def test_half_a_number_is_refused(cluster: Cluster) -> None:
    async def main() -> None:
        tps = [TP("t.posts", 0), TP("t.posts", 1), TP("t.reports", 0)]
        await cluster.ownership.take_over(tps, cast("Any", cluster.consumer))

    with pytest.raises(AssignmentError, match="reports"):
        asyncio.run(main())


def test_an_empty_assignment_owns_nothing_and_is_settled(cluster: Cluster) -> None:
    asyncio.run(cluster.assign())
    assert cluster.ownership.count == 0
    assert cluster.ownership.settled


def test_nothing_is_taken_over_once_the_worker_stops(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.ownership.release(closing=True)
        await cluster.assign(0)

    asyncio.run(main())
    assert cluster.ownership.count == 0
    assert cluster.publishers == []


def test_what_waits_is_known_by_topic_and_partition(cluster: Cluster) -> None:
    async def main() -> None:
        await cluster.assign(0)
        cluster.accept(0, 4)
        cluster.accept(5, 6, follows=4)
        assert cluster.ownership.waiting() == {TP("posts", 0): 7}

    asyncio.run(main())


def test_a_judge_that_is_not_needed_any_more_lets_go_of_what_it_has_on_disk(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    monkeypatch.setattr(CountingJudge, "close", lambda judge: closed.append(int(judge._key[2:])))

    async def main() -> None:
        await cluster.assign(0, 1)
        await cluster.ownership.release()
        assert closed == []
        await cluster.assign(1)  # 0 went to another worker, 1 is kept
        assert closed == [0]
        await cluster.ownership.release()
        cluster.state[1].append((b"a:u1", b"100"))  # somebody else had it for a while
        await cluster.assign(1)
        assert closed == [0, 1]
        await cluster.ownership.release(closing=True)
        assert closed == [0, 1, 1]

    asyncio.run(main())
