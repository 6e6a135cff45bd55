"""The loop of a simulated year: people act, the engine judges, people and moderators react to what it publishes.

Nothing here knows the wall clock; the same plan gives the same records, as long as the engine decides the same.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from worker.adapters.exchange import Exchange
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack
from worker.simulation.audit import Audit
from worker.simulation.conduct import Planned, compose, day_of
from worker.simulation.diary import Caught, Contest, Diary, Truth
from worker.simulation.moderators import DESK, Moderators
from worker.simulation.people import DAY, HOUR, REPORTERS, Person, Roster, clock
from worker.simulation.writing import Writer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_APPEAL_DAYS = 20
Sink = Callable[[str, str, bytes], None]
"""Takes a record as it is sent: topic, key, value."""


@dataclass(frozen=True)
class Plan:
    """What a run is made of. `after_days` follow the last post, so that appeals and timers come to their ends."""

    accounts: int = 1_000
    days: int = 365
    seed: int = 1
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    after_days: int = 25
    step_hours: int = 1  # how soon people react to what is published
    error_rate: float = 0.04  # of moderators
    partitions: int = 4
    brigades: int = 4
    campaigns: int = 6
    sent_twice: float = 0.002  # share of posts that the producer sends twice


class Year:
    """One run. After `run` the diary, the audit and the exchange hold what came of it."""

    def __init__(self, plan: Plan, pack: Pack, sink: Sink = lambda topic, key, value: None) -> None:
        self.plan = plan
        self.diary = Diary()
        self.audit = Audit({loaded.policy.id: loaded.policy.strike_days for loaded in pack.policies})
        self.exchange = Exchange(
            lambda number, count: PartitionJudge(pack, number, count), plan.partitions, keep=False
        )
        self.start = (plan.start - _EPOCH) // timedelta(milliseconds=1)
        self.end = self.start + (plan.days + plan.after_days) * DAY
        self._chance = chance = random.Random(plan.seed)  # noqa: S311 - a story is told again by its seed, no secret
        self.roster = Roster(chance, plan.accounts, self.start, plan.days)
        self._writer = Writer(chance)
        self._moderators = Moderators(chance, plan.error_rate)
        self._sink = sink
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._counter = 0
        self._records: list[Record] = []
        self._recent: deque[str] = deque(maxlen=300)
        self._talkers = [p for p in self.roster.people.values() if p.kind.name in REPORTERS]
        self._removed: set[str] = set()
        self._open: dict[str, dict[str, Any]] = {}
        self._decider: dict[tuple[str, str, str], str] = {}
        self._arrive()

    # -- time ----------------------------------------------------------------------------------------

    def run(self, say: Callable[[int], None] = lambda day: None) -> None:
        """Lives through the whole plan; `say` hears of each day's end."""
        step = self.plan.step_hours * HOUR
        for now in range(self.start, self.end, step):
            self._react(self.exchange.expire(_EPOCH + timedelta(milliseconds=now)), now)
            while self._events and self._events[0][0] < now + step:
                at, _, act = heapq.heappop(self._events)
                act(at)
            if self._records:
                records, self._records = self._records, []
                self._react(self.exchange.run_together(records), now + step)
            if (now + step - self.start) % DAY == 0:
                say((now + step - self.start) // DAY)
        self._react(self.exchange.expire(_EPOCH + timedelta(milliseconds=self.end)), self.end)
        self.audit.finish(self.end, [pair for state in self.exchange.state for pair in state.items()])

    def _at(self, at: float, act: Callable[[int], None]) -> None:
        self._counter += 1
        heapq.heappush(self._events, (int(at), self._counter, act))

    def _arrive(self) -> None:
        for person in list(self.roster.people.values()):
            self._at(person.begins, partial(self._show, person))
        for day in range(self.plan.days):
            self._at(self.start + day * DAY, partial(self._plan_day, day))
        for number in range(min(self.plan.brigades, self.plan.days)):
            noon = (number + 0.5) * self.plan.days / self.plan.brigades
            self._at(self.start + noon * DAY + 19 * HOUR, self._brigade)
        for number in range(min(self.plan.campaigns, self.plan.days)):
            noon = (number + 0.7) * self.plan.days / self.plan.campaigns
            self._at(self.start + noon * DAY + 10 * HOUR, partial(self._campaign, number))

    def _plan_day(self, day: int, midnight: int) -> None:
        for person in self.roster.people.values():
            for planned in day_of(person, day, midnight, self._chance):
                self._at(planned.at, partial(self._write, person, planned))
            if person.kind.name == "careless reporter" and self._chance.random() < 1 / 7:
                self._at(midnight + self._chance.randrange(DAY), partial(self._report_any, person))
            follows = person.kind.name == "follow churner"
            if follows and person.lives(midnight) and not person.silenced:
                self._at(midnight + 15 * HOUR, partial(self._show, person))

    # -- what people do ------------------------------------------------------------------------------

    def _send(self, topic: str, key: str, value: dict[str, Any], at: int) -> None:
        data = json.dumps({"schema_version": 1, **value}, ensure_ascii=False, separators=(",", ":")).encode()
        self.diary.sent[topic] += 1
        self._sink(topic, key, data)
        self._records.append(self.exchange.numbered(topic, key, data, at))

    def _show(self, person: Person, at: int) -> None:
        """A new or changed profile."""
        if person.kind.name == "impersonator" and not person.learnt:
            self.diary.bad_since.setdefault(person.account_id, at)
        self._send(
            "accounts",
            person.account_id,
            {
                "account_id": person.account_id,
                "updated_at": clock(at),
                "profile": person.profile,
                "client": person.client,
            },
            at,
        )

    def _write(self, person: Person, planned: Planned, at: int) -> None:
        if person.silenced:
            return
        if person.learnt and (planned.name or "").startswith("bad."):
            planned = Planned(at, None)  # never again
        written, more = compose(person, planned, self._writer, self._anybody, self._chance)
        post_id = f"{1_800_000_000_000_000_000 + len(self.diary.posts)}"
        policy = written.policy
        if policy is None and not person.learnt:
            # What they are or do besides makes everything that they write part of it.
            policy = {"impersonator": "misleading-identities", "follow churner": "platform-manipulation"}.get(
                person.kind.name
            )
        self.diary.posts[post_id] = Truth(policy, person.account_id, at)
        if policy is not None:
            self.diary.bad_since.setdefault(person.account_id, at)
            self.diary.bad_posts[person.account_id] += 1
        person.profile["posts"] += 1
        value = {
            "post_id": post_id, "author_id": person.account_id, "created_at": clock(at), "text": written.text,
            "lang": written.lang, "author": person.profile, "client": person.client, **more,
        }  # fmt: skip
        for _ in range(1 + (self._chance.random() < self.plan.sent_twice)):
            self._send("posts", person.account_id, value, at)
        person.posts[:] = [*person.posts[-4:], post_id]
        self._recent.append(post_id)
        if policy is not None and self._chance.random() < 0.2:
            later = at + self._chance.expovariate(1 / (3 * HOUR))
            self._at(later, lambda then: self._report(self._anybody(), post_id, policy, then))
        if self._chance.random() < 0.004:
            gone = {"post_id": post_id, "author_id": person.account_id, "text": "", "deleted": True}
            self._at(
                at + self._chance.expovariate(1 / (5 * HOUR)),
                lambda then: self._send(
                    "posts", person.account_id, {**gone, "created_at": clock(then)}, then
                ),
            )

    def _anybody(self) -> Person:
        return self._chance.choice(self._talkers)

    def _report(self, reporter: Person, post_id: str, reason: str | None, at: int) -> None:
        truth = self.diary.posts[post_id]
        if post_id in self._removed or reporter.account_id == truth.account_id or reporter.silenced:
            return
        report = {
            "report_id": f"r{self.diary.sent['reports']:07d}", "reporter_id": reporter.account_id,
            "subject": {"type": "post", "id": post_id}, "account_id": truth.account_id,
            "reason": reason or "abuse-harassment", "created_at": clock(at),
        }  # fmt: skip
        self._send("reports", truth.account_id, report, at)

    def _report_any(self, reporter: Person, at: int) -> None:
        if self._recent:
            self._report(reporter, self._chance.choice(self._recent), None, at)

    def _brigade(self, at: int) -> None:
        """Two dozen people report one honest account's posts within three quarters of an hour."""
        targets = [p for p in self._talkers if p.kind.name == "outspoken" and p.posts]
        people = [p for p in self.roster.people.values() if p.kind.name == "brigader"]
        if not targets or not people:
            return
        target = self._chance.choice(targets)
        self.diary.brigades.append((target.account_id, at))
        for person in self._chance.sample(people, min(25, len(people))):
            for post_id in target.posts[-2:]:
                self.diary.brigade_reports += 1
                self._at(
                    at + self._chance.randrange(45 * 60_000),
                    partial(self._report, person, post_id, "hateful-conduct"),
                )

    def _campaign(self, number: int, at: int) -> None:
        """The ring posts the same text, for three days, each within an hour of the others."""
        for person in [p for p in self.roster.people.values() if p.kind.name == "ring"]:
            for day in range(3):
                then = at + day * DAY + self._chance.randrange(50 * 60_000)
                planned = Planned(then, "ring", number)
                self._at(then, partial(self._write, person, planned))

    def _return(self, person: Person, at: int) -> None:
        if not person.silenced or person.returns <= 0:
            return
        new = self.roster.add(person.kind, person.rate, at, person.ends, origin=person)
        person.returns = 0
        self.diary.returned[new.account_id] = person.account_id
        self.diary.bad_since[new.account_id] = at  # to be there at all breaks a rule
        self._show(new, at)
        if self._chance.random() < 0.4:
            self._at(at + HOUR, lambda then: self._write(new, Planned(then, "bad.return"), then))

    # -- appeals and reviews ---------------------------------------------------------------------------

    def _appeal(self, person: Person, action: dict[str, Any], sort: str, at: int) -> None:
        entry = self.audit.entries[action["action_id"]]
        if sort == "plain" and entry.early:
            return  # settled before it was contested
        rightful = self.truth_of(action) is None
        appeal_id = f"ap{len(self.diary.contests):06d}"
        self.diary.contests[appeal_id] = Contest(
            person.account_id, action["action_id"], sort, rightful, at, action["policy"]
        )
        value = {
            "appeal_id": appeal_id, "account_id": person.account_id, "action_id": action["action_id"],
            "statement": self._writer.statement(rightful), "created_at": clock(at),
        }  # fmt: skip
        self._send("appeals", person.account_id, value, at)

    def truth_of(self, record: dict[str, Any]) -> str | None:
        """The policy that the subject of an action or item breaks in truth; None where it is innocent."""
        post_id = record["post_id"] or (
            record["subject"]["id"] if record["subject"]["type"] == "post" else None
        )
        if post_id is not None and post_id in self.diary.posts:
            return self.diary.posts[post_id].policy
        person = self.roster.people[record["account_id"]]
        if not person.kind.bad and not person.origin:
            return None
        policy: str | None = record["policy"]
        return policy if record["account_id"] in self.diary.bad_since else None

    def _review(self, item_id: str, at: int, first: str | None = None) -> None:
        item = self._open.get(item_id)
        if item is None:
            return  # closed meanwhile
        decided = self._moderators.decide(item, self.truth_of(item), first)
        self.diary.reviews += 1
        self.diary.mistakes += not decided.right
        if item["proposed"] is not None and decided.outcome == "uphold":
            proposed = item["proposed"]
            self._decider[item["account_id"], proposed["subject"]["id"], proposed["kind"]] = decided.reviewer
        self._send_review(
            decided.reviewer, item["account_id"], decided.outcome, at, item_id=item_id,
            appeal_id=item["appeal_id"], subject=item["subject"], action=decided.action,
        )  # fmt: skip
        if decided.action is not None:
            self._decider[item["account_id"], item["subject"]["id"], decided.action["kind"]] = (
                decided.reviewer
            )
        if first is not None and decided.reviewer == first:
            self._at(at + 2 * HOUR, lambda then: self._review(item_id, then, first))  # it is refused

    def _send_review(self, reviewer: str, account_id: str, outcome: str, at: int, **more: Any) -> None:
        value = {
            "review_id": f"v{self.diary.sent['reviews']:07d}", "reviewer_id": reviewer, "account_id": account_id,
            "outcome": outcome, "created_at": clock(at), **{k: v for k, v in more.items() if v is not None},
        }  # fmt: skip
        self._send("reviews", account_id, value, at)

    # -- reactions -------------------------------------------------------------------------------------

    def _react(self, judged: Judged, now: int) -> None:
        for output in judged.outputs:
            topic = output.topic
            self.diary.outputs[topic] += 1
            if output.value is None:
                continue
            if topic.startswith("enforcement."):
                self._enforced(topic, json.loads(output.value), now)
            elif topic == "review.queue":
                self._queued(json.loads(output.value), now)
            elif topic == "notices":
                self._told(json.loads(output.value))
            elif topic == "decisions":
                self.diary.decisions[json.loads(output.value)["outcome"]] += 1
            elif topic == "dead-letter":
                self.diary.dead_letters.append(json.loads(output.value))

    def _enforced(self, topic: str, action: dict[str, Any], now: int) -> None:
        self.audit.take(topic, action)
        person = self.roster.people[action["account_id"]]
        at = _ms(action["decided_at"])
        if action["operation"] == "reverse":
            person.blocked.pop(action["reverses"], None)
            self._removed.discard(action["subject"]["id"])
            for contest in self.diary.contests.values():
                if (
                    contest.action_id == action["reverses"]
                    and action["source"] == "human"
                    and contest.outcome == "received"
                ):
                    contest.outcome, contest.decided = "overturned", at
            return
        caught = Caught(at, self.diary.bad_posts[person.account_id])
        self.diary.first.setdefault((person.account_id, action["kind"]), caught)
        person.learnt = person.learnt or person.kind.name in {"angry once", "newsworthy"}
        if action["kind"] == "remove":
            self._removed.add(action["subject"]["id"])
        if action["kind"] == "suspend":
            self._suspended(person, action, now)
        self._contest(person, action, now)

    def _suspended(self, person: Person, action: dict[str, Any], now: int) -> None:
        chance = self._chance
        person.blocked[action["action_id"]] = action["mode"]
        if action["mode"] in {"verify", "edit_required"} and chance.random() < person.kind.verifies:
            self._at(now + chance.randrange(1, 10) * HOUR, lambda at: self._comply(person, action, at))
        elif action["expires_at"] is None and person.returns > 0:
            self._at(now + chance.uniform(0.3, 6) * DAY, lambda at: self._return(person, at))

    def _comply(self, person: Person, action: dict[str, Any], at: int) -> None:
        """Confirms who it is, or changes its profile, and is let back in by a person."""
        if action["action_id"] not in person.blocked:
            return
        if action["mode"] == "edit_required":
            person.profile.update(handle=f"reader{person.account_id}", display_name="A reader", bio="")
            person.learnt = True
            self._show(person, at)
        undo = {"operation": "reverse", "kind": "suspend", "mode": action["mode"], "policy": action["policy"]}
        self._send_review(DESK, person.account_id, "act", at + 60_000, subject=action["subject"], action=undo)

    def _contest(self, person: Person, action: dict[str, Any], now: int) -> None:
        chance, wronged = self._chance, self.truth_of(action) is None
        likely = (
            person.kind.appeals
            if not person.kind.bad
            else 2 * person.kind.appeals
            if wronged
            else person.kind.appeals
        )
        if action["kind"] == "label":
            likely /= 2
        if chance.random() >= likely:
            return
        if chance.random() < 0.05:
            late = now + (_APPEAL_DAYS + chance.uniform(0.5, 8)) * DAY
            self._at(late, lambda at: self._appeal(person, action, "late", at))
            return
        at = now + chance.expovariate(1 / (1.5 * DAY))
        self._at(min(at, now + 18 * DAY), lambda then: self._appeal(person, action, "plain", then))
        if chance.random() < 0.06:
            self._at(at + 4 * DAY, lambda then: self._appeal(person, action, "second", then))
        if chance.random() < 0.04:
            stranger = chance.choice(self._talkers)
            if stranger is not person:
                self._at(at + HOUR, lambda then: self._appeal(stranger, action, "foreign", then))

    def _queued(self, item: dict[str, Any], now: int) -> None:
        item_id, diary = item["item_id"], self.diary
        if item["closed_by"] is not None:
            if self._open.pop(item_id, None) is not None:
                by = item["closed_by"]
                diary.closed["review" if by.startswith("v") else by] += 1
                if by.startswith("v"):
                    waited = now - diary.item_opened[item_id]
                    diary.item_waits.append(waited)
                    diary.overdue += now > diary.item_due[item_id]
            return
        opened = item_id not in self._open
        self._open[item_id] = item
        if not opened:
            return  # the same item again, with another priority
        diary.items[item["reason"]] += 1
        if item["reason"] == "report":
            about = item["account_id"]
            diary.brigade_items += any(
                who == about and 0 <= now - at <= 2 * DAY for who, at in diary.brigades
            )
        diary.opened_by_day[(now - self.start) // DAY] += 1
        diary.item_opened[item_id], diary.item_due[item_id] = now, _ms(item["due_at"])
        first = None
        if item["reason"] == "appeal":
            contest = diary.contests.get(item["appeal_id"] or "")
            if contest is not None:
                contest.outcome = "received"
                action = self.audit.entries[contest.action_id].record
                if action["source"] == "human":
                    first = self._decider.get((action["account_id"], action["subject"]["id"], action["kind"]))
        hours = max(1.0, (_ms(item["due_at"]) - now) / HOUR)
        self._at(now + self._moderators.delay(item, hours), lambda at: self._review(item_id, at, first))

    def _told(self, notice: dict[str, Any]) -> None:
        kind, diary = notice["kind"], self.diary
        diary.notices[kind] += 1
        person = self.roster.people[notice["account_id"]]
        if kind == "warning" and person.kind.name in {"angry once", "newsworthy"}:
            person.learnt = True
        before = {"appeal_refused": "open", "appeal_outcome": "received"}.get(kind)
        if before is None:
            return
        for contest in diary.contests.values():
            # Of an action that is another's, or undone, nothing is told: the notice names none.
            mine = contest.account_id == notice["account_id"] and contest.outcome == before
            if mine and notice["action_id"] in {None, contest.action_id}:
                contest.outcome = "refused" if kind == "appeal_refused" else "upheld"
                contest.decided = _ms(notice["created_at"])
                return


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
