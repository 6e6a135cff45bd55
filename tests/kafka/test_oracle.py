"""The judge of the fault tests must itself find every kind of fault."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kafka.oracle import Ledger, OutputRecord
from tests.kafka.traffic import make_post

GOOD = make_post("p1", "a1", "fine")
BAD = make_post("p2", "a1", "zap", kind="remove")


def record(of_topic: str, **body: Any) -> OutputRecord:
    return OutputRecord(of_topic, 0, 0, b"a1", json.dumps(body).encode())


def action(post_id: str, action_id: str = "x1", kind: str = "remove", score: float = 0.9) -> OutputRecord:
    return record(f"enforcement.{kind}", action_id=action_id, post_id=post_id, kind=kind, score=score)


def decision(post_id: str, decision_id: str) -> OutputRecord:
    source = {"topic": "posts", "partition": 0, "offset": 0}
    return record(
        "decisions", decision_id=decision_id, record=source, subject={"type": "post", "id": post_id}
    )


def dead_letter(offset: int, reason: str = "bad_json", dead_letter_id: str = "d1") -> OutputRecord:
    return record(
        "dead-letter", dead_letter_id=dead_letter_id, topic="posts", partition=0, offset=offset, reason=reason
    )


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.expect([GOOD, BAD])
    ledger.expect_dead_letter("posts", 0, 9, "bad_json")
    return ledger


RIGHT = (action("p2"), decision("p2", "d2"), dead_letter(9))


def test_what_was_expected_is_clean(ledger: Ledger) -> None:
    result = ledger.compare(RIGHT)
    result.assert_clean()
    assert (result.posts, result.actions, result.dead_letters) == (2, 1, 1)
    ledger.compare((*RIGHT, decision("p1", "d1")), all_decisions=True).assert_clean()


def test_a_missing_action_decision_or_dead_letter_is_lost(ledger: Ledger) -> None:
    for missing in RIGHT:
        result = ledger.compare(each for each in RIGHT if each is not missing)
        assert (len(result.lost), result.extra, result.differing) == (1, [], [])
    assert len(ledger.compare(RIGHT, all_decisions=True).lost) == 1
    with pytest.raises(AssertionError, match="3 lost"):
        ledger.compare([]).assert_clean()


@pytest.mark.parametrize(
    "surplus",
    [
        action("p1", "x2"),
        action("p2", "x2"),
        action("p2", "x2", kind="suspend"),
        action("unknown", "x2"),
        decision("p2", "d3"),
        dead_letter(9, dead_letter_id="d9"),
        dead_letter(9, "invalid", dead_letter_id="d9"),
        dead_letter(10, dead_letter_id="d9"),
    ],
)
def test_what_nobody_expected_is_extra(ledger: Ledger, surplus: OutputRecord) -> None:
    result = ledger.compare((*RIGHT, surplus))
    assert (result.lost, len(result.extra), result.differing) == ([], 1, [])
    with pytest.raises(AssertionError, match="1 extra"):
        result.assert_clean(repeats_allowed=True)


def test_an_equal_copy_is_a_repeat_and_allowed_only_where_said(ledger: Ledger) -> None:
    result = ledger.compare((*RIGHT, RIGHT[0], RIGHT[2]))
    assert result.repeats == 2
    result.assert_clean(repeats_allowed=True)
    with pytest.raises(AssertionError, match="2 repeats"):
        result.assert_clean()


def test_another_payload_under_one_id_is_differing(ledger: Ledger) -> None:
    result = ledger.compare((*RIGHT, action("p2", score=0.8)))
    assert (result.lost, result.extra, len(result.differing)) == ([], [], 1)
    with pytest.raises(AssertionError, match="1 differing"):
        result.assert_clean(repeats_allowed=True)


def test_a_queue_item_may_come_again_when_it_is_closed(ledger: Ledger) -> None:
    opened = record("review.queue", item_id="i1", closed_by=None)
    closed = record("review.queue", item_id="i1", closed_by={"review_id": "v1"})
    ledger.compare((*RIGHT, opened, closed)).assert_clean()
