"""The canonical text has a way back to every code point that it came from."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.signals.canonical import Canonical, canonicalise, one_blank

# Text as people disguise it, far denser than chance would make it.
_POOLS = (
    "abcdefikl   kill.you*-_!1034$@",
    "\n\t\r \x00\x0b\x1c",
    "éÀñßøĦ",
    "кіллеаорсхуνοι",
    "ＡＢｃ１！𝓴𝓲𝓵𝓵ⓚ",
    "\u200b\u200d\ufeff\u202e\u00ad",
    "\u0301\u0338\u0489\u0941\u064b\u3099",
    "नमस्तेदوتكか゛カ漢字",
    "🇰🇮🇱🇱😂👍🏽…™½ﬁﷺ㎏①",
    "\ud800\udfff'\"“”‘«»`´",
)
_disguised = st.lists(
    st.one_of(
        st.sampled_from([char for pool in _POOLS for char in pool]),
        st.sampled_from(
            ["kill", "k1ll", "k.i.l.l", "k i l l", "f*ck", "kiiill", "  ", "kіll", "you", "555-0100"]
        ),
    ),
    max_size=25,
).map("".join)
_texts = st.one_of(st.text(max_size=60), _disguised)


def test_plain_text_is_its_own_canonical_form() -> None:
    canonical = canonicalise("have a nice day")
    assert canonical.text == "have a nice day"
    assert canonical.variants == ("have a nice day",)
    assert canonical.received_span(7, 11) == (7, 11)


def test_white_space_is_made_single_and_line_breaks_are_kept() -> None:
    assert canonicalise("  hi   there\r\n\r\n you\tall \n").text == "hi there\nyou all"


def test_the_empty_text_is_empty() -> None:
    assert canonicalise("").variants == ("",)
    assert canonicalise(" \n\t ").variants == ("",)


def _seen(received: str, word: str, variant: int = 0) -> str:
    canonical = canonicalise(received)
    start = canonical.variants[variant].index(word)
    return received[slice(*canonical.received_span(start, start + len(word), variant))]


def test_evidence_shows_the_text_as_received() -> None:
    assert _seen("I will  KIIIILLL you", "kill") == "KIIIILLL"
    assert _seen("so “nice” kіll you", "kill") == "kіll"
    assert _seen("x k\u200bi\u200bl\u200bl y", "kill") == "k\u200bi\u200bl\u200bl"
    assert _seen("go k.i.l.l him", "kill", 1) == "k.i.l.l"
    assert _seen("go k i l l  h i m", "him", 1) == "h i m"
    assert _seen("…… f*ck ……", "fuck", 1) == "f*ck"
    assert _seen("ﬁnd me", "fin") == "ﬁn"


@given(_texts)
@example("ki\x00iill")
@settings(max_examples=300)
def test_every_place_maps_into_the_received_text_in_order(text: str) -> None:
    canonical = canonicalise(text)
    for variant, shown in enumerate(canonical.variants):
        last = (0, 0)
        for place in range(len(shown)):
            start, end = canonical.received_span(place, place + 1, variant)
            assert 0 <= start < end <= len(text)
            assert start >= last[0]
            assert end >= last[1]
            last = (start, end)


@given(_texts, st.data())
@settings(max_examples=300)
def test_the_received_span_folds_to_something_that_holds_the_hit(text: str, data: st.DataObject) -> None:
    canonical = canonicalise(text)
    words = [word for word in canonical.text.split() if word.isascii()]
    if not words or not text.isascii():
        return  # look-alikes are settled by the words around them, so a piece alone may fold otherwise
    word = data.draw(st.sampled_from(words))
    start = canonical.text.index(word)
    received = text[slice(*canonical.received_span(start, start + len(word)))]
    assert one_blank(canonicalise(received).text).replace(" ", "")[:1] == word[:1]
    assert len(received) >= len(word)


@given(_texts)
@settings(max_examples=300)
def test_canonical_text_is_tidy(text: str) -> None:
    canonical = canonicalise(text)
    for shown in canonical.variants:
        assert shown.encode().decode() == shown
    assert "  " not in canonical.text
    assert canonical.text == canonical.text.strip(" \n")
    assert not any(char < " " and char != "\n" for char in canonical.text)


@given(_texts)
@settings(max_examples=200)
def test_the_quick_way_and_the_edits_agree(text: str) -> None:
    canonical = canonicalise(text)
    rebuilt: str = text.casefold() if text.isascii() else text
    if text.isascii():
        rebuilt = rebuilt.replace("`", "'")
    for stage in canonical.stages():
        rebuilt = stage.apply(rebuilt)
    if text.isascii():
        assert rebuilt == canonical.text
    else:
        assert len(rebuilt) == len(canonical.text)


@given(st.text(alphabet="abcdefghij KLMNOP.,!?", max_size=80))
def test_plain_ascii_never_changes_length_beyond_blanks_and_repeats(text: str) -> None:
    canonical: Canonical = canonicalise(text)
    assert len(canonical.text) <= len(text)
