"""What the words around a hit say about its use; every flag reports, none excuses."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.signals.canonical import canonicalise
from worker.signals.discourse import discourse_of, sentence_of

HIT = "kill you"


def flags(text: str) -> set[str]:
    """The flags that are up for the hit in a text as received."""
    canonical = canonicalise(text).text
    start = canonical.index(HIT)
    seen = dataclasses.asdict(discourse_of(canonical, start, start + len(HIT)))
    return {name for name, up in seen.items() if up}


@pytest.mark.parametrize(
    "text",
    [
        "I will kill you",
        "Don't talk to me or I will kill you",
        "I'm not violent but I will kill you",
        "I can't wait to kill you",
        "Not joking, I will kill you",
        "I won't hesitate to kill you",
        "I won't just hurt you, I'll kill you",
        "Nobody can stop me, I'll kill you",
        "My neighbor's dog is loud. I will kill you",
        "I said I will kill you",
        "I told you I will kill you",
        "Someone tell her I will kill you",
        "The teacher said no homework, now I will kill you",
        "I'll kill the police and kill you tonight",
        "haven't decided when but I will kill you",
        "Dr. Smith lives here and I will kill you",
        "That 5'10\" guy will kill you",
        "Never mind. I will kill you.",
        "keep posting and im gonna come kill you bro no cap",
        "Stop posting or I will kill you",
        "Kill you at the terminal. It goes off at 6pm",
        "She told me and I'll kill you for it",
    ],
)
def test_a_plain_threat_raises_no_flag(text: str) -> None:
    assert flags(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "I would never kill you",
        "I'm not going to kill you",
        "Nobody is going to kill you",
        "I don't want to kill you",
        "I have no intention to kill you",
        "He refused to kill you",
        "I'd never in my whole life kill you",
    ],
)
def test_negation_governs_its_clause(text: str) -> None:
    assert "negated" in flags(text)


@pytest.mark.parametrize(
    "text",
    [
        'He wrote "I will kill you" to her',
        "“I will kill you” is what it said",
        "«I will kill you» was on the wall",
        "'I will kill you' was the text",
        "“I will kill you",
        "\"I will kill you'' and so on",
        "> I will kill you\nwhat a creep",
        "RT @bob: I will kill you",
        "so true RT @bob I will kill you",
    ],
)
def test_quotation_in_any_marks_is_seen(text: str) -> None:
    assert "quoted" in flags(text)


@pytest.mark.parametrize(
    "text",
    [
        'He\'s "nice" but I will kill you',
        "the dogs' owner: don't, it's i'll kill you",
        '"hello" I will kill you "bye"',
        "start @bob I will kill you",
        "“Nice”\nI will kill you",
        "rock 'n roll, I'll kill you, that's it",
    ],
)
def test_marks_elsewhere_quote_nothing_here(text: str) -> None:
    assert "quoted" not in flags(text)


@pytest.mark.parametrize(
    "text",
    [
        "He said he'd kill you",
        "My ex texted me: I will kill you",
        "My ex texted me this.\nI will kill you",
        "He keeps saying he will kill you",
        "I got a DM saying they'd kill you",
        '"I will kill you" she yelled',
        '"I will kill you" - the Joker',
        "Favorite line from the movie: I will kill you",
        "In the game I'll kill you",
        "Lyrics: I will kill you",
        "She was told they would kill you",
    ],
)
def test_somebody_else_is_named_as_the_speaker(text: str) -> None:
    assert "attributed" in flags(text)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Police said a man who threatened to kill you was arrested", "reported"),
        ("Man, 34, charged with threatening to kill you", "reported"),
        ("If you come I'll kill you", "conditional"),
        ("Would they kill you?", "question"),
        ('Stop telling people "I will kill you"', "condemned"),
        ("People who tweet kill you are vile", "condemned"),
        ('"kill you" is never ok to say', "condemned"),
        ("I reported him. He wrote kill you", "condemned"),
        ("I will kill you lol", "hyperbole"),
        ("I will kill you 😂", "hyperbole"),
        ("I'll kill you. lmao", "hyperbole"),
        ("kill you /s", "hyperbole"),
        ("hahaha I'll kill you", "hyperbole"),
    ],
)
def test_a_use_is_recognised(text: str, flag: str) -> None:
    assert flag in flags(text)


@pytest.mark.parametrize(
    "text", ["I will kill you, no joke", "This is not a joke, I will kill you", "not kidding I'll kill you"]
)
def test_a_threat_that_denies_to_be_a_joke_is_none(text: str) -> None:
    assert "hyperbole" not in flags(text)


def test_a_sentence_ends_where_a_reader_ends_it() -> None:
    text = "first one. dr. smith, at 3.5 km, will kill you! next one"
    start = text.index(HIT)
    left, right = sentence_of(text, start, start + len(HIT))
    assert text[left:right] == "dr. smith, at 3.5 km, will kill you!"


def test_a_line_break_ends_a_sentence() -> None:
    text = "one\nkill you\ntwo"
    left, right = sentence_of(text, 4, 12)
    assert text[left:right] == "kill you"


@given(st.text(alphabet="ab .!?\n\"'>,i willrt@:", max_size=80), st.data())
def test_any_text_can_be_read(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    left, right = sentence_of(text, start, end)
    assert 0 <= left <= start <= end <= right <= len(text)
    assert discourse_of(text, start, end) == discourse_of(text, start, end)


@pytest.mark.parametrize("unit", ["he said ", '"a ', "not ", "lol ", ". ", "if ", "rt @a ", "> ", "'a' "])
def test_a_long_text_is_read_a_bounded_way_around(unit: str) -> None:
    text = unit * 5_000 + HIT
    discourse_of(text, len(text) - len(HIT), len(text))
    left, right = sentence_of(text, len(text) - len(HIT), len(text))
    assert right - left <= 1_000
