from __future__ import annotations

import pytest

from tests.worker.engine.across.helpers import PACK, Story
from tests.worker.engine.helpers import CACHE
from worker.engine.registry import Pack, load_pack


@pytest.fixture(scope="session")
def campaign_pack() -> Pack:
    return load_pack(PACK, cache_dir=CACHE)


@pytest.fixture
def story(campaign_pack: Pack) -> Story:
    return Story(campaign_pack)
