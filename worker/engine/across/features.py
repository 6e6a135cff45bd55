"""The owner of a feature: counts who shows it, and says what follows for each account."""

from __future__ import annotations

from schemas.coordination import Observation
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record


class Features:
    """Judges the records of `observations`; keeps the `f:` records of the `state` topic."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record."""

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Judges one observation of a feature that this partition owns."""
        judged.count("moderator_decisions_total", record.topic, "clear")

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        return {}
