"""Records of `review.queue`: what a person must look at."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Count, Evidence, Id, PolicyId, Record, RecordRef, Subject, Time
from schemas.enforcement import Enforcement

QueueReason = Literal["uncertain", "report", "appeal", "breaker", "rule_failed", "zero_tolerance", "at_risk"]


class QueueItem(Record):
    """One item of the queue; it comes again, with `closed_by`, when it is done."""

    item_id: Id
    """Id of the item."""
    reason: QueueReason
    """Why a person must look."""
    subject: Subject
    """What to look at."""
    account_id: Id
    """The account concerned; the record's key."""
    post_id: Id | None = None
    """The post concerned, or null."""
    policy: PolicyId | None = None
    """The policy in question."""
    proposed: Enforcement | None = None
    """What is done when a moderator upholds it."""
    evidence: Evidence = ()
    """Where it was seen; at most 32 items."""
    priority: Annotated[Count, Field(le=100)]
    """0 to 100, higher first."""
    due_at: Time
    """By when it should be decided."""
    appeal_id: Id | None = None
    """The appeal to decide, for reason `appeal`."""
    created_at: Time
    """Time of the record that it follows from."""
    record: RecordRef
    """The record that it follows from."""
    closed_by: str | None = None
    """What closed it, e.g. the review's id; null while it is open."""
