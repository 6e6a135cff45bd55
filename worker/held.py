"""What breakers held back and nobody has decided yet, as the topic `review.queue` tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.base import ActionKind, PolicyId
from schemas.decode import DecodeError, decode
from schemas.queue import QueueItem
from worker.engine.records import Record

TOPIC = "review.queue"
_MARK = b'"breaker"'


@dataclass(frozen=True, slots=True)
class Held:
    """One open item: an automatic action that was held back."""

    item_id: str
    account_id: str
    policy: PolicyId
    kind: ActionKind
    created_at: datetime

    @property
    def hour(self) -> datetime:
        """The hour of the decision, in UTC."""
        return self.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Group:
    """The open items of one policy, kind of action and hour."""

    policy: PolicyId
    kind: ActionKind
    hour: datetime
    oldest: datetime
    count: int


def open_items(
    records: Iterable[Record], unreadable: Callable[[Record], None] = lambda record: None
) -> list[Held]:
    """The open items among the queue's records, which are in order within a partition; oldest first."""
    found: dict[str, Held] = {}
    for record in records:
        # Most items have other reasons, and reading one costs more than looking.
        if record.value is None or _MARK not in record.value:
            continue
        try:
            item = decode(TOPIC, record.value, record.key).model
        except DecodeError:
            unreadable(record)
            continue
        if not isinstance(item, QueueItem) or item.reason != "breaker":
            continue
        if item.closed_by is not None:
            found.pop(item.item_id, None)
        elif item.policy is not None and item.proposed is not None:
            found[item.item_id] = Held(
                item.item_id, item.account_id, item.policy, item.proposed.kind, item.created_at
            )
    return sorted(found.values(), key=lambda held: (held.created_at, held.item_id))


def grouped(items: Iterable[Held]) -> list[Group]:
    """The items by policy, kind and hour; the hours of each in order."""
    groups: dict[tuple[PolicyId, ActionKind, datetime], list[datetime]] = {}
    for item in items:
        groups.setdefault((item.policy, item.kind, item.hour), []).append(item.created_at)
    return [Group(*key, min(times), len(times)) for key, times in sorted(groups.items())]
