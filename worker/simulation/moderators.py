"""The people who decide: each looks at an item, sees the truth, and now and then gets it wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.simulation.people import HOUR

TEAM = tuple(f"mod:{number}" for number in range(1, 9))
DESK = "mod:desk"  # who lets people back in once they have shown who they are


@dataclass(frozen=True, slots=True)
class Decided:
    """A moderator's decision before it is sent. `right` says whether it agrees with the truth."""

    reviewer: str
    outcome: str
    action: dict[str, Any] | None
    right: bool


class Moderators:
    """A team with a stated error rate, 0 to 1."""

    def __init__(self, chance: random.Random, error_rate: float) -> None:
        self._chance = chance
        self._error_rate = error_rate

    def delay(self, item: Mapping[str, Any], hours_left: float) -> int:
        """After how many milliseconds somebody gets to an item; what is urgent goes first, a few wait past due."""
        mean = max(0.3, min(hours_left / 4, 12.0) * (1.2 - item["priority"] / 100))
        return int(min(self._chance.expovariate(1 / mean), hours_left * 1.5) * HOUR) + HOUR // 12

    def decide(self, item: Mapping[str, Any], policy: str | None, first: str | None = None) -> Decided:
        """Decides an item about something that breaks `policy` in truth (None: nothing).

        `first` decided before, so another must decide the appeal; one time in twenty nobody thinks of it.
        """
        chance = self._chance
        careless = first is not None and chance.random() < 0.05
        reviewer = first if careless and first else chance.choice([name for name in TEAM if name != first])
        right = chance.random() >= self._error_rate
        bad = (policy is not None) == right
        if item["reason"] == "appeal":
            return Decided(reviewer, "uphold" if bad else "overturn", None, right)
        if item["reason"] == "at_risk":
            return Decided(reviewer, "dismiss", None, True)  # somebody has talked to them; nobody is punished
        if not bad:
            return Decided(reviewer, "dismiss", None, right)
        if (
            item["proposed"] is None
            and item["reason"] != "zero_tolerance"
            and item["subject"]["type"] == "post"
        ):
            action = {
                "operation": "apply", "kind": "remove", "policy": policy or item["policy"] or "abuse-harassment",
            }  # fmt: skip
            return Decided(reviewer, "act", action, right)
        return Decided(reviewer, "uphold", None, right)
