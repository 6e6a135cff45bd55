"""The words that disguises are undone towards."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.resources import files

_ENDINGS = ("s", "es", "ed", "d", "ing", "in", "er", "ers", "r", "rs", "y", "ly", "n")
_FEW_ENDINGS = ("s", "ed", "ing", "er", "ers")
_SHORTEST_STEM = 3


class Vocabulary:
    """Words by what is known of them.

    `masked` are words that people disguise, the likeliest first; `veiled` are disguised less often and stand
    too often in innocent texts to be looked for with a separator put in. `common` are everyday words.
    """

    __slots__ = ("_by_length", "_forms", "_known", "common", "masked")

    def __init__(self, masked: Iterable[str], veiled: Iterable[str], common: Iterable[str]) -> None:
        self.masked = tuple(dict.fromkeys(masked))
        self.common = frozenset(common)
        by_length: dict[int, list[str]] = defaultdict(list)
        for word in dict.fromkeys((*self.masked, *veiled)):
            by_length[len(word)].append(word)
        self._by_length = dict(by_length)
        self._known = self.common.union(*by_length.values())
        # Spelled out once: a word is looked up far more often than a vocabulary is made.
        self._forms = frozenset(form for word in self._known for form in _forms(word, _ENDINGS)) | self._known

    def including(self, words: Iterable[str]) -> Vocabulary:
        """This vocabulary with further known words: folded, single, of at least three letters."""
        extra = frozenset(words)
        more = object.__new__(Vocabulary)
        more.masked, more.common, more._by_length = self.masked, self.common, self._by_length
        more._known = self._known | extra
        more._forms = self._forms.union(
            extra, (form for word in extra for form in _forms(word, _FEW_ENDINGS))
        )
        return more

    def has(self, word: str) -> bool:
        """Whether it is a known word as it stands."""
        return word in self._known

    def knows(self, word: str) -> bool:
        """Whether it is a known word, or one with an English ending."""
        return word in self._forms

    def is_masked(self, word: str) -> bool:
        """Whether people disguise this word."""
        return word in self._by_length.get(len(word), ())

    def of_length(self, length: int) -> list[str]:
        """The disguised words of this many letters, the likeliest first."""
        return self._by_length.get(length, [])


def _forms(word: str, endings: tuple[str, ...]) -> Iterator[str]:
    """A word with endings: as it stands, without its last e, with its last consonant doubled."""
    if len(word) < _SHORTEST_STEM:
        return
    stems = [word]
    if word.endswith("e") and len(word) > _SHORTEST_STEM:
        stems.append(word[:-1])
    if word[-1] not in "aeiouwxy":
        stems.append(word + word[-1])
    yield from (stem + ending for stem in stems for ending in endings)


def _load() -> Vocabulary:
    data = tomllib.loads(files("worker.signals").joinpath("words.toml").read_text("utf-8"))
    return Vocabulary(*(str(data[key]).split() for key in ("masked", "veiled", "common")))


DEFAULT_VOCABULARY = _load()
