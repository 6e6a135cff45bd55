"""Decisions that an operator takes by a command: made as `reviews` records for whom they concern."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from schemas.base import encode, format_time
from schemas.reviews import Review, ReviewAction
from worker.engine.ids import digest
from worker.sending import Sent

if TYPE_CHECKING:
    from schemas.enforcement import Enforcement

TOPIC = "reviews"
LONGEST_NAME = 64


class BadName(ValueError):  # noqa: N818 - what a reader sees is the sentence
    """A name that cannot stand in a record as who decided."""


def reviewer(name: str) -> str:
    """Who an operator is in `reviewer_id`: `operator:<name>`.

    Raises:
        BadName: the name is empty, too long, or holds what is no letter, digit, or one of `. _ @ -`.
    """
    plain = unicodedata.normalize("NFC", name.strip())
    if not plain or len(plain) > LONGEST_NAME:
        raise BadName(f"a name has 1 to {LONGEST_NAME} characters")
    if not all(character.isalnum() or character in "._@-" for character in plain):
        raise BadName("a name is made of letters, digits and . _ @ -")
    return f"operator:{plain}"


def review_id(target: str, command: str, at: datetime) -> str:
    """The id of what a command decides about one item or action at a time: repeating it gives the same id."""
    return digest("operator-review", command, target, format_time(at))


def on_item(
    item_id: str,
    account_id: str,
    outcome: Literal["uphold", "dismiss"],
    *,
    command: str,
    by: str,
    at: datetime,
    note: str | None = None,
) -> Review:
    """A decision on a queued item. `by` is what `reviewer` gave, `command` e.g. `breakers release`."""
    return Review(
        schema_version=1,
        review_id=review_id(item_id, command, at),
        reviewer_id=by,
        account_id=account_id,
        item_id=item_id,
        outcome=outcome,
        note=note,
        created_at=at,
    )


def reversal(action: Enforcement, *, command: str, by: str, at: datetime, note: str | None = None) -> Review:
    """The decision that an applied action is reversed."""
    return Review(
        schema_version=1,
        review_id=review_id(action.action_id, command, at),
        reviewer_id=by,
        account_id=action.account_id,
        subject=action.subject,
        outcome="act",
        action=ReviewAction(
            operation="reverse",
            kind=action.kind,
            label=action.label,
            mode=action.mode,
            policy=action.policy,
            action_id=action.action_id,
        ),
        note=note,
        created_at=at,
    )


def as_sent(review: Review) -> Sent:
    """The record to send, keyed by the account that it concerns."""
    return Sent(TOPIC, review.account_id.encode(), encode(review))
