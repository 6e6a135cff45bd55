"""Small tables of texts for the tests of the grammar: (signal, language, text)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from tests.worker.signals.policies import post
from worker.signals.bank import SignalBank
from worker.signals.grammar import load_grammar

Texts = Mapping[str, Sequence[tuple[str, str]]]


@cache
def _bank(family: str) -> SignalBank:
    file = next(file for file in load_grammar() if file.family == family)
    return SignalBank([], detectors=[], needs=file.names, backend="re2")


def fires(signal: str, lang: str, text: str) -> bool:
    """Whether a shared signal fires in a text of a language that it covers."""
    (signals,) = _bank(signal.partition(".")[0]).measure([post(text, lang)])
    return signal in signals.fired - signals.uncovered


def rows(texts: Texts) -> list[tuple[str, str, str]]:
    """The rows of a table, for `parametrize`."""
    return [(signal, lang, text) for signal, pairs in texts.items() for lang, text in pairs]


def too_few(texts: Texts, family: str, least: int) -> list[str]:
    """The signals of a family for which a table has fewer texts than this."""
    file = next(file for file in load_grammar() if file.family == family)
    return sorted(name for name in file.names if len(texts.get(name, ())) < least)


def languages_missing(
    texts: Texts, languages: Sequence[str] = ("en", "es", "pt", "fr", "de", "ar")
) -> list[str]:
    """The signals of a table without a text in one of the languages."""
    return sorted(
        f"{signal}: {lang}"
        for signal, pairs in texts.items()
        for lang in languages
        if lang not in {own for own, _ in pairs}
    )
