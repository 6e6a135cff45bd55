"""How the words around a hit use it, by shallow reading of its sentence.

It looks a bounded way around, in linear time, with one file of cues for each language it knows. It reports what it
sees and decides nothing: a "lol" or a pair of quotation marks around a direct threat is a flag, not an excuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.signals.discourse.lexicon import LANGUAGES, Lexicon, lexicons_for
from worker.signals.discourse.quotations import is_quoted, quotations
from worker.signals.discourse.sentences import left_end, right_end
from worker.signals.view import Discourse

__all__ = ["LANGUAGES", "Reading", "discourse_of", "sentence_of"]

_REACH = 400  # code points read on either side of a hit
_SHORT = 4  # words; a sentence beside the hit's that is no longer belongs to it ("lol", "He said:")
_QUESTION_MARKS = ("?", "?!", "!?", "؟", "؟!", "!؟")


@dataclass(frozen=True, slots=True)
class _SentenceFlags:
    """What holds for a sentence whatever the hit in it."""

    conditional: bool
    question: bool
    condemned: bool
    hyperbole: bool
    fiction: bool


class Reading:
    """One canonical text, read for the use of hits in it. What holds for a sentence is found once.

    Args:
        text: a variant of a canonical text.
        lang: its language as a primary subtag. Unknown, or one without a file of its own: English is read, and
            with it the known language that the text looks most like.
    """

    __slots__ = ("_abbreviations", "_flags", "_lexicons", "_quotes", "_text")

    def __init__(self, text: str, lang: str | None = None) -> None:
        self._text = text
        self._lexicons: tuple[Lexicon, ...] = lexicons_for(text, lang)
        self._abbreviations: frozenset[str] = frozenset().union(
            *(lexicon.words("sentences", "abbreviations") for lexicon in self._lexicons)
        )
        self._quotes: list[tuple[int, int]] | None = None
        self._flags: dict[tuple[int, int], _SentenceFlags] = {}

    def sentence(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the sentence that holds `[start, end)`, at most 400 code points further."""
        return self._left(self._text, start), right_end(self._text, end, _REACH, self._abbreviations)

    def discourse(self, start: int, end: int) -> Discourse:
        """How the text uses what stands at `[start, end)`."""
        text = self._text
        left, right = self.sentence(start, end)
        flags = self._flags.get((left, right))
        if flags is None:
            flags = self._flags[left, right] = self._read(left, right)
        before, after = text[left:start], text[end:right]
        introduced = f"{self._introduction(left)}{before}"
        quoted = self._is_quoted(start, end)
        hit, tail = text[start:end], text[end : right + 80]
        lexicons = self._lexicons
        return Discourse(
            negated=any(_negates(one, before) or one.matches("negation", "after", after) for one in lexicons),
            quoted=quoted,
            attributed=flags.fiction
            or any(_attributes(one, introduced, hit, tail, quoted=quoted) for one in lexicons),
            reported=_any(lexicons, "reported", "words", before)
            or _any(lexicons, "reported", "words", after),
            conditional=flags.conditional,
            question=flags.question,
            condemned=flags.condemned,
            hyperbole=flags.hyperbole,
            fiction=flags.fiction,
        )

    def _left(self, text: str, start: int) -> int:
        return left_end(text, start, _REACH, self._abbreviations)

    def _read(self, left: int, right: int) -> _SentenceFlags:
        text, lexicons = self._text, self._lexicons
        sentence = text[left:right]
        previous = text[self._left(text, max(0, left - 2)) : left] if left else ""
        end = right_end(text, min(len(text), right + 1), _REACH, self._abbreviations)
        following = text[right:end]
        near = sentence
        if len(previous.split()) <= _SHORT:
            near = f"{previous} {near}"
        if len(following.split()) <= _SHORT:
            near = f"{near} {following}"
        around = f"{previous} {sentence} {following}"
        asks = sentence.rstrip(" \n\"')").endswith(_QUESTION_MARKS)
        return _SentenceFlags(
            conditional=_any(lexicons, "conditional", "words", sentence),
            question=asks or _any(lexicons, "question", "words", sentence),
            condemned=_any(lexicons, "condemned", "words", around),
            hyperbole=_any(lexicons, "hyperbole", "words", near)
            and not _any(lexicons, "hyperbole", "serious", near),
            fiction=_any(lexicons, "attribution", "works", near),
        )

    def _introduction(self, left: int) -> str:
        """The sentence before, where it introduces what follows: it ends in a colon or with its line."""
        text = self._text
        head = text[max(0, left - _REACH) : left].rstrip(" \n\"'¿¡")
        if not head:
            return ""
        own_line = "\n" in text[len(head) + max(0, left - _REACH) : left]
        place = self._left(head, max(0, len(head) - 1))
        sentence = head[place:]
        if not (sentence.endswith(":") or own_line):
            return ""
        return f"{sentence.rstrip('.:!')} "

    def _is_quoted(self, start: int, end: int) -> bool:
        if self._quotes is None:
            elisions = frozenset().union(*(one.words("sentences", "elisions") for one in self._lexicons))
            spaced = any(one.spaced_quotes for one in self._lexicons)
            self._quotes = quotations(self._text, elisions, spaced=spaced)
        return is_quoted(self._text, start, end, self._quotes)


def sentence_of(text: str, start: int, end: int, lang: str | None = None) -> tuple[int, int]:
    """The half-open span of the sentence that holds `[start, end)`."""
    return Reading(text, lang).sentence(start, end)


def discourse_of(text: str, start: int, end: int, lang: str | None = None) -> Discourse:
    """How a canonical text uses what stands at `[start, end)`; `lang` as in `Reading`."""
    return Reading(text, lang).discourse(start, end)


def _any(lexicons: Sequence[Lexicon], section: str, key: str, text: str) -> bool:
    return any(lexicon.matches(section, key, text) for lexicon in lexicons)


def _negates(lexicon: Lexicon, before: str) -> bool:
    """Whether a negation before the hit governs it: same clause, near, and no cue that negates nothing."""
    tail = before[-120:]
    cues = lexicon.spans("negation", "cues", tail)
    if not cues:
        return False
    empty = lexicon.spans("negation", "empty", tail)
    for start, end in cues:
        if any(left < end and start < right for left, right in empty):
            continue
        between = tail[end:]
        if len(between.split()) <= lexicon.reach and not lexicon.matches("negation", "breaks", between):
            return True
    return False


def _attributes(lexicon: Lexicon, before: str, hit: str, after: str, *, quoted: bool) -> bool:
    """Whether somebody else is named as the speaker, before the hit or right after it."""
    own = lexicon.spans("attribution", "own", before)
    for start, end in lexicon.spans("attribution", "before", before):
        if any(left < end and start < right for left, right in own):
            continue
        # The hit's own first words are read as well: "he told me and i'll …" begins anew with them.
        if quoted or not lexicon.matches("attribution", "breaks", f"{before[end:]}{hit[:8]}"):
            return True
    return lexicon.matches("attribution", "after", after) and not lexicon.matches(
        "attribution", "own", after[:80]
    )
