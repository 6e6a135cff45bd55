"""The cues of one language, compiled when they are first needed; and which languages a text is read in."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from worker.signals.regex import Regex

LANGUAGES = ("en", "es", "pt", "fr", "de", "ar")

_MEMORY = 32 << 20  # bytes for the automaton of one expression
_GUESS_REACH = 600  # code points that a guess at the language reads
_EDGES = (("<", r"(?:^|[^\pL\pM\pN_])"), (">", r"(?:$|[^\pL\pM\pN_])"))


class Lexicon:
    """What one `<language>.toml` holds. What a file leaves out matches nothing.

    Files with `edges = true` write `<` and `>` for the start and the end of a word, because `\\b` knows ASCII only.
    """

    __slots__ = ("_data", "_regexes", "_words", "reach", "spaced_quotes")

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._regexes: dict[tuple[str, str], Regex | None] = {}
        self._words: dict[tuple[str, str], frozenset[str]] = {}
        self.reach = int(data["negation"]["reach"])
        self.spaced_quotes = bool(data.get("spaced_quotes", False))

    def matches(self, section: str, key: str, text: str) -> bool:
        """Whether a cue of this kind stands in the text."""
        regex = self._regex(section, key)
        return regex is not None and bool(text) and regex.matches(text)

    def spans(self, section: str, key: str, text: str) -> list[tuple[int, int]]:
        """Where cues of this kind stand, from the left."""
        regex = self._regex(section, key)
        return [] if regex is None or not text else regex.spans(text)

    def words(self, section: str, key: str) -> frozenset[str]:
        """A plain list of words."""
        place = (section, key)
        if place not in self._words:
            self._words[place] = frozenset(self._data.get(section, {}).get(key, ()))
        return self._words[place]

    def _regex(self, section: str, key: str) -> Regex | None:
        place = (section, key)
        if place not in self._regexes:
            self._regexes[place] = self._compile(section, key)
        return self._regexes[place]

    def _compile(self, section: str, key: str) -> Regex | None:
        written = self._data.get(section, {}).get(key, ())
        patterns = [written] if isinstance(written, str) else list(written)
        if self._data.get("edges", False):
            patterns = [_with_edges(pattern) for pattern in patterns]
        patterns += _shared().get(section, {}).get(key, ())
        return Regex("|".join(f"(?:{p})" for p in patterns), max_mem=_MEMORY) if patterns else None


def lexicons_for(text: str, lang: str | None) -> tuple[Lexicon, ...]:
    """The lexicons that a text is read with: its language's, or English and the one that it looks like."""
    if lang in LANGUAGES:
        return (_lexicon(lang),)
    likely = likely_language(text)
    return (_lexicon("en"),) if likely == "en" else (_lexicon("en"), _lexicon(likely))


def likely_language(text: str) -> str:
    """The one of the known languages that the first 600 code points of a text look most like; English in doubt."""
    head = text[:_GUESS_REACH]
    if not head.isascii() and sum("\u0600" <= char <= "\u06ff" for char in head) * 4 > len(head):
        return "ar"
    words = head.replace("'", "' ").split()
    counts = {lang: sum(word in known for word in words) for lang, known in _function_words().items()}
    best = max(counts, key=lambda lang: counts[lang])
    return best if counts[best] > counts["en"] else "en"


@cache
def _lexicon(lang: str) -> Lexicon:
    return Lexicon(_read(lang))


@cache
def _shared() -> dict[str, Any]:
    return _read("shared")


@cache
def _function_words() -> dict[str, frozenset[str]]:
    return {lang: frozenset(words) for lang, words in _shared()["function-words"].items()}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("worker.signals.discourse").joinpath(f"{name}.toml").read_text("utf-8"))


def _with_edges(pattern: str) -> str:
    for written, meant in _EDGES:
        pattern = pattern.replace(written, meant)
    return pattern
