"""What a canonical text quotes: between quotation marks, after ">" or behind "RT @…"."""

from __future__ import annotations

from collections.abc import Sequence, Set

_REACH = 1_000  # code points; an opening mark without a closing one this close quotes to the end of its line
_BEFORE_OPENING = " \n([{-:,/.\"'>¿¡،؛"


def is_quoted(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether `[start, end)` lies in a quotation; `spans` are the text's `quotations`."""
    line = text.rfind("\n", max(0, start - _REACH), start) + 1
    if text.startswith((">", "&gt;"), line):
        return True
    share = text.rfind("rt @", line, start + 1)
    if share >= 0 and (share == 0 or not text[share - 1].isalnum()):
        return True
    return any(left <= start and end <= right for left, right in spans)


def quotations(text: str, elisions: Set[str], *, spaced: bool = False) -> list[tuple[int, int]]:
    """The spans between quotation marks, marks left out, in one pass; pairs may be "…", '…' or unequal.

    `elisions` are the words before which an apostrophe opens nothing; with `spaced`, double marks may stand apart
    from what they quote, as French ones do.
    """
    spans: list[tuple[int, int]] = []
    for mark in ('"', "'"):
        opened = -1
        place = text.find(mark)
        while place >= 0:
            opens, closes = _opens(text, place, mark, elisions), _closes(text, place)
            if spaced and mark == '"' and not opens and not closes:
                opens, closes = opened < 0, opened >= 0
            if opened >= 0 and place - opened > _REACH:
                spans += _unclosed(text, opened, mark)
                opened = -1
            if opened < 0:
                if opens:
                    opened = place
            elif closes and place > opened + 1:
                spans.append((opened + 1, place))
                opened = -1
            elif opens and mark == '"':
                spans += _unclosed(text, opened, mark)
                opened = place
            place = text.find(mark, place + 1)
        if opened >= 0:
            spans += _unclosed(text, opened, mark)
    return spans


def _unclosed(text: str, opened: int, mark: str) -> list[tuple[int, int]]:
    """A double mark that is never closed quotes to the end of its line; a single one is an apostrophe."""
    if mark == "'":
        return []
    end = text.find("\n", opened)
    return [(opened + 1, len(text) if end < 0 else end)]


def _opens(text: str, place: int, mark: str, elisions: Set[str]) -> bool:
    after = text[place + 1 : place + 2]
    before = text[place - 1 : place]
    if not after or after in " \n" or (before and before not in _BEFORE_OPENING):
        return False
    if mark == "'":
        word = place + 1
        while word < len(text) and word - place < 9 and text[word].isalpha():
            word += 1
        return text[place + 1 : word] not in elisions
    return True


def _closes(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    after = text[place + 1 : place + 2]
    return before not in ("", " ", "\n") and (not after or not after.isalnum())
