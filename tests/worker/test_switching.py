"""How the shell has partitions switch packs: told once by a record, never taken over with older ones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from schemas.coordination import PackSwitch
from tests.worker.shell import Bench, CountingJudge
from tests.worker.test_agents import Cluster, cluster
from worker.attempts import Mark
from worker.engine.records import Judged, Output
from worker.packs import PackBehindError

__all__ = ["cluster"]  # the fixture

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class FakePacks:
    """Packs of which only the version matters; `coming` is loaded once it is waited for."""

    def __init__(self, version: int, coming: int = 0, refused: str | None = None) -> None:
        self.version = version
        self.coming = coming
        self.refused = refused
        self.waited: list[int] = []

    @property
    def latest(self) -> Any:
        return self.version

    @property
    def wanted(self) -> PackSwitch | None:
        if not self.version:
            return None
        return PackSwitch(version=self.version, pack="p", sha256="0" * 64, refused=self.refused)

    async def reach(self, version: int, seconds: float) -> None:
        self.waited.append(version)
        self.version = max(self.version, self.coming)
        if self.version < version:
            raise PackBehindError("older")


class SwitchingJudge(CountingJudge):
    """Knows the version by which it judges, and that of its partition's record."""

    def __init__(self, partition: int = 0, version: int = 0, judged_version: int = 0) -> None:
        super().__init__(partition)
        self._version = version
        self._judged_version = judged_version

    @property
    def version(self) -> int:
        return self._version

    @property
    def judged_version(self) -> int:
        return self._judged_version

    def adopt(self, roll: Any) -> None:
        self._version = max(self._version, roll)

    def switch(self, wanted: PackSwitch) -> Judged:
        return Judged([Output("findings", b"partition:0", f"{wanted.version} {wanted.refused}".encode())])


def told(packs: FakePacks, judge: SwitchingJudge, times: int = 3) -> list[bytes | None]:
    """What is published when the timers run."""
    bench = Bench()
    bench.tools.packs = cast("Any", packs)
    bench.partition.judge = judge

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        for _ in range(times):
            await bench.partition.expire(NOW)

    asyncio.run(main())
    return [output.value for outputs, _, _ in bench.publisher.transactions for output in outputs]


def test_a_partition_is_told_once_of_newer_packs() -> None:
    assert told(FakePacks(7), SwitchingJudge(version=5)) == [b"7 None"]


def test_a_partition_that_has_them_is_told_nothing() -> None:
    assert told(FakePacks(7), SwitchingJudge(version=7)) == []
    assert told(FakePacks(0), SwitchingJudge()) == []


def test_a_refusal_is_told_too() -> None:
    assert told(FakePacks(7, refused="policy.toml:3: no"), SwitchingJudge(version=5)) == [
        b"7 policy.toml:3: no"
    ]


@pytest.mark.parametrize("coming", [9, 12])
def test_a_partition_that_was_judged_by_newer_packs_waits_for_them(cluster: Cluster, coming: int) -> None:
    judges = {0: SwitchingJudge(0, 5, 9), 1: SwitchingJudge(1, 5, 5)}
    packs = FakePacks(5, coming=coming)
    cluster.bench.tools.packs = cast("Any", packs)
    cluster.ownership._make_judge = lambda partition, partitions: judges[partition]
    asyncio.run(cluster.assign(0, 1))
    assert packs.waited == [9]
    assert (judges[0].version, judges[1].version) == (coming, 5)


def test_a_partition_never_goes_back_to_older_packs(cluster: Cluster) -> None:
    cluster.bench.tools.packs = cast("Any", FakePacks(5))
    cluster.ownership._make_judge = lambda partition, partitions: SwitchingJudge(partition, 5, 9)
    with pytest.raises(PackBehindError):
        asyncio.run(cluster.assign(0))
    assert cluster.ownership.count == 0
