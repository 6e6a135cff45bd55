"""Aggressive following and unfollowing, which fires whatever the author writes."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

CHURN = 100  # accounts followed or unfollowed within an hour

MEANINGS = {
    "author.follow-churn": f"The account followed and unfollowed {CHURN} accounts or more within an hour."
}


class ChurnObserver(PlainObserver):
    """Apart from the other signals of the author, as rules wait for it: it is looked for in every post."""

    meanings = MEANINGS

    def applies(self, subject: Subject) -> bool:
        """Where the counts add up."""
        author = subject.author
        return author is not None and author.follows_1h + author.unfollows_1h >= CHURN

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """One hit."""
        author = subject.author
        if author is None:
            return []
        path = "profile" if subject.account is not None else "author"
        detail = f"{author.follows_1h} followed, {author.unfollows_1h} unfollowed in an hour"
        return [Hit("author.follow-churn", f"{path}.follows_1h", None, None, 1.0, detail)]


OBSERVER = ChurnObserver()
