"""A load of which the state matters: strikes, ladders, timed suspensions, reviews, appeals, repetition, a campaign.

It comes in stages of one topic each, because between two topics there is no order. What follows is worked out
by judges side by side that nothing interrupts (`Exchange`); their items and actions name what the next stage decides.

All times lie some days back, so that every suspension with an end has ended: its timer runs at once, wherever a
worker has got to. Reviews come after those ends, so that nothing hangs on whether a timer ran first. The accounts
of the campaign post nothing else: what their partitions learn of each other, and when, depends on timing, so of
them the actions' ids are compared, and not the times in their records.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from worker.adapters.exchange import Exchange
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged
from worker.engine.registry import load_pack

PACK = Path(__file__).parent.parent / "packs" / "record"
START = datetime(2026, 11, 10, 9, tzinfo=UTC)
CAMPAIGN = "campaign-"
CAMPAIGN_TEXT = "Everybody claims the limited summer voucher before midnight because stocks vanish quickly"
_WORDS = ("zap", "zap", "zip", "blip", "same", "", "", "", "")
_THINGS = ("bakery", "harbour", "tram", "orchard", "lighthouse", "market", "choir", "kiln", "ferry", "museum")


class Sent(NamedTuple):
    """One input record."""

    topic: str
    key: str
    value: bytes


@dataclass
class Lives:
    """Makes the stages and knows what must follow.

    Args:
        partitions: of every topic.
        posts: in each of the two stages of posts.
        accounts: that write them.
    """

    partitions: int
    posts: int
    accounts: int
    seed: int = 1
    actions: set[str] = field(default_factory=set)  # ids applied and reversed
    items: dict[str, dict[str, Any]] = field(default_factory=dict)  # open ones
    removed: dict[str, dict[str, Any]] = field(default_factory=dict)  # removals in force, by id

    def __post_init__(self) -> None:
        pack = load_pack(PACK)
        self._exchange = Exchange(
            lambda number, count: PartitionJudge(pack, number, count, publish_all=True), self.partitions
        )
        self._chance = random.Random(self.seed)
        self._number = 0

    # -- the stages --------------------------------------------------------------------------------

    def write(self, day: float) -> list[Sent]:
        """Posts of half an hour or more: what breaks rules, what is doubtful, what repeats itself."""
        chance, sent = self._chance, []
        for _ in range(self.posts):
            self._number += 1
            account = f"life-{chance.randrange(self.accounts)}"
            word = chance.choice(_WORDS)
            text = " ".join((word, *chance.sample(_THINGS, 4), str(self._number)))
            if word == "same":
                text = f"{account} offers lovely hats and gloves from the old mill every single morning"
            sent.append(
                self._post(account, text, day, {"created_at": "2020-01-01T00:00:00Z", "followers": 90})
            )
        return self._judged(sent)

    def campaign(self, day: float, accounts: int = 12) -> list[Sent]:
        """The same words by many new accounts, one post each."""
        profile = {"created_at": _time(day - 3), "followers": 1}
        return self._judged(
            self._post(f"{CAMPAIGN}{number}", CAMPAIGN_TEXT, day, profile) for number in range(accounts)
        )

    def appeal(self, day: float) -> list[Sent]:
        """Every third removal that stands is contested, some of them twice, some by somebody else."""
        sent = []
        for number, (action_id, action) in enumerate(sorted(self.removed.items())):
            if number % 3 or action["account_id"].startswith(CAMPAIGN):
                continue
            for copy in range(1 + (number % 4 == 0)):
                account = (
                    action["account_id"] if number % 7 else f"life-{self._chance.randrange(self.accounts)}"
                )
                value = {
                    "appeal_id": f"ap-{number}-{copy}", "account_id": account, "action_id": action_id,
                    "statement": "please look again", "created_at": _time(day, number),
                }  # fmt: skip
                sent.append(_sent("appeals", account, value))
        return self._judged(sent)

    def review(self, day: float) -> list[Sent]:
        """Every open item is decided; half of what is contested is overturned."""
        sent = []
        for number, (item_id, item) in enumerate(sorted(self.items.items())):
            if item["account_id"].startswith(CAMPAIGN):
                continue
            outcomes = ("uphold", "overturn") if item["reason"] == "appeal" else ("uphold", "dismiss")
            value = {
                "review_id": f"v-{day}-{number}", "reviewer_id": f"mod:{number % 5}", "account_id": item["account_id"],
                "item_id": item_id, "appeal_id": item["appeal_id"], "outcome": outcomes[number % 2],
                "created_at": _time(day, number),
            }  # fmt: skip
            sent.append(_sent("reviews", item["account_id"], value))
        return self._judged(sent)

    # -- what must follow --------------------------------------------------------------------------

    def finish(self) -> dict[bytes, Any]:
        """What the state topic must hold once all timers have run, by key; see `comparable`."""
        self._learn(self._exchange.expire(datetime.now(UTC)))
        return comparable({key: value for state in self._exchange.state for key, value in state.items()})

    def _post(self, account: str, text: str, day: float, profile: dict[str, Any]) -> Sent:
        self._number += 1
        value = {
            "post_id": f"post-{self._number}", "author_id": account, "created_at": _time(day, self._number / 2),
            "text": text, "lang": "en", "author": profile,
        }  # fmt: skip
        return _sent("posts", account, value)

    def _judged(self, sent: Iterable[Sent]) -> list[Sent]:
        given = list(sent)
        for each in given:
            self._learn(self._exchange.send(*each))
        return given

    def _learn(self, judged: Judged) -> None:
        for output in judged.outputs:
            value = json.loads(output.value or b"{}")
            if output.topic.startswith("enforcement."):
                self.actions.add(value["action_id"])
                if value["operation"] == "reverse":
                    self.removed.pop(value["reverses"], None)
                elif value["kind"] == "remove":
                    self.removed[value["action_id"]] = value
            elif output.topic == "review.queue":
                if value["closed_by"] is None:
                    self.items[value["item_id"]] = value
                else:
                    self.items.pop(value["item_id"], None)


def comparable(state: dict[bytes, bytes | None]) -> dict[bytes, Any]:
    """State records without what depends on the timing between partitions: see the module.

    Offsets go too: those of topics that workers write count transaction markers.
    """
    found: dict[bytes, Any] = {}
    for key, value in state.items():
        if value is None or key[:2] not in {b"a:", b"x:"}:
            continue
        if CAMPAIGN.encode() in value or CAMPAIGN.encode() in key:
            continue
        found[key] = _unplaced(json.loads(value))
    return found


def _unplaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unplaced(part) for name, part in value.items() if name != "record"}
    return [_unplaced(part) for part in value] if isinstance(value, list) else value


def _sent(topic: str, key: str, value: dict[str, Any]) -> Sent:
    return Sent(topic, key, json.dumps({"schema_version": 1, **value}).encode())


def _time(day: float, second: float = 0.0) -> str:
    time = START + timedelta(days=day, seconds=second)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
