from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from schemas.decode import decode
from worker.demo.people import APPEALS, People
from worker.demo.source import Sample
from worker.engine.records import Record

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def action(number: int, kind: str, operation: str = "apply", policy: str = "violence") -> Record:
    value = {
        "action_id": f"{kind}{number}",
        "operation": operation,
        "kind": kind,
        "account_id": f"u{number}",
        "policy": policy,
    }
    return Record(f"enforcement.{kind}", 0, number, 0, None, json.dumps(value).encode())


def item(name: str, reason: str, score: float | None, closed_by: str | None = None) -> Record:
    value: dict[str, Any] = {
        "item_id": name,
        "reason": reason,
        "account_id": "u1",
        "appeal_id": "a1" if reason == "appeal" else None,
        "proposed": None if score is None else {"score": score},
        "closed_by": closed_by,
    }
    return Record("review.queue", 0, 0, 0, None, json.dumps(value).encode())


def read(samples: list[Sample]) -> list[Any]:
    return [decode(sample.topic, sample.raw, sample.key).model for sample in samples]


def test_some_of_every_kind_are_appealed_once_and_one_twice() -> None:
    people = People()
    people.see([action(n, kind) for kind in ("label", "remove", "suspend") for n in range(9)])
    people.see([action(0, "remove", operation="reverse")])
    made = read(people.appeals(NOW))
    ids = [appeal.action_id for appeal in made]
    assert len(ids) == APPEALS + 1
    assert {name[:5] for name in ids} == {"label", "remov", "suspe"}
    assert len(set(ids)) == APPEALS
    assert len({appeal.appeal_id for appeal in made}) == len(made)


def test_a_removal_for_copyright_is_appealed_with_a_counter_notice() -> None:
    people = People()
    people.see([action(1, "remove", policy="copyright")])
    assert read(people.appeals(NOW))[0].counter_notice.good_faith


def test_moderators_agree_with_what_is_likely_and_leave_people_at_risk_alone() -> None:
    people = People()
    people.see(
        [
            item("likely", "uncertain", 0.7),
            item("unlikely", "uncertain", 0.5),
            item("at-risk", "at_risk", None),
            item("done", "uncertain", 0.7),
            item("done", "uncertain", 0.7, closed_by="deleted-by-author"),
        ]
    )
    made = read(people.reviews(NOW))
    assert {review.item_id: review.outcome for review in made} == {"likely": "uphold", "unlikely": "dismiss"}


def test_every_third_appeal_is_overturned() -> None:
    people = People()
    people.see([item(f"i{number}", "appeal", 0.9) for number in range(6)])
    made = read(people.reviews(NOW))
    assert [review.outcome for review in made].count("overturn") == 2
    assert all(review.appeal_id == "a1" for review in made)
