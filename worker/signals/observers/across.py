"""What the owners of features say of an account: learnt from their findings, never seen in a post itself."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

MEANINGS = {
    "coordination.text": "Many accounts, of a kind that campaigns are made with, posted nearly the same text.",
    "coordination.domain": "Many accounts, of a kind that campaigns are made with, linked to the same unusual domain.",
    "coordination.device": "Many accounts, of a kind that campaigns are made with, posted from the same device.",
    "circumvention.device": "The account was made after another one on its device was suspended.",
    "circumvention.network": "The account was made after another one on its network was suspended.",
    "circumvention.profile": "The account was made after another one with the same bio, picture or handle was suspended.",
    "circumvention.announced": "The account spoke of its own suspension or return in the last days.",
}


class AcrossObserver(PlainObserver):
    """Names the signals; findings bring them."""

    meanings = MEANINGS
    on_plain_posts = False

    def ready(self, facts: Facts) -> bool:
        """Never: no subject shows them by itself."""
        return False

    def applies(self, subject: Subject) -> bool:
        """To none."""
        return False

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """Nothing."""
        return []


OBSERVER = AcrossObserver()
"""Declares the names to the packs' registry."""
