"""Hashtags that are rows of words are taken apart; whoever means one word, or two things at once, is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.signals.canonical import canonicalise


@pytest.mark.parametrize(
    ("received", "undone"),
    [
        ("#KillThemAll", "kill them all"),
        ("#killthemall", "kill them all"),
        ("#kill_them_all", "kill them all"),
        ("#KILLThemAll", "kill them all"),
        ("we should #KillThem, now", "we should kill them, now"),
        ("i will #murderyou tomorrow", "i will murder you tomorrow"),
        ("#hopeyoudie", "hope you die"),
        ("#ShootTheMayor2026", "shoot the mayor 2026"),
        ("(#bombthem)", "(bomb them)"),
        ("#killthem#bombthem", "kill them bomb them"),
        ("#اقتلوا_كل", "اقتلوا كل"),
    ],
)
def test_rows_of_words_are_taken_apart(received: str, undone: str) -> None:
    canonical = canonicalise(received)
    assert canonical.variants == (canonical.text, undone)


@pytest.mark.parametrize(
    "text",
    [
        "#therapist #assassin #cocktail #skillset #scunthorpe #cockpit",
        "#whorepresents",  # who represents, whore presents
        "#penisland",
        "#goatshot",
        "#happybirthday",  # everyday words
        "#love #tbt #fitfam",
        "https://example.com/#killthemall",
        "c#killthemall",
        "#a #ab #12345678",
        "nightclass on a nightshift",
        "#" + "killthemall" * 20,
    ],
)
def test_what_is_one_word_or_two_things_at_once_is_left(text: str) -> None:
    assert canonicalise(text).variants == (text,)


def test_places_lead_back_to_the_hashtag() -> None:
    received = "so “nice” #KillThemAll"
    canonical = canonicalise(received)
    shown = canonical.variants[1]
    start = shown.index("kill them all")
    assert received[slice(*canonical.received_span(start, start + 13, 1))] == "KillThemAll"


@given(
    st.lists(
        st.sampled_from(["kill", "Them", "#", "_", "all", "é", "𝓴", "9", " ", "a", "\u0301"]), max_size=12
    )
)
def test_any_hashtag_maps_back(parts: list[str]) -> None:
    text = "#kill" + "".join(parts)
    canonical = canonicalise(text)
    for variant, shown in enumerate(canonical.variants):
        for place in range(len(shown)):
            start, end = canonical.received_span(place, place + 1, variant)
            assert 0 <= start < end <= len(text)
