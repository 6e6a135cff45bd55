from __future__ import annotations

import pytest

from worker.embedded import user_cache_directory
from worker.engine.registry import Pack, load_pack

# Compiling the pack takes ten seconds of CPU, so its compiled expressions stay between runs; they are kept by
# content, so an outdated one is never used.
CACHE = user_cache_directory() / "expressions"


@pytest.fixture(scope="session")
def default_pack() -> Pack:
    """The pack that ships with the worker."""
    return load_pack(cache_dir=CACHE)
