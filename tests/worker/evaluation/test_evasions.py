"""Disguises are pure, change what they should, and leave the rest of a text alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.evaluation.evasions import EVASIONS, words
from worker.signals.canonical import canonicalise

TEXT = "Tomorrow I will murder the whole village, see https://example.com/list and @somebody #murder"


@pytest.mark.parametrize("name", EVASIONS)
def test_the_same_text_and_seed_give_the_same_disguise(name: str) -> None:
    evasion = EVASIONS[name]
    assert evasion.apply(TEXT, 3) == evasion.apply(TEXT, 3) != TEXT


@pytest.mark.parametrize("name", EVASIONS)
def test_links_mentions_and_hashtags_stay(name: str) -> None:
    for seed in range(5):
        shown = EVASIONS[name].apply(TEXT, seed, 1.0)
        assert "https://example.com/list" in shown
        assert "@somebody" in shown
        assert "#murder" in shown


@pytest.mark.parametrize("name", EVASIONS)
def test_a_text_without_words_is_left(name: str) -> None:
    for text in ("", "5 5 5", "😂😂", "да", "@ann", "a to b"):
        assert EVASIONS[name].apply(text) == text


def test_the_share_says_how_much_is_disguised() -> None:
    text = "murder slaughter massacre bombing torture genocide"
    for share, count in ((0.01, 1), (0.5, 3), (1.0, 6)):
        shown = EVASIONS["full-width"].apply(text, 0, share).split()
        assert sum(not word.isascii() for word in shown) == count


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("spacing", "m u r d e r"),
        ("camel-hashtag", "#MurderThem"),
        ("joined-hashtag", "#murderthem"),
        ("full-width", "ｍｕｒｄｅｒ"),
        ("capital-i", "kiIIing"),
    ],
)
def test_disguises_look_as_people_write_them(name: str, example: str) -> None:
    plain = {"capital-i": "killing"}.get(name, "murder them" if "hashtag" in name else "murder")
    assert EVASIONS[name].apply(plain, 1, 1.0) == example


def test_everyday_words_are_not_masked() -> None:
    assert EVASIONS["vowel-masks"].apply("will this well wait") == "will this well wait"


def test_words_are_latin_and_outside_names() -> None:
    text = "Öl, don't x@y.example смерть"
    assert [text[start:end] for start, end in words(text)] == ["Öl", "don", "t"]


# One word that everybody knows comes back whole, whatever the disguise.
@pytest.mark.parametrize("name", [name for name, evasion in EVASIONS.items() if evasion.word])
def test_a_disguised_word_is_undone(name: str) -> None:
    for seed in range(20):
        for word in ("murder", "killing", "terrorist"):
            shown = EVASIONS[name].apply(f"they {word} now", seed, 1.0)
            assert any(word in text for text in canonicalise(shown).variants), shown


@given(
    st.sampled_from(sorted(EVASIONS)),
    st.sampled_from(sorted(EVASIONS)),
    st.integers(0, 1_000),
    st.text(max_size=80) | st.just(TEXT),
)
@settings(max_examples=150, deadline=None)
def test_two_disguises_never_fail_and_places_stay_inside(
    first: str, second: str, seed: int, text: str
) -> None:
    shown = EVASIONS[second].apply(EVASIONS[first].apply(text, seed), seed, 1.0)
    canonical = canonicalise(shown)
    for variant, read in enumerate(canonical.variants):
        for place in range(len(read)):
            start, end = canonical.received_span(place, place + 1, variant)
            assert 0 <= start < end <= len(shown)


def test_small_capitals_are_letters() -> None:
    shown = EVASIONS["small-capitals"].apply("quixotic murder", 0, 1.0)
    assert all(unicodedata.category(char)[0] in "LZ" for char in shown)
