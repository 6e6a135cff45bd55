"""How the words around a hit use it, by shallow reading of its sentence.

It looks a bounded way around, in linear time, and knows English only (`discourse.toml`). It reports what it sees
and decides nothing: a "lol" or a pair of quotation marks around a direct threat is a flag, not an excuse.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from worker.signals.regex import Regex
from worker.signals.view import Discourse

_REACH = 400  # code points read on either side of a hit
_QUOTE_REACH = 1_000  # an opening mark without a closing one this close quotes to the end of its line
_SHORT = 4  # words; a sentence beside the hit's that is no longer belongs to it ("lol", "He said:")
_ENDS = ".!?"


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files("worker.signals").joinpath("discourse.toml").read_text("utf-8"))


@cache
def _regex(section: str, key: str) -> Regex:
    patterns = _data()[section][key]
    return Regex(
        "|".join(f"(?:{p})" for p in ([patterns] if isinstance(patterns, str) else patterns)),
        max_mem=32 << 20,
    )


@cache
def _words(key: str) -> frozenset[str]:
    return frozenset(_data()["sentences"][key])


@dataclass(frozen=True, slots=True)
class _SentenceFlags:
    """What holds for a sentence whatever the hit in it."""

    conditional: bool
    question: bool
    condemned: bool
    hyperbole: bool
    works: bool


class Reading:
    """One canonical text, read for the use of hits in it. What holds for a sentence is found once."""

    __slots__ = ("_flags", "_quotes", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._quotes: list[tuple[int, int]] | None = None
        self._flags: dict[tuple[int, int], _SentenceFlags] = {}

    def sentence(self, start: int, end: int) -> tuple[int, int]:
        """The half-open span of the sentence that holds `[start, end)`, at most 400 code points further."""
        return _left_end(self._text, start), _right_end(self._text, end)

    def discourse(self, start: int, end: int) -> Discourse:
        """How the text uses what stands at `[start, end)`."""
        text = self._text
        left, right = self.sentence(start, end)
        flags = self._flags.get((left, right))
        if flags is None:
            flags = self._flags[left, right] = self._read(left, right)
        before, after = text[left:start], text[end:right]
        intro = self._introduction(left)
        quoted = self._is_quoted(start, end)
        return Discourse(
            negated=_negates(before) or _regex("negation", "after").matches(after),
            quoted=quoted,
            attributed=flags.works
            or _attributes(f"{intro}{before}", text[start:end], text[end : right + 80], quoted=quoted),
            reported=_regex("reported", "words").matches(before)
            or _regex("reported", "words").matches(after),
            conditional=flags.conditional,
            question=flags.question,
            condemned=flags.condemned,
            hyperbole=flags.hyperbole,
        )

    def _read(self, left: int, right: int) -> _SentenceFlags:
        text = self._text
        sentence = text[left:right]
        previous = text[_left_end(text, max(0, left - 2)) : left] if left else ""
        following = text[right : _right_end(text, min(len(text), right + 1))]
        near = sentence
        if len(previous.split()) <= _SHORT:
            near = f"{previous} {near}"
        if len(following.split()) <= _SHORT:
            near = f"{near} {following}"
        around = f"{previous} {sentence} {following}"
        laughing = _regex("hyperbole", "words").matches(near)
        return _SentenceFlags(
            conditional=_regex("conditional", "words").matches(sentence),
            question=sentence.rstrip(" \n\"')").endswith(("?", "?!", "!?")),
            condemned=_regex("condemned", "words").matches(around),
            hyperbole=laughing and not _regex("hyperbole", "serious").matches(near),
            works=_regex("attribution", "works").matches(near),
        )

    def _introduction(self, left: int) -> str:
        """The sentence before, where it introduces what follows: it ends in a colon or with its line."""
        text = self._text
        head = text[max(0, left - _REACH) : left].rstrip(" \n\"'")
        if not head:
            return ""
        own_line = "\n" in text[len(head) + max(0, left - _REACH) : left]
        place = _left_end(head, max(0, len(head) - 1))
        sentence = head[place:]
        if not (sentence.endswith(":") or own_line):
            return ""
        return f"{sentence.rstrip('.:!')} "

    def _is_quoted(self, start: int, end: int) -> bool:
        text = self._text
        line = text.rfind("\n", max(0, start - _QUOTE_REACH), start) + 1
        if text.startswith((">", "&gt;"), line):
            return True
        share = text.rfind("rt @", line, start + 1)
        if share >= 0 and (share == 0 or not text[share - 1].isalnum()):
            return True
        if self._quotes is None:
            self._quotes = _quotations(text)
        return any(left <= start and end <= right for left, right in self._quotes)


def sentence_of(text: str, start: int, end: int) -> tuple[int, int]:
    """The half-open span of the sentence that holds `[start, end)`."""
    return Reading(text).sentence(start, end)


def discourse_of(text: str, start: int, end: int) -> Discourse:
    """How a canonical text uses what stands at `[start, end)`."""
    return Reading(text).discourse(start, end)


# --- sentences


def _ends_sentence(text: str, place: int) -> bool:
    """Whether the character at `place` ends a sentence: a line break, or . ! ? before a blank."""
    char = text[place]
    if char == "\n":
        return True
    if char not in _ENDS:
        return False
    after = place + 1
    while after < len(text) and text[after] in "\"')":
        after += 1
    if after < len(text) and text[after] not in " \n":
        return False
    if char != ".":
        return True
    word_start = place
    while (
        word_start > 0
        and place - word_start < 8
        and (text[word_start - 1].isalnum() or text[word_start - 1] == ".")
    ):
        word_start -= 1
    word = text[word_start:place]
    return not (word in _words("abbreviations") or (len(word) == 1 and word.isalpha() and word not in "iu"))


def _left_end(text: str, start: int) -> int:
    limit = max(0, start - _REACH)
    place = start
    while place > limit:
        if _ends_sentence(text, place - 1):
            while place < start and text[place] in "\"') \n":
                place += 1
            return place
        place -= 1
    return limit


def _right_end(text: str, end: int) -> int:
    limit = min(len(text), end + _REACH)
    place = end
    while place < limit:
        if _ends_sentence(text, place):
            while place + 1 < limit and text[place + 1] in _ENDS + "\"')":
                place += 1
            return place if text[place] == "\n" else place + 1
        place += 1
    return limit


# --- negation and attribution


def _negates(before: str) -> bool:
    """Whether a negation before the hit governs it: same clause, near, and no cue that negates nothing."""
    reach = int(_data()["negation"]["reach"])
    tail = before[-120:]
    empty = _regex("negation", "empty").spans(tail)
    for start, end in _regex("negation", "cues").spans(tail):
        if any(left < end and start < right for left, right in empty):
            continue
        between = tail[end:]
        if len(between.split()) <= reach and not _regex("negation", "breaks").matches(between):
            return True
    return False


def _attributes(before: str, hit: str, after: str, *, quoted: bool) -> bool:
    """Whether somebody else is named as the speaker, before the hit or right after it."""
    own = _regex("attribution", "own").spans(before)
    for start, end in _regex("attribution", "before").spans(before):
        if any(left < end and start < right for left, right in own):
            continue
        # The hit's own first words are read as well: "he told me and i'll …" begins anew with them.
        if quoted or not _regex("attribution", "breaks").matches(f"{before[end:]}{hit[:8]}"):
            return True
    return _regex("attribution", "after").matches(after) and not _regex("attribution", "own").matches(
        after[:80]
    )


# --- quotation marks


def _quotations(text: str) -> list[tuple[int, int]]:
    """The spans between quotation marks, marks left out, in one pass; pairs may be "…", '…' or unequal."""
    spans: list[tuple[int, int]] = []
    for mark in ('"', "'"):
        opened = -1
        place = text.find(mark)
        while place >= 0:
            opens, closes = _opens(text, place, mark), _closes(text, place)
            if opened >= 0 and place - opened > _QUOTE_REACH:
                spans += _unclosed(text, opened, mark)
                opened = -1
            if opened < 0:
                if opens:
                    opened = place
            elif closes and place > opened + 1:
                spans.append((opened + 1, place))
                opened = -1
            elif opens and mark == '"':
                spans += _unclosed(text, opened, mark)
                opened = place
            place = text.find(mark, place + 1)
        if opened >= 0:
            spans += _unclosed(text, opened, mark)
    return spans


def _unclosed(text: str, opened: int, mark: str) -> list[tuple[int, int]]:
    """A double mark that is never closed quotes to the end of its line; a single one is an apostrophe."""
    if mark == "'":
        return []
    end = text.find("\n", opened)
    return [(opened + 1, len(text) if end < 0 else end)]


def _opens(text: str, place: int, mark: str) -> bool:
    after = text[place + 1 : place + 2]
    before = text[place - 1 : place]
    if not after or after in " \n" or (before and before not in " \n([{-:,/.\"'>"):
        return False
    if mark == "'":
        word = place + 1
        while word < len(text) and word - place < 9 and text[word].isalpha():
            word += 1
        return text[place + 1 : word] not in _words("elisions")
    return True


def _closes(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    after = text[place + 1 : place + 2]
    return before not in ("", " ", "\n") and (not after or not after.isalnum())
