"""Reads rows of regional indicators, which make flags in pairs, as the letters that they show."""

from __future__ import annotations

from worker.signals.vocabulary import Vocabulary

FIRST, LAST = "\U0001f1e6", "\U0001f1ff"
# What a text must show before its flags are looked at: three in a row or apart, or one inside a word.
FLAGS = rf"[{FIRST}-{LAST}] ?[{FIRST}-{LAST}] ?[{FIRST}-{LAST}]|[a-z][{FIRST}-{LAST}][a-z]"
_SHORTEST = 3  # letters a word, on average: two of them are a flag


def spelled(text: str, vocabulary: Vocabulary) -> str:
    """The text with the indicators that spell words as letters, each in its place; flags stay flags.

    The text itself where there is nothing to read.
    """
    if not any(FIRST <= char <= LAST for char in text):
        return text
    chars = list(text)
    place = 0
    while place < len(chars):
        end = place
        while end < len(chars) and FIRST <= text[end] <= LAST:
            end += 1
        if end > place:
            letters = "".join(chr(ord(char) - ord(FIRST) + ord("a")) for char in text[place:end])
            if _is_spelling(text, place, end, letters, vocabulary):
                chars[place:end] = letters
        place = end + 1
    read = "".join(chars)
    return text if read == text else read


def _is_spelling(text: str, start: int, end: int, letters: str, vocabulary: Vocabulary) -> bool:
    if len(letters) == 1:
        return True  # one alone shows a letter, never a flag
    inside = _is_letter(text[start - 1 : start]) and _is_letter(text[end : end + 1])
    return inside or (
        len(letters) >= _SHORTEST and (vocabulary.is_word(letters) or _is_row(letters, vocabulary))
    )


def _is_row(letters: str, vocabulary: Vocabulary) -> bool:
    """Whether the letters are known words one after the other, none of them short."""
    reached = {0}
    for end in range(_SHORTEST, len(letters) + 1):
        if any(end - start >= _SHORTEST and vocabulary.is_word(letters[start:end]) for start in reached):
            reached.add(end)
    return len(letters) in reached


def _is_letter(char: str) -> bool:
    return "a" <= char <= "z"
