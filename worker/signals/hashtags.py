"""Takes hashtags apart into their words: "#KillThemAll", "#killthemall", "#kill_them_all".

Capitals and low lines say where the words end. Without them a dictionary does, and only where it leaves no doubt.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache

from worker.signals.edits import Edit
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary


def _shown_by(words: Iterable[str]) -> str:
    telling = sorted(
        word for word in words if len(word) > 3 or word in _TELLING_SHORT if word not in _ANYWHERE
    )
    return rf"#[a-z0-9]*(?:{'|'.join(telling)})|{_IN_SENTENCE}|#[^ \n#_]+_[^ \n#_]"


# What a text must show before its hashtags are looked at, over folded text: a telling word in one, one that is part of
# a sentence, or low lines. Topics at the end of a text are many, each costs time, and next to nothing is found in them.
_IN_SENTENCE = r"(?:^|[a-z,] )#[a-z][a-z0-9]{4,}[,.]? [a-z]"
_TELLING_SHORT = ("die", "gun", "gay", "jew", "fag", "dox")
_ANYWHERE = ("anal", "beat", "earn", "meth", "paki", "pipe", "rips", "sign")  # in too many innocent words
HASHTAGS = _shown_by(DEFAULT_VOCABULARY.telling)
_SHORTEST, _LONGEST = 6, 60  # with its sign; a longer one is no row of words that anyone reads
_LONGEST_WORD = 16
_SHORT = ("i", "a", "u")

_Row = tuple[int, tuple[int, ...]]  # what a row of words costs, and where they begin


def hashtag_regions(
    text: str, vocabulary: Vocabulary, received: Callable[[int, int], str]
) -> list[tuple[int, int, list[Edit]]]:
    """The hashtags of a folded text that are rows of words, each as (start, end, edits that set its words apart).

    `received` gives the text as it came for a span of the folded one. A hashtag of everyday words is left whole:
    there are many, and nothing is found in them.
    """
    regions: list[tuple[int, int, list[Edit]]] = []
    place, end = text.find("#"), -1
    while place >= 0:
        start, place, last = place, text.find("#", place + 1), end
        end = _end(text, start + 1, len(text) if place < 0 else place)
        if not _SHORTEST <= end - start <= _LONGEST or (start != last and start and _binds(text[start - 1])):
            continue
        body = text[start + 1 : end]
        if body.isascii() and not vocabulary.holds_telling(body):
            continue
        written = received(start, end)[1:]
        # Folded otherwise than letter by letter, its capitals say nothing.
        starts = _words_of(written if written.lower() == body else body, vocabulary)
        if starts:
            regions.append((start, end, _apart(text, start, end, starts)))
    return regions


def _end(text: str, start: int, limit: int) -> int:
    """Where a row of letters, digits, marks and low lines ends."""
    blank = text.find(" ", start, limit)
    end = limit if blank < 0 else blank
    body = text[start:end]
    if body.isalnum():
        return end
    for offset, char in enumerate(body):
        if not (char.isalnum() or char == "_" or unicodedata.combining(char)):
            return start + offset
    return end


def _binds(char: str) -> bool:
    """Whether a number sign after this character is part of a link or of a word."""
    return char.isalnum() or char in "/&"


def _apart(text: str, start: int, end: int, starts: tuple[int, ...]) -> list[Edit]:
    edits = [Edit(start, start + 1, " " if start and text[start - 1].isalnum() else "")]
    for place in (start + 1 + offset for offset in starts if offset):
        # With the letter after it: an edit that only puts something in has no place in the text as received.
        edits.append(Edit(place, place + 1, " " if text[place] == "_" else f" {text[place]}"))
    return edits


@lru_cache(maxsize=16_384)  # hashtags come again and again
def _words_of(written: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    """Where the words of a hashtag begin (or the low lines between them stand); empty when it is left whole."""
    stem = written.rstrip("0123456789_")
    starts = _starts(stem, vocabulary)
    if written.isascii() and vocabulary.telling.isdisjoint(_pieces(stem, starts)):
        return ()
    return (*starts, len(stem)) if starts and len(stem) < len(written) else starts


def _starts(stem: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    shown = _shown_starts(stem)
    pieces = _pieces(stem, shown)
    if len(shown) > 1 and all(_reads(piece, vocabulary) for piece in pieces):
        return shown
    word = stem.lower()
    if word.isascii() and word.isalpha() and not vocabulary.is_entry(word):
        found = _segment(word, vocabulary)
        if found:
            return found
    return shown if len(shown) > 1 and all(len(piece) > 1 or piece in _SHORT for piece in pieces) else ()


def _pieces(written: str, starts: tuple[int, ...]) -> list[str]:
    if not starts:
        return []
    ends = (*starts[1:], len(written))
    return [written[start:end].strip("_").lower() for start, end in zip(starts, ends, strict=True)]


def _reads(word: str, vocabulary: Vocabulary) -> bool:
    return word in _SHORT or vocabulary.price(word) is not None or vocabulary.is_entry(word)


def _shown_starts(written: str) -> tuple[int, ...]:
    """Where low lines and capitals say that words begin, the first one included."""
    starts = [0]
    for place in range(1, len(written)):
        char, before = written[place], written[place - 1]
        after = written[place + 1 : place + 2]
        if char == "_" or (
            char.isupper() and before != "_" and (before.islower() or (before.isupper() and after.islower()))
        ):
            starts.append(place)
    return tuple(starts)


def _segment(letters: str, vocabulary: Vocabulary) -> tuple[int, ...]:
    """The one best way to cut letters into known words, as their starts; empty when there is none, or are two."""
    size = len(letters)
    rows: dict[int, list[_Row]] = {0: [(0, ())]}  # the two cheapest rows of words that end at a place
    for start in range(size):
        before = rows.get(start)
        if before is None:
            continue
        before.sort()
        del before[2:]
        for end in range(start + 1, min(size, start + _LONGEST_WORD) + 1):
            price = vocabulary.price(letters[start:end])
            if price is not None:
                rows.setdefault(end, []).extend((cost + price, (*starts, start)) for cost, starts in before)
    found = sorted(rows.get(size, ()))[:2]
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return ()
    starts = found[0][1]
    # Any letters can be cut into scraps: half of them at least must stand in words of some length.
    long = sum(len(piece) for piece in _pieces(letters, starts) if len(piece) > 2)
    return starts if len(starts) > 1 and long * 2 >= size else ()
