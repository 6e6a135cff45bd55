"""Small readings of hits and texts that the rule asks for."""

from __future__ import annotations

from collections.abc import Sequence

from worker.signals.canonical import canonicalise
from worker.signals.view import Hit

# Told by the words around alone: where a detector saw the same, its reading counts.
_ANNOUNCED = frozenset({"private.line", "private.street", "private.claimed"})


def told_once(hits: Sequence[Hit], trusted: float) -> list[Hit]:
    """The hits without those that words alone announce, where a detector measured the same place.

    `trusted` is the score from which a detector's reading counts.
    """
    sure = [hit for hit in hits if hit.signal not in _ANNOUNCED and hit.score >= trusted]
    return [hit for hit in hits if hit.signal not in _ANNOUNCED or not any(_meet(hit, one) for one in sure)]


def _meet(one: Hit, other: Hit) -> bool:
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return False
    return one.variant == other.variant and one.start < other.end and other.start < one.end


def padded_words(text: str) -> str:
    """The folded words of a text, each between blanks, so that a phrase can be looked for as whole words."""
    folded = canonicalise(text).text
    return f" {' '.join(''.join(char if char.isalnum() else ' ' for char in folded).split())} "


def digits_of(text: str) -> str:
    """The digits alone."""
    return "".join(char for char in text if char.isdigit())


def letters_of(text: str) -> str:
    """The letters alone, in lower case."""
    return "".join(char for char in text.casefold() if char.isalpha())
