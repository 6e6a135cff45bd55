from __future__ import annotations

import pytest

from worker.signals.scanner import Backend, RefusedExpressionError
from worker.signals.shards import ShardedExpressions, cues
from worker.signals.vocabulary import DEFAULT_VOCABULARY

PATTERNS = (r"\bkill\b", r"\bmatar\b", r"\d{4}", r"\bmorden\b", r"\bmatar|morden\b")
LANGUAGES = (("en",), ("es",), None, ("de",), ("es", "de"))


@pytest.fixture(params=["re2", "hyperscan"])
def expressions(request: pytest.FixtureRequest) -> ShardedExpressions:
    if request.param == "hyperscan":
        pytest.importorskip("hyperscan")
    backend: Backend = request.param
    return ShardedExpressions(PATTERNS, LANGUAGES, backend=backend)


def test_all_languages_are_scanned_when_nobody_knows_which(expressions: ShardedExpressions) -> None:
    assert expressions.scan(b"kill matar 1234 morden") == [0, 1, 2, 3, 4]


def test_only_expressions_of_a_language_at_play_are_run(expressions: ShardedExpressions) -> None:
    text = b"kill matar 1234 morden"
    assert expressions.scan(text, ("en",)) == [0, 2]
    assert expressions.scan(text, ("en", "es")) == [0, 1, 2, 4]
    assert expressions.scan(text, ("fr",)) == [
        0,
        2,
        4,
    ]  # one of the languages that some are written for together


def test_many_texts_are_scanned_as_one_by_one(expressions: ShardedExpressions) -> None:
    texts = [b"matar 1234", b"", b"kill", b"morden"]
    plays = [None, ("en",), ("es",), ("de",)]
    one_by_one = [expressions.scan(text, play) for text, play in zip(texts, plays, strict=True)]
    assert expressions.scan_each(texts, plays) == one_by_one


def test_a_text_that_cannot_be_scanned_leaves_the_others_alone(expressions: ShardedExpressions) -> None:
    broken: bytes = object()  # type: ignore[assignment]  # as a fault inside the scanner would
    assert expressions.scan_each([b"kill", broken, b"kill"], [None, None, None]) == [[0], None, [0]]


def test_spans_are_told_by_the_index_of_the_whole(expressions: ShardedExpressions) -> None:
    assert expressions.spans(3, "jemanden morden") == [(9, 15)]
    assert expressions.spans(1, "matar") == [(0, 5)]


def test_a_refused_expression_is_named_by_its_index() -> None:
    with pytest.raises(RefusedExpressionError) as refused:
        ShardedExpressions(("a", r"\bb", "(?=c)"), (None, ("es",), ("es",)), backend="re2")
    assert refused.value.index == 2


def test_no_cue_is_an_everyday_english_word() -> None:
    """Else most English posts would be scanned for five languages."""
    english = {
        "me",
        "no",
        "son",
        "die",
        "war",
        "man",
        "a",
        "on",
        "an",
        "in",
        "so",
        "was",
        "art",
        "gift",
        "chat",
    }
    words = {cue.strip() for cue, at_play in cues().items() if "ar" not in at_play}
    assert not words & english
    assert not {word for word in words if len(word) > 3 and DEFAULT_VOCABULARY.is_word(word)} - {
        "casa",
        "para",
    }
