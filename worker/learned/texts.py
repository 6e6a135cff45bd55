"""The text that the learned models read, in training and in the worker, with a way back to the text it came from.

Names, links and long numbers tell a model who is spoken of, not what is said: it must not learn them. Each piece of
a text between white space has one form of its own.
Emoji are spelled out by their Unicode names: small vocabularies know "monkey", not its picture.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

MOST_CODE_POINTS = 25_000  # as many as a post may have: what stands behind the padding is read, too
_LONG_NUMBER = 5
_MOST_FORMS = 100_000  # remembered at once
_LETTERS_ONLY = str.maketrans("", "", "@./:0123456789")
_DIGITS = frozenset("0123456789")
_EDGES = "\"'“”‘’()[]{}<>«»,.;:!?*_~|…-"


class Piece(NamedTuple):
    """A piece of a text between white space: how models read it, and its half-open span in code points."""

    form: str
    start: int
    end: int


def model_text(text: str) -> str:
    """A canonical text as models read it: mentions, links and long numbers without what is special to them.

    At most `MOST_CODE_POINTS` of it, with single spaces; the same text again when it is given its own result.
    """
    if len(_FORMS) > _MOST_FORMS:
        _FORMS.clear()
    read = " ".join(map(_FORMS.__getitem__, text[:MOST_CODE_POINTS].split()))
    return read[:MOST_CODE_POINTS]  # emoji grow to their names


def form(piece: str) -> str:
    """How models read one piece between white space."""
    if not piece.isascii():
        piece = _emoji_spelled(piece)
    if len(piece.translate(_LETTERS_ONLY)) == len(piece):
        return piece
    return " ".join(map(_special, piece.split(" ")))


class _Forms(dict[str, str]):
    """The forms of pieces that were seen before: most of a text's are."""

    def __missing__(self, piece: str) -> str:
        found = piece if piece.isalpha() else form(piece)
        self[piece] = found
        return found


_FORMS = _Forms()


def pieces(text: str) -> list[Piece]:
    """The pieces of `model_text`, in order, each with its place in the text that was given."""
    found: list[Piece] = []
    place = size = 0
    cut = text[:MOST_CODE_POINTS]
    for piece in cut.split():
        start = cut.index(piece, place)
        place = start + len(piece)
        found.append(Piece(form(piece), start, place))
        size += len(found[-1].form) + 1
        if size > MOST_CODE_POINTS:
            break
    return found


def back(found: list[Piece], start: int, end: int) -> tuple[int, int]:
    """The span of the given text that the half-open span `[start, end)` of its model text came from.

    Code points of a piece that was rewritten came from the whole piece. `(0, 0)` for an empty text or span.
    """
    first: int | None = None
    last = place = 0
    for piece in found:
        size = len(piece.form)
        if place < end and start < place + size:
            same = piece.end - piece.start == size
            if first is None:
                first = piece.start + max(0, start - place) if same else piece.start
            last = piece.start + min(size, end - place) if same else piece.end
        place += size + 1
    return (first, last) if first is not None else (0, 0)


class _Names(dict[int, str]):
    """What each code point is written as: an emoji as its name between spaces, joiners not at all, others as is."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        name = char
        if code >= _FIRST_EMOJI and unicodedata.category(char) in ("So", "Sk"):
            name = f" {unicodedata.name(char, char).lower().removeprefix('emoji component ')} "
        if code < _RARE or name is not char:  # a hostile text must not fill the memory with a million letters
            self[code] = name
        return name


_FIRST_EMOJI = 0x2190  # arrows and later
_RARE = 0x10000
_NAMES = _Names({0x200D: "", 0xFE0E: "", 0xFE0F: "", 0x20E3: ""})
_NAMES.update(
    zip(
        range(0x1F3FB, 0x1F400),
        (f" {tone} skin " for tone in ("white", "light", "brown", "dark", "black")),
        strict=True,
    )
)


def _emoji_spelled(piece: str) -> str:
    """The piece with its emoji as words; a row of the same one as one."""
    seen = piece.translate(_NAMES)
    if len(seen) == len(piece):
        return piece
    once = [
        char for place, char in enumerate(piece) if not place or char != piece[place - 1] or char.isascii()
    ]
    return " ".join("".join(once).translate(_NAMES).split()) or piece


def _special(piece: str) -> str:
    core = piece.strip(_EDGES)
    if not core:
        return piece
    before, _, after = piece.partition(core)
    return before + _core(core) + after


def _core(core: str) -> str:
    if core[0] == "@":
        name = len(core) - len(core[1:].lstrip("_abcdefghijklmnopqrstuvwxyz0123456789"))
        return "@user" + core[name:] if name > 1 else core
    if "://" in core or core.startswith("www.") or _is_domain(core):
        return "link"
    return _without_long_numbers(core) if sum(map(core.count, _DIGITS)) >= _LONG_NUMBER else core


def _is_domain(core: str) -> bool:
    """Whether it reads like "shop.example/x": a letter or digit, a dot, and two letters at least up to its path."""
    host, slash, _ = core.partition("/")
    name, dot, last = host.rpartition(".")
    if (
        not dot
        or not last.isalpha()
        or not last.isascii()
        or not name
        or not name[-1].isalnum()
        or "@" in host
    ):
        return False
    return len(last) >= 2 and (bool(slash) or last in _ENDINGS)


_ENDINGS = frozenset(
    [
        "com",
        "net",
        "org",
        "edu",
        "gov",
        "info",
        "biz",
        "example",
        "test",
        "invalid",
        "io",
        "co",
        "ly",
        "me",
        "gg",
        "tv",
        "app",
        "dev",
        "shop",
        "store",
        "site",
        "online",
        "top",
        "xyz",
        "club",
        "link",
        "live",
        "click",
        "vip",
        "pro",
        "win",
        "fun",
        "cc",
        "uk",
        "us",
        "de",
        "fr",
        "es",
        "pt",
        "br",
        "mx",
        "ar",
        "in",
        "ru",
        "eu",
        "ca",
        "au",
    ]
)


def _without_long_numbers(core: str) -> str:
    parts: list[str] = []
    run = 0
    for place in range(len(core) + 1):
        if place < len(core) and core[place] in _DIGITS:
            run += 1
            continue
        if run:
            parts.append("#" if run >= _LONG_NUMBER else core[place - run : place])
            run = 0
        if place < len(core):
            parts.append(core[place])
    return "".join(parts)
