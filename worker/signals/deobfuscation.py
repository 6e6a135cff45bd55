"""Undoes disguises of words: digits for letters, spaced letters, masks, split words.

All of it makes a second variant of a text, because undoing it in place would break what looks alike and is meant
("u.s.a", "h1n1", a telephone number).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise, product

from worker.signals.edits import Edit
from worker.signals.regex import Regex
from worker.signals.repeats import is_address, squeezed
from worker.signals.scanner import Literals, is_whole
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary

# What a character may stand for, the likelier reading first; `_MASKS` stand for any one letter.
_LEET = {
    "0": ("o",), "1": ("i", "l"), "3": ("e",), "4": ("a",), "5": ("s",), "6": ("g", "b"), "7": ("t",), "8": ("b", "ate"),
    "9": ("g",), "@": ("a",), "$": ("s",), "!": ("i", "l"), "|": ("l", "i"), "+": ("t",), "€": ("e",), "£": ("l",), "¢": ("c",), "§": ("s",),
}  # fmt: skip
_MASKS = "*#%"
_LEET_CLASS = r"0-9@$!|+€£¢§*#%"
_TRAILING = "!|+*#%"  # punctuation and mark-up at the end of a word, not part of it
_LEADING = "#*%|+!"
_SEPARATORS = r" \n.\-_*/~,|+:;^=•·"
_SPLITTERS = " \n.-_*/~|+"  # what one is put into a word as
_VOWEL_SIGNS = ".-_~"  # what stands in for a vowel
_READINGS_LIMIT = 32
_TOKEN_LIMIT = 32  # letters; no word that anyone disguises is longer
_CUT_FROM = 6  # letters; a shorter dotted row that is no known word is an acronym or one word ("u.s.a.")
_CUT_SPACED_FROM = 4
_LONGEST_CUT = 14
_CUT_LIMIT = 2_000  # letters of one row that are cut into words: nobody writes more, and each costs a search

_SPACED = rf"\b[a-z0-9](?:[{_SEPARATORS}]{{1,3}}[a-z0-9@$!])*[{_SEPARATORS}]{{1,3}}[a-z0-9](?:_|\b)"
_LEET_TOKEN = rf"[a-z]*[{_LEET_CLASS}]+[a-z][a-z{_LEET_CLASS}]*|[a-z]+[{_LEET_CLASS}]+"
_FLAGS = r"[\x{1F1E6}-\x{1F1FF}]{3,}"


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
    for sign, letters in _LEET.items():
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
    r"(?:^|[^a-z0-9/._?=&\-])[a-z]{1,15}(?:[0-9@$*%€£¢§]{1,6}|[!|+#])[a-z]",
    _EDGES,
    r"\b[a-z]\*\*",
    r"[\x{1F1E6}-\x{1F1FF}]{3}",
)


@cache
def _regex(pattern: str) -> Regex:
    return Regex(pattern, max_mem=64 << 20)


def undo(text: str, vocabulary: Vocabulary, wide: frozenset[int] = frozenset()) -> list[Edit]:
    """Edits of a folded text that undo disguises of single words; empty when it shows none.

    `wide` holds the places where more than one blank stood in a row before: between spaced letters, that
    is where a word ends.
    """
    regions = [
        (start, end, _join(text, start, end, vocabulary, wide)) for start, end in _regex(_SPACED).spans(text)
    ]
    regions += _heal(text)
    regions += [
        (start, end, _read_token(text, start, end, vocabulary))
        for start, end in _regex(_LEET_TOKEN).spans(text)
    ]
    if not text.isascii():
        regions += [
            (start, end, _read_flags(text, start, end, vocabulary))
            for start, end in _regex(_FLAGS).spans(text)
        ]
    edits: list[Edit] = []
    done = 0
    for start, end, region in sorted(
        regions, key=lambda item: item[0]
    ):  # stable: the order above breaks ties
        if region and start >= done:
            edits.extend(region)
            done = end
    return edits


def _readings(token: str) -> Iterator[str]:
    """What a disguised token may read as, the likeliest first; masks stay."""
    choices = []
    count = 1
    for place, char in enumerate(token):
        options = _LEET.get(char, (char,))
        if char in "1!|" and place and token[place - 1] in "aeiou":
            options = ("l", "i")  # "ki1l", "he1p"
        count *= len(options)
        choices.append(options if count <= _READINGS_LIMIT else options[:1])
    return ("".join(letters) for letters in product(*choices))


def _best_reading(token: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """The reading of a token that is a known word, else the likeliest; and whether it is known."""
    first = ""
    for reading in _readings(token):
        if not first:
            first = reading
        if vocabulary.knows(reading):
            return reading, True
        short = squeezed(reading, vocabulary)
        if short != reading and vocabulary.knows(short):
            return short, True
    return first, False


def _unmask(token: str, vocabulary: Vocabulary) -> str | None:
    """The disguised word that a token with masks stands for: as long as it, or one letter longer."""
    seen = sum(char not in _MASKS for char in token)
    for length in (len(token), len(token) + 1) if seen > 1 else (len(token),):
        for word in vocabulary.of_length(length):
            if word[0] == token[0] or token[0] in _LEET:
                stretched = token if length == len(token) else _stretch(token)
                if len(stretched) == length and all(
                    sign in _MASKS or letter == sign or letter in _LEET.get(sign, ())
                    for sign, letter in zip(stretched, word, strict=True)
                ):
                    return word
    return None


def _stretch(token: str) -> str:
    """One mask may stand for two letters ("f*k")."""
    for place, char in enumerate(token):
        if char in _MASKS:
            return token[:place] + char + token[place:]
    return token


def _read_token(text: str, start: int, end: int, vocabulary: Vocabulary) -> list[Edit]:
    read = _reading_of(text[start:end], vocabulary)
    if read is None:
        return []
    first, last, reading = read
    if text[start + first] != "@" and is_address(text, start + first, start + last):
        return []
    return [Edit(start + first, start + last, reading)]


@lru_cache(maxsize=16_384)  # what looks like a disguise comes again and again: "2nite", "b4", "mp3"
def _reading_of(token: str, vocabulary: Vocabulary) -> tuple[int, int, str] | None:
    """Which part of a token is a disguised word, and that word; None when none is."""
    stripped = token.lstrip(_LEADING)
    start = len(token) - len(stripped)
    token = stripped
    letters = sum("a" <= char <= "z" for char in token)
    if letters == len(token) or not letters or len(token) > _TOKEN_LIMIT:
        return None
    plain = token.rstrip(_TRAILING)
    tail = token[len(plain) :]
    if len(tail) > 1 and tail.strip("*#") == "" and len(plain) < 3:
        plain = token  # "f***": the end is what is masked
    end = start + len(plain)
    if len(plain) < 2 or all("a" <= char <= "z" for char in plain):
        return None
    if any(char in _MASKS for char in plain):
        word = _unmask(plain, vocabulary) if len(plain) > 2 else None
        return (start, end, word) if word else None
    reading, known = _best_reading(plain, vocabulary)
    inner = (
        plain.strip("0123456789@$!|+€£¢§") == plain
    )  # disguised inside only: no number with a unit, no "b4"
    accepted = (
        known or (not any(char in "!|+" for char in plain) and bool(_cuts(reading, vocabulary)))
        if inner
        else vocabulary.is_masked(reading)
    )
    return (start, end, reading) if accepted and reading != plain else None


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


def _read_flags(text: str, start: int, end: int, vocabulary: Vocabulary) -> list[Edit]:
    word = "".join(chr(ord(char) - 0x1F1E6 + ord("a")) for char in text[start:end])
    return [Edit(start, end, word)] if vocabulary.knows(word) else []


# --- spaced letters


def _join(text: str, start: int, end: int, vocabulary: Vocabulary, wide: frozenset[int]) -> list[Edit]:
    """Joins letters that stand apart, and cuts what comes out into words."""
    places = [place for place in range(start, end) if text[place].isalnum() or text[place] in "@$!"]
    letters = sum("a" <= text[place] <= "z" for place in places)
    if letters < 3 or letters * 2 < len(places):
        return []
    gaps = [text[left + 1 : right] for left, right in pairwise(places)]
    usual = max(gaps, key=gaps.count) if len(gaps) < 100 else gaps[0]
    line = all("\n" in gap for gap in gaps)
    edits: list[Edit] = []
    group = [places[0]]
    for place, gap in zip(places[1:], gaps, strict=True):
        ends = (
            any(spot in wide for spot in range(group[-1] + 1, place))
            or (" " in gap and gap != usual)  # "k.i.l.l y.o.u", "k i l l, y o u"
            or ("\n" in gap and not line)
        )
        if ends:
            edits.extend(_join_group(text, group, vocabulary))
            group = []
        group.append(place)
    edits.extend(_join_group(text, group, vocabulary))
    return edits


def _join_group(text: str, places: list[int], vocabulary: Vocabulary) -> list[Edit]:
    if len(places) < 2 or not any("a" <= text[place] <= "z" for place in places):
        return []
    signs = "".join(text[place] for place in places)
    word, known = (
        _best_reading(signs, vocabulary) if len(signs) <= _TOKEN_LIMIT else (next(_readings(signs)), False)
    )
    if known and len(word) != len(signs):  # squeezed, or "8" for "ate": one edit for the whole
        return [Edit(places[0], places[-1] + 1, word)]
    spaced = text[places[0] + 1] in " \n"
    if spaced and not known and len(word) < _CUT_SPACED_FROM:
        return []  # "u r a": letters that are words
    shortest = _CUT_SPACED_FROM if spaced else _CUT_FROM
    cuts = (
        frozenset()
        if known or len(word) < shortest or len(word) != len(signs)
        else _cuts(word, vocabulary, strict=False)
    )
    edits: list[Edit] = []
    for index, (place, letter) in enumerate(zip(places, word, strict=False)):
        if text[place] != letter:
            edits.append(Edit(place, place + 1, letter))
        if index + 1 < len(places):
            edits.append(Edit(place + 1, places[index + 1], " " if index + 1 in cuts else ""))
    return edits


def _cuts(letters: str, vocabulary: Vocabulary, *, strict: bool = True) -> frozenset[int]:
    """Where to cut a row of letters so that known words come out; empty when that does not work out.

    Unless `strict`, up to half of the letters may be left in unknown words.
    """
    letters = letters[:_CUT_LIMIT]
    size = len(letters)
    cost = [0] + [1 << 30] * size  # of the best cut up to a place: few words, few unknown letters
    unknown = [0] * (size + 1)
    back = [0] * (size + 1)
    for end in range(1, size + 1):
        for start in range(max(0, end - _LONGEST_CUT), end):
            length = end - start
            word = letters[start:end]
            good = (
                word in ("i", "a", "u")
                or (length > 1 and vocabulary.has(word))
                or (length > 3 and vocabulary.knows(word))
            )
            price = cost[start] + (3 if good and length == 1 else 2 if good else 4 + 2 * length)
            if price < cost[end]:
                cost[end], back[end] = price, start
                unknown[end] = unknown[start] + (0 if good else length)
    if unknown[size] * 2 > (0 if strict else size):
        return frozenset()
    cuts = set()
    place = size
    while place:
        place = back[place]
        cuts.add(place)
    return frozenset(cuts - {0})
