"""Where a sentence begins and ends in a canonical text."""

from __future__ import annotations

from collections.abc import Set

_ENDS = ".!?؟۔"


def left_end(text: str, start: int, reach: int, abbreviations: Set[str]) -> int:
    """Where the sentence that holds `start` begins, at most `reach` code points before it."""
    limit = max(0, start - reach)
    place = start
    while place > limit:
        if _ends_sentence(text, place - 1, abbreviations):
            while place < start and text[place] in "\"') \n":
                place += 1
            return place
        place -= 1
    return limit


def right_end(text: str, end: int, reach: int, abbreviations: Set[str]) -> int:
    """Where the sentence that holds the code point before `end` stops, at most `reach` code points after it."""
    limit = min(len(text), end + reach)
    place = end
    while place < limit:
        if _ends_sentence(text, place, abbreviations):
            while place + 1 < limit and text[place + 1] in _ENDS + "\"')":
                place += 1
            return place if text[place] == "\n" else place + 1
        place += 1
    return limit


def _ends_sentence(text: str, place: int, abbreviations: Set[str]) -> bool:
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
    return not (word in abbreviations or (len(word) == 1 and word.isalpha() and word not in "iu"))
