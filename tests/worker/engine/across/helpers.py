"""Campaigns and ordinary crowds, as posts of accounts that a few partitions share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from schemas.base import parse_time
from tests.worker.engine.helpers import at, post
from worker.adapters.exchange import Exchange
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged
from worker.engine.registry import Pack

PACK = Path(__file__).resolve().parents[3] / "packs" / "campaign"
TEXT = "Everybody claims the limited summer voucher before midnight because stocks vanish quickly"
LINK = "https://deals.voucher-store.xyz/summer"


def fresh(**more: Any) -> dict[str, Any]:
    """The profile of an account that is a few days old."""
    return {"created_at": "2026-11-18T00:00:00Z", "followers": 3, **more}


def settled(**more: Any) -> dict[str, Any]:
    """The profile of an account with years and followers."""
    return {"created_at": "2019-05-01T00:00:00Z", "followers": 800, **more}


class Story:
    """Sends posts and profiles to the judges of a few partitions, and keeps what came out."""

    def __init__(self, pack: Pack, partitions: int = 3) -> None:
        self.exchange = Exchange(lambda number, count: PartitionJudge(pack, number, count), partitions)
        self.total = Judged()

    def post(
        self,
        author: str,
        text: str,
        number: int = 1,
        when: str | None = None,
        profile: dict[str, Any] | None = None,
        **more: Any,
    ) -> Judged:
        value = post(text, f"{author}-{number}", author, when, **more)
        if profile is not None:
            value["author"] = profile
        return self.send("posts", author, value)

    def account(self, account_id: str, when: str | None = None, **more: Any) -> Judged:
        value = {"schema_version": 1, "account_id": account_id, "updated_at": when or at(), **more}
        return self.send("accounts", account_id, value)

    def send(self, topic: str, key: str, value: dict[str, Any]) -> Judged:
        judged = self.exchange.send(topic, key, json.dumps(value).encode())
        self.total.add(judged)
        return judged

    def values(self, topic: str) -> list[dict[str, Any]]:
        """Everything that was published to a topic, in order."""
        return [
            json.loads(output.value)
            for output in self.total.outputs
            if output.topic == topic and output.value
        ]

    def acted(self, kind: str) -> set[str]:
        """The accounts against which an action of this kind was taken."""
        return {value["account_id"] for value in self.values(f"enforcement.{kind}")}

    def looked_at(self) -> set[str]:
        """The accounts of which a person looks at something."""
        return {value["account_id"] for value in self.values("review.queue") if not value["closed_by"]}


def seconds(count: float) -> str:
    """A time so many seconds after the start."""
    return at(seconds=count)


def moment(text: str) -> int:
    """A time in milliseconds."""
    return int(parse_time(text).timestamp() * 1000)
