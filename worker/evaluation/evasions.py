"""Disguises that people put on words to slip past filters, each as a pure function of a text and a seed.

A closed registry: `EVASIONS` names every kind. What comes out stays readable for a person; `moderator evaluate
--evasions` measures how much of what is caught in clean spelling is still caught in each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from worker.signals.vocabulary import DEFAULT_VOCABULARY

Dice = random.Random
_Item = TypeVar("_Item")
Span = tuple[int, int]

CONTENT_LETTERS = 4  # shorter words carry the sentence, not its content
DEFAULT_SHARE = 0.5
_TAG_WORDS = 4  # at most, in one hashtag
_VOWELS = "aeiou"

_HOMOGLYPHS: Mapping[str, str] = {
    "a": "аα", "c": "сϲ", "e": "еҽ", "h": "һ", "i": "іι", "j": "ј", "k": "кκ", "m": "м", "n": "ո", "o": "оοσ",
    "p": "рρ", "s": "ѕ", "t": "тτ", "u": "υս", "v": "ν", "x": "хχ", "y": "уγ",
}  # fmt: skip
_LEET: Mapping[str, str] = {
    "a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1|", "o": "0", "s": "5$", "t": "7+",
}  # fmt: skip
_KEYCAPS: Mapping[str, str] = {"a": "4", "b": "8", "e": "3", "g": "9", "i": "1", "o": "0", "s": "5", "t": "7"}
_SMALL_CAPS = dict(zip("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_ACCENTS: Mapping[str, str] = {
    "a": "áàâäãå", "c": "çć", "e": "éèêëē", "i": "íìîïī", "n": "ñń", "o": "óòôöõø", "s": "šś", "u": "úùûüū", "y": "ýÿ",
    "z": "žż", "k": "ķ", "l": "łļ", "r": "ŕř", "t": "ţť", "d": "ďđ", "g": "ğģ",
}  # fmt: skip
_INVISIBLE = "\u200b\u200c\u200d\u2060\u00ad\ufeff"
_MARKS = "\u0300\u0301\u0302\u0303\u0308\u0323\u0335\u0336\u0337\u0338\u0489"
_SEPARATORS = ".-_*"
# First letters of the mathematical alphabets without gaps: bold, bold italic, bold script, bold fraktur,
# double-struck, sans-serif (plain, bold, italic, bold italic), monospace; small letters.
_MATHEMATICAL = (0x1D41A, 0x1D482, 0x1D4EA, 0x1D586, 0x1D552, 0x1D5BA, 0x1D5EE, 0x1D622, 0x1D656, 0x1D68A)


@dataclass(frozen=True, slots=True)
class Evasion:
    """One kind of disguise.

    `word` disguises one lower- or mixed-case Latin word and gives it back unchanged where the kind does not apply
    to it; None for kinds that join several words (`join` then does it).
    """

    name: str
    title: str
    word: Callable[[str, Dice], str] | None = None
    join: Callable[[list[str]], str] | None = None

    def apply(self, text: str, seed: int = 0, share: float = DEFAULT_SHARE) -> str:
        """The text with this share (at least one) of its content words disguised.

        The same for the same text and seed; the text itself where nothing in it can be disguised so.
        """
        dice = random.Random(f"{self.name}/{seed}/{text}")  # noqa: S311 - repeatable on purpose, no secret
        return self._joined(text, dice, share) if self.join else self._disguised(text, dice, share)

    def _disguised(self, text: str, dice: Dice, share: float) -> str:
        assert self.word is not None
        changed = [
            (start, end, put)
            for start, end in words(text)
            if end - start >= CONTENT_LETTERS and (put := self.word(text[start:end], dice)) != text[start:end]
        ]
        chosen = _choose(changed, share, dice)
        parts: list[str] = []
        done = 0
        for start, end, put in chosen:
            between = text[done:start]
            # Between two words of letters that stand apart, people make the gap wider.
            wide = between == " " and " " in put and done > 0
            parts += ["   " if wide else between, put]
            done = end
        return "".join([*parts, text[done:]])

    def _joined(self, text: str, dice: Dice, share: float) -> str:
        assert self.join is not None
        parts: list[str] = []
        done = 0
        for group in _choose(_neighbours(text, dice), share, dice):
            parts += [text[done : group[0][0]], self.join([text[start:end] for start, end in group])]
            done = group[-1][1]
        return "".join([*parts, text[done:]])


def words(text: str) -> list[Span]:
    """Where the Latin words of a text stand; links, mentions and hashtags hold none."""
    found: list[Span] = []
    place = 0
    for chunk in text.split():
        start = text.index(chunk, place)
        place = start + len(chunk)
        if chunk[0] in "@#" or "@" in chunk or "://" in chunk or "www." in chunk:
            continue
        first: int | None = None
        for offset, char in enumerate(f"{chunk} "):
            if _is_latin(char):
                first = offset if first is None else first
            elif first is not None:
                found.append((start + first, start + offset))
                first = None
    return found


def _is_latin(char: str) -> bool:
    return char.isalpha() and char < "\u0250"


def _neighbours(text: str, dice: Dice) -> list[list[Span]]:
    """Rows of two to four words with one blank between, each row with a word in it that is no everyday one."""
    rows: list[list[Span]] = []
    row: list[Span] = []
    size = dice.randint(2, _TAG_WORDS)
    for start, end in words(text):
        plain = text[start:end].isascii()
        if row and (text[row[-1][1] : start] != " " or len(row) == size or not plain):
            rows.append(row)
            row, size = [], dice.randint(2, _TAG_WORDS)
        starts_free = start == 0 or text[start - 1].isspace()
        if plain and (row or starts_free):
            row.append((start, end))
    rows.append(row)
    return [
        row
        for row in rows
        if len(row) > 1
        and any(_is_charged(text[start:end]) for start, end in row)
        and (row[-1][1] == len(text) or text[row[-1][1]] not in "'’")
    ]


def _choose(items: list[_Item], share: float, dice: Dice) -> list[_Item]:
    """This share of the items, in their order; one at least, where there is one."""
    if not items:
        return []
    count = min(len(items), max(1, round(len(items) * share)))
    return [items[place] for place in sorted(dice.sample(range(len(items)), count))]


def _some(word: str, table: Mapping[str, str], dice: Dice, odds: float = 0.6) -> str:
    """The word with some of the letters that the table has replaced, one at least."""
    places = [place for place, char in enumerate(word) if char.lower() in table]
    if not places:
        return word
    chosen = {place for place in places if dice.random() < odds} or {dice.choice(places)}
    return "".join(
        dice.choice(table[char.lower()]) if place in chosen else char for place, char in enumerate(word)
    )


def _homoglyphs(word: str, dice: Dice) -> str:
    return _some(word, _HOMOGLYPHS, dice)


def _leet(word: str, dice: Dice) -> str:
    # Not all of it: a number is no word any more. Signs that are punctuation stay inside.
    inner = _some(word[1:-1], _LEET, dice, 0.5)
    return word[0] + inner + word[-1] if inner != word[1:-1] else word


def _zero_width(word: str, dice: Dice) -> str:
    put = dice.choice(_INVISIBLE)
    return put.join(word) if dice.random() < 0.5 else _split_at(word, dice, put)


def _split_at(word: str, dice: Dice, put: str) -> str:
    place = dice.randint(1, len(word) - 1)
    return word[:place] + put + word[place:]


def _combining(word: str, dice: Dice) -> str:
    return "".join(char + "".join(dice.choices(_MARKS, k=dice.randint(0, 2))) for char in word) + dice.choice(
        _MARKS
    )


def _full_width(word: str, dice: Dice) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isascii() else char for char in word)


def _spacing(word: str, dice: Dice) -> str:
    return " ".join(word)


def _punctuation(word: str, dice: Dice) -> str:
    return dice.choice(_SEPARATORS).join(word)


def _split(word: str, dice: Dice) -> str:
    # Two whole words with a sign between are a compound to every reader ("all-star").
    places = [
        place for place in range(1, len(word)) if not (_is_entry(word[:place]) and _is_entry(word[place:]))
    ]
    if not places or not _is_charged(word):
        return word
    place = dice.choice(places)
    return word[:place] + dice.choice(".-*_~|") + word[place:]


def _is_entry(part: str) -> bool:
    return DEFAULT_VOCABULARY.is_word(part.lower())


def _repeats(word: str, dice: Dice) -> str:
    if dice.random() < 0.2:
        return "".join(char * 2 for char in word)
    vowels = [place for place, char in enumerate(word) if char.lower() in _VOWELS]
    place = dice.choice(vowels) if vowels else dice.randint(1, len(word) - 1)
    return word[:place] + word[place] * dice.randint(3, 6) + word[place + 1 :]


def _emoji_letters(word: str, dice: Dice) -> str:
    lower = word.lower()
    if not lower.isascii():
        return word
    style = dice.randrange(5)
    if style == 0:  # invisible characters keep two indicators from becoming a flag
        return "\u200c".join(chr(0x1F1E6 + ord(char) - ord("a")) for char in lower)
    if style == 1:
        return " ".join(chr(0x1F1E6 + ord(char) - ord("a")) for char in lower)
    if style == 2:
        return "".join(chr(0x1F170 + ord(char) - ord("a")) for char in lower)
    if style == 3:
        return "".join(chr(0x1F150 + ord(char) - ord("a")) for char in lower)
    keys = {letter: f"{digit}\ufe0f\u20e3" for letter, digit in _KEYCAPS.items()}
    places = [place for place, char in enumerate(lower[1:-1], 1) if char in keys]
    if not places:
        return "".join(chr(0x1F170 + ord(char) - ord("a")) for char in lower)
    place = dice.choice(places)
    return word[:place] + keys[lower[place]] + word[place + 1 :]


def _mathematical(word: str, dice: Dice) -> str:
    first = dice.choice(_MATHEMATICAL)
    return "".join(chr(first + ord(char) - ord("a")) if char.isascii() else char for char in word.lower())


def _enclosed(word: str, dice: Dice) -> str:
    first = dice.choice((0x24D0, 0x249C))  # circled, in brackets
    return "".join(chr(first + ord(char) - ord("a")) if char.isascii() else char for char in word.lower())


def _small_capitals(word: str, dice: Dice) -> str:
    return "".join(_SMALL_CAPS.get(char, char) for char in word.lower())


def _accents(word: str, dice: Dice) -> str:
    return _some(word, _ACCENTS, dice)


def _mixed_scripts(word: str, dice: Dice) -> str:
    first = dice.choice(_MATHEMATICAL)
    ways: tuple[Callable[[str], str], ...] = (
        lambda char: dice.choice(_HOMOGLYPHS.get(char, char)),
        lambda char: chr(ord(char) + 0xFEE0),
        lambda char: chr(first + ord(char) - ord("a")),
        lambda char: _SMALL_CAPS.get(char, char),
        lambda char: char,
    )
    return "".join(dice.choice(ways)(char) if char.isascii() else char for char in word.lower())


def _is_charged(word: str) -> bool:
    """Whether a word is more than an everyday one. Nobody takes pains to hide the others."""
    return len(word) >= CONTENT_LETTERS and word.lower() not in DEFAULT_VOCABULARY.common


def _vowel_masks(word: str, dice: Dice) -> str:
    if not _is_charged(word):
        return word  # nor could anyone read "w*ll"
    places = [
        place
        for place, char in enumerate(word[1:-1], 1)
        if char.lower() in _VOWELS and not _other_words(word.lower(), place)
    ]
    if not places:
        return word
    place = dice.choice(places)
    return word[:place] + "*" + word[place + 1 :]


def _other_words(word: str, place: int) -> bool:
    """Whether another vowel at a place makes another word: masked there, a reader could not tell them apart."""
    others = (word[:place] + vowel + word[place + 1 :] for vowel in _VOWELS if vowel != word[place])
    return any(map(DEFAULT_VOCABULARY.is_entry, others))


def _capital_i(word: str, dice: Dice) -> str:
    return word[0] + word[1:].lower().replace("l", "I")


def _camel_hashtag(parts: list[str]) -> str:
    return "#" + "".join(part[0].upper() + part[1:].lower() for part in parts)


def _joined_hashtag(parts: list[str]) -> str:
    return "#" + "".join(parts).lower()


_ALL = (
    Evasion("homoglyphs", "Cyrillic and Greek look-alikes", _homoglyphs),
    Evasion("leet", "digits and signs for letters (k1ll)", _leet),
    Evasion("zero-width", "invisible characters between letters", _zero_width),
    Evasion("combining", "marks piled on letters", _combining),
    Evasion("accents", "letters with accents (kïll)", _accents),
    Evasion("full-width", "full-width letters", _full_width),
    Evasion("mathematical", "mathematical alphabets", _mathematical),
    Evasion("enclosed", "letters in circles and brackets", _enclosed),
    Evasion("small-capitals", "small capitals", _small_capitals),
    Evasion("mixed-scripts", "several alphabets in one word", _mixed_scripts),
    Evasion("emoji-letters", "regional indicators, squared letters, keycaps", _emoji_letters),
    Evasion("spacing", "letters set apart (k i l l)", _spacing),
    Evasion("punctuation", "signs between all letters (k.i.l.l)", _punctuation),
    Evasion("split", "one sign inside a word (ki-ll)", _split),
    Evasion("repeats", "letters repeated (kiiill)", _repeats),
    Evasion("vowel-masks", "a vowel masked (k*ll)", _vowel_masks),
    Evasion("capital-i", "capital I for l (kiII)", _capital_i),
    Evasion("camel-hashtag", "words joined in a hashtag, with capitals (#KillThemAll)", join=_camel_hashtag),
    Evasion("joined-hashtag", "words joined in a hashtag (#killthemall)", join=_joined_hashtag),
)
EVASIONS: Mapping[str, Evasion] = MappingProxyType({evasion.name: evasion for evasion in _ALL})
"""Every kind by its name, in the order of reports."""
