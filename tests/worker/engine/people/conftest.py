from __future__ import annotations

import pytest

from tests.worker.engine.people.helpers import Story
from worker.engine.registry import Pack


@pytest.fixture
def story(pack: Pack) -> Story:
    return Story(pack)
