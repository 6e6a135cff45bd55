from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.cli.marking import bracketed, excerpt, mark, merged, underline
from worker.cli.output import printable

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)


def test_carets_stand_under_wide_characters() -> None:
    assert underline("日本 zap", [(3, 6)]) == "日本 zap\n     ^^^"


def test_a_long_line_is_folded_and_carets_follow() -> None:
    text = "word " * 10 + "zap"
    shown = underline(text, [(50, 53)], columns=20)
    lines = shown.split("\n")
    assert lines[-2].endswith("zap")
    assert lines[-1].strip() == "^^^"
    assert "".join(line for line in lines if "^" not in line) == text


def test_evidence_in_several_lines_is_marked_in_each() -> None:
    assert underline("zap\nfine\nzap", [(0, 3), (9, 12)]) == "zap\n^^^\nfine\nzap\n^^^"


def test_brackets_stand_around_evidence() -> None:
    assert bracketed("a zap\nb", [(2, 5)]) == "a [zap] b"


def test_overlapping_and_touching_spans_are_one() -> None:
    assert merged([(4, 6), (0, 2), (1, 4), (9, 20)], 12) == [(0, 6), (9, 12)]


@given(st.text(max_size=60))
def test_what_is_printed_has_the_same_length_and_no_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert all(character.isprintable() or character == "\n" for character in shown)


@given(st.text(max_size=60), spans)
def test_marking_keeps_the_text(text: str, places: list[tuple[int, int]]) -> None:
    assert mark(text, places).plain == printable(text)
    unfolded = underline(text, [], columns=10_000)
    assert unfolded == printable(text)


@given(st.text(max_size=200), spans, st.integers(10, 90))
def test_an_excerpt_is_short_and_its_spans_lie_inside(
    text: str, places: list[tuple[int, int]], length: int
) -> None:
    body, moved = excerpt(text, places, length)
    assert len(body) <= length
    assert all(0 <= start < end <= len(body) for start, end in moved)


def test_an_excerpt_shows_the_evidence() -> None:
    text = "x" * 300 + "zap" + "y" * 300
    body, moved = excerpt(text, [(300, 303)], 40)
    assert [body[start:end] for start, end in moved] == ["zap"]
