"""Features that accounts share: texts, domains, devices, networks and what profiles hold; what follows for each account.

A cluster of accounts with the same feature is measured by the rows of `[[coordination]]`, and who comes back with what
a suspended account had by those of `[[returns]]`. What follows is told to each account's owner as a finding; its id
names the feature, the account, how sure it is and the window, not the observation that tipped the scale.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.base import EvidenceItem, PolicyId, encode
from schemas.coordination import Finding, Observation
from worker.engine.across.limits import LONGEST_DAYS, SAMPLED, Coordination, Returns
from worker.engine.across.shelf import Shelf
from worker.engine.across.sightings import Sighting, Sightings
from worker.engine.desk import Desk
from worker.engine.ids import digest
from worker.engine.records import Judged, Output, Record
from worker.engine.state import DAY
from worker.engine.times import EPOCH

MINUTE = 60_000
_MS = timedelta(milliseconds=1)
PROFILE = ("fp:bio:", "fp:avatar:", "fp:handle:")
FIELDS = {
    "text": "text",
    "domain": "urls",
    "device": "client.device",
    "network": "client.network",
    "profile": "profile",
}
"""Where each kind of feature is seen, as evidence names it."""


def kind_of(feature: str) -> str:
    """What a feature is: a key of `FIELDS`."""
    if feature.startswith(PROFILE):
        return "profile"
    prefix = feature.partition(":")[0]
    return "text" if prefix == "fp" else prefix


class _Row(NamedTuple):
    """A row of limits with the policy that it stands in, and its name among all rows."""

    name: str
    policy: PolicyId
    limits: Coordination


class Sharing:
    """Judges the observations of one kind of feature and keeps its records; a `Kind` of `across.features`.

    Args:
        desk: the partition's memory and tools.
        limit: how many features are remembered.
    """

    def __init__(self, desk: Desk, limit: int) -> None:
        self._shelf: Shelf[Sightings] = Shelf(limit, Sightings, Sightings.from_bytes)
        self.adopt(desk)

    def adopt(self, desk: Desk) -> None:
        """Judges by the rows of another desk's pack from now on; what was seen stays."""
        self._desk = desk
        self._rows: dict[str, list[_Row]] = {}
        self._returns: dict[str, list[tuple[PolicyId, Returns]]] = {}
        self._longest: dict[str, int] = {}  # how long a sighting can matter, in milliseconds
        for loaded in desk.chain.policies:
            policy = loaded.policy
            for number, row in enumerate(policy.coordination):
                self._rows.setdefault(row.feature, []).append(_Row(f"{policy.id}/{number}", policy.id, row))
                self._lengthen(row.feature, row.window_minutes * MINUTE)
            for back in policy.returns:
                self._returns.setdefault(back.feature, []).append((policy.id, back))
                self._lengthen(back.feature, LONGEST_DAYS * DAY)
        for rows in self._rows.values():
            rows.sort(key=lambda row: -row.limits.score)  # the surest first: it makes the others needless

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record."""
        self._shelf.restore(feature, value)

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        return self._shelf.flush()

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Judges one observation of a feature that this partition owns."""
        outcome = "clear"
        kind = kind_of(observation.feature)
        if kind in self._longest:
            outcome = self._see(kind, observation, judged)
        judged.count("moderator_decisions_total", record.topic, outcome)

    def _lengthen(self, kind: str, time: int) -> None:
        self._longest[kind] = max(time, self._longest.get(kind, 0))

    def _see(self, kind: str, observation: Observation, judged: Judged) -> str:
        now = (observation.observed_at - EPOCH) // _MS
        feature = observation.feature
        in_vain = observation.enforcement == "lifted" or kind not in self._returns
        if observation.enforcement is not None and in_vain and self._shelf.get(feature) is None:
            return "clear"
        entry = self._shelf.touch(feature)
        entry.expire(now)
        following: list[Sighting] = []
        outcome = "clear"
        if observation.enforcement == "lifted":
            entry.lift(_name(observation.account_id))
        elif observation.enforcement == "suspended":
            days = max((row.days for _, row in self._returns.get(kind, ())), default=0)
            if days:
                entry.suspend(_name(observation.account_id), now, days)
                # Who came back may have been seen before its owner could tell of the suspension.
                following = [known for known in entry.seen if known.since is not None and known.since > now]
        else:
            sighting = _sighting(observation, now)
            if entry.add(sighting, now - self._longest[kind]):
                self._cluster(kind, feature, entry, sighting, observation.observed_at, judged)
                following = [sighting]
            else:
                outcome = "duplicate"
        if entry.suspended:
            for one in following:
                self._came_back(kind, feature, entry, one, observation.observed_at, judged)
        self._shelf.put_back(feature, entry)
        return outcome

    # --- many accounts with the same

    def _cluster(
        self, kind: str, feature: str, entry: Sightings, sighting: Sighting, at: datetime, judged: Judged
    ) -> None:
        """Tells of all that show the same as the sighting, where they are enough for a row."""
        rows = self._rows.get(kind)
        if rows is None or len(entry.seen) < 2:
            return
        for row in rows:
            window = row.limits.window_minutes * MINUTE
            near = entry.alike(sighting, window)
            if row.limits.linked:
                near = [one for one in near if one.domain is not None and one.domain == sighting.domain]
            if row.limits.reaching:
                near = [one for one in near if one.reaching]
            accounts = {one.account: one for one in near}
            total = sum(one.weight for one in accounts.values())
            if total < row.limits.accounts:
                continue
            fresh = sum(one.weight for one in accounts.values() if one.standing == "fresh")
            slight = sum(one.weight for one in accounts.values() if one.slight)
            if fresh < row.limits.fresh * total or slight < row.limits.slight * total:
                continue
            detail = f"{total} accounts within {row.limits.window_minutes} minutes, {fresh} of them new"
            if entry.crowd is not None:  # more than are remembered
                total = max(total, entry.accounts)
            for one in accounts.values():
                self._tell_member(kind, feature, entry, row, one, (total, detail, at), judged)

    def _tell_member(
        self,
        kind: str,
        feature: str,
        entry: Sightings,
        row: _Row,
        one: Sighting,
        about: tuple[int, str, datetime],
        judged: Judged,
    ) -> None:
        limits, window = row.limits, row.limits.window_minutes * MINUTE
        score = limits.score if one.slight else limits.others
        told = f"{row.policy}/{one.account}"
        known = entry.told.get(told)
        if score == 0.0 or (known is not None and known[0] >= score and abs(one.time - known[1]) <= window):
            return
        bucket = one.time // window
        if not entry.spend(row.name, one.time // max(window, DAY), limits.most):
            judged.count("moderator_findings_capped_total", kind)
            return
        entry.tell(told, score, one.time)
        total, detail, at = about
        name = digest("finding", feature, row.policy, one.account, bucket, score)
        self._send(
            kind, feature, f"coordination.{kind}", row.policy, one, (name, score, total, detail, at), judged
        )

    # --- who comes back

    def _came_back(
        self, kind: str, feature: str, entry: Sightings, one: Sighting, at: datetime, judged: Judged
    ) -> None:
        """Tells of an account that was made after another one with the same feature was suspended."""
        before = [
            times[0]
            for name, times in entry.suspended.items()
            if one.since is not None and times[0] < one.since and name != _name(one.account)
        ]
        if not before:
            return
        first = min(before)
        others = {known.account: known for known in entry.seen if known.account != one.account}
        standing = [
            known
            for known in others.values()
            if _name(known.account) not in entry.suspended and (known.since is None or known.since <= first)
        ]
        total = len(others) + 1
        for policy, row in self._returns.get(kind, ()):
            if total > row.accounts:
                continue  # an office, a school, a carrier: it says nothing of who sits there
            # A household shares a device, and of an account that is not new only its first post here is.
            score = row.among if standing or one.standing != "fresh" else row.score
            told = f"{policy}/{one.account}/back"
            known = entry.told.get(told)
            if score == 0.0 or (known is not None and known[0] >= score):
                continue
            entry.tell(told, score, one.time)
            days = ((one.since or 0) - max(before)) // DAY
            detail = f"{kind} of an account that was suspended {days} days before this one was made"
            name = digest("finding", feature, policy, one.account, "back", score)
            self._send(
                kind,
                feature,
                f"circumvention.{kind}",
                policy,
                one,
                (name, score, total, detail, at),
                judged,
            )

    def _send(
        self,
        kind: str,
        feature: str,
        signal: str,
        policy: PolicyId,
        one: Sighting,
        what: tuple[str, float, int, str, datetime],
        judged: Judged,
    ) -> None:
        name, score, total, detail, at = what
        finding = Finding.model_construct(
            schema_version=1,
            finding_id=name,
            feature=feature,
            account_id=one.account,
            post_id=one.post,
            policy=policy,
            score=score,
            accounts=total,
            evidence=(EvidenceItem(signal=signal, field=FIELDS[kind], score=score, detail=detail),),
            observed_at=at,
            lang=None,
        )
        key = one.account
        judged.outputs.append(Output("findings", key.encode(), encode(finding), self._desk.partition_of(key)))
        judged.count("moderator_findings_total", kind)


def _name(account_id: str) -> str:
    """What a suspended account is remembered as: its id is not kept for so long."""
    return digest("account", account_id)[:16]


def _sighting(observation: Observation, now: int) -> Sighting:
    since = observation.since
    return Sighting(
        observation.observation_id[:16],
        observation.account_id,
        observation.post_id,
        now,
        int(observation.simhash, 16) if observation.simhash else 0,
        observation.standing,
        observation.domain,
        min(SAMPLED, max(1, observation.stands_for)),
        None if since is None else (since - EPOCH) // _MS,
        observation.reaching,
    )
