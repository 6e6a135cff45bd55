"""The independent ledger finds what does not add up: each test plants one fault in a story that balances."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.simulation.audit import Audit

DAY = 86_400_000
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOON = round(START.timestamp() * 1000)
STRIKE_DAYS = {"violence": 30, "abuse-harassment": 10}

Published = list[dict[str, Any]]
State = dict[str, dict[str, Any]]


def time(day: float) -> str:
    return (START + timedelta(days=day)).isoformat()


def action(name: str, day: float, strikes: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {
        "action_id": name, "operation": "apply", "kind": "remove", "subject": {"type": "post", "id": f"post-{name}"},
        "account_id": "u1", "post_id": f"post-{name}", "label": None, "mode": None, "expires_at": None,
        "policy": "violence", "policy_version": 1, "pack": "p", "clause": "You may not.",
        "strikes": {"added": strikes[0], "active": strikes[1]}, "source": "automated", "reverses": None,
        "decided_at": time(day), "record": {"topic": "posts", "partition": 0, "offset": round(day * 100)}, **more,
    }  # fmt: skip


def reverse(of: dict[str, Any], day: float, source: str, active: int, taken: int = 0) -> dict[str, Any]:
    strikes = {"added": 0, "active": active} | ({"taken_back": taken} if taken else {})
    return of | {
        "action_id": f"not-{of['action_id']}", "operation": "reverse", "reverses": of["action_id"],
        "decided_at": time(day), "source": source, "strikes": strikes,
        "record": {"topic": "reviews", "partition": 0, "offset": round(day * 100)},
    }  # fmt: skip


def story() -> tuple[Published, State]:
    """A removal that stands; one that a person overturns; a suspension that ends by itself."""
    stands = action("a", 0, (2, 2))
    wrong = action("b", 1, (1, 3))
    timed = action(
        "c", 2, (0, 2), kind="suspend", mode="read_only", subject={"type": "account", "id": "u1"}, expires_at=time(2.5)
    )  # fmt: skip
    published = [
        stands,
        wrong,
        reverse(wrong, 1.25, "human", 2, taken=1),
        timed,
        reverse(timed, 2.5, "automated", 2),
    ]
    state: State = {
        "x:a": {"action": stands, "expires": None},
        "x:b": {"action": wrong, "expires": None, "reversed": True},
        "x:c": {"action": timed, "expires": NOON + 2 * DAY + DAY // 2, "ended": True},
        "a:u1": {"strikes": [["violence", 2, NOON + 30 * DAY, "a"]]},
    }
    return published, state


def faults(published: Published, state: State, days: float = 3) -> list[str]:
    audit = Audit(STRIKE_DAYS)
    for record in published:
        audit.take(f"enforcement.{record['kind']}", record)
    audit.finish(
        round(NOON + days * DAY), [(key.encode(), json.dumps(value).encode()) for key, value in state.items()]
    )
    return audit.faults


def test_a_story_that_balances_has_no_faults() -> None:
    assert faults(*story()) == []


def test_the_balance_holds_after_strikes_have_lapsed() -> None:
    published, state = story()
    state["a:u1"]["strikes"] = []
    assert faults(published, state, days=30) == []


def test_a_lost_reverse_is_found() -> None:
    published, state = story()
    del published[4]
    found = faults(published, state)
    assert any("its end is past and nothing reversed it" in fault for fault in found)
    assert any(fault.startswith("actions: ") for fault in found)


def test_a_lost_overturn_is_found() -> None:
    published, state = story()
    del published[2]
    found = faults(published, state)
    assert "b: in force by what was published, not by the state" in found
    assert any("says 2 strikes of u1, the ledger 3" in fault for fault in found)


def test_a_doubled_strike_is_found() -> None:
    published, state = story()
    published[1]["strikes"] = {"added": 2, "active": 3}
    assert any("says 3 strikes of u1, the ledger 4" in fault for fault in faults(published, state))


def test_a_strike_doubled_in_the_state_is_found() -> None:
    published, state = story()
    state["a:u1"]["strikes"] *= 2
    found = faults(published, state)
    assert "u1: 4 strikes in the state, 2 here" in found
    assert any(fault.startswith("strikes: ") for fault in found)


def test_a_reverse_of_nothing_is_found() -> None:
    published, state = story()
    published.append(reverse(action("z", 0, (0, 2)), 2.9, "human", 2))
    assert faults(published, state) == ["not-z: reverses z, which was never applied"]


def test_a_second_reverse_is_found() -> None:
    published, state = story()
    published.append(published[2])
    assert faults(published, state) == ["b: reversed twice"]


def test_an_action_applied_twice_is_found() -> None:
    published, state = story()
    published.insert(1, published[0] | {"strikes": {"added": 0, "active": 2}})
    assert "a: applied twice" in faults(published, state)


def test_what_ends_by_itself_ends_at_its_end() -> None:
    published, state = story()
    published[4]["decided_at"] = time(2.75)
    assert faults(published, state) == ["c: ended by itself, but not at its end"]


def test_what_has_no_end_does_not_end_by_itself() -> None:
    published, state = story()
    published[2]["source"] = "automated"
    published[2]["strikes"]["active"] = 3
    found = faults(published, state)
    assert "b: ended by itself, though it has no end" in found
    assert "b: a timer took strikes back" in found


@pytest.mark.parametrize("name", ["subject", "policy", "label", "clause", "account_id"])
def test_a_reverse_of_something_else_is_found(name: str) -> None:
    published, state = deepcopy(story())
    published[4][name] = {"type": "account", "id": "u2"} if name == "subject" else "another"
    assert f"c: its reverse says another {name}" in faults(published, state)


def test_strikes_taken_back_that_nobody_counted_are_found() -> None:
    published, state = story()
    published[4]["strikes"] |= {"taken_back": 2}
    published[4]["source"] = "human"
    assert "c: 2 taken back, 0 stood on it" in faults(published, state)


def test_an_action_that_only_the_state_knows_is_found() -> None:
    published, state = story()
    state["x:ghost"] = {"action": action("ghost", 0, (0, 0)), "expires": None}
    assert "ghost: in force by the state, not by what was published" in faults(published, state)


def test_a_timer_repeats_what_its_action_said_of_strikes() -> None:
    published, state = story()
    published[4]["strikes"]["active"] = 1
    assert faults(published, state) == [
        "c: ended by itself, with another count of strikes than it began with"
    ]
