"""Stretched words shrink to the word that they stand for."""

from __future__ import annotations

import pytest

from worker.signals.canonical import canonicalise


@pytest.mark.parametrize(
    ("received", "text"),
    [
        ("kiiiilll youuuu", "kill you"),
        ("KKIILLLL him", "kill him"),
        ("soooo goooood", "so good"),
        ("yessss pleaseeee", "yes please"),
        ("helllllo", "hello"),
        ("the bookkeeper's class", "the bookkeeper's class"),
        ("!!!!! ????", "!!!!! ????"),
        ("1000000 and 0000", "1000000 and 0000"),
    ],
)
def test_stretched_letters_shrink(received: str, text: str) -> None:
    assert canonicalise(received).text == text


@pytest.mark.parametrize(
    "text", ["xxx", "kkk rally", "world war iii", "www.example.com", "http://goooogle.com/aaab", "@coool hi"]
)
def test_what_means_something_as_it_stands_is_kept(text: str) -> None:
    assert canonicalise(text).text == text


def test_longer_rows_of_one_letter_do_not_turn_into_a_short_one_with_a_meaning() -> None:
    assert "kkk" not in canonicalise("kkkkkkkk").text
    assert "xxx" not in canonicalise("xxxxxx").text
