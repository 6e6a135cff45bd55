"""Both engines say the same, and a cache never changes what is said."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import worker.policies
from worker.engine.policy import Policy
from worker.signals import scanner
from worker.signals.canonical import REWORK, canonicalise
from worker.signals.detectors import load_detectors
from worker.signals.scanner import Backend, Expressions, Literals, RefusedExpressionError, is_whole
from worker.signals.terms import expand, words_of

needs_hyperscan = pytest.mark.skipif(
    scanner.hyperscan is None, reason="Hyperscan has no wheel for this platform"
)
BACKENDS: list[Backend] = ["re2", *(["hyperscan"] if scanner.hyperscan is not None else [])]  # type: ignore[list-item]  # mypy widens the inner list


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen: Backend = request.param
    return chosen


def test_expressions_are_reported_by_index(backend: Backend) -> None:
    expressions = Expressions([r"\bkill\b", r"\bmaim\b", r"you\z"], backend=backend)
    assert expressions.backend == backend
    assert expressions.scan(b"they maim and kill you") == [0, 1, 2]
    assert expressions.scan(b"killer whale") == []
    assert expressions.spans(0, "kill, kill") == [(0, 4), (6, 10)]


def test_no_expressions_match_nothing(backend: Backend) -> None:
    assert Expressions([], backend=backend).scan(b"anything") == []


def test_word_boundaries_are_ascii_on_both_engines(backend: Backend) -> None:
    expressions = Expressions([r"\bkill\b", r"^\w+$", r"\d"], backend=backend)
    assert expressions.scan("ékillé".encode()) == [0]
    assert expressions.scan("ж٣".encode()) == []


@pytest.mark.parametrize("pattern", [r"(?=a)b", r"(a)\1", r"a*"])
def test_a_pattern_that_cannot_be_used_is_named_by_its_index(pattern: str, backend: Backend) -> None:
    with pytest.raises(RefusedExpressionError) as caught:
        Expressions(["fine", pattern], backend=backend)
    assert caught.value.index == 1


@needs_hyperscan
def test_a_pattern_that_only_re2_takes_is_refused() -> None:
    assert Expressions(["fine", r"\Cx"], backend="re2")
    with pytest.raises(RefusedExpressionError, match="Hyperscan refuses it") as caught:
        Expressions(["fine", r"\Cx"], backend="hyperscan")
    assert caught.value.index == 1


@needs_hyperscan
def test_a_compiled_database_is_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Expressions([r"\bkill\b"], cache_dir=tmp_path)
    assert len(list(tmp_path.glob("*.hsdb"))) == 1

    def refuse(patterns: object) -> None:
        raise AssertionError("compiled although the cache holds it")

    monkeypatch.setattr(scanner, "_compile_hyperscan", refuse)
    second = Expressions([r"\bkill\b"], cache_dir=tmp_path)
    assert second.scan(b"kill") == first.scan(b"kill") == [0]


@needs_hyperscan
@pytest.mark.parametrize("damage", [b"", b"garbage", b"\0" * 5000])
def test_a_damaged_cache_is_passed_over_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    Expressions([r"\bkill\b"], cache_dir=tmp_path)
    (path,) = tmp_path.glob("*.hsdb")
    whole = path.read_bytes()
    path.write_bytes(damage + whole[len(damage) + 1 :])
    assert Expressions([r"\bkill\b"], cache_dir=tmp_path).scan(b"kill") == [0]
    assert len(path.read_bytes()) == len(whole)


@needs_hyperscan
def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert Expressions([r"\bkill\b"], cache_dir=blocked / "cache").scan(b"kill") == [0]


def test_a_longer_term_inside_a_word_does_not_hide_a_shorter_one() -> None:
    literals = Literals(["kill", "kill you", "you"])
    text = "kill youth"
    whole = [text[start:end] for _, start, end in literals.find(text) if is_whole(text, start, end)]
    assert whole == ["kill"]


@pytest.mark.parametrize(
    ("text", "start", "end", "whole"),
    [
        ("kill", 0, 4, True),
        ("skill", 1, 5, False),
        ("kill_er", 0, 4, False),
        ("#kill!", 1, 5, True),
        ("убить", 0, 4, False),
        ("क्षमा", 0, 1, False),  # a mark follows
        ("我要杀人了", 2, 4, True),  # no blanks between words
        ("a🖕b", 1, 2, True),
    ],
)
def test_words_end_where_their_script_says(text: str, start: int, end: int, whole: bool) -> None:
    assert is_whole(text, start, end) is whole


def _all_patterns() -> list[str]:
    patterns = [*REWORK, *(trigger for detector in load_detectors() for trigger in detector.triggers)]
    for path in sorted(Path(worker.policies.__path__[0]).glob("*/policy.toml")):
        policy = Policy.model_validate(tomllib.loads(path.read_text("utf-8")))
        patterns += [expand(p, policy.fragments) for group in policy.expressions for p in group.patterns]
    return patterns


@pytest.fixture(scope="module")
def engines(request: pytest.FixtureRequest) -> tuple[Expressions, Expressions]:
    assert request.config.cache is not None
    cache = request.config.cache.mkdir("hyperscan")  # compiling all policies takes seconds
    patterns = _all_patterns()
    return Expressions(patterns, backend="hyperscan", cache_dir=cache), Expressions(patterns, backend="re2")


_WORDS = sorted({word for pattern in _all_patterns() for word in words_of(pattern)})
_CONNECTIVES = [
    "i",
    "i'll",
    "you",
    "my",
    "the",
    "to",
    "at",
    "in",
    ".",
    ",",
    "\n",
    "5",
    "555-0100",
    "@a",
    "a@b.co",
    "é",
    "😂",
    "k.i.l.l",
]
_sentences = st.lists(st.one_of(st.sampled_from(_WORDS), st.sampled_from(_CONNECTIVES)), max_size=20).map(
    " ".join
)


@needs_hyperscan
@given(text=st.one_of(_sentences, st.text(max_size=50)))
@settings(max_examples=400, deadline=None)
def test_hyperscan_and_re2_say_the_same_of_every_policy(
    engines: tuple[Expressions, Expressions], text: str
) -> None:
    fast, portable = engines
    for shown in canonicalise(text).variants:
        found = fast.scan(shown.encode())
        assert found == portable.scan(shown.encode())
        for index in found:
            assert fast.spans(index, shown), fast.patterns[index]
