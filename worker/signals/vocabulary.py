"""The words that disguises are undone towards."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable
from importlib.resources import files

_SUFFIXES = ("s", "es", "ed", "d", "ing", "in", "er", "ers", "r", "rs", "y", "ly", "n")


class Vocabulary:
    """Words by what is known of them.

    `masked` are words that people disguise, the likeliest first; `veiled` are disguised less often and stand
    too often in innocent texts to be looked for with a separator put in. `common` are everyday words. `extra`
    are words that the loaded policies look for.
    """

    __slots__ = ("_by_length", "_known", "common", "masked", "veiled")

    def __init__(
        self, masked: Iterable[str], veiled: Iterable[str], common: Iterable[str], extra: Iterable[str] = ()
    ) -> None:
        self.masked = tuple(dict.fromkeys(masked))
        self.veiled = tuple(dict.fromkeys(veiled))
        self.common = frozenset(common)
        self._known = frozenset((*self.masked, *self.veiled, *self.common, *extra))
        by_length: dict[int, list[str]] = defaultdict(list)
        for word in (*self.masked, *self.veiled):
            by_length[len(word)].append(word)
        self._by_length = dict(by_length)

    def including(self, words: Iterable[str]) -> Vocabulary:
        """This vocabulary with further known words, folded single words of at least three letters."""
        return Vocabulary(self.masked, self.veiled, self.common, (*self._known, *words))

    def has(self, word: str) -> bool:
        """Whether it is a known word as it stands."""
        return word in self._known

    def knows(self, word: str) -> bool:
        """Whether it is a known word, or one with an English ending."""
        if word in self._known:
            return True
        for suffix in _SUFFIXES:
            if word.endswith(suffix):
                stem = word[: -len(suffix)]
                if len(stem) >= 3 and (stem in self._known or stem + "e" in self._known):
                    return True
                if len(stem) >= 4 and stem[-1] == stem[-2] and stem[:-1] in self._known:
                    return True
        return False

    def is_masked(self, word: str) -> bool:
        """Whether people disguise this word."""
        return word in self._by_length.get(len(word), ())

    def of_length(self, length: int) -> list[str]:
        """The disguised words of this many letters, the likeliest first."""
        return self._by_length.get(length, [])


def _load() -> Vocabulary:
    data = tomllib.loads(files("worker.signals").joinpath("words.toml").read_text("utf-8"))
    return Vocabulary(*(str(data[key]).split() for key in ("masked", "veiled", "common")))


DEFAULT_VOCABULARY = _load()
