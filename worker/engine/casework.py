"""What is made of a case: the ids, subjects and ends of its actions, their records, and the items of the review queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from worker.engine.chain import Judgement
from worker.engine.contract import Evidence, Subject
from worker.engine.ids import action_id, digest
from worker.engine.policy import PolicyAction
from worker.engine.precedents import content_of, is_field_settled, own_fields
from worker.engine.state import Account
from worker.engine.times import EPOCH, LAST_MS, later

MAX_DETAIL = 256


@dataclass(frozen=True, slots=True)
class Case:
    """One subject on trial: where it came from, when, and under which pack.

    `same` holds the actions that the same cause led to already, where part of it was judged before: a post and what was
    found in its media later, or the other way round. None where nothing was.
    """

    subject: Subject
    record: RecordRef
    cause: str  # goes into action ids: the post id, or account_id@updated_at
    now: datetime
    now_ms: int
    pack_id: str
    same: tuple[Enforcement, ...] | None = None

    @property
    def post_id(self) -> str | None:
        """The post that caused it, None for a profile."""
        return self.subject.id if self.subject.kind == "post" else None


def targets_of(
    case: Case, judgement: Judgement, action: PolicyAction, account: Account | None = None
) -> list[SubjectRef]:
    """Whom or what an action is about: suspensions the account, the others the post or the profile's fields.

    With `account`, a field of which a person decided what it holds is left out.
    """
    subject = case.subject
    if action.kind == "suspend":
        return [SubjectRef(type="account", id=subject.account_id)]
    if subject.kind == "post":
        return [SubjectRef(type="post", id=subject.id)]
    # How old or how followed an account is may support a verdict, but only what its owner put there can be removed.
    return [
        SubjectRef(type="profile_field", id=f"{subject.account_id}/{name}")
        for name in own_fields(judgement.evidence)
        if account is None or not is_field_settled(subject, name, account)
    ]


def content_in(case: Case, target: SubjectRef) -> str:
    """What a profile's field holds, as a digest; a field can be filled again after it was removed."""
    if target.type != "profile_field":
        return ""
    return content_of(case.subject, target.id.rpartition("/")[2])


def action_id_of(case: Case, judgement: Judgement, action: PolicyAction, target: SubjectRef) -> str:
    policy = judgement.loaded.policy
    return action_id(action.kind, "apply", target.type, target.id, policy.id, policy.version, case.cause)


def expires_ms(case: Case, action: PolicyAction, begun: datetime | None = None) -> int | None:
    """When an action ends that begins now, or began then; None when never."""
    if action.duration_hours is None:
        return None
    start = case.now_ms if begun is None else (begun - EPOCH) // timedelta(milliseconds=1)
    return min(start + action.duration_hours * 3_600_000, LAST_MS)


def record_of(
    case: Case, judgement: Judgement, action: PolicyAction, target: SubjectRef, strikes: Strikes
) -> Enforcement:
    policy = judgement.loaded.policy
    hours = action.duration_hours
    return Enforcement(
        schema_version=1,
        action_id=action_id_of(case, judgement, action, target),
        operation="apply",
        kind=action.kind,
        subject=target,
        account_id=case.subject.account_id,
        post_id=case.post_id,
        label=action.label,
        mode=action.mode,
        expires_at=None if hours is None else later(case.now, hours=hours),
        policy=policy.id,
        policy_version=policy.version,
        pack=case.pack_id,
        clause=policy.clause,
        score=round(judgement.score, 6),
        evidence=evidence_items(judgement.evidence),
        strikes=strikes,
        source="automated" if case.subject.report is None else "report",
        reverses=None,
        decided_at=case.now,
        record=case.record,
    )


def evidence_items(evidence: tuple[Evidence, ...]) -> tuple[EvidenceItem, ...]:
    """Evidence as it stands in records."""
    return tuple(
        EvidenceItem(
            signal=item.signal,
            field=item.field,
            start=item.start,
            end=item.end,
            score=round(item.score, 6),
            detail=item.detail[:MAX_DETAIL],
        )
        for item in evidence
    )


def doubt_item(case: Case, judgement: Judgement, account: Account) -> QueueItem:
    policy = judgement.loaded.policy
    action = policy.ladder[0].actions[0]
    strikes = Strikes(added=policy.ladder[0].strikes, active=account.active_strikes(case.now_ms))
    targets = targets_of(case, judgement, action)
    proposed = record_of(case, judgement, action, targets[0], strikes) if targets else None
    spread = max(policy.threshold - policy.review.score, 1e-9)
    nearness = min(1.0, max(0.0, (judgement.score - policy.review.score) / spread))
    priority = min(100, policy.review.priority + round(30 * nearness))
    reason = "uncertain" if case.subject.report is None else "report"
    return item_of(case, judgement, reason, proposed, priority)


def item_of(
    case: Case,
    judgement: Judgement,
    reason: str,
    proposed: Enforcement | None,
    priority: int,
    due_hours: int | None = None,
    about: SubjectRef | None = None,
) -> QueueItem:
    policy = judgement.loaded.policy
    subject = case.subject
    target = about or SubjectRef(type="post" if subject.kind == "post" else "account", id=subject.id)
    kind = proposed.action_id if proposed is not None else ""
    return QueueItem(
        schema_version=1,
        item_id=digest("item", reason, target.type, target.id, policy.id, policy.version, case.cause, kind),
        reason=reason,
        subject=target,
        account_id=subject.account_id,
        post_id=case.post_id,
        policy=policy.id,
        proposed=proposed,
        evidence=evidence_items(judgement.evidence),
        priority=priority,
        due_at=later(case.now, hours=due_hours or policy.review.due_hours),
        appeal_id=None,
        created_at=case.now,
        record=case.record,
        closed_by=None,
    )
