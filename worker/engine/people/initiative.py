"""What moderators want on their own initiative: whether it says enough, what it makes, and what stands of it already."""

from __future__ import annotations

from datetime import datetime, timedelta

from schemas.base import MAX_ID
from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.reviews import Review, ReviewAction
from worker.engine.decide import mode_strength
from worker.engine.ids import action_id
from worker.engine.policy import Policy
from worker.engine.state import Account
from worker.engine.times import EPOCH

_EVIDENCE = EvidenceItem(signal="review", field="record", score=1.0, detail="decided by a moderator")
_TARGETS = {
    "suspend": {"account"},
    "remove": {"post", "media", "profile_field"},
    "label": {"post", "media", "profile_field", "account"},
}


def is_complete(review: Review, action: ReviewAction, subject: SubjectRef, now: datetime) -> bool:
    """Whether it says what is to be done to what, and the latter can be the account's."""
    if (action.kind == "label") != (action.label is not None):
        return False
    if (action.kind == "suspend") != (action.mode is not None):
        return False
    if action.expires_at is not None and action.expires_at <= now:
        return False
    if subject.type not in _TARGETS[action.kind]:
        return False
    return _may_own(review.account_id, subject)


def wanted_action(
    review: Review,
    action: ReviewAction,
    subject: SubjectRef,
    policy: Policy,
    pack_id: str,
    now: datetime,
    ref: RecordRef,
) -> Enforcement:
    """The record of what is wanted; its strike weighs what the policy's ladder says of such an action."""
    rung = policy.first_rung(action.kind)
    weight = int(action.kind != "label") if rung is None else rung.strikes
    ids = (action.kind, "apply", subject.type, subject.id, policy.id, policy.version)
    post_id = None
    if subject.type in {"post", "media"}:
        post_id = subject.id if subject.type == "post" else subject.id.rpartition("/")[0]
    return Enforcement(
        schema_version=1,
        action_id=action_id(*ids, review.review_id),
        operation="apply",
        kind=action.kind,
        subject=subject,
        account_id=review.account_id,
        post_id=post_id,
        label=action.label,
        mode=action.mode,
        expires_at=action.expires_at,
        policy=policy.id,
        policy_version=policy.version,
        pack=pack_id,
        clause=policy.clause,
        score=1.0,
        evidence=(_EVIDENCE,),
        strikes=Strikes(added=weight, active=0),
        source="human",
        reverses=None,
        decided_at=now,
        record=ref,
    )


def is_in_force(account: Account, wanted: Enforcement, now_ms: int) -> bool:
    """Whether as much is in force already."""
    end = _milliseconds(wanted.expires_at)
    for known in account.actions:
        same = (known.kind, known.subject_type, known.subject_id)
        if same != (wanted.kind, wanted.subject.type, wanted.subject.id) or not known.stands(now_ms):
            continue
        if wanted.kind == "label" and known.detail != wanted.label:
            continue
        if mode_strength(wanted.mode) > mode_strength(known.detail):
            continue
        if known.expires is None or (end is not None and end <= known.expires):
            return True
    return False


def _may_own(account_id: str, subject: SubjectRef) -> bool:
    """Whether a subject can be the account's; whose post it is its id does not tell."""
    if subject.type == "account":
        return subject.id == account_id
    owner, _, name = subject.id.rpartition("/")
    if subject.type == "profile_field":
        return owner == account_id and bool(name)
    if subject.type == "media":
        return 0 < len(owner) <= MAX_ID and bool(name)
    return len(subject.id) <= MAX_ID


def is_meant(known: Enforcement, action: ReviewAction, review: Review) -> bool:
    """Whether an action is one of those that a moderator wants undone."""
    return (
        known.kind == action.kind
        and review.subject in {None, known.subject}
        and action.label in {None, known.label}
        and action.mode in {None, known.mode}
        and action.policy in {None, known.policy}
    )


def _milliseconds(time: datetime | None) -> int | None:
    return None if time is None else (time - EPOCH) // timedelta(milliseconds=1)
