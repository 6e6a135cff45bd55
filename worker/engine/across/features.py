"""The owner of a feature: counts who shows it, and says what follows for each account."""

from __future__ import annotations

from typing import Protocol

from schemas.coordination import Observation
from worker.engine.across.caps import Caps
from worker.engine.across.reporters import Reporters
from worker.engine.across.sharing import Sharing
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record

SHARED = {"fp": 60_000, "domain": 10_000, "device": 20_000, "network": 10_000}
"""How many features of each shared kind one partition remembers, together 100 000."""


class Kind(Protocol):
    """What judges the observations of one kind of feature, and keeps their `f:` records."""

    def adopt(self, desk: Desk) -> None:
        """Judges by the pack of another desk from now on; what is remembered stays."""
        ...

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record of this kind; None is a tombstone."""
        ...

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Judges one observation and counts it in `moderator_decisions_total`."""
        ...

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic (`f:` and the feature)."""
        ...


class Features:
    """Judges the records of `observations`, each by its kind; keeps the `f:` records of the `state` topic."""

    def __init__(self, desk: Desk) -> None:
        # By what stands before the first colon of a feature.
        self._kinds: dict[str, Kind] = {name: Sharing(desk, limit) for name, limit in SHARED.items()}
        self._kinds["cap"] = Caps(desk)
        self._kinds["reporter"] = Reporters(desk)

    def adopt(self, desk: Desk) -> None:
        """Judges by the pack of another desk from now on; what is remembered stays."""
        for kind in self._kinds.values():
            kind.adopt(desk)

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record."""
        kind = self._kinds.get(feature.partition(":")[0])
        if kind is not None:
            kind.restore(feature, value)

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Judges one observation of a feature that this partition owns."""
        kind = self._kinds.get(observation.feature.partition(":")[0])
        if kind is None:
            judged.count("moderator_decisions_total", record.topic, "clear")
        else:
            kind.judge(record, observation, judged)

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        changed: dict[bytes, bytes | None] = {}
        for kind in self._kinds.values():
            changed.update(kind.flush())
        return changed
