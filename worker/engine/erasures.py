"""Which accounts were erased lately: what is found later in their media must not bring them back."""

from __future__ import annotations

from collections.abc import Mapping

from worker.engine.ids import digest
from worker.engine.state import DAY

MOST = 1_024


class Erasures:
    """The last 1 024 erasures of a partition within a day, by a digest of the account's id; times in milliseconds."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def add(self, account_id: str, now: int) -> None:
        """Remembers an erasure, and forgets what is too old or too much."""
        name = digest("erased", account_id)
        self._times.pop(name, None)
        self._times[name] = now
        while len(self._times) > MOST or next(iter(self._times.values())) + DAY <= now:
            del self._times[next(iter(self._times))]

    def hold(self, account_id: str, now: int) -> bool:
        """Whether an account was erased within the day before, or after, a time."""
        time = self._times.get(digest("erased", account_id)) if self._times else None
        return time is not None and now < time + DAY

    def to_json(self) -> dict[str, int]:
        """As it stands in the partition's own record."""
        return dict(self._times)

    def restore(self, times: Mapping[str, int]) -> None:
        """Reads what `to_json` wrote."""
        self._times = dict(times)
