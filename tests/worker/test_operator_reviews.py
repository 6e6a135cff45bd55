from __future__ import annotations

import pytest

from schemas.base import parse_time
from schemas.enforcement import Enforcement
from worker.operator_reviews import BadName, on_item, reversal, review_id, reviewer

AT = parse_time("2026-11-22T09:30:00Z")
ACTION = {
    "schema_version": 1,
    "action_id": "a1",
    "operation": "apply",
    "kind": "suspend",
    "subject": {"type": "account", "id": "u1"},
    "account_id": "u1",
    "mode": "suspended",
    "policy": "violence",
    "policy_version": 3,
    "pack": "p",
    "clause": "c",
    "score": 1.0,
    "evidence": [],
    "strikes": {"added": 1, "active": 1},
    "source": "automated",
    "decided_at": "2026-11-22T09:30:00Z",
    "record": {"topic": "posts", "partition": 0, "offset": 1},
}


def test_a_review_says_who_what_and_when() -> None:
    review = on_item("i1", "u1", "uphold", command="breakers release", by=reviewer("ann"), at=AT, note="n")
    assert (review.reviewer_id, review.account_id, review.item_id) == ("operator:ann", "u1", "i1")
    assert (review.outcome, review.created_at, review.note) == ("uphold", AT, "n")
    assert review.subject is None
    assert review.action is None


def test_the_same_decision_at_the_same_time_has_the_same_id() -> None:
    first = review_id("i1", "breakers release", AT)
    assert first == review_id("i1", "breakers release", AT)
    others = {
        review_id("i2", "breakers release", AT),
        review_id("i1", "breakers discard", AT),
        review_id("i1", "breakers release", parse_time("2026-11-22T09:30:01Z")),
    }
    assert len(others) == 3
    assert first not in others


def test_a_reversal_names_the_action_by_what_it_did() -> None:
    review = reversal(Enforcement.model_validate(ACTION), command="reverse", by="operator:ann", at=AT)
    assert review.outcome == "act"
    assert review.subject is not None
    assert (review.subject.type, review.subject.id) == ("account", "u1")
    assert review.action is not None
    assert (review.action.operation, review.action.kind) == ("reverse", "suspend")
    assert (review.action.mode, review.action.policy) == ("suspended", "violence")


@pytest.mark.parametrize("name", ["ann", "Ann.Lee", "ann@example.com", "équipe-2", "王"])
def test_names_of_people_are_taken(name: str) -> None:
    assert reviewer(f" {name} ") == f"operator:{name}"


@pytest.mark.parametrize("name", ["", "  ", "a b", "a:b", "a\nb", "x" * 65, "a\u202eb", "{}"])
def test_names_that_could_be_taken_for_something_else_are_not(name: str) -> None:
    with pytest.raises(BadName):
        reviewer(name)
