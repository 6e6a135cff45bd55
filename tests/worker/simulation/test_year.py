"""A small year with every check on, and the long one among the slow tests."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from pydantic_core import from_json, to_json

from tests.worker.engine.helpers import CACHE
from worker.engine.registry import Pack, load_pack
from worker.replay import Replay
from worker.simulation.people import BY_NAME, DAY, KINDS
from worker.simulation.report import figures
from worker.simulation.year import Plan, Year

SMALL = Plan(accounts=60, days=40, seed=3, brigades=1, campaigns=2)
SPAMMERS = ("link spammer", "mention spammer", "duplicate spammer", "crypto spammer")


@pytest.fixture(scope="module")
def bundled() -> Pack:
    return load_pack(cache_dir=CACHE)


@pytest.fixture(scope="module")
def year(bundled: Pack) -> Year:
    year = Year(SMALL, bundled)
    year.run()
    return year


@pytest.fixture(scope="module")
def report(year: Year) -> dict[str, Any]:
    return figures(year)


def test_strikes_actions_and_reversals_balance(year: Year) -> None:
    assert year.audit.faults == []
    assert year.audit.applied > 20
    assert year.audit.reversed > 3


def test_every_record_can_be_judged(year: Year) -> None:
    assert year.diary.dead_letters == []
    assert year.diary.sent["posts"] > 1_500


def test_spammers_are_stopped_within_days(report: dict[str, Any]) -> None:
    for name in SPAMMERS:
        kind = report["kinds"][name]
        if kind["offending_accounts"]:
            assert kind["never_acted_on"] == 0, name
            assert kind["bad_posts"] < 400, name


def test_offenders_are_acted_on(report: dict[str, Any]) -> None:
    kinds = [
        report["kinds"][kind.name]
        for kind in KINDS
        if kind.bad and kind.name not in {"ring", "follow churner"}
    ]
    offending = sum(kind["offending_accounts"] for kind in kinds)
    missed = sum(kind["never_acted_on"] for kind in kinds)
    assert offending >= 8
    assert missed <= offending // 3


def test_honest_people_are_left_alone(report: dict[str, Any]) -> None:
    wronged = report["wronged"]
    assert wronged["honest_accounts_hit"] <= 2
    assert wronged["suspend"]["honest_accounts"] == 0
    assert wronged["good_posts_hit"] <= wronged["good_posts"] // 300


def test_every_appeal_is_answered(year: Year, report: dict[str, Any]) -> None:
    contests = list(year.diary.contests.values())
    assert contests
    assert [c for c in contests if c.outcome in {"open", "received"}] == []
    for contest in contests:
        if contest.sort in {"second", "foreign"}:
            assert contest.outcome == "refused"
    assert report["reviews"]["left_open"] == 0


def test_people_in_danger_are_offered_help_and_not_punished(year: Year) -> None:
    people = {p.account_id for p in year.roster.people.values() if p.kind.name == "at risk"}
    hit = [e for e in year.audit.entries.values() if e.record["account_id"] in people]
    assert [e for e in hit if e.record["source"] == "automated"] == []
    if any(t.account_id in people and year.diary.items["at_risk"] for t in year.diary.posts.values()):
        assert year.diary.notices["support"] > 0


def test_the_same_seed_tells_the_same_year_and_replay_decides_the_same(bundled: Pack) -> None:
    plan = Plan(accounts=50, days=6, seed=5, partitions=1, after_days=8, brigades=1, campaigns=1)
    told: list[list[bytes]] = []
    years = []
    for _ in range(2):
        lines: list[bytes] = []
        year = Year(
            plan,
            bundled,
            lambda topic, key, value, lines=lines: lines.append(  # type: ignore[misc]  # bound at once
                to_json({"topic": topic, "key": key, "value": from_json(value)})
            ),
        )
        year.run()
        told.append(lines)
        years.append(year)
    assert told[0] == told[1]

    replay = Replay(bundled)
    end = plan.start + timedelta(days=plan.days + plan.after_days)
    out = [from_json(line) for line in (*replay.feed(told[0]), *replay.finish(end))]
    enforced = [o["value"] for o in out if o["topic"].startswith("enforcement.")]
    audit = years[0].audit
    assert Counter(v["action_id"] for v in enforced if v["operation"] == "apply") == Counter(
        list(audit.entries)
    )
    assert sum(v["operation"] == "reverse" for v in enforced) == audit.reversed


def test_kinds_of_people_are_all_there() -> None:
    assert sum(kind.share for kind in KINDS) == pytest.approx(1.0, abs=0.02)
    assert {"weather bot", "survivor", "ring", "impersonator"} <= BY_NAME.keys()


@pytest.mark.slow
def test_a_year_in_the_life_of_a_thousand_accounts_balances(bundled: Pack) -> None:
    year = Year(Plan(), bundled)
    year.run()
    report = figures(year)
    assert year.audit.faults == []
    assert year.diary.dead_letters == []
    assert year.diary.sent["posts"] > 250_000
    wronged = report["wronged"]
    assert wronged["suspend"]["honest_accounts"] <= 0.01 * wronged["honest_accounts"]
    # Most of these are moderators' errors on what the second model had no share left to read (docs/simulation.md).
    assert wronged["good_posts_hit"] <= 0.002 * wronged["good_posts"]
    assert max(entry.applied for entry in year.audit.entries.values()) <= year.end
    assert year.end - year.start == (365 + 25) * DAY
