"""Expressions are RE2's, and what does not run in linear time is refused in words."""

from __future__ import annotations

import pytest

from worker.signals.regex import Regex, check_expression


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(?=a)b", "look-around"),
        (r"(?<!a)b", "look-around"),
        (r"(a)\1", "back-references"),
        (r"(a", "not an RE2 expression"),
        (r"a*", "empty string"),
        (r"\b", "empty string"),
        (r"(?:kill)?", "empty string"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_its_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_expression(pattern)


def test_a_pattern_that_is_slow_elsewhere_is_fine() -> None:
    check_expression(r"(a+)+b")
    assert Regex(r"(a+)+$").matches("a" * 50_000)


def test_spans_are_code_points() -> None:
    assert Regex("kill").spans("😂 kill ж kill") == [(2, 6), (9, 13)]
    assert Regex("kill").spans("kill kill kill", limit=2) == [(0, 4), (5, 9)]
