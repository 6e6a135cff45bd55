"""From probabilities to the policy's own scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.engine.policy import Learned, Policy
from worker.learned.steps import Steps

HEAD = {
    "id": "violence",
    "version": 1,
    "status": "enforce",
    "title": "Made up",
    "clause": "Made up: you may not say the word of this test.",
    "source": {"url": "https://example.com/rules", "read": "2026-11-23"},
    "summary": "Made-up words.",
    "languages": ["en"],
    "known_false_positives": ["none"],
    "dsa_category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "threshold": 0.75,
    "review": {"score": 0.45},
    "ladder": [
        {"score": 0.75, "actions": [{"kind": "label", "label": "limited-visibility"}]},
        {"score": 0.79, "actions": [{"kind": "label", "label": "graphic-media"}]},
        {"score": 0.85, "actions": [{"kind": "remove"}]},
        {"score": 0.75, "active_strikes": 3, "actions": [{"kind": "suspend", "mode": "read_only"}]},
        {"score": 0.95, "actions": [{"kind": "remove"}, {"kind": "suspend", "mode": "suspended"}]},
    ],
}


def steps(**learned: object) -> Steps:
    policy = Policy.model_validate({**HEAD, "learned": {"band": 0.1, "review": 0.4, **learned}})
    assert policy.learned is not None
    return Steps(policy, policy.learned)


def score(scale: Steps, probability: float) -> float:
    return float(scale.scores(np.array([probability]))[0])


def test_each_threshold_is_where_its_rung_begins() -> None:
    scale = steps(label=0.8, remove=0.9, suspend=0.99)
    assert [score(scale, p) for p in (0.0, 0.4, 0.8, 0.9, 0.99)] == [0.0, 0.45, 0.75, 0.85, 0.95]


def test_just_below_a_threshold_its_rung_is_not_reached() -> None:
    scale = steps(label=0.8, remove=0.9, suspend=0.99)
    assert score(scale, 0.3999) < 0.45
    assert score(scale, 0.7999) < 0.75
    assert score(scale, 0.8999) < 0.79, "the label for graphic media is not the model's to give"
    assert score(scale, 0.9899) < 0.95


def test_without_a_kind_no_probability_reaches_it() -> None:
    assert score(steps(), 1.0) == 0.749
    assert score(steps(label=0.8), 1.0) == 0.789
    assert score(steps(label=0.8, remove=0.9), 1.0) == 0.949
    assert score(steps(remove=0.9), 0.8999) < 0.75


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2))
def test_a_higher_probability_never_has_a_lower_score(pair: list[float]) -> None:
    low, high = sorted(pair)
    scale = steps(label=0.8, remove=0.9, suspend=0.99)
    assert score(scale, low) <= score(scale, high)


def test_what_a_probability_reaches_is_said_with_its_threshold() -> None:
    scale = steps(label=0.8, remove=0.95)
    assert scale.reached(0.97) == "remove from 0.95 on"
    assert scale.reached(0.8) == "label from 0.8 on"
    assert scale.reached(0.5) == "review from 0.4 on"
    assert scale.reached(0.1) == "below 0.4"


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        ({"label": 0.9, "remove": 0.8}, "must rise"),
        ({"label": 0.3}, "must rise"),
        ({"remove": 1.0}, "between 0 and 1"),
        ({"label": 0.9, "at_risk": True}, "give review alone"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(learned: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        steps(**learned)


def test_a_kind_without_a_rung_is_refused() -> None:
    without = {**HEAD, "ladder": HEAD["ladder"][:1], "learned": {"band": 0.1, "review": 0.4, "remove": 0.9}}  # type: ignore[index]
    with pytest.raises(ValidationError, match=r"learned\.remove: no rung"):
        Policy.model_validate(without)


def test_thresholds_are_optional_as_a_whole() -> None:
    assert Learned(band=0.1, review=0.4).steps == ()
