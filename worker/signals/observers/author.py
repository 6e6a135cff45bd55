"""Who writes: what the author's profile says of the account."""

from __future__ import annotations

from datetime import timedelta

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

NEW = timedelta(days=7)  # before the record's own time
FEW_FOLLOWERS = 20
KNOWN = timedelta(days=365)
MANY_FOLLOWERS = 1_000

MEANINGS = {
    "author.new": f"The account was less than {NEW.days} days old.",
    "author.verified": "The account's identity was checked.",
    "author.parody": "The account says that it is a parody, fan or commentary account.",
    "author.public-interest": "The public has an interest in what the account posts.",
    "author.few-followers": f"The account has fewer than {FEW_FOLLOWERS} followers.",
    "author.followed": f"The account is at least {KNOWN.days} days old and has {MANY_FOLLOWERS} followers or more.",
    "author.age-restricted": "Only adults see the account.",
    "author.marks-sensitive": "The account marks all its media as sensitive.",
}
_FLAGS = (
    ("author.verified", "verified"),
    ("author.parody", "parody"),
    ("author.public-interest", "public_interest"),
    ("author.age-restricted", "age_restricted"),
    ("author.marks-sensitive", "sensitive_by_default"),
)


class AuthorObserver(PlainObserver):
    """Reports what holds for the author; what the record does not say is not reported."""

    meanings = MEANINGS

    def applies(self, subject: Subject) -> bool:
        """Where the record carries a profile."""
        return subject.author is not None

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """At most one hit for each signal."""
        author = subject.author
        if author is None:
            return []
        path = "profile" if subject.account is not None else "author"
        hits = [Hit(name, f"{path}.{field}", None, None) for name, field in _FLAGS if getattr(author, field)]
        followers = author.followers
        if followers is not None and followers < FEW_FOLLOWERS:
            hits.append(Hit("author.few-followers", f"{path}.followers", None, None))
        record = subject.post.created_at if subject.post is not None else None
        if subject.account is not None:
            record = subject.account.updated_at
        if record is not None and author.created_at is not None:
            age = record - author.created_at
            # A clock that runs ahead upstream makes an account younger than its post: that is new as well.
            if age < NEW:
                hits.append(Hit("author.new", f"{path}.created_at", None, None))
            elif age >= KNOWN and followers is not None and followers >= MANY_FOLLOWERS:
                hits.append(Hit("author.followed", f"{path}.followers", None, None))
        return hits


OBSERVER = AuthorObserver()
