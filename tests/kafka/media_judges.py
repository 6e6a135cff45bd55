"""The engine's judges with a backend that compiles at once: `MODERATOR_JUDGE=tests.kafka.media_judges:judges`.

The bundled policies take a minute to compile for the fast backend; a few posts do not need it.
"""

from __future__ import annotations

from collections.abc import Callable

from worker.engine.judge import PartitionJudge
from worker.engine.registry import load_pack
from worker.settings import Settings


def judges(settings: Settings) -> Callable[[int, int], PartitionJudge]:
    """The factory that the setting names; all decisions are published."""
    pack = load_pack(settings.policies, backend="re2")
    return lambda partition, partitions: PartitionJudge(pack, partition, partitions, publish_all=True)
