"""Skeletons and distances of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.signals.likeness import distance, skeleton


@pytest.mark.parametrize(
    "lookalike",
    ["РауРаl", "paypaI", "PayPa1", "P\u200bayPal", "ＰａｙＰａｌ", "𝐏𝐚𝐲𝐏𝐚𝐥", "pay_pal", "Pаypаl™"],
)
def test_what_looks_alike_has_one_skeleton(lookalike: str) -> None:
    assert skeleton(lookalike) == skeleton("PayPal")


def test_pairs_of_letters_that_are_read_as_one() -> None:
    assert skeleton("rnicrobe") == skeleton("microbe")
    assert skeleton("vvells") == skeleton("wells")


@pytest.mark.parametrize("other", ["PayPay", "Payday", "Pal", "Papal"])
def test_other_names_have_other_skeletons(other: str) -> None:
    assert skeleton(other) != skeleton("PayPal")


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("coinbase", "coinbase", 0),
        ("conibase", "coinbase", 1),
        ("coinbasse", "coinbase", 1),
        ("kitten", "sitting", 3),
    ],
)
def test_distances(one: str, other: str, slips: int) -> None:
    assert distance(one, other, 3) == slips


def test_a_distance_beyond_the_limit_is_only_said_to_be_beyond_it() -> None:
    assert distance("abcdefgh", "zyxwvuts", 2) == 3
    assert distance("a", "abcdef", 2) == 3


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_distance_is_symmetric_and_zero_only_for_equal_texts(one: str, other: str) -> None:
    assert distance(one, other, 8) == distance(other, one, 8)
    assert (distance(one, other, 8) == 0) == (one == other)


@given(st.text(max_size=40))
def test_any_text_has_a_skeleton_that_is_its_own(text: str) -> None:
    assert isinstance(skeleton(text), str)
