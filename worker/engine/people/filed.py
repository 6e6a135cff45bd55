"""What is remembered of the reports that one open item stands for, and how much they weigh together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log2
from typing import Any

from schemas.enforcement import EvidenceItem
from worker.engine.across.reporters import NEUTRAL

BRIGADE_PRIORITY = (
    60  # the most that a brigade's item gets without people who have a record, or a trusted flagger
)
PROVEN = 0.66  # trust from which a report counts beside a brigade: two of two upheld
HIGHEST_PRIORITY = 95
STEP = 12  # priority for each doubling of what the reports weigh
TRUSTED_PRIORITY = 20
DOUBTED = 0.25  # below it a report weighs so little that its item waits behind all others
DOUBTED_PRIORITY = -20
_SAID_MANY = "many reports in a short time, counted as one"


@dataclass(slots=True)
class Filed:
    """What is remembered of an open item's reports: `weights` by reporter, None of whom nothing is known yet."""

    weights: dict[str, float | None] = field(default_factory=dict)
    more: int = 0  # reports of people for whom there was no room
    trusted: bool = False
    brigade: bool = False

    @classmethod
    def of(cls, extra: Mapping[str, Any]) -> Filed:
        """What `extra` gave."""
        return cls(
            dict(extra.get("reporters", {})),
            extra.get("more", 0),
            extra.get("trusted", False),
            extra.get("brigade", False),
        )

    def extra(self) -> dict[str, Any]:
        """The further fields of the item's record."""
        return {
            "reporters": self.weights,
            "more": self.more,
            "trusted": self.trusted,
            "brigade": self.brigade,
        }

    @property
    def count(self) -> int:
        """How many people reported it."""
        return len(self.weights) + self.more

    def weight(self) -> float:
        """What all reports weigh together; those of a brigade as one, beside which only proven reporters count."""
        known = [NEUTRAL if weight is None else weight for weight in self.weights.values()]
        if not self.brigade:
            return sum(known) + self.more * NEUTRAL
        proven = [weight for weight in known if weight >= PROVEN]
        others = [weight for weight in known if weight < PROVEN]
        return sum(proven) + (sum(others) / len(others) if others else 0.0)

    def priority(self, base: int) -> int:
        """The item's priority: `base` is the policy's for anything that a person must look at."""
        weight = self.weight()
        priority = base + round(STEP * log2(1 + weight))
        if weight < DOUBTED and not self.trusted:
            priority += DOUBTED_PRIORITY
        proven = any(known is not None and known >= PROVEN for known in self.weights.values())
        if self.brigade and not proven and not self.trusted:
            priority = min(priority, BRIGADE_PRIORITY)
        if self.trusted:
            priority += TRUSTED_PRIORITY
        return max(0, min(HIGHEST_PRIORITY, priority))

    def evidence(self) -> tuple[EvidenceItem, ...]:
        """What the reports say together, and nothing of who made them."""
        said = f"reported by {self.count} people" if self.count > 1 else "reported by one person"
        items = [(said, min(1.0, round(self.weight(), 4)))]
        if self.brigade:
            items.append((_SAID_MANY, 1.0))
        if self.trusted:
            items.append(("reported by a trusted flagger", 1.0))
        return tuple(
            EvidenceItem(signal="report", field="record", score=score, detail=detail)
            for detail, score in items
        )
