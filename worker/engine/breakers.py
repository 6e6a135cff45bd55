"""Circuit breakers: a quota of automatic actions a day, per policy and kind; what comes above is held for review.

The day is that of the decision's own time (UTC), and the quota is a partition's, so that a replay of the
partition trips at the same record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from schemas.base import ActionKind
from worker.engine.policy import Policy
from worker.engine.state import DAY

DAYS_KEPT = 7


class Breakers:
    """The counts of one partition, for the policies of a pack."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        self._quotas = {
            (p.id, kind): int(getattr(p.breaker, kind)) for p in policies for kind in get_args(ActionKind)
        }
        self._counts: dict[tuple[int, str, str], int] = {}  # (day, policy, kind)

    def allow(self, policy: Policy, kind: str, now: int) -> bool:
        """Takes one action from the quota of its day, or says that it is spent."""
        day = now // DAY
        key = (day, policy.id, kind)
        count = self._counts.get(key, 0)
        if count >= self._quotas.setdefault((policy.id, kind), int(getattr(policy.breaker, kind))):
            return False
        self._counts[key] = count + 1
        if count == 0:
            self._drop_days(day)
        return True

    def open(self) -> dict[tuple[str, str], bool]:
        """Whether the quota of the latest day that was counted is spent, for each policy and kind."""
        latest: dict[tuple[str, str], tuple[int, int]] = {}
        for (day, policy, kind), count in self._counts.items():
            latest[policy, kind] = max(latest.get((policy, kind), (day, 0)), (day, count))
        return {key: key in latest and latest[key][1] >= quota for key, quota in self._quotas.items()}

    def _drop_days(self, day: int) -> None:
        """Keeps a few days. Times come from producers, so it is the quietest other day that goes, not the oldest:
        a handful of posts from the far future must not erase the count of today."""
        totals: dict[int, int] = {}
        for (kept, _, _), count in self._counts.items():
            totals[kept] = totals.get(kept, 0) + count
        if len(totals) > DAYS_KEPT:
            del totals[day]
            quietest = min(totals, key=lambda kept: (totals[kept], kept))
            self._counts = {key: count for key, count in self._counts.items() if key[0] != quietest}

    def to_json(self) -> list[list[Any]]:
        """The counts as they stand in the partition's record, in a fixed order."""
        return [[*key, count] for key, count in sorted(self._counts.items())]

    def restore(self, rows: list[list[Any]]) -> None:
        """Takes back what `to_json` gave."""
        self._counts = {(day, policy, kind): count for day, policy, kind, count in rows}
