"""Repeated letters: "kiiiill" and "kkiillll" become the word that they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from string import ascii_lowercase

from worker.signals.edits import Edit
from worker.signals.regex import Regex
from worker.signals.vocabulary import Vocabulary

_DOUBLES = "|".join(letter * 2 for letter in ascii_lowercase)
_TRIPLES = "|".join(letter * 3 for letter in ascii_lowercase if letter != "w")
# "www." is an address; "kkiillll" doubles letters to slip below a limit of three.
SQUEEZABLE = rf"{_TRIPLES}|wwww|www[^.]|(?:{_DOUBLES}){{3}}"
_TOKEN = rf"[a-z]*(?:{_TRIPLES}|www|(?:{_DOUBLES}){{3}})[a-z]*"
_READINGS_LIMIT = 32
_TOKEN_LIMIT = 32  # letters; no word that anyone stretches is longer
_CHUNK_LIMIT = 100  # code points looked at on either side of a word to see whether it is part of a link


@cache
def _token() -> Regex:
    return Regex(_TOKEN)


def is_address(text: str, start: int, end: int) -> bool:
    """Whether a span is part of a link, an e-mail address or a mention: those are names, not words."""
    left = max(0, start - _CHUNK_LIMIT)
    left = max(left, text.rfind(" ", left, start) + 1, text.rfind("\n", left, start) + 1)
    right = end + _CHUNK_LIMIT
    for blank in " \n":
        found = text.find(blank, end, right)
        if found >= 0:
            right = found
    chunk = text[left:right]
    if "://" in chunk or "www." in chunk:
        return True
    local, at, host = chunk.partition("@")
    # "@name" and "name@host.tld"; but in "r@pe" the sign is a letter.
    return bool(at) and (not any(map(str.isalnum, local)) or "." in host.strip(".,;:!?)]\"'"))


def squeeze(text: str, vocabulary: Vocabulary) -> list[Edit]:
    """Edits that take letters repeated three times and more down to a known word, or to one or two."""
    edits: list[Edit] = []
    for start, end in _token().spans(text):
        if not is_address(text, start, end):
            edits.extend(_squeeze_token(text[start:end], start, vocabulary))
    return edits


def _runs(token: str) -> Iterator[tuple[int, int]]:
    start = 0
    for place in range(1, len(token) + 1):
        if place == len(token) or token[place] != token[start]:
            if place - start > 1:
                yield start, place
            start = place


def _squeeze_token(token: str, offset: int, vocabulary: Vocabulary) -> list[Edit]:
    halved = token[::2]
    if len(token) > 6 and halved == token[1::2] and vocabulary.is_word(halved):  # each letter twice
        return [Edit(offset + at, offset + at + 2, token[at]) for at in range(0, len(token), 2)]
    runs = list(_runs(token))
    if len(runs) == 1 and runs[0] == (0, len(token)):
        # A letter alone: "xxx", "kkk" and "iii" mean something, longer rows are laughter or noise.
        return [] if len(token) == 3 else [Edit(offset, offset + len(token), token[0] * 2)]
    sizes = _best_sizes(token, runs, vocabulary)
    return [
        Edit(offset + start, offset + end, token[start] * size)
        for (start, end), size in zip(runs, sizes, strict=True)
        if size != end - start
    ]


def _best_sizes(token: str, runs: list[tuple[int, int]], vocabulary: Vocabulary) -> tuple[int, ...]:
    if 2 ** len(runs) <= _READINGS_LIMIT and len(token) - sum(e - s - 2 for s, e in runs) <= _TOKEN_LIMIT:
        readings = [(sizes, _resized(token, runs, sizes)) for sizes in product((2, 1), repeat=len(runs))]
        for known in (vocabulary.has, vocabulary.knows, vocabulary.is_word):
            for sizes, word in readings:
                if known(word):
                    return sizes
    # No known word: English doubles e, o and some consonants inside a word, and little else.
    return tuple(
        2 if end - start == 2 or (token[start] in "eolsf" and start > 0 and end < len(token)) else 1
        for start, end in runs
    )


def _resized(token: str, runs: list[tuple[int, int]], sizes: tuple[int, ...]) -> str:
    parts = []
    done = 0
    for (start, end), size in zip(runs, sizes, strict=True):
        parts.append(token[done:start])
        parts.append(token[start] * size)
        done = end
    parts.append(token[done:])
    return "".join(parts)


def squeezed(word: str, vocabulary: Vocabulary) -> str:
    runs = list(_runs(word))
    return _resized(word, runs, _best_sizes(word, runs, vocabulary)) if runs else word
