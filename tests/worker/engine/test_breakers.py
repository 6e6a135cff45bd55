from __future__ import annotations

import json

import pytest

from worker.engine.breakers import DAYS_KEPT, Breakers
from worker.engine.policy import Policy
from worker.engine.registry import Pack
from worker.engine.state import DAY

TODAY = 20_000 * DAY


@pytest.fixture
def policy(pack: Pack) -> Policy:
    """A policy with a quota of five a day of each kind."""
    return pack.policies[0].policy


def spend(breakers: Breakers, policy: Policy, times: int, now: int = TODAY, kind: str = "remove") -> int:
    return sum(breakers.allow(policy, kind, now) for _ in range(times))


def test_what_is_above_the_quota_of_a_day_is_held(policy: Policy) -> None:
    breakers = Breakers()
    assert spend(breakers, policy, 8) == 5
    assert breakers.open() == {("violence", "remove"): True}


def test_the_next_day_has_a_quota_of_its_own(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 8, TODAY + DAY - 1)
    assert spend(breakers, policy, 8, TODAY + DAY) == 5


def test_kinds_and_policies_are_counted_apart(policy: Policy) -> None:
    breakers = Breakers()
    other = policy.model_copy(update={"id": "copyright"})
    spend(breakers, policy, 8)
    assert spend(breakers, policy, 8, kind="label") == 5
    assert spend(breakers, other, 8) == 5


def test_late_records_count_on_their_own_day_and_leave_today_as_it_is(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 8)
    assert spend(breakers, policy, 8, TODAY - DAY) == 5
    assert breakers.open()["violence", "remove"]
    assert spend(breakers, policy, 8) == 0


def test_one_record_from_the_far_future_does_not_give_today_a_new_quota(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 8)
    spend(breakers, policy, 1, TODAY + 10_000 * DAY)
    assert spend(breakers, policy, 8) == 0


def test_records_from_many_future_days_do_not_give_today_a_new_quota(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 8)
    for days in range(1, 2 + DAYS_KEPT):
        spend(breakers, policy, 1, TODAY + days * 1_000 * DAY)
    assert spend(breakers, policy, 8) == 0


def test_counts_are_bounded_over_the_years(policy: Policy) -> None:
    breakers = Breakers()
    for day in range(500):
        spend(breakers, policy, 2, TODAY + day * DAY)
    assert len(breakers.to_json()) == DAYS_KEPT


def test_counts_survive_the_partitions_record(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 3)
    again = Breakers()
    again.restore(json.loads(json.dumps(breakers.to_json())))
    assert again.to_json() == breakers.to_json()
    assert spend(again, policy, 8) == 2
