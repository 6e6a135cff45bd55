"""Every fault of a policy's terms and expressions is told with its file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.signals.policies import words
from worker.signals.terms import (
    PatternError,
    canonical_term,
    expand,
    list_lines,
    list_terms,
    locate,
    spellings,
    words_of,
)


def test_fragments_are_put_in_as_groups_of_their_own() -> None:
    assert expand(r"\b{{who}} dies", {"who": "he|{{she}}", "she": "she|her"}) == r"\b(?:he|(?:she|her)) dies"


@pytest.mark.parametrize(
    ("pattern", "fragments", "reason"),
    [
        ("{{who}}", {}, "unknown fragment {{who}}; known: none"),
        ("{{a}}", {"a": "x{{b}}", "b": "y{{a}}"}, "contains itself: a -> b -> a"),
        ("{{a", {"a": "x"}, "never closed"),
    ],
)
def test_a_fragment_that_cannot_be_put_in_is_refused(
    pattern: str, fragments: dict[str, str], reason: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the reason is compared below, braces and all
        expand(pattern, fragments)
    assert reason in str(caught.value)


def test_a_pattern_is_found_in_the_toml_text() -> None:
    text = "a = 1\npatterns = [\n  '\\bkill\\b',\n  \"\\\\bmaim\\\\b\",\n]\n"
    assert locate(text, r"\bkill\b") == 3
    assert locate(text, r"\bmaim\b") == 4
    assert locate(text, "absent") == 1


def test_terms_are_folded_as_texts_are() -> None:
    assert canonical_term("  Kíll   ALL ", "word") == "kill all"
    assert canonical_term("🖕", "word") == "🖕"


@pytest.mark.parametrize(
    ("term", "match"), [("", "word"), ("\u200b", "word"), ("a", "word"), ("ab", "substring")]
)
def test_an_empty_or_short_term_is_refused(term: str, match: str) -> None:
    with pytest.raises(ValueError, match="term is"):
        canonical_term(term, match)


def test_a_list_may_have_comments_and_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# head\nkill them  # all\n\n  maim\nc#minor\n", "utf-8")
    assert list(list_lines(path)) == [(2, "kill them"), (4, "maim"), (5, "c#minor")]


def test_a_bad_line_of_a_list_is_told(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("good word\n\nx\n", "utf-8")
    entry = words("test.words", file="words.txt")
    with pytest.raises(PatternError) as caught:
        list(list_terms(entry, tmp_path / "policy.toml", ""))
    assert (caught.value.path, caught.value.line) == (tmp_path / "words.txt", 3)


@pytest.mark.parametrize("file", ["absent.txt", "../outside.txt"])
def test_a_list_that_cannot_be_read_is_told_at_its_mention(tmp_path: Path, file: str) -> None:
    (tmp_path.parent / "outside.txt").write_text("word\n", "utf-8")
    toml = f'[[terms]]\nname = "test.words"\nfile = "{file}"\n'
    with pytest.raises(PatternError) as caught:
        list(list_terms(words("test.words", file=file), tmp_path / "policy.toml", toml))
    assert caught.value.line == 3


def test_the_words_of_an_expression_are_those_that_it_spells_out() -> None:
    assert list(words_of(r"\bkill(?:ing)? (?:them|all)\b\w{4}")) == ["kill", "them"]


def test_arabic_is_written_in_haste_too() -> None:
    assert set(spellings("إقامة")) == {"إقامة", "اقامة", "إقامه", "اقامه"}
    assert spellings("sister") == ("sister",)
