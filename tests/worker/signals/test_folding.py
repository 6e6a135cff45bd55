"""Single characters are folded so that typography and look-alikes do not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.signals.folding import fold, fold_pieces


@pytest.mark.parametrize(
    ("received", "folded"),
    [
        ("Plain ASCII stays", "plain ascii stays"),
        ("“Quoted” ‘text’ «here» `now`", "\"quoted\" 'text' \"here\" 'now'"),
        ("a—b–c‐d−e", "a-b-c-d-e"),
        ("Café Łódź Straße İstanbul naïve", "cafe lodz strasse istanbul naive"),
        ("ｋｉｌｌ 𝓴𝓲𝓵𝓵 ⓚⓘⓛⓛ 🅺🅸🅻🅻 ᴋɪʟʟ", "kill kill kill kill kill"),
        ("k\u200bi\u200dl\ufeffl\u202e", "kill"),
        ("z̷̢͝a̸l̶g̵o̷", "zalgo"),
        ("٣٤٥ ４２", "345 42"),
        ("1️⃣ ❤️", "1 ❤"),
        ("ﬁne ½ …", "fine 1/2 ..."),
        ("a\u00a0b\u2003c\u2028d", "a b c\nd"),
        ("\ud83d lone", "\ufffd lone"),
    ],
)
def test_typography_is_folded(received: str, folded: str) -> None:
    assert fold(received) == folded


@pytest.mark.parametrize(
    ("received", "folded"),
    [
        ("kіll уоu", "kill you"),  # Cyrillic letters inside Latin words
        ("сосо you", "coco you"),  # a word of look-alikes alone, in a Latin text
        ("hοly αss", "holy ass"),  # Greek
        ("ⓚіⓛⓛ", "kill"),
        ("5µm", "5um"),
    ],
)
def test_look_alikes_are_folded_where_latin_is_meant(received: str, folded: str) -> None:
    assert fold(received) == folded


@pytest.mark.parametrize(
    "received",
    [
        "я тебя очень люблю, мама",
        "сосо растет в парке",
        "η αγάπη είναι όμορφη",
        "नमस्ते दोस्त",
        "مُحَمَّد يحب القراءة",
        "שָׁלוֹם עולם",
        "ガーデン 日本語 が好き",
        "สวัสดีครับ",
        "Україна їжак",
    ],
)
def test_other_scripts_stay_readable(received: str) -> None:
    import unicodedata

    assert unicodedata.normalize("NFC", fold(received)) == unicodedata.normalize("NFC", received).casefold()


def test_stacked_marks_are_cut_where_marks_carry_meaning() -> None:
    folded = fold("م" + "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652" * 5)
    assert len(folded) <= 6


def test_a_letter_and_its_mark_compose_in_other_scripts() -> None:
    assert fold("и\u0306") == "й"
    assert fold("か\u3099") == "が"


@given(st.text())
def test_pieces_join_to_the_folded_text(text: str) -> None:
    pieces = fold_pieces(text)
    assert len(pieces) == len(text)
    assert "".join(pieces) == fold(text)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_folded_text_can_always_be_encoded(text: str) -> None:
    assert isinstance(fold(text).encode(), bytes)


@pytest.mark.parametrize(
    ("received", "folded"),
    [
        ("I wiII kiII you", "i will kill you"),
        ("KILL IT", "kill it"),
        ("LinkedIn and WiFi, hI", "linkedin and wifi, hi"),
        ("McIntyre aI xIVy", "mcintyre ai xivy"),
        ("next τіmҽ тһем", "next time them"),
        ("⒦⒤⒧⒧ 🄚🄘🄛🄛", "kill kill"),
    ],
)
def test_letters_that_stand_for_others(received: str, folded: str) -> None:
    assert fold(received) == "".join(fold_pieces(received)) == folded
