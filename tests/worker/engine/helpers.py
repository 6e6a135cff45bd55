"""Makes records and reads outputs for tests of the engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from worker.embedded import user_cache_directory
from worker.engine.records import Judged, Record

PACK = Path(__file__).resolve().parents[2] / "packs" / "plain"
# Compiled expressions stay between runs, by their content: what all packs share alone takes a second of CPU.
CACHE = user_cache_directory() / "patterns"
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def at(hours: float = 0.0, *, seconds: float = 0.0) -> str:
    """A time after the start of the story, as records carry it."""
    return (START + timedelta(hours=hours, seconds=seconds)).isoformat().replace("+00:00", "Z")


def post(
    text: str, post_id: str = "1", author: str = "u1", when: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "post_id": post_id,
        "author_id": author,
        "created_at": when or at(),
        "text": text,
        **more,
    }


class Feed:
    """Numbers records as a topic would."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {}

    def record(self, topic: str, value: Any, key: bytes | None = None, partition: int = 0) -> Record:
        offset = self._offsets.get(topic, 0)
        self._offsets[topic] = offset + 1
        data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        return Record(topic, partition, offset, 1_790_000_000_000, key, data)

    def posts(self, *values: dict[str, Any]) -> list[Record]:
        return [self.record("posts", value) for value in values]


def outputs(judged: Judged, topic: str) -> list[dict[str, Any]]:
    """The values published to one topic, in order."""
    return [json.loads(output.value) for output in judged.outputs if output.topic == topic and output.value]


def topics(judged: Judged) -> list[str]:
    """The topics published to, in order."""
    return [output.topic for output in judged.outputs]
