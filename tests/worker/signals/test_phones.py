"""Numbers whose digits and digit words change by turns, and what only looks like one."""

from __future__ import annotations

import pytest

from worker.signals.detectors.contact import DETECTOR
from worker.signals.phones import PHONE
from worker.signals.regex import Regex

TRIGGERS = [Regex(trigger) for trigger in DETECTOR.triggers]


def found(text: str) -> list[str]:
    """What is read as a phone number in a canonical text."""
    spans = sorted(span for trigger in TRIGGERS for span in trigger.spans(text))
    return [text[hit.start : hit.end] for hit in DETECTOR.detect("text", text, spans) if hit.signal == PHONE]


@pytest.mark.parametrize(
    "written",
    ["2one3-five55-01six7", "614 555 o1o9", "614 five five five 01 four 4"],
)
def test_digits_and_words_by_turns_are_one_number(written: str) -> None:
    assert found(f"text him at {written} tonight") == [written]


def test_a_number_that_ends_in_the_word_six_keeps_its_last_digit() -> None:
    written = "six one four five five five zero one two six"
    assert found(f"call {written}") == [written]


@pytest.mark.parametrize(
    "text", ["won 3 one 2 last night", "2 for 1, 3 for two, 4 for three", "a 5 o 1 lead"]
)
def test_scores_and_prices_with_words_are_no_numbers(text: str) -> None:
    assert found(text) == []
