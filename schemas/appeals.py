"""Records of `appeals`: an account contests an action."""

from __future__ import annotations

from schemas.base import Flag, Id, InputRecord, Time, Wire


class CounterNotice(Wire):
    """What the law asks for when a removal for copyright or trademark is contested."""

    statement: str | None = None
    """Why the removal was a mistake."""
    good_faith: Flag = False
    """The account states, under penalty of perjury, to believe in good faith that it was a mistake."""
    consent_to_jurisdiction: Flag = False
    """The account accepts the court that the law names."""


class Appeal(InputRecord):
    """One account's appeal against one action."""

    appeal_id: Id
    """Id of the appeal."""
    account_id: Id
    """The account that appeals; the record's key."""
    action_id: Id
    """The action that it contests."""
    statement: str | None = None
    """What the account says."""
    counter_notice: CounterNotice | None = None
    """For copyright and trademark: the counter-notice."""
    created_at: Time
    """When it was made: the time by which it is judged."""
