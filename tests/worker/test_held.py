from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.base import format_time
from tests.worker.test_operator_reviews import ACTION
from worker.engine.records import Record
from worker.held import grouped, open_items


def item(item_id: str, created_at: str = "2026-11-22T09:30:00Z", **more: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "item_id": item_id,
        "reason": "breaker",
        "subject": {"type": "account", "id": "u1"},
        "account_id": "u1",
        "policy": "violence",
        "proposed": ACTION,
        "priority": 50,
        "due_at": "2026-11-23T09:30:00Z",
        "created_at": created_at,
        "record": {"topic": "posts", "partition": 0, "offset": 1},
        **more,
    }


def records(*values: dict[str, Any] | bytes) -> list[Record]:
    return [
        Record("review.queue", 0, offset, 0, b"u1", v if isinstance(v, bytes) else json.dumps(v).encode())
        for offset, v in enumerate(values)
    ]


def test_what_is_closed_is_not_held_any_more() -> None:
    held = open_items(records(item("a"), item("b"), item("a", closed_by="v1")))
    assert [(h.item_id, h.account_id, h.policy, h.kind) for h in held] == [("b", "u1", "violence", "suspend")]


def test_items_with_other_reasons_are_somebody_elses() -> None:
    assert (
        open_items(records(item("a", reason="uncertain"), item("b", reason="report", item_note="breaker")))
        == []
    )


def test_the_oldest_comes_first() -> None:
    held = open_items(records(item("a", "2026-11-22T09:31:00Z"), item("b", "2026-11-22T09:30:00Z")))
    assert [h.item_id for h in held] == ["b", "a"]


def test_what_cannot_be_read_is_told_and_left_out() -> None:
    told: list[Record] = []
    held = open_items(
        records(item("a"), b'{"reason":"breaker"', item("b", created_at="yesterday")), told.append
    )
    assert [h.item_id for h in held] == ["a"]
    assert [record.offset for record in told] == [1, 2]


@pytest.mark.parametrize("offset", ["Z", "+02:00", "-09:30"])
def test_groups_are_by_policy_kind_and_hour(offset: str) -> None:
    times = [f"2026-11-22T{time}{offset}" for time in ("09:59:59", "10:00:00", "10:30:00")]
    remove = {**ACTION, "kind": "remove", "mode": None}
    held = open_items(
        records(
            *(item(str(number), time) for number, time in enumerate(times)),
            item("x", times[2], proposed=remove),
        )
    )
    groups = grouped(held)
    counts = [1, 1, 2] if offset != "-09:30" else [1, 2, 1]
    assert [(g.policy, g.kind, g.count) for g in groups] == [
        ("violence", kind, count)
        for kind, count in zip(("remove", "suspend", "suspend"), counts, strict=True)
    ]
    assert [format_time(g.hour)[14:] for g in groups] == ["00:00Z"] * 3
