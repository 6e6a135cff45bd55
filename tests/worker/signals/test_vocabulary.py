"""Words are known with their English endings."""

from __future__ import annotations

import pytest

from worker.signals.vocabulary import DEFAULT_VOCABULARY, Vocabulary


@pytest.mark.parametrize("word", ["kill", "killers", "killing", "stabbed", "hating", "love", "running"])
def test_a_word_and_its_forms_are_known(word: str) -> None:
    assert DEFAULT_VOCABULARY.knows(word)


@pytest.mark.parametrize("word", ["xkcd", "s", "ing", "kiill", ""])
def test_what_is_no_word_is_not_known(word: str) -> None:
    assert not DEFAULT_VOCABULARY.knows(word)


def test_further_words_leave_the_first_vocabulary_alone() -> None:
    more = DEFAULT_VOCABULARY.including(["gribble"])
    assert more.knows("gribbles")
    assert not DEFAULT_VOCABULARY.knows("gribbles")


def test_the_likeliest_disguised_word_comes_first() -> None:
    vocabulary = Vocabulary(["fuck", "fock"], [], [])
    assert vocabulary.of_length(4) == ["fuck", "fock"]
