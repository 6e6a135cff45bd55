"""Reporters: whose reports moderators upheld and whose they dismissed, and how much a report weighs for it.

Whoever owns a reported account tells the reporter's owner that a report was filed and, once a moderator decided, how it
ended. The owner answers a filed report with what the reporter's record says, when it says anything. A reporter is
named by a digest: nobody needs to know here who it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic_core import from_json, to_json

from schemas.base import PolicyId, encode
from schemas.coordination import Finding, Observation
from worker.engine.across.shelf import Shelf
from worker.engine.desk import Desk
from worker.engine.ids import digest
from worker.engine.records import Judged, Output, Record
from worker.engine.state import DAY
from worker.engine.times import EPOCH

REPORTERS = 20_000
"""How many reporters one partition remembers; the least recently heard of go first and are neutral again."""

NEUTRAL = 0.5
"""What a report of somebody weighs of whom nothing is known."""

REMEMBERED_OBSERVATIONS = 32
HALF_LIFE_DAYS = 180  # after so long without a decision half of what is known is forgotten: people change
_MOST_COUNTED = 1 << 20

ReportOutcome = Literal["filed", "upheld", "dismissed"]


def reporter_name(reporter_id: str) -> str:
    """What a reporter is called outside of the reports themselves."""
    return digest("reporter", reporter_id)


def reporter_observation(
    desk: Desk,
    reporter: str,
    outcome: ReportOutcome,
    item_id: str,
    account_id: str,
    now: datetime,
    policy: PolicyId | None = None,
) -> Output:
    """The record that tells a reporter's owner what became of one report; `reporter` as `reporter_name` gives it."""
    feature = f"reporter:{reporter}"
    observation = Observation(
        observation_id=digest("reporter", reporter, item_id, outcome),
        feature=feature,
        account_id=account_id,
        policy=policy,
        observed_at=now,
        outcome=outcome,
        item_id=item_id,
    )
    return Output("observations", feature.encode(), encode(observation), desk.partition_of(feature))


class ReporterRecord:
    """What is known of one reporter: bounded, and nothing of what was reported."""

    __slots__ = ("dismissed", "filed", "last", "seen", "upheld")

    def __init__(self) -> None:
        self.filed = 0
        self.upheld = 0
        self.dismissed = 0
        self.last = 0  # when a moderator decided last
        self.seen: dict[str, None] = {}  # observations judged last

    @property
    def kept(self) -> bool:
        """No reporter's record is worth more than another's."""
        return False

    @property
    def trust(self) -> float:
        """What a report weighs, 0 to 1: the share of upheld ones, with two neutral ones beside (Laplace's rule)."""
        return round((self.upheld + 1) / (self.upheld + self.dismissed + 2), 4)

    def note(self, observation: Observation, now: int) -> bool:
        """Counts an observation; False when it was counted before."""
        if observation.observation_id in self.seen:
            return False
        self.seen[observation.observation_id] = None
        while len(self.seen) > REMEMBERED_OBSERVATIONS:
            del self.seen[next(iter(self.seen))]
        if observation.outcome == "filed":
            self.filed = min(self.filed + observation.count, _MOST_COUNTED)
            return True
        while self.last and now >= self.last + HALF_LIFE_DAYS * DAY and (self.upheld or self.dismissed):
            self.upheld, self.dismissed = self.upheld // 2, self.dismissed // 2
            self.last += HALF_LIFE_DAYS * DAY
        self.last = max(self.last, now)
        if observation.outcome == "upheld":
            self.upheld = min(self.upheld + 1, _MOST_COUNTED)
        elif observation.outcome == "dismissed":
            self.dismissed = min(self.dismissed + 1, _MOST_COUNTED)
        return True

    def to_bytes(self) -> bytes:
        """The record as it stands in the `state` topic."""
        record: dict[str, Any] = {"schema_version": 1, "filed": self.filed, "seen": list(self.seen)}
        if self.upheld or self.dismissed:
            record |= {"upheld": self.upheld, "dismissed": self.dismissed, "last": self.last}
        return to_json(record)

    @classmethod
    def from_bytes(cls, value: bytes) -> ReporterRecord:
        """Reads what `to_bytes` wrote."""
        record, read = from_json(value), cls()
        read.filed = record["filed"]
        read.upheld, read.dismissed = record.get("upheld", 0), record.get("dismissed", 0)
        read.last = record.get("last", 0)
        read.seen = dict.fromkeys(record["seen"])
        return read


class Reporters:
    """Judges the observations of reporters, and keeps their `f:` records; a `Kind` of `worker.engine.across.features`."""

    def __init__(self, desk: Desk, limit: int = REPORTERS) -> None:
        self._shelf = Shelf(limit, ReporterRecord, ReporterRecord.from_bytes)
        self.adopt(desk)

    def adopt(self, desk: Desk) -> None:
        """Answers by another desk from now on; no pack says anything about reporters."""
        self._desk = desk

    def restore(self, feature: str, value: bytes | None) -> None:
        """Takes one `f:` record of a reporter."""
        self._shelf.restore(feature, value)

    def judge(self, record: Record, observation: Observation, judged: Judged) -> None:
        """Counts what became of a report; a filed one is answered with what the reporter's record says."""
        feature = observation.feature
        entry = self._shelf.touch(feature)
        now = (observation.observed_at - EPOCH) // timedelta(milliseconds=1)
        counted = entry.note(observation, now)
        self._shelf.put_back(feature, entry)
        outcome = "clear" if counted else "duplicate"
        judged.count("moderator_decisions_total", record.topic, outcome)
        if not counted or observation.outcome != "filed" or entry.trust == NEUTRAL:
            return
        finding = Finding(
            finding_id=digest("reporter", feature, observation.account_id, observation.item_id),
            feature=feature,
            account_id=observation.account_id,
            policy=observation.policy,
            score=entry.trust,
            observed_at=observation.observed_at,
            item_id=observation.item_id,
        )
        key = observation.account_id
        judged.outputs.append(Output("findings", key.encode(), encode(finding), self._desk.partition_of(key)))

    def flush(self) -> dict[bytes, bytes | None]:
        """What changed since the last flush, by key of the `state` topic."""
        return self._shelf.flush()
