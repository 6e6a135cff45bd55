"""Joins letters that stand apart ("k i l l", "k.i.l.l") and cuts what comes out into words."""

from __future__ import annotations

from itertools import pairwise

from worker.signals.cutting import cut_places
from worker.signals.edits import Edit
from worker.signals.leet import TOKEN_LIMIT, best_reading, readings
from worker.signals.vocabulary import Vocabulary

_CUT_FROM = 6  # letters; a shorter dotted row that is no known word is an acronym or one word ("u.s.a.")
_CUT_SPACED_FROM = 4


def join_letters(text: str, start: int, end: int, vocabulary: Vocabulary, wide: frozenset[int]) -> list[Edit]:
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
        best_reading(signs, vocabulary) if len(signs) <= TOKEN_LIMIT else (next(readings(signs)), False)
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
        else cut_places(word, vocabulary, strict=False)
    )
    edits: list[Edit] = []
    for index, (place, letter) in enumerate(zip(places, word, strict=False)):
        if text[place] != letter:
            edits.append(Edit(place, place + 1, letter))
        if index + 1 < len(places):
            edits.append(Edit(place + 1, places[index + 1], " " if index + 1 in cuts else ""))
    return edits
