"""Records of `reviews`: what a moderator decided."""

from __future__ import annotations

from typing import Literal

from schemas.base import (
    ActionKind,
    Id,
    InputRecord,
    LabelName,
    Operation,
    PolicyId,
    Subject,
    SuspendMode,
    Time,
    Wire,
)

ReviewOutcome = Literal["uphold", "dismiss", "overturn", "act"]


class ReviewAction(Wire):
    """What a moderator does on their own initiative."""

    operation: Operation = "apply"
    """Apply or reverse."""
    kind: ActionKind
    """What is done."""
    label: LabelName | None = None
    """The label, for kind `label`."""
    mode: SuspendMode | None = None
    """The mode, for kind `suspend`."""
    expires_at: Time | None = None
    """When it ends; null is indefinite."""
    policy: PolicyId | None = None
    """The policy that it stands on."""
    action_id: Id | None = None
    """For a reverse: the very action that is undone; null is the one of this kind (and label) that stands on the subject."""


class Review(InputRecord):
    """One decision of a moderator: on a queued item, on an appeal, or on their own initiative (`act`)."""

    review_id: Id
    """Id of the review."""
    reviewer_id: Id
    """The moderator, e.g. `mod:3`."""
    account_id: Id
    """The account concerned; the record's key."""
    item_id: Id | None = None
    """The queued item that is decided."""
    appeal_id: Id | None = None
    """The appeal that is decided."""
    subject: Subject | None = None
    """For `act`: what is acted on."""
    outcome: ReviewOutcome
    """On an item: uphold applies what was proposed, dismiss drops it. On an appeal: uphold keeps the action, overturn reverses it."""
    action: ReviewAction | None = None
    """For `act`: what is done."""
    note: str | None = None
    """The moderator's note."""
    created_at: Time
    """When it was decided: the time by which it is judged."""
