"""The owner of a cap's pool: leases parts of it to the partitions that ask, and never more than there is."""

from __future__ import annotations

import json
from datetime import timedelta

from schemas.base import encode
from schemas.coordination import Finding, Lease, Observation
from worker.engine.breakers import LENGTHS, Name, account_of, pool, trim
from worker.engine.desk import Desk
from worker.engine.ids import digest
from worker.engine.policy import Policy
from worker.engine.records import Judged, Output, Record
from worker.engine.times import EPOCH

_MILLISECOND = timedelta(milliseconds=1)


class Caps:
    """Judges the observations of `cap:` features.

    For each window it remembers how much each partition was leased in all. A partition says how much it wants in
    all, so the same words twice lease nothing more, and an answer says everything that those before it said.
    """

    def __init__(self, desk: Desk) -> None:
        self._windows: dict[str, dict[int, dict[int, int]]] = {}  # by feature, window and partition
        self._changed: dict[str, None] = {}
        self.adopt(desk)

    def adopt(self, desk: Desk) -> None:
        """Judges by the pack of another desk from now on."""
        self._desk = desk
        self._policies: dict[str, Policy] = {loaded.policy.id: loaded.policy for loaded in desk.pack.policies}

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record."""
        if value is None:
            self._windows.pop(feature, None)
        else:
            self._windows[feature] = {number: dict(leased) for number, leased in json.loads(value)["windows"]}

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Leases what is left, at most what is wanted, and says how much that is in all."""
        name, asker = Name.of(observation.feature), self._asker(observation.account_id)
        if name is None or asker is None or observation.window is None:
            judged.count("moderator_decisions_total", record.topic, "refused")
            return
        judged.count("moderator_decisions_total", record.topic, "clear")
        policy = self._policies.get(name.policy)
        if policy is None:
            return  # under this pack there is nothing to lease
        cap = policy.breaker.cap(name.kind, name.window)
        length = LENGTHS[name.window]
        number = (observation.window - EPOCH) // _MILLISECOND // length
        windows = self._windows.setdefault(observation.feature, {})
        leased = windows.pop(number, {})
        windows[number] = leased  # the last one stands at the end
        trim(windows, name.window, lambda kept: sum(kept.values()))
        left = max(0, pool(cap, self._desk.breakers.partitions) - sum(leased.values()))
        more = min(left, max(0, observation.count - leased.get(asker, 0)))
        if more:
            leased[asker] = leased.get(asker, 0) + more
        self._changed[observation.feature] = None
        finding = Finding(
            schema_version=1,
            finding_id=digest("cap", observation.feature, observation.account_id, observation.observation_id),
            feature=observation.feature,
            account_id=observation.account_id,
            policy=policy.id,
            observed_at=observation.observed_at,
            lease=Lease(
                window=EPOCH + number * length * _MILLISECOND,
                granted=leased.get(asker, 0),
                left=left - more,
                cap=cap,
            ),
        )
        judged.outputs.append(
            Output("findings", observation.account_id.encode(), encode(finding), partition=asker)
        )

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        changed: dict[bytes, bytes | None] = {}
        for feature in self._changed:
            windows = [[number, sorted(leased.items())] for number, leased in self._windows[feature].items()]
            record = {"schema_version": 1, "windows": windows}
            changed[b"f:" + feature.encode()] = json.dumps(record, separators=(",", ":")).encode()
        self._changed.clear()
        return changed

    def _asker(self, account_id: str) -> int | None:
        """The number of the partition that asks; None when nobody can ask under that name."""
        digits, partitions = account_id.removeprefix("partition:"), self._desk.breakers.partitions
        if partitions is None or len(digits) > 6 or not (digits.isascii() and digits.isdecimal()):
            return None
        number = int(digits)
        return number if number < partitions and account_of(number) == account_id else None
