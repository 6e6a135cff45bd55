"""Times that follow from a record's: whatever a record claims, what is added to its time still fits our records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.base import LATEST

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = LATEST - timedelta(microseconds=1)  # the latest time that a record of ours can carry
LAST_MS = (LAST - EPOCH) // timedelta(milliseconds=1)


def later(time: datetime, *, hours: int = 0, days: int = 0) -> datetime:
    """The time that many hours and days later, `LAST` where that would be later still."""
    try:
        return min(time + timedelta(days=days, hours=hours), LAST)
    except OverflowError:
        return LAST
