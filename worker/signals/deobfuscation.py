"""Undoes disguises of words: digits for letters, spaced letters, masks, split words.

All of it makes a second variant of a text, because undoing it in place would break what looks alike and is meant
("u.s.a", "h1n1", a telephone number).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from worker.signals.edits import Edit
from worker.signals.flags import FLAGS, spelled
from worker.signals.hashtags import HASHTAGS, hashtag_regions
from worker.signals.leet import ENDS, LEET, LEET_CLASS, is_known, reading_of
from worker.signals.regex import Regex
from worker.signals.repeats import is_address
from worker.signals.scanner import Literals, is_whole
from worker.signals.spaced import join_letters
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary

_SEPARATORS = r" \n.\-_*/~,|+:;^=•·"
_SPLITTERS = " \n.-_*/~|+"  # what one is put into a word as
_VOWEL_SIGNS = ".-_~"  # what stands in for a vowel

_SPACED = rf"\b[a-z0-9](?:[{_SEPARATORS}]{{1,3}}[a-z0-9@$!])*[{_SEPARATORS}]{{1,3}}[a-z0-9](?:_|\b)"
_LEET_TOKEN = rf"[a-z]*[{LEET_CLASS}]+[a-z][a-z{LEET_CLASS}]*|[a-z]+[{LEET_CLASS}]+"
# One sign inside a word, whatever the word; `SPLITS` has more signs for those that are disguised most often.
_HALVES = r"[a-z]+[.\-_~][a-z]+"
_HALVES_SHOWN = r"(?:^|[^a-z0-9/._@~\-])[a-z]+[.\-_~][a-z]+(?:$|[^a-z0-9/_@~\-])"
_SHORTEST_JOINED = 4
_BINDS = tuple(".-_~/")  # before or after a word, they make it part of something longer


def _splits(vocabulary: Vocabulary) -> dict[str, str]:
    """Disguised words with one separator put in, or in place of a vowel, and what each stands for."""
    splits: dict[str, str] = {}
    for word in vocabulary.masked:
        if len(word) < 4 or word in ("anal", "anus"):
            continue
        for place in range(1, len(word)):
            left, right = word[:place], word[place:]
            if not (left in vocabulary.common and right in vocabulary.common):
                splits.update((f"{left}{sign}{right}", word) for sign in _SPLITTERS)
            if word[place] in "aeiou" and place < len(word) - 1:
                splits.update((f"{left}{sign}{word[place + 1 :]}", word) for sign in _VOWEL_SIGNS)
    return splits


# Looked for with the word lists' own automaton: as an expression it would be the largest of all.
SPLITS = _splits(DEFAULT_VOCABULARY)


@cache
def _split_literals() -> tuple[Literals, list[str]]:
    return Literals(list(SPLITS)), list(SPLITS.values())


def is_split(text: str) -> bool:
    """Whether a folded text holds one of `SPLITS` as a whole word."""
    return any(is_whole(text, start, end) for _, start, end in _split_literals()[0].find(text))


def _edge_pattern(vocabulary: Vocabulary) -> str:
    """Matches disguised words that begin or end with digits or signs for letters ("a55", "$hit").

    Spelled out, because numbers at the edge of a word are everywhere ("4th", "ps5").
    """
    signs: dict[str, str] = {}
    for sign, letters in LEET.items():
        for letter in letters:
            if len(letter) == 1 and sign not in "!|+":
                signs[letter] = signs.get(letter, "") + sign
    ends, starts = ["h8s?"], []
    for word in vocabulary.masked:
        first, last = signs.get(word[0]), signs.get(word[-1])
        if last and len(word) > 2:
            before = signs.get(word[-2])
            ends.append(f"{word[:-1]}[{last}]")
            if before:
                ends.append(f"{word[:-2]}[{before}][{last}]")
        if first and len(word) > 2:
            starts.append(f"[{first}]{word[1:]}")
    return rf"(?:^|[^a-z0-9@$€£¢§])(?:{'|'.join((*ends, *starts))})(?:$|[^a-z0-9])"


_EDGES = _edge_pattern(DEFAULT_VOCABULARY)
# What a text must show before its disguises are looked at, over folded text.
DISGUISES: tuple[str, ...] = (
    rf"\b[a-z][{_SEPARATORS}]{{1,3}}[a-z0-9@$!][{_SEPARATORS}]{{1,3}}[a-z](?:_|\b)",
    # Not after a slash or a dot: the random part of a link looks like this.
    r"(?:^|[^a-z0-9/._?=&\-])[a-z]{1,15}(?:[0-9@$*%€£¢§]{1,6}[!|+]?|[!|+#][0-9@$|]?)[a-z]",
    _EDGES,
    rf"[a-z]{{3}}[{ENDS}](?:$|[^a-z0-9])",
    r"\b[a-z]\*\*",
    FLAGS,
    _HALVES_SHOWN,
    HASHTAGS,
)


@cache
def _regex(pattern: str) -> Regex:
    return Regex(pattern, max_mem=64 << 20)


def undo(
    text: str,
    vocabulary: Vocabulary,
    wide: frozenset[int] = frozenset(),
    received: Callable[[int, int], str] | None = None,
) -> list[Edit]:
    """Edits of a folded text that undo disguises of single words; empty when it shows none.

    `wide` holds the places where more than one blank stood in a row before: between spaced letters, that
    is where a word ends. `received` gives the text as it came for a span of the folded one, None: it is the same.
    """
    regions = hashtag_regions(text, vocabulary, received or (lambda start, end: text[start:end]))
    plain = text if text.isascii() else spelled(text, vocabulary)
    # Most texts with a hashtag show nothing else; a text without one was let in for something else.
    if plain is not text or "#" not in text or _other_disguise().matches(text) or is_split(text):
        regions += _word_regions(plain, vocabulary, wide)
    edits: list[Edit] = []
    done = 0
    for start, end, region in sorted(
        regions, key=lambda item: item[0]
    ):  # stable: the order above breaks ties
        if region and start >= done:
            edits.extend(region)
            done = end
    return edits if plain is text else _with_letters(text, plain, edits)


@cache
def _other_disguise() -> Regex:
    """Whatever may be disguised besides hashtags, which are many and quick to look at."""
    return _regex("|".join(f"(?:{part})" for part in DISGUISES if part != HASHTAGS))


def _with_letters(text: str, plain: str, edits: list[Edit]) -> list[Edit]:
    """The edits of a text some of whose characters were read as letters, those characters included."""
    touched = {place for edit in edits for place in range(edit.start, edit.end)}
    read = [
        Edit(place, place + 1, letter)
        for place, (char, letter) in enumerate(zip(text, plain, strict=True))
        if char != letter and place not in touched
    ]
    return sorted([*edits, *read])


def _word_regions(
    text: str, vocabulary: Vocabulary, wide: frozenset[int]
) -> list[tuple[int, int, list[Edit]]]:
    regions = [
        (start, end, join_letters(text, start, end, vocabulary, wide))
        for start, end in _regex(_SPACED).spans(text)
    ]
    regions += _heal(text)
    regions += [
        (start, end, _join_halves(text, start, end, vocabulary)) for start, end in _regex(_HALVES).spans(text)
    ]
    regions += [
        (start, end, _read_token(text, start, end, vocabulary))
        for start, end in _regex(_LEET_TOKEN).spans(text)
    ]
    return regions


def _join_halves(text: str, start: int, end: int, vocabulary: Vocabulary) -> list[Edit]:
    """Takes one sign out of a word whose halves are not both words: "fenta.nyl", not "the-rapist"."""
    if not is_whole(text, start, end) or is_address(text, start, end):
        return []
    if text[start - 1 : start] in _BINDS or (
        text[end : end + 1] in _BINDS and text[end + 1 : end + 2].isalnum()
    ):
        return []
    place = next(i for i in range(start, end) if not "a" <= text[i] <= "z")
    left, right = text[start:place], text[place + 1 : end]
    whole = left + right
    if len(whole) < _SHORTEST_JOINED or not is_known(whole, vocabulary):
        return []
    if all(
        half in ("a", "i") or (len(half) > 1 and vocabulary.is_word(half)) for half in (left, right)
    ) and not (min(len(left), len(right)) < 3 and whole in vocabulary.common):
        return []
    return [Edit(place, place + 1, "")]


def _read_token(text: str, start: int, end: int, vocabulary: Vocabulary) -> list[Edit]:
    read = reading_of(text[start:end], vocabulary)
    if read is None:
        return []
    first, last, reading = read
    if text[start + first] != "@" and is_address(text, start + first, start + last):
        return []
    return [Edit(start + first, start + last, reading)]


def _heal(text: str) -> list[tuple[int, int, list[Edit]]]:
    """Takes the separators out of split words, or puts back the vowels that they replaced."""
    literals, words = _split_literals()
    healed = []
    for index, start, end in literals.find(text):
        if is_whole(text, start, end) and not is_address(text, start, end):
            place = next(i for i in range(start, end) if not "a" <= text[i] <= "z")
            put = words[index][place - start] if len(words[index]) == end - start else ""
            healed.append((start, end, [Edit(place, place + 1, put)]))
    return healed
