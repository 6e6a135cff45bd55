"""Folds single characters: compatibility forms, case, accents, invisible characters, look-alike letters.

This is the first stage of `worker.signals.canonical`: every received code point becomes a piece of zero or
more code points, so that the place of whatever is found later can be told in the text as received.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from typing import Final

from worker.signals.regex import Regex
from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary

_ASCII: Final = frozenset(map(chr, range(128)))
_MARKS_KEPT = 4  # marks in a row on one letter of a script that needs them; more are decoration
_LETTERS_OF_A_WORD = 3  # shorter ones come about by chance
_MEMO_LIMIT = 60_000  # characters remembered: hostile text must not fill the memory

# Compatibility normalisation gives these a space, a mark or a wrong look.
_FIXED: Final[dict[str, str]] = {
    **dict.fromkeys("‘’‚‛′‵`´ʹʻʼʽˈˊˋ՚׳＇᾽᾿`´῾ꞌ", "'"),
    **dict.fromkeys("“”„‟″‶«»‹›「」『』〝〞〟＂❝❞", '"'),
    **dict.fromkeys("‐‑‒–—―−⁃﹘﹣－⸺⸻", "-"),
    **dict.fromkeys("\r\v\f\x85\u2028\u2029", "\n"),
    **dict.fromkeys("\t\u2800\u3164\u115f\u1160\uffa0", " "),  # blanks that are not white space to Unicode
    **dict.fromkeys("™℠¨¯¸˘˙˚˛˜˝", " "),
    **dict(zip("øłđħŧðþŋæœƒßẞ", ("o", "l", "d", "h", "t", "d", "th", "n", "ae", "oe", "f", "ss", "ss"), strict=True)),
    **dict(zip("ØŁĐĦŦÐÞŊÆŒƑ", ("o", "l", "d", "h", "t", "d", "th", "n", "ae", "oe", "f"), strict=True)),
    "⁄": "/", "∕": "/", "℃": "c", "℉": "f", "…": "...", "․": ".", "。": ".", "｡": ".", "•": "•",
}  # fmt: skip

# Names of characters that are a Latin letter in disguise; the letter follows.
_LATIN_NAMES: Final = (
    "LATIN SMALL LETTER ",
    "LATIN CAPITAL LETTER ",
    "LATIN LETTER SMALL CAPITAL ",
    "NEGATIVE CIRCLED LATIN CAPITAL LETTER ",
    "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
    "CROSSED NEGATIVE SQUARED LATIN CAPITAL LETTER ",
    "PARENTHESIZED LATIN SMALL LETTER ",
    "PARENTHESIZED LATIN CAPITAL LETTER ",
)


def _load_confusables() -> tuple[dict[str, str], frozenset[str]]:
    """Reads the table: look-alike → Latin letter, and which of the look-alikes are weak."""
    table: dict[str, str] = {}
    weak: set[str] = set()
    for line in files("worker.signals").joinpath("confusables.txt").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        latin, strong, *rest = line.split(" ")
        for char in strong:
            table[char] = latin
        for char in "".join(rest):
            table[char] = latin
            weak.add(char)
    return table, frozenset(weak)


_CONFUSABLES, _WEAK = _load_confusables()


def _look_alike(char: str) -> tuple[str, bool] | None:
    """The Latin letter that a letter of another script looks like and whether it does so only weakly."""
    base = unicodedata.normalize("NFKC", char)
    if len(base) != 1:
        return None
    plain = unicodedata.normalize("NFD", base)[0]
    for candidate in (char, base, plain, plain.casefold()):
        latin = _CONFUSABLES.get(candidate)
        if latin is not None:
            return latin, candidate in _WEAK
    return None


def _is_latin_letter(char: str) -> bool:
    return unicodedata.name(char, "").startswith(
        ("LATIN ", "MODIFIER LETTER SMALL ", "MODIFIER LETTER CAPITAL ")
    )


def _named_latin(char: str) -> str | None:
    """The Latin letter that a character's own name says it is ("LATIN SMALL LETTER K WITH HOOK")."""
    name = unicodedata.name(char, "")
    for prefix in _LATIN_NAMES:
        if name.startswith(prefix):
            rest = name[len(prefix) :].split(" WITH ")[0]
            if len(rest) == 1:
                return rest.lower()
    return None


def _fold_once(char: str) -> str | None:
    """What a character folds to whatever stands around it; None when that depends on its neighbours."""
    if char.isascii():
        return char.lower()
    fixed = _FIXED.get(char)
    if fixed is not None:
        return fixed
    category = unicodedata.category(char)
    if category in ("Cf", "Cc"):
        return "\n" if char == "\n" else ""
    if category == "Cs":
        return "\ufffd"  # a lone surrogate cannot be encoded: no scanner would take the text
    if category in ("Mn", "Me"):
        # Variation selectors and the grapheme joiner never carry meaning here, other marks may.
        return "" if 0xFE00 <= ord(char) <= 0xFE0F or ord(char) == 0x034F or ord(char) >= 0xE0000 else None
    if category == "Zs":
        return " "
    if category in ("Zl", "Zp"):
        return "\n"
    if category == "Nd":
        return str(unicodedata.digit(char))
    named = _named_latin(char)
    if named is not None:
        return named
    if char in _CONFUSABLES and _is_latin_letter(char):
        return _CONFUSABLES[char]
    if _look_alike(char) is not None:
        return None
    wide = unicodedata.normalize("NFKC", char)
    if wide != char and any(unicodedata.category(c) in ("Zs", "Cf", "Cc", "Me") for c in wide):
        return char.casefold()  # a spacing accent and its like: its decomposition is not what it looks like
    folded = unicodedata.normalize("NFKC", wide.casefold()).casefold()
    if folded.isascii():
        return folded
    plain = unicodedata.normalize("NFD", folded)
    if plain[0].isascii() and plain[0].isalpha():
        return "".join(c for c in plain if not unicodedata.combining(c)).lower()
    return folded


def _fold_alone(char: str) -> str | None:
    """As `_fold_once`, with what came out folded once more: a superscript letter can be a look-alike itself."""
    folded = _fold_once(char)
    if not folded or folded == char:
        return folded
    pieces = ((part, _fold_once(part)) for part in folded)
    return "".join(part if piece is None else piece for part, piece in pieces).replace("`", "'")


_ALONE: dict[str, str | None] = {}


def _fold_char(char: str) -> str | None:
    try:
        return _ALONE[char]
    except KeyError:
        if len(_ALONE) >= _MEMO_LIMIT:
            _ALONE.clear()
        folded = _ALONE[char] = _fold_alone(char)
        return folded


def fold(text: str, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """The text with every character folded; white space and repeats are left for the next stage.

    Equal to `"".join(fold_pieces(text, vocabulary))`, and much faster on what people mostly write. `vocabulary` tells
    where a capital I stands for an l.
    """
    if "I" in text and text.count("I") != text.count(" I") + (text[0] == "I"):
        text = _with_capital_i_read(text, vocabulary)
    if text.isascii():
        return text.replace("`", "'").lower()
    out = text
    for char in set(text) - _ASCII:
        folded = _fold_char(char)
        if folded is None:
            return "".join(fold_pieces(text, vocabulary))
        if folded != char:
            out = out.replace(char, folded)
    return out.replace("`", "'").casefold()


@cache
def _inner_capital_i() -> Regex:
    return Regex(r"[A-Za-z]?[a-z]+I[a-zI]*")


def _with_capital_i_read(text: str, vocabulary: Vocabulary) -> str:
    """The text with each capital I that stands for an l: in an otherwise small word, where that makes a known one.

    As long as before, so that no place changes.
    """
    for start, end in _inner_capital_i().spans(text):
        word = text[start:end].replace("I", "l")
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (before.isalnum() or after.isalnum()) and vocabulary.is_word(word.lower()):
            text = text[:start] + word + text[end:]
    return text


def fold_pieces(text: str, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> list[str]:
    """What each received code point becomes, in order: one piece, possibly empty, for each of them."""
    pieces: list[str] = []
    contextual: list[int] = []
    for index, char in enumerate(_with_capital_i_read(text, vocabulary) if "I" in text else text):
        if char.isascii():
            piece = "'" if char == "`" else char.lower()
        else:
            folded = _fold_char(char)
            if folded is None:
                contextual.append(index)
                piece = char
            else:
                piece = folded
        pieces.append(piece)
    if contextual:
        letters = _settle_marks(text, pieces, contextual)
        if letters:
            _settle_look_alikes(text, pieces, letters)
    return pieces


def _settle_marks(text: str, pieces: list[str], contextual: list[int]) -> list[int]:
    """Composes, keeps or drops combining marks; returns the places that hold letters instead."""
    letters: list[int] = []
    base = -1  # the last place before the mark that holds anything: what the mark stands on
    seen = 0
    kept = 0
    for index in contextual:
        char = text[index]
        if unicodedata.category(char) not in ("Mn", "Me"):
            letters.append(index)
            continue
        for place in range(seen, index):
            if pieces[place] and not (place == base or unicodedata.combining(pieces[place][0])):
                base, kept = place, 0
        seen = index + 1
        holder = pieces[base] if base >= 0 else ""
        pieces[index] = ""
        if not holder or holder[-1].isascii() or not holder[-1].isalpha():
            continue
        composed = unicodedata.normalize("NFC", holder + char)
        if len(composed) == len(holder):
            pieces[base] = composed
        elif ord(holder[-1]) >= 0x0590 and unicodedata.category(char) == "Mn" and kept < _MARKS_KEPT:
            # Hebrew, Arabic, Indic and further scripts need their marks; Greek and Cyrillic do not.
            pieces[index] = char
            kept += 1
    return letters


def _word_bounds(pieces: list[str], index: int) -> tuple[int, int]:
    start = index
    while start > 0 and _in_word(pieces[start - 1]):
        start -= 1
    end = index + 1
    while end < len(pieces) and _in_word(pieces[end]):
        end += 1
    return start, end


def _in_word(piece: str) -> bool:
    # Invisible characters and marks do not end a word: they are what is put in to break it.
    return not piece or piece[-1].isalpha() or unicodedata.combining(piece[-1]) > 0


def _settle_look_alikes(text: str, pieces: list[str], letters: list[int]) -> None:
    """Folds look-alike letters where the word, or the text around it, says that Latin is meant."""
    waiting: list[tuple[int, int]] = []  # words of look-alikes alone
    foreign = False  # a letter of another script that looks like no Latin letter, outside mixed words
    latin = False
    end = 0
    for index in letters:
        if index < end:
            continue
        start, end = _word_bounds(pieces, index)
        has_latin = other = weak = False
        scripts: set[str] = set()
        for place in range(start, end):
            piece = pieces[place]
            if not piece or not piece[-1].isalpha():
                continue
            if piece.isascii():
                has_latin = True
                continue
            look = _look_alike(text[place])
            if look is None:
                other = True
                continue
            scripts.add(unicodedata.name(text[place]).partition(" ")[0])
            weak = weak or look[1]
        if has_latin or (len(scripts) > 1 and not other):  # no language mixes scripts in a word
            latin = latin or has_latin
            if not other:
                _fold_word(text, pieces, start, end)
        elif other or (weak and not _reads_as_word(text, start, end)):
            foreign = True
            _casefold_word(pieces, start, end)
        else:
            waiting.append((start, end))
            _casefold_word(pieces, start, end)
    if waiting and not foreign and (latin or any("a" <= piece[:1] <= "z" for piece in pieces)):
        for start, end in waiting:
            _fold_word(text, pieces, start, end)


def _reads_as_word(text: str, start: int, end: int) -> bool:
    """Whether the look-alikes between two places spell a known word."""
    looks = (_look_alike(text[place]) for place in range(start, end))
    word = "".join(look[0] for look in looks if look is not None)
    return len(word) > _LETTERS_OF_A_WORD and DEFAULT_VOCABULARY.is_word(word)


def _casefold_word(pieces: list[str], start: int, end: int) -> None:
    for place in range(start, end):
        piece = pieces[place]
        if piece and not piece.isascii():
            wide = unicodedata.normalize("NFKC", piece)
            pieces[place] = unicodedata.normalize("NFKC", wide.casefold()).casefold()


def _fold_word(text: str, pieces: list[str], start: int, end: int) -> None:
    for place in range(start, end):
        if pieces[place] and not pieces[place].isascii():
            look = _look_alike(text[place])
            if look is not None:
                pieces[place] = look[0]
