"""Accounts that post by machine and say so: declared by the operator, by their bio or name, or by their handle."""

from __future__ import annotations

from functools import lru_cache

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.folding import fold
from worker.signals.view import Hit

MEANINGS = {
    "author.automated": "The account posts by machine and says so, or the operator says so.",
    "author.declared-automation": "The operator says what the account is for; it posts by machine.",
}
_READ = 2_000  # code points of a bio


class AutomationObserver:
    """Reports who is honest about being a machine (`facts/automation.toml`)."""

    meanings = MEANINGS
    on_plain_posts = True

    @property
    def names(self) -> frozenset[str]:
        """The signals that it may report."""
        return frozenset(self.meanings)

    def ready(self, facts: Facts) -> bool:
        """Where the pack says how it is known."""
        return bool(facts.automata or facts.says_automated or facts.automated_handles)

    def applies(self, subject: Subject) -> bool:
        """Always: the operator's list goes by the account's id."""
        return True

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """A hit for how it is known best, with what it is for."""
        purpose = _declared(facts).get(subject.account_id)
        if purpose is not None:
            return [Hit(name, "account", None, None, 1.0, f"declared: {purpose}") for name in MEANINGS]
        author = subject.author
        if author is None:
            return []
        path = "profile" if subject.account is not None else "author"
        if author.handle and author.handle.lower().endswith(facts.automated_handles):
            return [Hit("author.automated", f"{path}.handle", None, None, 1.0, "says so in its handle")]
        for field, text in (("display_name", author.display_name), ("bio", author.bio)):
            if text and _says_so(text[:_READ], facts.says_automated):
                return [Hit("author.automated", f"{path}.{field}", None, None, 1.0, "says so")]
        return []


@lru_cache(maxsize=4)
def _declared(facts: Facts) -> dict[str, str]:
    return {one.account_id: one.purpose for one in facts.automata}


def _says_so(text: str, words: tuple[str, ...]) -> bool:
    folded = "".join(char if char.isalnum() else " " for char in fold(text))
    padded = f" {' '.join(folded.split())} "
    return any(f" {' '.join(word.split())} " in padded for word in words)


OBSERVER = AutomationObserver()
