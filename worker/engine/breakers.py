"""Circuit breakers: a quota of automatic actions a day, per policy and kind; what comes above is held for review.

The day is that of the decision's own time (UTC), and the quota is a partition's, so that a replay of the
partition trips at the same record.
"""

from __future__ import annotations

from typing import Any

from worker.engine.policy import Policy
from worker.engine.state import DAY

DAYS_KEPT = 3


class Breakers:
    """The counts of one partition."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str, str], int] = {}  # (day, policy, kind)
        self._latest: dict[tuple[str, str], tuple[int, bool]] = {}  # (policy, kind) -> (day, open)

    def allow(self, policy: Policy, kind: str, now: int) -> bool:
        """Takes one action from the quota of its day, or says that it is spent."""
        day = now // DAY
        key = (day, policy.id, kind)
        count = self._counts.get(key, 0)
        allowed = count < int(getattr(policy.breaker, kind))
        if allowed:
            if key not in self._counts:
                self._drop_old(day)
            self._counts[key] = count + 1
        if day >= self._latest.get((policy.id, kind), (day, False))[0]:
            self._latest[policy.id, kind] = (day, not allowed)
        return allowed

    def open(self) -> dict[tuple[str, str], bool]:
        """Whether the breaker of each policy and kind held something on the last day that it counted."""
        return {key: tripped for key, (_, tripped) in self._latest.items()}

    def _drop_old(self, day: int) -> None:
        # Times come from producers: one post from the far future must not erase the count of today.
        newest_first = sorted({kept for kept, _, _ in self._counts} | {day}, reverse=True)
        if len(newest_first) > DAYS_KEPT:
            gone = set(newest_first[DAYS_KEPT:]) - {day}
            self._counts = {key: n for key, n in self._counts.items() if key[0] not in gone}

    def to_json(self) -> list[list[Any]]:
        """The counts as they stand in the partition's record, in a fixed order."""
        return [[*key, count] for key, count in sorted(self._counts.items())]

    def restore(self, rows: list[list[Any]]) -> None:
        """Takes back what `to_json` gave."""
        self._counts = {(day, policy, kind): count for day, policy, kind, count in rows}
