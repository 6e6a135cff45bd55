"""Records of `notices`: what the affected account is told."""

from __future__ import annotations

from typing import Literal

from schemas.base import Id, Language, PolicyId, Record, Subject, Time

NoticeKind = Literal[
    "action", "warning", "support", "reversal", "appeal_received", "appeal_refused", "appeal_outcome"
]


class Notice(Record):
    """One notice to one account."""

    notice_id: Id
    """Id of the notice."""
    kind: NoticeKind
    """What it is about."""
    account_id: Id
    """The account that is told; the record's key."""
    subject: Subject | None = None
    """What was acted on."""
    action_id: Id | None = None
    """The action."""
    policy: PolicyId | None = None
    """The policy that it stands on."""
    clause: str | None = None
    """The sentence of the rules, as published."""
    found: str | None = None
    """What was found, in a sentence."""
    consequence: str | None = None
    """What follows from it, in a sentence."""
    expires_at: Time | None = None
    """When the action ends; null is indefinite."""
    appeal_until: Time | None = None
    """Until when it can be contested; null when it cannot."""
    lang: Language
    """BCP 47 tag of the language of `body`."""
    body: str
    """The whole notice, as it can be shown."""
    created_at: Time
    """Time of the record that it follows from."""
