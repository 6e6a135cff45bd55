from __future__ import annotations

import pytest

from tests.worker.engine.helpers import CACHE
from worker.engine.registry import Pack, load_pack


@pytest.fixture(scope="session")
def default_pack() -> Pack:
    """The pack that ships with the worker. Compiling it takes ten seconds of CPU, once per change of its patterns."""
    return load_pack(cache_dir=CACHE)
