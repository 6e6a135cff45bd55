"""What an account did lately: counts in buckets of event time, and the texts that it posted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Behaviour:
    """One account's recent doings, bounded."""

    def to_json(self) -> list[Any]:
        """What stands in the account's record; empty when nothing is known."""
        return []

    @classmethod
    def from_json(cls, value: Any) -> Behaviour:
        """Reads what `to_json` gave; None is an account of which nothing is known."""
        return cls()
