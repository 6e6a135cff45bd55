from __future__ import annotations

import pytest

from tests.worker.engine.helpers import CACHE, PACK, Feed
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack, load_pack


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack(PACK, cache_dir=CACHE)


@pytest.fixture
def judge(pack: Pack) -> PartitionJudge:
    return PartitionJudge(pack, 0)


@pytest.fixture
def feed() -> Feed:
    return Feed()
