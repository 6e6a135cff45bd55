"""Edits of a text keep the way back to where each piece came from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.signals.edits import Edit, Edits


def test_edits_are_applied_in_order() -> None:
    edits = Edits([Edit(0, 2, "x"), Edit(3, 3, "++"), Edit(4, 6, "")])
    assert edits.apply("abcdefg") == "xc++dg"


def test_a_place_in_a_replacement_came_from_all_that_was_replaced() -> None:
    edits = Edits([Edit(1, 4, "i")])
    assert edits.apply("kiiill") == "kill"
    assert edits.back(0, 4) == (0, 6)
    assert edits.back(1, 2) == (1, 4)
    assert edits.back(2, 4) == (4, 6)


def test_a_span_around_deletions_starts_and_ends_at_what_is_left() -> None:
    edits = Edits([Edit(1, 2, ""), Edit(3, 4, ""), Edit(5, 6, "")])
    assert edits.apply("k.i.l.l") == "kill"
    assert edits.back(0, 4) == (0, 7)
    assert edits.back(1, 3) == (2, 5)


def test_an_empty_span_stays_empty() -> None:
    assert Edits([Edit(0, 1, "")]).back(1, 1) == (2, 2)


def test_runs_of_blanks_are_told() -> None:
    edits = Edits([Edit(1, 4, " "), Edit(6, 7, " ")])
    assert edits.blank_runs() == {1}


@st.composite
def _edited(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    text = draw(st.text(alphabet="abcd", max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    edits = [
        Edit(a, b, draw(st.text(alphabet="XY", max_size=3)))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
        if a < b
    ]
    return text, edits


@given(_edited())
def test_the_way_back_never_runs_backwards_and_stays_inside(case: tuple[str, list[Edit]]) -> None:
    text, made = case
    edits = Edits(made)
    out = edits.apply(text)
    last = (0, 0)
    for place in range(len(out)):
        start, end = edits.back(place, place + 1)
        assert 0 <= start < end <= len(text)
        assert (start, end) >= last
        last = (start, end)
        if out[place].islower():
            assert text[start:end] == out[place]
