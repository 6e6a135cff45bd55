"""The subject is an account's profile."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

MEANINGS = {"account.profile": "An account's profile is judged, not a post."}


class AccountObserver(PlainObserver):
    """Reports every text of a profile, or the profile itself where it has none."""

    meanings = MEANINGS
    on_plain_posts = False

    def applies(self, subject: Subject) -> bool:
        """Accounts only."""
        return subject.account is not None

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """One hit for each text that the profile has."""
        return [Hit("account.profile", field, None, None) for field in subject.fields or ("profile",)]


OBSERVER = AccountObserver()
