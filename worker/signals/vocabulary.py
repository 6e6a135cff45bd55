"""The words that disguises are undone towards."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.resources import files

import ahocorasick_rs

_ENDINGS = ("s", "es", "ed", "d", "ing", "in", "er", "ers", "r", "rs", "y", "ly", "n")
_FEW_ENDINGS = ("s", "ed", "ing", "er", "ers")
_SHORTEST_STEM = 3
_PRICE_COMMON, _PRICE_KNOWN, _PRICE_RARE = 10, 13, 17
# Of the short words those that stand between longer ones; the others come out of any row of letters.
_PRICE_SHORT = {
    **dict.fromkeys(
        ("is", "it", "in", "to", "of", "my", "me", "on", "so", "be", "we", "do", "up", "go", "at", "by", "if", "he", "am",
         "an", "or", "as", "us", "no", "im", "ur", "dm", "rn"), 12
    ),
    **dict.fromkeys("iau", 15),
}  # fmt: skip


class Vocabulary:
    """Words by what is known of them.

    `masked` are words that people disguise, the likeliest first; `veiled` are disguised less often and stand
    too often in innocent texts to be looked for with any separator put in, `sought` are further words that rules
    look for. `common` are everyday words, `usual` and `further` what else stands in a dictionary. `telling` are
    all but everyday and dictionary words.
    """

    __slots__ = (
        "_by_length",
        "_forms",
        "_further",
        "_known",
        "_prices",
        "_telling_within",
        "_usual",
        "common",
        "masked",
        "sought",
        "telling",
        "veiled",
    )

    _telling_within: ahocorasick_rs.AhoCorasick | None

    def __init__(
        self,
        masked: Iterable[str],
        veiled: Iterable[str],
        common: Iterable[str],
        usual: Iterable[str] = (),
        further: Iterable[str] = (),
        sought: Iterable[str] = (),
    ) -> None:
        self.masked = tuple(dict.fromkeys(masked))
        self.veiled = tuple(dict.fromkeys(veiled))
        self.common = frozenset(common)
        by_length: dict[int, list[str]] = defaultdict(list)
        for word in dict.fromkeys((*self.masked, *self.veiled)):
            by_length[len(word)].append(word)
        self._by_length = dict(by_length)
        self._usual = frozenset(usual)
        self._further = frozenset(further)
        self.sought = tuple(dict.fromkeys(sought))
        self._known = self.common.union(self.sought, *by_length.values())
        # Spelled out once: a word is looked up far more often than a vocabulary is made.
        self._forms = frozenset(form for word in self._known for form in _forms(word, _ENDINGS)) | self._known
        self._weigh()

    def including(self, words: Iterable[str]) -> Vocabulary:
        """This vocabulary with further known words: folded, single, of at least three letters."""
        extra = frozenset(words)
        more = object.__new__(Vocabulary)
        more.masked, more.veiled = self.masked, self.veiled
        more.sought, more.common = self.sought, self.common
        more._by_length = self._by_length
        more._usual, more._further = self._usual, self._further
        more._known = self._known | extra
        more._forms = self._forms.union(
            extra, (form for word in extra for form in _forms(word, _FEW_ENDINGS))
        )
        more._weigh()
        return more

    def has(self, word: str) -> bool:
        """Whether it is a known word as it stands."""
        return word in self._known

    def knows(self, word: str) -> bool:
        """Whether it is a known word, or one with an English ending."""
        return word in self._forms

    def is_word(self, word: str) -> bool:
        """Whether it is a known word, one with an English ending, or any other English word of some length."""
        return word in self._forms or word in self._usual or (len(word) > 4 and word in self._further)

    def is_entry(self, word: str) -> bool:
        """Whether it stands in a list as it is, however rare or short."""
        return word in self._known or word in self._usual or word in self._further

    def price(self, word: str) -> int | None:
        """How unlikely a word is in a row of words written without blanks; None for what is none."""
        return self._prices.get(word)

    def holds_telling(self, letters: str) -> bool:
        """Whether a telling word stands anywhere in a row of letters."""
        if self._telling_within is None:
            self._telling_within = ahocorasick_rs.AhoCorasick(sorted(self.telling), store_patterns=False)
        return bool(self._telling_within.find_matches_as_indexes(letters))

    def _weigh(self) -> None:
        everyday = self.common
        self.telling = frozenset(
            word for word in (self._known - everyday).union(self.sought) if len(word) > 2
        )
        self._telling_within = None  # made when first asked for
        self._prices = {word: _PRICE_RARE for word in self._further if len(word) > 3}
        self._prices.update((word, _PRICE_KNOWN) for word in self._known | self._usual if len(word) > 2)
        self._prices.update((word, _PRICE_COMMON) for word in everyday if len(word) > 2)
        self._prices.update(_PRICE_SHORT)

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
    folder = files("worker.signals")
    data = tomllib.loads(folder.joinpath("words.toml").read_text("utf-8"))
    lines = folder.joinpath("english.txt").read_text("utf-8").splitlines()
    masked, veiled, sought, common = (
        str(data[key]).split() for key in ("masked", "veiled", "sought", "common")
    )
    return Vocabulary(masked, veiled, common, *_english(lines), sought)


def _english(lines: list[str]) -> tuple[list[str], list[str]]:
    """The usual words and the rarer ones of the dictionary."""
    listed = [line for line in lines if not line.startswith("#")]
    border = listed.index("--")
    return " ".join(listed[:border]).split(), " ".join(listed[border + 1 :]).split()


DEFAULT_VOCABULARY = _load()
