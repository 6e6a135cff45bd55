"""What follows for an account from the features that it shares with others: judged like any record, by its owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from schemas.coordination import Finding
from schemas.enforcement import RecordRef
from worker.engine.across.telling import ANNOUNCED
from worker.engine.chain import Judgement
from worker.engine.contract import Subject
from worker.engine.decide import Ruling, decide
from worker.engine.desk import Desk
from worker.engine.enforce import Case
from worker.engine.model_findings import Opinion, Settled, is_removed, stands
from worker.engine.records import Record
from worker.engine.registry import LoadedPolicy
from worker.engine.state import DAY, Account
from worker.engine.times import EPOCH
from worker.signals.measured import MeasuredSignals
from worker.signals.observers.across import MEANINGS
from worker.signals.view import Hit

REMEMBERED = 30 * DAY
"""How long what one finding said, or a post announced, supports the next one."""

_ANNOUNCED_SIGNAL = "circumvention.announced"
_OF_POSTS = frozenset(("coordination.text", "coordination.domain"))
_SUPPORTING = frozenset(
    ("circumvention.network", "circumvention.profile")
)  # a device speaks for itself, once


class Findings:
    """Judges the records of `findings` that speak of features; those of models are judged elsewhere."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._policies: dict[str, LoadedPolicy] = {loaded.policy.id: loaded for loaded in desk.chain.policies}

    def judge(self, record: Record, finding: Finding, account: Account, now: datetime) -> Opinion | Settled:
        """What follows from a finding for the account, or for its post that showed the feature.

        A post that is deleted or removed already, or was never judged here, gains nothing by it. What a finding said
        of the account stays with it for a while: a network alone says nothing, and so does a handle.
        """
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        if account.found(finding.finding_id, now_ms):
            return Settled("duplicate")
        hits = [
            Hit(item.signal, item.field, None, None, item.score, item.detail)
            for item in finding.evidence
            if item.signal in MEANINGS
        ]
        loaded = self._policies.get(finding.policy or "")
        if loaded is None or not hits or not self._concerns(finding, account):
            return Settled("clear")
        signals = MeasuredSignals(None, {})
        for hit in (*hits, *_remembered(account, {hit.signal for hit in hits}, now_ms)):
            signals.learn(hit)
        for hit in hits:
            if hit.signal in _SUPPORTING:
                account.traits.setdefault("known", {})[hit.signal] = [now_ms, hit.score]
        if finding.post_id is None:
            subject = Subject("account", finding.account_id, finding.account_id, {})
        else:
            subject = Subject("post", finding.post_id, finding.account_id, {})
        judgement = self._desk.chain.judge(loaded, subject, signals, self._desk.chain.context(now))
        if not judgement.notable:
            return Settled("clear")
        ruling = self._ruling(judgement, subject, account, now_ms)
        if ruling is None:
            return Settled("clear")
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        case = Case(subject, ref, finding.finding_id, now, now_ms, self._desk.pack.id)
        return Opinion(case, ruling, (judgement,))

    def _concerns(self, finding: Finding, account: Account) -> bool:
        """Whether there still is what the finding is about."""
        if finding.post_id is None:
            return True
        if all(hit.signal not in _OF_POSTS for hit in finding.evidence):
            # It is about the account, and its post may be long gone from memory.
            return not account.has_deleted(finding.post_id)
        return stands(account, finding.post_id, finding.observed_at)

    def _ruling(self, judgement: Judgement, subject: Subject, account: Account, now_ms: int) -> Ruling | None:
        """As `decide`; where a person looks already a doubt adds nothing. None: nothing is left to be said."""
        about = subject.id if subject.kind == "post" else None
        waiting = {
            self._desk.ledger.open_reason(item_id) for item_id, post in account.items.items() if post == about
        } - {None}
        removed = about is not None and is_removed(account, about, now_ms)
        acts = judgement.enforced and judgement.outcome == "violation"
        if "at_risk" in waiting and acts and not judgement.loaded.policy.despite_at_risk:
            ruling = Ruling("review", doubts=(judgement,))
        else:
            standing = Account() if removed else account  # what is removed already climbs no further
            ruling = decide([judgement], standing.active_strikes(now_ms), standing.strikes_by_policy(now_ms))
        if removed and ruling.outcome == "review":
            return None
        return replace(ruling, doubts=()) if waiting else ruling


def _remembered(account: Account, fresh: set[str], now_ms: int) -> list[Hit]:
    """What was said of the account before, by other findings and by itself, as sure as it was then."""
    known: dict[str, list[float]] = dict(account.traits.get("known", {}))
    if ANNOUNCED in account.told:
        known[_ANNOUNCED_SIGNAL] = [account.told[ANNOUNCED], 1.0]
    return [
        Hit(name, "account", None, None, score, "known from before")
        for name, (time, score) in sorted(known.items())
        if name not in fresh and time + REMEMBERED > now_ms
    ]
