"""How many texts the second model may read: a share of all, so that what it costs is bounded.

Counted in records of one partition and kept in the partition's own record: a replay spends it at the same posts.
"""

from __future__ import annotations

_UNIT = 1_000_000  # millionths of a text, so that sums are exact


class Allowance:
    """A bucket that fills by `share` of a text with each text judged, up to `burst` texts.

    Args:
        share: 0..1.
        burst: texts that may be read in a row after a quiet time; the bucket is full at the start.
    """

    def __init__(self, share: float, burst: int) -> None:
        self._each = round(share * _UNIT)
        self._most = burst * _UNIT
        self._left = self._most

    def earn(self, texts: int) -> None:
        """Adds what so many judged texts bring."""
        self._left = min(self._most, self._left + texts * self._each)

    def take(self) -> bool:
        """Takes one text from the bucket, or says that it is spent."""
        if self._left < _UNIT:
            return False
        self._left -= _UNIT
        return True

    def to_json(self) -> int:
        """What is left, in millionths of a text."""
        return self._left

    def restore(self, left: int) -> None:
        """Takes back what `to_json` gave."""
        self._left = min(self._most, max(0, left))
