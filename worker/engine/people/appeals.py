"""Appeals: an account contests an action, once, within 20 days; a moderator who had no part in it decides.

An appeal lives with its action: the ledger keeps it open for as long as nobody has decided, whatever becomes of the
post or of the action meanwhile. `reviews.py` judges what the moderator says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from schemas.appeals import Appeal
from schemas.base import MAX_EVIDENCE
from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from schemas.reviews import Review
from worker.engine.desk import Desk
from worker.engine.ids import digest
from worker.engine.ledger import Kept
from worker.engine.notices import AppealReason
from worker.engine.outcomes import overturned
from worker.engine.people.undoing import Undone
from worker.engine.records import Judged, Record
from worker.engine.state import APPEAL_DAYS
from worker.engine.times import EPOCH, later

# (priority, hours until it is due) by what is contested: who cannot post waits least.
SUSPENDED = (90, 24)
LIMITED = (80, 24)
REMOVED = (65, 48)
LABELLED = (50, 72)
COUNTER_NOTICE_PRIORITY = (
    10  # added: the law sets dates for a counter-notice (17 U.S.C. 512(g)(2), read 2026-11-23)
)
_COUNTERED = frozenset({"copyright", "trademark"})


def appeal_item(account_id: str, appeal_id: str) -> str:
    """The id of the queue's item of an appeal."""
    return digest("item", "appeal", account_id, appeal_id)


class Appeals:
    """Judges the records of `appeals`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def judge(self, record: Record, appeal: Appeal, judged: Judged) -> None:
        """Judges one record: it becomes an item of the queue, or is refused with a notice."""
        desk, account_id = self._desk, appeal.account_id
        now = desk.now(account_id, appeal.created_at)
        now_ms = _milliseconds(now)
        known = account_id in desk.accounts
        account = desk.accounts.get(account_id) if known else None
        kept = desk.ledger.action(appeal.action_id)
        if kept is not None and kept.action.account_id != account_id:
            kept = None  # nothing is told of what was done to others
        subject = SubjectRef(type="account", id=account_id) if kept is None else kept.action.subject
        again = kept is not None and (kept.appeal or {}).get("id") == appeal.appeal_id
        if account is not None:
            desk.accounts.touch(account_id)
            again = account.hears(f"appeal:{appeal.appeal_id}", now_ms) or again
        if again:
            desk.out.settle(record, subject, account_id, "duplicate", now, judged, account)
            return
        reason = _refusal(kept, appeal)
        if kept is None or reason is not None:
            reason = reason or "foreign"
            policy = "none" if kept is None else kept.action.policy
            judged.count("moderator_appeals_total", policy, "refused")
            desk.out.settle(record, subject, account_id, "refused", now, judged, account, reason=reason)
            told: AppealReason = "foreign" if reason == "reversed" else reason  # type: ignore[assignment]  # one of the words
            # Of what was reversed already nothing is left that could be looked at.
            action = None if kept is None or told == "foreign" else kept.action
            desk.out.appeal("appeal_refused", appeal.appeal_id, account_id, now, judged, action, reason=told)
            return
        action = kept.action
        judged.count("moderator_appeals_total", action.policy, "received")
        desk.out.settle(record, subject, account_id, "review", now, judged, account)
        active = 0 if account is None else account.active_strikes(now_ms)
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        desk.out.queue(_item(appeal, action, active, ref, now), judged)
        noted = {"id": appeal.appeal_id, "open": True, "at": _milliseconds(appeal.created_at)}
        desk.ledger.note(action.action_id, appeal=noted)
        desk.out.appeal("appeal_received", appeal.appeal_id, account_id, now, judged, action)

    def decided(
        self,
        item: QueueItem,
        contested: Kept,
        review: Review,
        now: datetime,
        judged: Judged,
        undone: Undone | None = None,
    ) -> None:
        """Notes and tells how an appeal ended: `undone` where it was overturned, None where the action was kept.

        Nobody is told of an item that no appeal led to; what follows from it speaks for itself.
        """
        if item.appeal_id is None:
            return
        outcome: AppealReason = "upheld" if undone is None and not contested.reversed else "overturned"
        self._end(contested, item.appeal_id, outcome, review, now, judged)

    def granted(
        self, kept: Kept, item: QueueItem | None, review: Review, now: datetime, judged: Judged
    ) -> None:
        """An action fell with another one, or because a moderator took it back: an open appeal against it is done."""
        appeal = kept.appeal or {}
        if not appeal.get("open") or (item is not None and item.appeal_id == appeal["id"]):
            return
        appeal_id = appeal["id"]
        item_id = appeal_item(kept.action.account_id, appeal_id)
        self._desk.out.close(item_id, review.review_id, judged)
        self._end(kept, appeal_id, "overturned", review, now, judged)

    def kept_from(
        self, item: QueueItem, contested: Kept, review: Review, now: datetime, judged: Judged
    ) -> None:
        """Tells that who decided first may not decide an appeal: it stays open for somebody else."""
        if item.appeal_id is not None:
            self._desk.out.appeal(
                "appeal_refused", item.appeal_id, item.account_id, now, judged, contested.action,
                reason="decider", review_id=review.review_id,
            )  # fmt: skip

    def open_items(self, account_id: str) -> Iterator[str]:
        """The items of the account's open appeals."""
        for kept in self._desk.ledger.actions_of(account_id):
            appeal = kept.appeal or {}
            if appeal.get("open"):
                yield appeal_item(account_id, appeal["id"])

    def _end(
        self,
        kept: Kept,
        appeal_id: str,
        outcome: AppealReason,
        review: Review,
        now: datetime,
        judged: Judged,
    ) -> None:
        action, appeal = kept.action, dict(kept.appeal or {"id": appeal_id, "at": _milliseconds(now)})
        appeal |= {"open": False, "outcome": outcome, "by": review.reviewer_id}
        self._desk.ledger.note(action.action_id, appeal=appeal)
        judged.count("moderator_appeals_total", action.policy, outcome)
        waited = max(0.0, (_milliseconds(now) - appeal["at"]) / 1000)
        judged.observed.append((("moderator_appeal_decision_seconds", action.policy), waited))
        # As it is once this review is carried out: another action of the kind may still stand.
        still = outcome == "overturned" and self._desk.out.still(
            overturned(action, action.record, now, action.strikes)
        )
        self._desk.out.appeal(
            "appeal_outcome", appeal_id, action.account_id, now, judged, action,
            reason=outcome, still=still, counts=self._counts(action, now),
        )  # fmt: skip

    def _counts(self, action: Enforcement, now: datetime) -> bool:
        """Whether a strike of the same case counts, on this action or on another."""
        account = self._desk.accounts.get(action.account_id)
        now_ms = _milliseconds(now)
        on = (self._desk.ledger.action(s.action_id) for s in account.strikes if s.expires > now_ms)
        return any(
            kept is not None and (kept.action.record, kept.action.policy) == (action.record, action.policy)
            for kept in on
        )


def _refusal(kept: Kept | None, appeal: Appeal) -> str | None:
    """Why an appeal is refused, None when it is not.

    The time is the appeal's own: whatever came between, who was in time is heard. An action that has ended can be
    appealed for as long as any other, for its strike may count longer.
    """
    if kept is None:
        return "foreign"
    if kept.appeal is not None:
        return "second"
    if appeal.created_at > later(kept.action.decided_at, days=APPEAL_DAYS):
        return "late"
    return "reversed" if kept.reversed else None


def _item(appeal: Appeal, action: Enforcement, active: int, ref: RecordRef, now: datetime) -> QueueItem:
    priority, hours = _urgency(action)
    said = "the account contests this action"
    counter = appeal.counter_notice
    if counter is not None and action.policy in _COUNTERED:
        priority += COUNTER_NOTICE_PRIORITY
        faith = "stated" if counter.good_faith else "not stated"
        court = "accepted" if counter.consent_to_jurisdiction else "not accepted"
        said = (
            f"the account contests this action by a counter-notice: good faith {faith}, jurisdiction {court}"
        )
    evidence = EvidenceItem(signal="appeal", field="record", score=1.0, detail=said)
    return QueueItem(
        schema_version=1,
        item_id=appeal_item(appeal.account_id, appeal.appeal_id),
        reason="appeal",
        subject=action.subject,
        account_id=appeal.account_id,
        post_id=action.post_id,
        policy=action.policy,
        proposed=overturned(action, ref, now, Strikes(added=0, active=active)),
        evidence=(evidence, *action.evidence)[:MAX_EVIDENCE],
        priority=min(100, priority),
        due_at=later(now, hours=hours),
        appeal_id=appeal.appeal_id,
        created_at=now,
        record=ref,
        closed_by=None,
    )


def _urgency(action: Enforcement) -> tuple[int, int]:
    if action.kind == "suspend":
        return SUSPENDED if action.mode == "suspended" else LIMITED
    return REMOVED if action.kind == "remove" else LABELLED


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)
