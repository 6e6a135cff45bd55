"""Who an account is, as its last posts and profile said: in which language it is written to, whom the public knows.

The traits are part of the account's record. Only what differs from the plainest account is kept, so that most
accounts have none.
"""

from __future__ import annotations

from collections.abc import Set

from worker.engine.contract import Subject
from worker.engine.notice_texts import FALLBACK, Texts
from worker.engine.state import Account

_FLAGS = ("verified", "public_interest")


def learn(account: Account, subject: Subject, texts: Texts) -> None:
    """Notes what a post or a profile says of its account; what it does not say stays as it was.

    A language counts when the pack's notices are written in it.
    """
    traits, lang = account.traits, subject.lang
    if lang is not None and lang != traits.get("lang", FALLBACK) and lang in texts:
        if lang == FALLBACK:
            traits.pop("lang", None)
        else:
            traits["lang"] = lang
    author = subject.author
    if author is None:
        return
    for name in _FLAGS:
        # A snapshot that leaves a flag out says nothing of it.
        if name not in author.model_fields_set:
            continue
        if getattr(author, name):
            traits[name] = True
        elif name in traits:
            del traits[name]


def is_guarded(account: Account, account_id: str, protected: Set[str]) -> bool:
    """Whether an account may only be suspended by a person: a protected identity's, or verified and of public interest."""
    return account_id in protected or all(account.traits.get(name) is True for name in _FLAGS)
