"""Tells stories of what people say to one partition's judge, and reads what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from schemas.base import parse_time
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import Pack


def days(count: float, *, seconds: float = 0.0) -> str:
    return at(24 * count, seconds=seconds)


class Story:
    """One partition, told record by record; `judged` is what came of the last one, `all` every output so far.

    What it says of features is told back to itself, as the topics would. `restart` puts a new judge in the place of
    the old one, which knows nothing but what was written to the `state` topic.
    """

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.feed = Feed()
        self.judge = PartitionJudge(pack, 0)
        self.state: dict[bytes, bytes] = {}
        self.judged = Judged()
        self.all: list[Output] = []
        self.tally: dict[tuple[str, ...], int] = {}
        self.observed: list[tuple[tuple[str, ...], float]] = []

    def tell(self, topic: str, value: dict[str, Any]) -> Story:
        self.judged = Judged()
        self._judge([self.feed.record(topic, value)])
        return self

    def _judge(self, records: list[Record]) -> None:
        judged = self.judge.judge(records)
        self._take(judged)
        told = [output for output in judged.outputs if output.topic in {"observations", "findings"}]
        for output in told:
            assert output.value is not None
            self._judge([self.feed.record(output.topic, output.value, output.key)])

    def _take(self, judged: Judged) -> None:
        self.judged.add(judged)
        self.all += judged.outputs
        self.observed += judged.observed
        for key, times in judged.tally.items():
            self.tally[key] = self.tally.get(key, 0) + times
        for name, value in judged.state.items():
            self.state.pop(name, None)
            if value is not None:
                self.state[name] = value

    def post(self, text: str, post_id: str = "1", when: str | None = None, **more: Any) -> Story:
        return self.tell("posts", post(text, post_id, when=when, **more))

    def review(
        self,
        outcome: str,
        review_id: str = "v1",
        when: str | None = None,
        by: str = "mod:1",
        account: str = "u1",
        **more: Any,
    ) -> Story:
        return self.tell(
            "reviews",
            {
                "schema_version": 1, "review_id": review_id, "reviewer_id": by, "account_id": account,
                "outcome": outcome, "created_at": when or at(1), **more,
            },
        )  # fmt: skip

    def appeal(
        self,
        action_id: str,
        appeal_id: str = "a1",
        when: str | None = None,
        account: str = "u1",
        **more: Any,
    ) -> Story:
        return self.tell(
            "appeals",
            {
                "schema_version": 1, "appeal_id": appeal_id, "account_id": account, "action_id": action_id,
                "created_at": when or at(2), **more,
            },
        )  # fmt: skip

    def report(
        self,
        reporter: str = "r",
        when: str | None = None,
        subject: tuple[str, str] = ("post", "1"),
        account: str = "u1",
        **more: Any,
    ) -> Story:
        number = self.feed._offsets.get("reports", 0)
        return self.tell(
            "reports",
            {
                "schema_version": 1, "report_id": f"report-{number}", "reporter_id": reporter,
                "subject": {"type": subject[0], "id": subject[1]}, "account_id": account, "reason": "violence",
                "created_at": when or at(1), **more,
            },
        )  # fmt: skip

    def pass_time(self, until: str) -> Story:
        self.judged = Judged()
        self._take(self.judge.expire(parse_time(until)))
        return self

    def erase(self, account: str = "u1", when: str | None = None) -> Story:
        return self.tell(
            "accounts",
            {
                "schema_version": 1,
                "account_id": account,
                "updated_at": when or at(1),
                "deleted": True,
            },
        )

    def restart(self, pack: Pack | None = None) -> Story:
        self.judge = PartitionJudge(pack or self.pack, 0)
        for key, value in self.state.items():
            self.judge.restore(key, value)
        return self

    # -- what came of it ----------------------------------------------------------------------------

    def said(self, topic: str) -> list[dict[str, Any]]:
        return outputs(self.judged, topic)

    @property
    def actions(self) -> list[dict[str, Any]]:
        return _values(self.judged.outputs, "enforcement.")

    @property
    def items(self) -> list[dict[str, Any]]:
        return self.said("review.queue")

    @property
    def notices(self) -> list[str]:
        return [notice["kind"] for notice in self.said("notices")]

    def outcome(self) -> tuple[str, str | None]:
        """The last record's decision and the word on it; a decision that is only counted has none."""
        found = self.said("decisions")
        if found:
            return found[-1]["outcome"], found[-1].get("reason")
        for name in ("clear", "duplicate"):
            for topic in ("reviews", "appeals", "reports", "posts"):
                if self.judged.tally.get(("moderator_decisions_total", topic, name)):
                    return name, None
        raise AssertionError("no decision")

    def strikes(self, account: str = "u1", when: float = 0) -> int:
        now = int((START + timedelta(hours=when)).timestamp() * 1000)
        return self.judge.accounts.get(account).active_strikes(now)

    def balance(self) -> int:
        """All strikes that were added less those that were taken back, by the published decisions."""
        decisions = _values(self.all, "decisions")
        return sum(d["strikes"]["added"] - d["strikes"].get("taken_back", 0) for d in decisions)


def _values(found: Iterable[Output], topic: str) -> list[dict[str, Any]]:
    return [json.loads(one.value) for one in found if one.topic.startswith(topic) and one.value]
