"""Reads single words in which digits, signs or masks stand for letters: "k1ll", "$hit", "f*ck"."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from worker.signals.cutting import cut_places
from worker.signals.repeats import squeezed
from worker.signals.vocabulary import Vocabulary

# What a character may stand for, the likelier reading first; `_MASKS` stand for any one letter.
LEET = {
    "0": ("o",), "1": ("i", "l"), "3": ("e",), "4": ("a",), "5": ("s",), "6": ("g", "b"), "7": ("t",), "8": ("b", "ate"),
    "9": ("g",), "@": ("a",), "$": ("s",), "!": ("i", "l"), "|": ("l", "i"), "+": ("t",), "€": ("e",), "£": ("l",), "¢": ("c",), "§": ("s",),
}  # fmt: skip
_MASKS = "*#%"
_MASKS_AND_LETTERS = _MASKS + "abcdefghijklmnopqrstuvwxyz"
LEET_CLASS = r"0-9@$!|+€£¢§*#%"
ENDS = "013457@$"  # what stands for a letter at the end of any word
_TRAILING = "!|+*#%"  # punctuation and mark-up at the end of a word, not part of it
_LEADING = "#*%|+!"
_READINGS_LIMIT = 32
_MASKS_LIMIT = 2
_SHORTEST_UNMASKED = 4  # letters; in a shorter word a missing vowel leaves too much open
TOKEN_LIMIT = 32  # letters; no word that anyone disguises is longer


def readings(token: str) -> Iterator[str]:
    """What a disguised token may read as, the likeliest first; masks stay."""
    choices = []
    count = 1
    for place, char in enumerate(token):
        options = LEET.get(char, (char,))
        if char in "1!|" and place and token[place - 1] in "aeiou":
            options = ("l", "i")  # "ki1l", "he1p"
        count *= len(options)
        choices.append(options if count <= _READINGS_LIMIT else options[:1])
    return ("".join(letters) for letters in product(*choices))


def best_reading(token: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """The reading of a token that is a known word, else the likeliest; and whether it is known."""
    possible = list(readings(token))
    for reading in possible:
        if is_known(reading, vocabulary):
            return reading, True
    for reading in possible:
        short = squeezed(reading, vocabulary)
        if short != reading and is_known(short, vocabulary):
            return short, True
    return possible[0], False


def is_known(word: str, vocabulary: Vocabulary) -> bool:
    """Whether letters that were made out are a word; what is short must be one that people disguise or use daily."""
    return vocabulary.knows(word) or (len(word) > 3 and vocabulary.is_word(word))


def _unmask(token: str, vocabulary: Vocabulary) -> str | None:
    """The disguised word that a token with masks stands for: as long as it, or one letter longer."""
    seen = sum(char not in _MASKS for char in token)
    for length in (len(token), len(token) + 1) if seen > 1 else (len(token),):
        for word in vocabulary.of_length(length):
            if word[0] == token[0] or token[0] in LEET:
                stretched = token if length == len(token) else _stretch(token)
                if len(stretched) == length and all(
                    sign in _MASKS or letter == sign or letter in LEET.get(sign, ())
                    for sign, letter in zip(stretched, word, strict=True)
                ):
                    return word
    return None


def _unmask_any(token: str, vocabulary: Vocabulary) -> str | None:
    """The one word that comes out with a vowel under each mask, or with the masks taken out; None if several do."""
    if token.strip(_MASKS) != token or len(token) < _SHORTEST_UNMASKED or token.strip(_MASKS_AND_LETTERS):
        return None
    masked = [place for place, char in enumerate(token) if char in _MASKS]
    if len(masked) <= _MASKS_LIMIT:
        words = []
        for vowels in product("aeiou", repeat=len(masked)):
            letters = list(token)
            for place, vowel in zip(masked, vowels, strict=True):
                letters[place] = vowel
            words.append("".join(letters))
        # Everyday words are seldom masked: one that rules look for is likelier, however many others fit.
        telling = [word for word in words if word in vocabulary.telling]
        for found in (telling, [word for word in words if vocabulary.is_entry(word)]):
            if found:
                return found[0] if len(found) == 1 or found is telling else None
    plain = "".join(char for char in token if char not in _MASKS)
    return plain if len(plain) > 3 and vocabulary.is_entry(plain) else None


def _stretch(token: str) -> str:
    """One mask may stand for two letters ("f*k")."""
    for place, char in enumerate(token):
        if char in _MASKS:
            return token[:place] + char + token[place:]
    return token


def _ends_disguised(token: str, vocabulary: Vocabulary) -> bool:
    """Whether only the end of a token is disguised, and what stands before it is no word: "hous3", not "day1"."""
    stem = token[:-1]
    return len(stem) > 2 and stem.isalpha() and token[-1] in ENDS and not vocabulary.is_entry(stem)


@lru_cache(maxsize=16_384)  # what looks like a disguise comes again and again: "2nite", "b4", "mp3"
def reading_of(token: str, vocabulary: Vocabulary) -> tuple[int, int, str] | None:
    """Which part of a token is a disguised word, and that word; None when none is."""
    stripped = token.lstrip(_LEADING)
    start = len(token) - len(stripped)
    token = stripped
    letters = sum("a" <= char <= "z" for char in token)
    if letters == len(token) or not letters or len(token) > TOKEN_LIMIT:
        return None
    plain = token.rstrip(_TRAILING)
    tail = token[len(plain) :]
    if len(tail) > 1 and tail.strip("*#") == "" and len(plain) < 3:
        plain = token  # "f***": the end is what is masked
    end = start + len(plain)
    if len(plain) < 2 or all("a" <= char <= "z" for char in plain):
        return None
    if any(char in _MASKS for char in plain):
        word = (_unmask(plain, vocabulary) or _unmask_any(plain, vocabulary)) if len(plain) > 2 else None
        return (start, end, word) if word else None
    reading, known = best_reading(plain, vocabulary)
    if not known and "|" in plain.strip("|"):  # not a letter but what was put in: "w|hole"
        whole = plain.replace("|", "")
        reading, known = (whole, True) if len(whole) > 3 and is_known(whole, vocabulary) else (reading, known)
    inner = (
        plain.strip("0123456789@$!|+€£¢§") == plain
    )  # disguised inside only: no number with a unit, no "b4"
    accepted = (
        known or (not any(char in "!|+" for char in plain) and bool(cut_places(reading, vocabulary)))
        if inner
        else vocabulary.is_masked(reading) or (known and _ends_disguised(plain, vocabulary))
    )
    return (start, end, reading) if accepted and reading != plain else None
