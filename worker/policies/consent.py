"""What the consent register allows: shared by the policies whose clause speaks of consent or of a licence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from worker.engine.contract import RuleContext, Subject
from worker.engine.facts import Consent

if TYPE_CHECKING:
    from schemas.posts import Media


def in_force(subject: Subject, context: RuleContext) -> list[Consent]:
    """The consents that this account holds at the time of the record, in the register's order."""
    return [c for c in context.facts.consents if c.holds(subject.account_id, context.now)]


def item_of(subject: Subject, field: str) -> Media | None:
    """The media item that a field ("media[0]", "media[0].transcript") belongs to; None for any other field."""
    if subject.post is None or not field.startswith("media["):
        return None
    return subject.post.media[int(field.removeprefix("media[").partition("]")[0])]


def licensed(consents: Sequence[Consent], item: Media | None, scopes: Collection[str]) -> bool:
    """Whether one of the consents covers this file, or one of these scopes (lower case)."""
    sha256 = None if item is None or item.sha256 is None else item.sha256.lower()
    return any(
        consent.media_sha256 == sha256
        if consent.media_sha256 is not None
        else consent.scope is not None and consent.scope.lower() in scopes
        for consent in consents
    )
