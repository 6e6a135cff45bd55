"""The text that the models read, and the way back from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.learned.texts import MOST_CODE_POINTS, back, model_text, pieces


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("@some_one2 hello", "@user hello"),
        ("ask @user's friend.", "ask @user's friend."),
        ("a @ b", "a @ b"),
        ("see https://x.example/a?b=1!", "see link!"),
        ("(www.a.example)", "(link)"),
        ("bit.ly/3xk and shop-x.example,", "link and link,"),
        ("u.s. and i.e. 12:30 no.way", "u.s. and i.e. 12:30 no.way"),
        ("call 07700900123 or +44-7700900123 in 2026", "call # or +44-# in 2026"),
        ("1234 12345", "1234 #"),
        ("i hate 🐒🐒🐒", "i hate monkey"),
        ("you👩🏿", "you woman black skin"),
        ("❤️!", "heavy black heart !"),
        ("a\n b\t c", "a b c"),
        ("", ""),
        ("... !!! @@", "... !!! @@"),
        ("café привет مرحبا", "café привет مرحبا"),
    ],
)
def test_what_is_special_to_a_text_is_taken_out(text: str, read: str) -> None:
    assert model_text(text) == read


def test_long_texts_are_cut() -> None:
    assert model_text("a " * MOST_CODE_POINTS) == ("a " * (MOST_CODE_POINTS // 2)).strip()


@given(st.text())
def test_any_text_is_its_own_model_text_once_read(text: str) -> None:
    read = model_text(text)
    if len(read) <= MOST_CODE_POINTS:
        assert model_text(read) == read


@given(st.text(alphabet="ab @./:1234567890🐒\n#,", max_size=60))
def test_pieces_make_up_the_model_text_and_lie_in_the_text(text: str) -> None:
    found = pieces(text)
    assert " ".join(piece.form for piece in found) == model_text(text)
    assert [text[piece.start : piece.end] for piece in found] == text.split()


def test_spans_lead_back_to_the_text_that_was_given() -> None:
    text = "look:  @some_body said https://x.example/y is 🐒🐒 bad"
    read = model_text(text)
    found = pieces(text)

    def received(part: str) -> str:
        start = read.index(part)
        return text[slice(*back(found, start, start + len(part)))]

    assert received("look") == "look"
    assert received("@user") == "@some_body"
    assert received("link") == "https://x.example/y"
    assert received("monkey") == "🐒🐒"
    assert received("said link is") == "said https://x.example/y is"
    assert received("ad") == "ad"
    assert back(found, 0, 0) == (0, 0)


@given(st.text(alphabet="ab @./:12345🐒\n", max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_spans_never_leave_the_text(text: str, one: int, other: int) -> None:
    start, end = back(pieces(text), min(one, other), max(one, other))
    assert 0 <= start <= end <= len(text)
