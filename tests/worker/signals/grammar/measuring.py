"""What of one family of the shared grammar fires in a text; each family is compiled once for all tests."""

from __future__ import annotations

from functools import cache

from tests.worker.signals.policies import post
from worker.signals.bank import SignalBank
from worker.signals.grammar import load_grammar


@cache
def _bank(family: str) -> SignalBank:
    file = next(file for file in load_grammar() if file.family == family)
    return SignalBank([], needs=file.names, grammar=[file], detectors=[], observers=[], backend="re2")


def fired(family: str, text: str, lang: str) -> set[str]:
    """The signals of the family that fire in a post in this language, through words of that language."""
    (signals,) = _bank(family).measure([post(text, lang)])
    return set(signals.fired - signals.uncovered)


def names(family: str) -> frozenset[str]:
    """All signals of the family."""
    return next(file.names for file in load_grammar() if file.family == family)
