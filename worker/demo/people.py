"""The people around the stream: accounts that appeal, and moderators who decide what waits for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from schemas.base import format_time
from worker.demo.source import Sample
from worker.engine.ids import digest
from worker.engine.records import Record

APPEALS = 12
REVIEWS = 40
_MODERATORS = ("mod:ana", "mod:ben")
_SURE = 0.6  # the score from which on the demonstration's moderators agree with a proposal
_STATEMENTS = (
    "I was quoting what somebody wrote to me, please read the whole thread.",
    "This was a joke between friends.",
    "I think the rule was read wrongly here.",
)


class People:
    """Reads what comes out, and says what these people send: first appeals, then decisions.

    Every third appeal is overturned. Of the queue's items the likely ones are upheld and the others dismissed; what
    moderators must not be quick about (people at risk, zero tolerance) stays open.
    """

    def __init__(self) -> None:
        self._actions: list[Mapping[str, Any]] = []
        self._items: dict[str, Mapping[str, Any]] = {}

    def see(self, records: Iterable[Record]) -> None:
        """Takes output records."""
        for record in records:
            if record.value is None:
                continue
            if record.topic.startswith("enforcement."):
                value = json.loads(record.value)
                if value["operation"] == "apply":
                    self._actions.append(value)
            elif record.topic == "review.queue":
                value = json.loads(record.value)
                self._items.pop(value["item_id"], None)
                if value["closed_by"] is None:
                    self._items[value["item_id"]] = value

    def appeals(self, now: datetime) -> list[Sample]:
        """Appeals against some of the actions seen, each kind among them; one of them is made twice."""
        chosen: list[Mapping[str, Any]] = []
        for kind in ("suspend", "remove", "label"):
            chosen += [action for action in self._actions if action["kind"] == kind][: APPEALS // 3]
        made = [self._appeal(number, action, now) for number, action in enumerate(chosen)]
        if chosen:
            made.append(self._appeal(len(chosen), chosen[0], now))
        return made

    def reviews(self, now: datetime) -> list[Sample]:
        """Decisions about what waits in the queue."""
        made: list[Sample] = []
        appeals = 0
        for item in list(self._items.values()):
            if item["reason"] == "appeal":
                appeals += 1
                made.append(self._review(item, "overturn" if appeals % 3 == 1 else "uphold", len(made), now))
            elif item["proposed"] is not None and len(made) < REVIEWS:
                likely = item["proposed"]["score"] >= _SURE
                made.append(self._review(item, "uphold" if likely else "dismiss", len(made), now))
        return made

    def _appeal(self, number: int, action: Mapping[str, Any], now: datetime) -> Sample:
        legal = action["policy"] in {"copyright", "trademark"}
        account = action["account_id"]
        return _sample(
            "appeals",
            account,
            {
                "schema_version": 1,
                "appeal_id": digest("demo", "appeal", number, action["action_id"]),
                "account_id": account,
                "action_id": action["action_id"],
                "statement": _STATEMENTS[number % len(_STATEMENTS)],
                "counter_notice": {"statement": "I wrote it myself.", "good_faith": True} if legal else None,
                "created_at": format_time(now),
            },
        )

    def _review(self, item: Mapping[str, Any], outcome: str, number: int, now: datetime) -> Sample:
        account = item["account_id"]
        return _sample(
            "reviews",
            account,
            {
                "schema_version": 1,
                "review_id": digest("demo", "review", item["item_id"]),
                "reviewer_id": _MODERATORS[number % len(_MODERATORS)],
                "account_id": account,
                "item_id": item["item_id"],
                "appeal_id": item["appeal_id"],
                "subject": None,
                "outcome": outcome,
                "action": None,
                "note": "",
                "created_at": format_time(now),
            },
        )


def _sample(topic: str, account: str, record: dict[str, Any]) -> Sample:
    return Sample(topic, account.encode(), record, to_json(record))
