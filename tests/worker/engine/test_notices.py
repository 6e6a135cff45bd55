from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.enforcement import Enforcement
from tests.worker.engine.helpers import START
from worker.engine.notices import action_notice, found_in, reversal_notice
from worker.engine.times import LAST

CLAUSE = "You may not zap {anybody}."  # braces, as a clause may have them


def action(**changes: Any) -> Enforcement:
    record = {
        "schema_version": 1,
        "action_id": "a1",
        "operation": "apply",
        "kind": "remove",
        "subject": {"type": "post", "id": "1"},
        "account_id": "u1",
        "post_id": "1",
        "policy": "violence",
        "policy_version": 3,
        "pack": "made-1",
        "clause": CLAUSE,
        "score": 0.9,
        "evidence": [
            {"signal": "made.word", "field": "text", "start": 3, "end": 6, "score": 0.9, "detail": "a word"},
            {"signal": "made.count", "field": "record", "score": 0.5},
        ],
        "strikes": {"added": 1, "active": 1},
        "source": "automated",
        "decided_at": START,
        "record": {"topic": "posts", "partition": 0, "offset": 0},
    }
    return Enforcement.model_validate({**record, **changes})


KINDS: list[dict[str, Any]] = [
    {"kind": "label", "label": "misleading"},
    {"kind": "label", "label": "parody", "subject": {"type": "profile_field", "id": "u1/bio"}},
    {"kind": "remove"},
    {"kind": "remove", "subject": {"type": "profile_field", "id": "u1/bio"}},
    *(
        {"kind": "suspend", "mode": mode, "subject": {"type": "account", "id": "u1"}}
        for mode in ("verify", "edit_required", "read_only", "suspended")
    ),
]


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_every_action_is_told_with_its_rule_what_was_found_and_how_to_appeal(changes: dict[str, Any]) -> None:
    notice = action_notice(action(**changes))
    assert (notice.kind, notice.action_id, notice.policy, notice.clause) == (
        "action", "a1", "violence", CLAUSE,
    )  # fmt: skip
    assert notice.appeal_until == START + timedelta(days=20)
    for part in (
        CLAUSE,
        "a word in text (characters 3 to 6)",
        "2026-12-12T09:30:00Z",
    ):
        assert part in (notice.body or "")
    assert "made.count" not in (notice.body or "")  # nobody outside knows a signal by its name
    assert notice.consequence
    assert notice.consequence in (notice.body or "")
    assert "{" not in notice.consequence
    assert (notice.lang, notice.created_at, notice.account_id) == ("en", START, "u1")


@pytest.mark.parametrize("changes", KINDS, ids=str)
def test_the_end_of_every_action_is_told(changes: dict[str, Any]) -> None:
    notice = reversal_notice(action(**changes, operation="reverse", action_id="a2", reverses="a1"))
    assert (notice.kind, notice.action_id, notice.appeal_until) == ("reversal", "a2", None)
    assert notice.body == notice.consequence
    assert "{" not in notice.body
    assert any(word in notice.body for word in ("ended", "again"))


def test_the_end_of_one_of_two_suspensions_does_not_promise_too_much() -> None:
    changes = {"kind": "suspend", "mode": "read_only", "subject": {"type": "account", "id": "u1"}}
    notice = reversal_notice(action(**changes, operation="reverse", action_id="a2", reverses="a1"), True)
    assert "still in force" in notice.body


@pytest.mark.parametrize("mode", ["read_only", "suspended"])
def test_a_suspension_says_until_when(mode: str) -> None:
    account = {"type": "account", "id": "u1"}
    until = START + timedelta(hours=12)
    ends = action_notice(action(kind="suspend", mode=mode, subject=account, expires_at=until))
    assert "until 2026-11-22T21:30:00Z" in (ends.consequence or "")
    assert ends.expires_at == until
    for_good = action_notice(action(kind="suspend", mode=mode, subject=account)).consequence
    assert for_good
    assert "until" not in for_good


def test_different_actions_have_notices_with_different_ids_and_the_same_ones_the_same() -> None:
    ids = [action_notice(action(action_id=name)).notice_id for name in ("a1", "a2", "a1")]
    assert ids[0] == ids[2] != ids[1]
    assert reversal_notice(action()).notice_id not in ids


def test_only_the_first_findings_are_listed() -> None:
    items = [
        {"signal": f"made.s{n}", "field": "text", "start": n, "end": n + 1, "score": 1} for n in range(9)
    ]
    assert found_in(action(evidence=items)).count("made.s") == 5


def test_an_action_at_the_end_of_time_still_has_a_notice() -> None:
    assert action_notice(action(decided_at=LAST)).appeal_until == LAST
