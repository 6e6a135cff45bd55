"""Circuit breakers: caps of automatic actions a day and a minute, per policy and kind, for the cluster as a whole.

Windows are those of the decision's own time (UTC). Of each window's cap a partition may use its share without
asking; the rest is a pool. Its owner (`worker.engine.across.caps`) leases from it what partitions ask for, by records,
so that a replay of the partition is held back at the same record. What is above a lease is held for review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from schemas.base import ActionKind, PolicyId, encode
from schemas.coordination import Finding, Observation
from worker.engine.ids import digest, partition_of
from worker.engine.policy import Policy
from worker.engine.records import Output
from worker.engine.state import DAY
from worker.engine.times import EPOCH

WindowKind = Literal["day", "minute"]
LENGTHS: dict[str, int] = {"day": DAY, "minute": 60_000}
KEPT: dict[str, int] = {"day": 8, "minute": 16}
"""Windows that are remembered of each kind, for each policy and kind of action; half of them whatever comes."""
_FEATURE = "cap:"

Kept = TypeVar("Kept")


def share(cap: int, partitions: int | None) -> int:
    """What each partition may do in a window without asking: its part of half the cap, but one at least.

    One partition alone has all of it, and there is no pool.
    """
    if partitions is None or partitions <= 1:
        return cap
    return min(cap, max(1, cap // (2 * partitions)))


def pool(cap: int, partitions: int | None) -> int:
    """What of a cap is leased on demand."""
    return max(0, cap - (partitions or 1) * share(cap, partitions))


def overshoot(cap: int, partitions: int | None) -> int:
    """How far all partitions together can get above a cap: only where it is smaller than their number."""
    return max(0, (partitions or 1) * share(cap, partitions) - cap)


class Name(NamedTuple):
    """What a cap is for: one window kind of one policy's actions of one kind."""

    policy: str
    kind: str
    window: str

    @property
    def feature(self) -> str:
        """As it stands in `observations` and `findings`: `cap:<policy>/<kind>/<window kind>`."""
        return _FEATURE + "/".join(self)

    @classmethod
    def of(cls, feature: str) -> Name | None:
        """What a feature names; None when it is no cap."""
        parts = feature.removeprefix(_FEATURE).split("/")
        if not feature.startswith(_FEATURE) or len(parts) != 3:
            return None
        name = cls(*parts)
        known = (
            name.policy in get_args(PolicyId) and name.kind in get_args(ActionKind) and name.window in LENGTHS
        )
        return name if known else None


def account_of(partition: int) -> str:
    """What stands for a partition where records name an account."""
    return f"partition:{partition}"


def is_grant(finding: Finding) -> bool:
    """Whether a finding tells a partition what it was leased."""
    return finding.feature.startswith(_FEATURE)


def trim(windows: dict[int, Kept], window: str, weight: Callable[[Kept], int]) -> None:
    """Forgets one window if there are too many; `windows` are in the order in which they were touched last.

    Times come from producers. So it is not the oldest that goes, but of those that were not touched lately the one
    of least weight: a handful of posts from the far future must not erase the count of today.
    """
    if len(windows) > KEPT[window]:
        idle = islice(windows, len(windows) - KEPT[window] // 2)
        del windows[min(idle, key=lambda number: (weight(windows[number]), number))]


@dataclass(slots=True)
class Lease:
    """What one partition did in one window, and what it was leased beyond its share.

    `mark` is the demand at which it asks again, 0 before it asked first; `empty` the cap by which the pool was
    last said to be empty, 0 if it never was.
    """

    used: int = 0
    held: int = 0
    granted: int = 0
    mark: int = 0
    empty: int = 0

    @property
    def row(self) -> tuple[int, ...]:
        """Its fields in their order."""
        return (self.used, self.held, self.granted, self.mark, self.empty)

    @property
    def demand(self) -> int:
        """How many actions were wanted."""
        return self.used + self.held


class Breakers:
    """The leases of one partition, for the policies of a pack.

    `partitions` is the partition count; None or 1: there is nobody to share with, and nothing is asked.
    """

    def __init__(
        self, policies: Iterable[Policy] = (), partition: int = 0, partitions: int | None = None
    ) -> None:
        self._policies: dict[str, Policy] = {policy.id: policy for policy in policies}
        self.partitions = partitions
        self._partition = partition
        self._leases: dict[Name, dict[int, Lease]] = {}
        self._fresh: set[Name] = set()  # held something since `open` was asked last
        self._asks: list[Output] = []
        self._json: list[list[Any]] | None = []

    def adopt(self, policies: Iterable[Policy]) -> None:
        """Counts for other policies from now on; what was leased stays."""
        self._policies = {policy.id: policy for policy in policies}

    def allow(self, policy: Policy, kind: str, now: int) -> bool:
        """Takes one action from the leases of its day and its minute, or says that one of them is spent."""
        self._json = None
        names = [Name(policy.id, kind, window) for window in LENGTHS]
        caps = [policy.breaker.cap(kind, window) for window in LENGTHS]
        leases = [self._touch(name, now) for name in names]
        spent = [self._left(lease, cap) <= 0 for lease, cap in zip(leases, caps, strict=True)]
        allowed = not any(spent)
        for name, cap, lease, is_spent in zip(names, caps, leases, spent, strict=True):
            if allowed:
                lease.used += 1
            elif is_spent:
                lease.held += 1
                self._fresh.add(name)
            self._ask(name, cap, lease, now)
        return allowed

    def asks(self) -> list[Output]:
        """The records that ask the owners of pools for more; each is given once."""
        asks, self._asks = self._asks, []
        return asks

    def grant(self, finding: Finding) -> bool:
        """Takes an answer; False when there is nothing that it could be for. Late and repeated ones do no harm."""
        name = Name.of(finding.feature)
        if name is None or finding.lease is None:
            return False
        number = (finding.lease.window - EPOCH) // timedelta(milliseconds=LENGTHS[name.window])
        lease = self._leases.get(name, {}).get(number)
        if lease is None:
            # The window was forgotten: with its count gone, what is granted on top could be too much.
            return False
        self._json = None
        lease.granted = max(lease.granted, finding.lease.granted)
        if not finding.lease.left:
            lease.empty = max(lease.empty, finding.lease.cap)
        return True

    def open(self, now: int | None = None) -> dict[Name, bool]:
        """Whether actions are being held, for each policy, kind of action and kind of window.

        That is where the window of the last one is spent, and is not over at `now` or held something since this was
        asked last: a window of a backlog was over before it began.
        """
        fresh, self._fresh = self._fresh, set()
        found = {}
        for name in self._names():
            number, lease = next(reversed(self._leases.get(name, {}).items()), (0, None))
            found[name] = (
                lease is not None
                and lease.held > 0
                and self._left(lease, self._policies[name.policy].breaker.cap(name.kind, name.window)) <= 0
                and (now is None or (number + 1) * LENGTHS[name.window] > now or name in fresh)
            )
        return found

    def to_json(self) -> list[list[Any]]:
        """The leases as they stand in the partition's record, in a fixed order; not to be changed."""
        if self._json is None:
            self._json = [
                [*name, [[number, *lease.row] for number, lease in windows.items()]]
                for name, windows in sorted(self._leases.items())
            ]
        return self._json

    def restore(self, rows: list[list[Any]]) -> None:
        """Takes back what `to_json` gave; rows of the form before there were leases, whose days are over, are left out."""
        self._leases = {
            Name(policy, kind, window): {number: Lease(*lease) for number, *lease in windows}
            for policy, kind, window, windows in rows
            if isinstance(windows, list)
        }
        self._json = None

    def _names(self) -> Iterator[Name]:
        return (
            Name(policy, kind, window)
            for policy in self._policies
            for kind in get_args(ActionKind)
            for window in LENGTHS
        )

    def _touch(self, name: Name, now: int) -> Lease:
        windows = self._leases.setdefault(name, {})
        number = now // LENGTHS[name.window]
        lease = windows.pop(number, None)
        # The last one stands at the end.
        windows[number] = lease = Lease() if lease is None else lease
        trim(windows, name.window, lambda kept: kept.demand)
        return lease

    def _left(self, lease: Lease, cap: int) -> int:
        leased = min(lease.granted, pool(cap, self.partitions))
        return share(cap, self.partitions) + leased - lease.used

    def _ask(self, name: Name, cap: int, lease: Lease, now: int) -> None:
        """Asks in good time: first when half of the share is used, then whenever demand has doubled.

        What is asked for is told as a sum, so that an answer that is lost, late or repeated needs no care.
        """
        own, most = share(cap, self.partitions), pool(cap, self.partitions)
        demand = lease.demand
        if lease.granted >= most or lease.empty >= cap or demand < (lease.mark or (own + 1) // 2):
            return
        lease.mark = 2 * demand
        wanted = min(most, 4 * demand - own)
        if wanted <= lease.granted:
            return
        start = now - now % LENGTHS[name.window]
        asking = Observation(
            schema_version=1,
            observation_id=digest("cap", *name, self._partition, start, demand),
            feature=name.feature,
            account_id=account_of(self._partition),
            policy=self._policies[name.policy].id if name.policy in self._policies else None,
            count=wanted,
            observed_at=EPOCH + timedelta(milliseconds=now),
            window=EPOCH + timedelta(milliseconds=start),
        )
        key = name.feature.encode()
        owner = partition_of(key, self.partitions or 1)
        self._asks.append(Output("observations", key, encode(asking), owner))
