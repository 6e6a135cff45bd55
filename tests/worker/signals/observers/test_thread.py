"""Where a post stands, and what a report says of it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.reports import Report
from tests.worker.signals.observers.helpers import NOW, account, observe, post, seen
from worker.signals.observers import rights
from worker.signals.observers.thread import OBSERVER


def test_an_ordinary_post_has_no_surface_of_note() -> None:
    assert observe(OBSERVER, post()) == []
    assert observe(OBSERVER, post(surface="repost")) == []
    assert observe(OBSERVER, account({"bio": "hi"})) == []


@pytest.mark.parametrize("surface", ["message", "live", "reply", "quote"])
def test_the_surface_is_reported(surface: str) -> None:
    assert seen(OBSERVER, post(surface=surface)) == {(f"surface.{surface}", "surface")}


def test_what_a_post_refers_to_makes_it_a_reply_or_a_quote() -> None:
    subject = post(in_reply_to={"post_id": "2", "text": "hello"}, quotes={"post_id": "3"})
    assert seen(OBSERVER, subject) == {
        ("surface.reply", "surface"),
        ("surface.quote", "surface"),
        ("thread.present", "in_reply_to.text"),
    }


def report(**more: Any) -> Report:
    values = {
        "schema_version": 1,
        "report_id": "r1",
        "reporter_id": "u9",
        "subject": {"type": "post", "id": "1"},
        "account_id": "u1",
        "created_at": NOW,
        **more,
    }
    return Report.model_validate(values)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (None, set()),
        ({}, set()),
        ({"rights": {"basis": "copyright"}, "trusted": True}, set()),
        ({"rights": {"basis": "copyright", "good_faith": True}}, {"rights.copyright"}),
        (
            {"rights": {"basis": "trademark", "good_faith": True}, "trusted": True},
            {"rights.trademark"},
        ),
        (
            {
                "rights": {
                    "basis": "trademark",
                    "good_faith": True,
                    "owner": "Example Co",
                    "work": "its name",
                },
                "trusted": True,
            },
            {"rights.trademark", "rights.trusted"},
        ),
        ({"rights": {"good_faith": True}}, set()),
        ({"trusted": True}, set()),
    ],
)
def test_a_right_counts_where_it_is_stated_in_good_faith(
    made: dict[str, Any] | None, expected: set[str]
) -> None:
    subject = post()
    subject.report = None if made is None else report(**made)
    assert {hit.signal for hit in observe(rights.OBSERVER, subject)} == expected
