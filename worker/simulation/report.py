"""The figures of a simulated year: who was caught when, who was wronged, what appeals and reviews did, and the balance."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from worker.simulation.audit import Entry
from worker.simulation.people import DAY, HOUR, KINDS
from worker.simulation.year import Year

_ACTIONS = ("label", "remove", "suspend")


def figures(year: Year) -> dict[str, Any]:
    """Everything that is worth keeping of a run, as a JSON object."""
    diary, plan = year.diary, year.plan
    return {
        "accounts": len(year.roster.people),
        "days": plan.days,
        "seed": plan.seed,
        "partitions": plan.partitions,
        "moderator_error_rate": plan.error_rate,
        "records": dict(diary.sent),
        "published": dict(sorted(diary.outputs.items())),
        "decisions": dict(diary.decisions),
        "dead_letters": len(diary.dead_letters),
        "balance": _balance(year),
        "kinds": _kinds(year),
        "wronged": _wronged(year),
        "appeals": _appeals(year),
        "reviews": _reviews(year),
        "reports": _reports(year),
        "returns": _returns(year),
        "notices": dict(diary.notices),
    }


def _balance(year: Year) -> dict[str, Any]:
    audit = year.audit
    ended = Counter(entry.by for entry in audit.entries.values() if entry.reversed is not None)
    left = sum(audit.active(account, year.end) for account in year.roster.people)
    return {
        "actions_applied": audit.applied,
        "reversed": audit.reversed,
        "reversed_by": dict(ended),
        "in_force": len(audit.in_force()),
        "strikes_counted": audit.struck,
        "strikes_taken_back": audit.taken_back,
        "strikes_lapsed": audit.lapsed,
        "strikes_left": left,
        "differences": len(audit.faults),
    }


def _kinds(year: Year) -> dict[str, dict[str, Any]]:
    diary, found = year.diary, {}
    acted = {
        entry.record["post_id"]
        for entry in year.audit.entries.values()
        if entry.record["post_id"] is not None
    }
    for kind in KINDS:
        people = [p for p in year.roster.people.values() if p.kind is kind]
        ids = {p.account_id for p in people}
        posts = [(post_id, truth) for post_id, truth in diary.posts.items() if truth.account_id in ids]
        bad = [post_id for post_id, truth in posts if truth.policy is not None]
        offending = [p for p in people if p.account_id in diary.bad_since]
        row: dict[str, Any] = {
            "accounts": len(people),
            "posts": len(posts),
            "bad_posts": len(bad),
            "bad_posts_acted_on": sum(post_id in acted for post_id in bad),
            "offending_accounts": len(offending),
        }
        for action in _ACTIONS:
            hits = [
                (diary.first[p.account_id, action], diary.bad_since[p.account_id])
                for p in offending
                if (p.account_id, action) in diary.first
            ]
            row[action] = {
                "accounts": len(hits),
                "median_days": _median((caught.at - since) / DAY for caught, since in hits),
                "median_bad_posts": _median(caught.bad_posts for caught, _ in hits),
            }
        row["never_acted_on"] = sum(
            not any((p.account_id, action) in diary.first for action in _ACTIONS) for p in offending
        )
        found[kind.name] = row
    return found


def _wronged(year: Year) -> dict[str, Any]:
    """Actions on what breaks nothing: whom they hit, for how long, and what gave it back."""
    entries = [entry for entry in year.audit.entries.values() if year.truth_of(entry.record) is None]
    honest = {p.account_id for p in year.roster.people.values() if not p.kind.bad and not p.origin}
    good_posts = sum(t.policy is None for t in year.diary.posts.values())
    result: dict[str, Any] = {
        "honest_accounts": len(honest),
        "honest_accounts_hit": len({e.record["account_id"] for e in entries} & honest),
        "good_posts": good_posts,
        "good_posts_hit": len({e.record["post_id"] for e in entries if e.record["post_id"]}),
    }
    for action in _ACTIONS:
        hit = [e for e in entries if e.record["kind"] == action]
        result[action] = {
            "actions": len(hit),
            "honest_accounts": len({e.record["account_id"] for e in hit} & honest),
            "given_back_by_people": sum(e.reversed is not None and e.by == "human" for e in hit),
            "ended_by_themselves": sum(e.reversed is not None and e.by != "human" for e in hit),
            "still_standing": sum(e.reversed is None for e in hit),
            "median_hours": _median(_hours(e, year.end) for e in hit),
            "most_hours": max((round(_hours(e, year.end), 1) for e in hit), default=None),
        }
    result["by_who_decided"] = dict(Counter(e.record["source"] for e in entries).most_common())
    policies = Counter((e.record["policy"], e.record["kind"]) for e in entries)
    result["by_policy"] = {f"{policy} {kind}": times for (policy, kind), times in policies.most_common()}
    kinds = Counter(year.roster.people[e.record["account_id"]].kind.name for e in entries)
    result["by_kind_of_account"] = dict(kinds.most_common())
    return result


def _appeals(year: Year) -> dict[str, Any]:
    contests = list(year.diary.contests.values())
    decided = [c for c in contests if c.outcome in {"upheld", "overturned"} and c.decided is not None]
    rates: dict[str, list[bool]] = defaultdict(list)
    for contest in decided:
        rates[contest.policy].append(contest.outcome == "overturned")
    return {
        "made": len(contests),
        "by_sort_and_outcome": {
            f"{sort} {outcome}": times
            for (sort, outcome), times in sorted(Counter((c.sort, c.outcome) for c in contests).items())
        },
        "rightful": _outcomes(c.outcome for c in decided if c.rightful),
        "wrongful": _outcomes(c.outcome for c in decided if not c.rightful),
        "median_hours_to_decision": _median(
            (c.decided - c.at) / HOUR for c in decided if c.decided is not None
        ),
        "overturn_rate_by_policy": {
            policy: f"{sum(each)} of {len(each)}" for policy, each in sorted(rates.items())
        },
    }


def _reviews(year: Year) -> dict[str, Any]:
    diary = year.diary
    days = [diary.opened_by_day.get(day, 0) for day in range(year.plan.days)]
    return {
        "items": dict(diary.items),
        "items_a_day": round(statistics.fmean(days), 2) if days else 0,
        "most_items_on_one_day": max(days, default=0),
        "closed_by": dict(diary.closed),
        "left_open": len(diary.item_opened) - sum(diary.closed.values()),
        "median_hours_open": _median(waited / HOUR for waited in diary.item_waits),
        "decided_after_due": diary.overdue,
        "decisions": diary.reviews,
        "wrong_decisions": diary.mistakes,
    }


def _reports(year: Year) -> dict[str, Any]:
    diary, hit = year.diary, 0
    for account_id, at in diary.brigades:
        hit += any(
            e.record["account_id"] == account_id and at <= e.applied <= at + 2 * DAY
            for e in year.audit.entries.values()
        )
    return {
        "sent": diary.sent["reports"],
        "brigades": len(diary.brigades),
        "brigade_reports": diary.brigade_reports,
        "brigaded_accounts_acted_on": hit,
        "items_by_brigades": diary.brigade_items,
    }


def _returns(year: Year) -> dict[str, Any]:
    first: dict[str, int] = {}
    for entry in year.audit.entries.values():
        if entry.record["policy"] == "enforcement-circumvention":
            account = entry.record["account_id"]
            first[account] = min(first.get(account, entry.applied), entry.applied)
    people, returned = year.roster.people, year.diary.returned
    hits = [(first[a] - people[a].begins) / DAY for a in returned if a in first]
    return {
        "came_back": len(returned),
        "recognised": len(hits),
        "median_days": _median(hits),
        "honest_taken_for_returned": sum(a not in returned and not people[a].kind.bad for a in first),
    }


def _outcomes(outcomes: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(outcomes).items()))


def _hours(entry: Entry, end: int) -> float:
    return ((entry.reversed or end) - entry.applied) / HOUR


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(statistics.median(found), 2) if found else None
