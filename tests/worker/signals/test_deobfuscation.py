"""Disguised words are undone in a second variant, and what only looks like a disguise is left alone."""

from __future__ import annotations

import pytest

from worker.signals.canonical import canonicalise
from worker.signals.vocabulary import DEFAULT_VOCABULARY


@pytest.mark.parametrize(
    ("received", "undone"),
    [
        ("i will k1ll you", "i will kill you"),
        ("k.i.l.l yourself", "kill yourself"),
        ("k-i-l-l-i-n-g", "killing"),
        ("f_u_c_k", "fuck"),
        ("k i l l  y o u", "kill you"),
        ("k i l l   y o u   n o w", "kill you now"),
        ("i w i l l k i l l y o u", "i will kill you"),
        ("you and i k i l l", "you and i kill"),
        ("k\ni\nl\nl", "kill"),
        ("k 1 l l", "kill"),
        ("f*ck you", "fuck you"),
        ("f*k you", "fuck you"),
        ("k*ll her", "kill her"),
        ("f*** off b!tch!!!", "fuck off bitch!!!"),
        ("s#it", "shit"),
        ("$hit a55hole @sshole", "shit asshole asshole"),
        ("ki11 him", "kill him"),
        ("i h8 you", "i hate you"),
        ("mur-der ra.pe sui cide ki\nll", "murder rape suicide kill"),
        ("r_pe", "rape"),
        ("k\u200b1\u200bll", "kill"),
        ("🇰🇮🇱🇱 🇺🇸🇬🇧", "kill 🇺🇸🇬🇧"),
        ("#k1ll", "#kill"),
        ("s.t.f.u", "stfu"),
        ("gonna r@pe and k@ll, st@b.", "gonna rape and k@ll, stab."),
        ("🇰 🇮 🇱 🇱 him", "kill him"),
        ("🇰\u200c🇮\u200c🇱\u200c🇱\u200c🇹\u200c🇭\u200c🇪\u200c🇲", "killthem"),
        ("k🇮ll 🇺🇸 🇬🇧 🇫🇷", "kill 🇺🇸 🇬🇧 🇫🇷"),
        ("k11|ing", "killing"),
        ("mur|der", "murder"),
        ("journ@l15t", "journalist"),
        ("fenta-nyl", "fentanyl"),
        ("fenta.nyl, so_me", "fentanyl, some"),
        ("f*ntanyl", "fentanyl"),
        ("burn their hous3", "burn their house"),
    ],
)
def test_a_disguise_is_undone(received: str, undone: str) -> None:
    canonical = canonicalise(received)
    assert canonical.variants == (canonical.text, undone)


@pytest.mark.parametrize(
    "text",
    [
        "1st 2nd 3rd 4th 10k 7pm 2nite mp3 ps5",
        "call 5 5 5 0 1 0 0 now",
        "call 555-0100 or +44 7700 900123",
        "don't kill my vibe",
        "see t.co/ab1cd and http://x.io/k1ll?a=1b",
        "mail ann@k1ll.example.com",
        "hello @k1ll_er",
        'write to r@pe.example.com or "ann@st@b.example"',
        "well-known up-to-date",
        "c++ and c# at 100%",
        "*waves* and #maga2020",
        "u r a star",
        "pen is mightier",
        "gr8 b4 m8",
        "i'm a b",
        "the-rapist pen-is end.start so-called re.do",
        "day1 phone5 level3 galaxy4",
        "🇺🇸🇬🇧🇫🇷 🇩🇪 🇮🇹",
        "m*n and tr*ck",
    ],
)
def test_what_only_looks_like_a_disguise_is_left(text: str) -> None:
    assert canonicalise(text).variants == (text,)


def test_digits_stay_in_the_first_variant() -> None:
    assert canonicalise("k1ll 555 0100").text == "k1ll 555 0100"


def test_words_of_the_policies_are_undone_too() -> None:
    vocabulary = DEFAULT_VOCABULARY.including(["gribble"])
    assert canonicalise("you gr1bble", vocabulary).variants[-1] == "you gribble"
    assert canonicalise("you gr1bble").variants == ("you gr1bble",)


def test_a_squeezed_word_between_letters_apart_is_undone() -> None:
    assert canonicalise("k i i i l l").variants[-1] == "kill"


@pytest.mark.parametrize(
    "unit", ["k ", "k.", "k1ll ", "f***", "mur-der ", "k\n", "\u200bk", "kі", "aaab", "\x00a", "a\u0301"]
)
def test_a_long_hostile_text_takes_time_in_proportion(unit: str) -> None:
    text = (unit * 25_000)[:25_000]
    canonical = canonicalise(text)
    start, end = canonical.received_span(0, len(canonical.text))
    assert 0 <= start <= end <= len(text)
