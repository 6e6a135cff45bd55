"""What follows for an account from the features that it shares with others."""

from __future__ import annotations

from schemas.coordination import Finding
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record


class Findings:
    """Judges the records of `findings` that speak of features; those of models are judged elsewhere."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def judge(self, record: Record, finding: Finding, judged: Judged) -> None:
        """Judges one finding about an account of this partition."""
        judged.count("moderator_decisions_total", record.topic, "clear")
