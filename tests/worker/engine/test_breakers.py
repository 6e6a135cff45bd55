from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.engine.caps import TODAY, Cluster, capped, run, values
from worker.engine.breakers import KEPT, Breakers, Name, overshoot, pool, share
from worker.engine.policy import Breaker, MinuteBreaker, Policy
from worker.engine.registry import Pack
from worker.engine.state import DAY

MINUTE = 60_000


@pytest.fixture(scope="session")
def plain(pack: Pack) -> Policy:
    return pack.policies[0].policy


@pytest.fixture
def policy(plain: Policy) -> Policy:
    """A policy with a cap of five a day of each kind."""
    return capped(plain, day=5)


def spend(breakers: Breakers, policy: Policy, times: int, now: int = TODAY, kind: str = "remove") -> int:
    return sum(breakers.allow(policy, kind, now) for _ in range(times))


# -- one partition alone -----------------------------------------------------------------------------


def test_what_is_above_the_cap_of_a_day_is_held(policy: Policy) -> None:
    breakers = Breakers([policy])
    assert spend(breakers, policy, 8) == 5
    assert breakers.open()[Name("violence", "remove", "day")]
    assert not breakers.open()[Name("violence", "label", "day")]
    assert breakers.asks() == []


def test_what_is_above_the_cap_of_a_minute_is_held_until_the_next_one(plain: Policy) -> None:
    policy = capped(plain, day=7, minute=3)
    breakers = Breakers([policy])
    assert spend(breakers, policy, 5, TODAY + MINUTE - 1) == 3
    assert breakers.open()[Name("violence", "remove", "minute")]
    assert not breakers.open()[Name("violence", "remove", "day")]
    assert spend(breakers, policy, 5, TODAY + MINUTE) == 3
    assert spend(breakers, policy, 5, TODAY + 2 * MINUTE) == 1, "of the day only one is left"


def test_what_the_minute_holds_is_not_counted_on_the_day(plain: Policy) -> None:
    policy = capped(plain, day=6, minute=2)
    breakers = Breakers([policy])
    assert [spend(breakers, policy, 50, TODAY + number * MINUTE) for number in range(4)] == [2, 2, 2, 0]


def test_a_minutes_cap_follows_from_the_days() -> None:
    breaker = Breaker(label=20_000, remove=300, suspend=5, minute=MinuteBreaker(remove=7))
    caps = {kind: breaker.cap(kind, "minute") for kind in ("label", "remove", "suspend")}
    assert caps == {"label": 1_000, "remove": 7, "suspend": 5}
    assert Breaker(remove=300).cap("remove", "minute") == 60
    assert Breaker(remove=0).cap("remove", "minute") == 0


def test_a_minutes_cap_above_the_days_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"minute\.remove must not be above remove"):
        Breaker(remove=5, minute=MinuteBreaker(remove=6))


def test_the_next_day_has_a_cap_of_its_own(policy: Policy) -> None:
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
    assert spend(breakers, policy, 8) == 0


def test_a_cap_of_nothing_holds_everything(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=0), 3)
    run(cluster, lambda turn: turn % 3, 30)
    assert sum(cluster.allowed) == 0
    assert sum(cluster.held) == 30


def test_records_from_the_far_future_do_not_give_today_a_new_cap(plain: Policy) -> None:
    policy = capped(plain, day=5, minute=5)
    breakers = Breakers()
    spend(breakers, policy, 8)
    for days in range(1, 3 + max(KEPT.values())):
        spend(breakers, policy, 1, TODAY + days * 1_000 * DAY)
        assert spend(breakers, policy, 1) == 0


def test_records_from_many_future_days_in_a_row_do_not_give_today_a_new_cap(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 8)
    for days in range(1, 2 + max(KEPT.values())):
        spend(breakers, policy, 1, TODAY + days * 1_000 * DAY)
    assert spend(breakers, policy, 8) == 0


def test_a_quiet_minute_that_is_going_on_is_not_forgotten_for_loud_ones_of_before(plain: Policy) -> None:
    policy = capped(plain, day=100_000, minute=50)
    breakers = Breakers()
    for number in range(2 * KEPT["minute"]):  # a busy hour
        spend(breakers, policy, 200, TODAY + number * MINUTE)
    now, allowed = TODAY + 1_000 * MINUTE, {0: 0, 1: 0}
    for turn in range(400):  # accounts' clocks differ: two minutes in turns
        allowed[turn % 2] += breakers.allow(policy, "remove", now + turn % 2 * MINUTE)
    assert allowed == {0: 50, 1: 50}


def test_counts_are_bounded_over_the_years(policy: Policy) -> None:
    breakers = Breakers()
    for day in range(500):
        spend(breakers, policy, 2, TODAY + day * DAY)
    assert {row[2]: len(row[3]) for row in breakers.to_json()} == KEPT


def test_counts_survive_the_partitions_record(policy: Policy) -> None:
    breakers = Breakers()
    spend(breakers, policy, 3)
    again = Breakers()
    again.restore(json.loads(json.dumps(breakers.to_json())))
    assert again.to_json() == breakers.to_json()
    assert spend(again, policy, 8) == 2


def test_open_ends_with_its_window_but_not_in_the_middle_of_a_backlog(plain: Policy) -> None:
    policy = capped(plain, day=1_000, minute=3)
    breakers, minute = Breakers([policy]), Name("violence", "remove", "minute")
    spend(breakers, policy, 5)
    assert breakers.open(TODAY + MINUTE - 1)[minute]
    assert not breakers.open(TODAY + MINUTE)[minute], "nothing was held since, and the minute is over"
    spend(breakers, policy, 1)
    assert breakers.open(TODAY + DAY)[minute], "a backlog: what is judged now is long past"
    assert not breakers.open(TODAY + DAY)[minute]
    assert spend(breakers, policy, 1, TODAY + MINUTE) == 1
    assert not breakers.open()[minute]


# -- a cluster ---------------------------------------------------------------------------------------


@given(cap=st.integers(0, 5_000), partitions=st.integers(1, 200))
def test_shares_and_pool_are_the_cap_but_for_the_overshoot_that_is_told(cap: int, partitions: int) -> None:
    at_most = partitions * share(cap, partitions) + pool(cap, partitions)
    assert at_most == cap + overshoot(cap, partitions)
    assert overshoot(cap, partitions) == (partitions - cap if 0 < cap < partitions else 0)
    if partitions > 1 and cap >= 2 * partitions:
        assert pool(cap, partitions) >= cap / 2


@pytest.mark.parametrize("partitions", [1, 3, 12])
@pytest.mark.parametrize("cap", [1, 2, 7, 100, 5_000])
def test_an_overrun_uses_the_cap_and_the_rest_is_held(plain: Policy, partitions: int, cap: int) -> None:
    cluster = Cluster(capped(plain, day=cap), partitions)
    chance = random.Random(cap)
    # One partition has most of it, the others a little each.
    skewed = [0 if chance.random() < 0.8 else chance.randrange(partitions) for _ in range(3 * cap + 500)]
    run(cluster, skewed.__getitem__, len(skewed))
    total = sum(cluster.allowed)
    assert total <= cap + overshoot(cap, partitions)
    assert total + sum(cluster.held) == len(skewed)
    # What others never used of their shares is all that can be left over.
    assert total >= cap - sum(share(cap, partitions) for used in cluster.allowed if used == 0) - sum(
        max(0, share(cap, partitions) - used) for used in cluster.allowed if used
    )


def test_one_partition_with_all_the_load_gets_its_share_and_the_whole_pool(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=1_000), 12)
    run(cluster, lambda turn: 5, 3_000)
    assert cluster.allowed[5] == share(1_000, 12) + pool(1_000, 12) == 1_000 - 11 * share(1_000, 12)


def test_an_even_load_uses_the_cap_to_the_last_one(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=1_000), 12)
    run(cluster, lambda turn: turn % 12, 5_000)
    assert sum(cluster.allowed) == 1_000
    assert min(cluster.allowed) >= share(1_000, 12)


def test_who_asks_first_does_not_take_everything(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=1_200), 12)
    run(cluster, lambda turn: 0, 60)
    run(cluster, lambda turn: 1, 400)
    assert cluster.allowed == [60, 400, *[0] * 10]


def test_a_partition_asks_in_good_time_and_seldom(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=9_600), 12)
    half = share(9_600, 12) // 2
    assert half == 200
    run(cluster, lambda turn: 0, half - 1, every=10**9)
    assert cluster.asks == []
    cluster.act(0)
    asking, same_for_the_minute = values(cluster.asks)
    assert same_for_the_minute["feature"] == "cap:violence/remove/minute"
    assert asking["feature"] == "cap:violence/remove/day"
    assert asking["account_id"] == "partition:0"
    assert asking["count"] == 400
    assert asking["observed_at"] == asking["window"] == "2024-10-04T00:00:00Z"
    cluster.deliver()
    asked = 0
    for _ in range(20_000):
        cluster.act(0)
        asked += sum(ask.key.endswith(b"/day") for ask in cluster.asks)
        cluster.deliver()
    assert asked <= 5
    assert cluster.held[0] == 20_000 + half - cluster.allowed[0]


def test_messages_name_the_owner_of_the_cap_and_the_partition_that_asked(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=100), 12)
    cluster.act(7)
    cluster.act(7)
    ask, _ = cluster.asks
    cluster.ask(ask)
    (answer,) = cluster.answers
    assert (answer.partition, answer.key) == (7, b"partition:7")
    (finding,) = values(cluster.answers)
    assert finding["lease"] == {"window": "2024-10-04T00:00:00Z", "granted": 4, "left": 48, "cap": 100}


def test_what_is_asked_twice_is_leased_once(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=100), 12)
    for _ in range(2):
        cluster.act(3)
    ask, _ = cluster.asks
    cluster.ask(ask)
    cluster.ask(ask)
    first, second = cluster.answers
    assert first == second


@pytest.mark.parametrize("seed", range(12))
def test_late_lost_repeated_and_mixed_messages_lease_nothing_too_much(plain: Policy, seed: int) -> None:
    chance = random.Random(seed)
    partitions, cap = chance.choice([2, 3, 12]), chance.choice([3, 40, 900])
    cluster = Cluster(capped(plain, day=4 * cap, minute=cap), partitions)
    wanted, minutes = 6 * cap, 3
    for turn in range(wanted):
        cluster.act(
            chance.randrange(partitions) % chance.choice([1, 2, partitions]), TODAY + turn % minutes * MINUTE
        )
        for waiting, handle in ((cluster.asks, cluster.ask), (cluster.answers, cluster.answer)):
            if waiting and chance.random() < 0.3:
                message = waiting.pop(chance.randrange(len(waiting)))
                fate = chance.random()
                if fate > 0.3:
                    handle(message)
                if fate > 0.8:
                    waiting.append(message)
        if turn % 100 == 99:
            cluster.restart()
    assert sum(cluster.allowed) <= minutes * (cap + overshoot(cap, partitions))
    assert sum(cluster.allowed) + sum(cluster.held) == wanted
    assert sum(cluster.allowed) >= minutes * share(cap, partitions), "shares need nobody's answer"
    # What comes late still counts: nothing stays closed that has something left.
    before = sum(cluster.allowed)
    for turn in range(40 * cap):
        cluster.act(turn % partitions, TODAY)
        cluster.deliver()
    reached = min(cap, sum(cluster.allowed))
    assert sum(cluster.allowed) >= before
    assert reached == cap
    assert sum(cluster.allowed) <= minutes * (cap + overshoot(cap, partitions))


def test_an_answer_that_was_lost_is_asked_for_again(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=240), 12)
    while not cluster.held[0]:
        cluster.act(0)
    cluster.asks.clear()
    run(cluster, lambda turn: 0, 1_000)
    assert cluster.allowed[0] == 240 - 11 * share(240, 12)


def test_an_answer_for_a_window_that_was_forgotten_is_no_lease(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=100_000, minute=240), 12)
    for _ in range(5):
        cluster.act(0)
    waiting, cluster.asks = cluster.asks, []
    for number in range(1, 2 + KEPT["minute"]):
        for _ in range(10):
            cluster.act(0, TODAY + number * MINUTE)
    (message,) = (ask for ask in waiting if b"/minute" in ask.key)
    cluster.ask(message)
    before = cluster.breakers[0].to_json()
    cluster.answer(cluster.answers.pop())
    assert cluster.breakers[0].to_json() == before


def test_a_restart_in_the_middle_changes_nothing(plain: Policy) -> None:
    through, restarted = (Cluster(capped(plain, day=300, minute=90), 3) for _ in range(2))
    for turn in range(2_000):
        for cluster in (through, restarted):
            cluster.act(turn * turn % 3, TODAY + turn % 5 * MINUTE)
            if turn % 7 == 0:
                cluster.deliver()
        if turn % 50 == 0:
            restarted.restart()
    assert [b.to_json() for b in restarted.breakers] == [b.to_json() for b in through.breakers]
    assert (restarted.allowed, restarted.held) == (through.allowed, through.held)
    assert restarted.asks == through.asks


def test_a_raised_cap_counts_at_once_though_the_pool_was_empty(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=120), 12)
    run(cluster, lambda turn: 0, 1_000)
    assert cluster.allowed[0] == 120 - 11 * share(120, 12)
    cluster.policy = capped(plain, day=1_200)
    cluster.restart()
    run(cluster, lambda turn: 0, 4_000)
    assert cluster.allowed[0] == 1_200 - 11 * share(1_200, 12)


def test_a_lowered_cap_holds_what_was_leased_before(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=1_200), 12)
    run(cluster, lambda turn: 0, 200)
    cluster.policy = capped(plain, day=120)
    cluster.restart()
    run(cluster, lambda turn: 0, 500)
    assert cluster.allowed[0] == 200


def test_the_pool_keeps_today_whatever_is_asked_for_the_far_future(plain: Policy) -> None:
    cluster = Cluster(capped(plain, day=120), 12)
    run(cluster, lambda turn: 0, 1_000)
    spent = sum(cluster.allowed)
    for days in range(1, 2 + KEPT["day"]):
        run(cluster, lambda turn: 1, 5, now=TODAY + days * 1_000 * DAY)
    before = sum(cluster.allowed)
    run(cluster, lambda turn: 2, 1_000)
    assert sum(cluster.allowed) - before == share(120, 12)
    assert spent + share(120, 12) <= 120


@pytest.mark.parametrize(
    "change",
    [
        {"account_id": "u42"},
        {"account_id": "partition:12"},
        {"account_id": "partition:03"},
        {"account_id": "partition:-1"},
        {"feature": "cap:violence/remove/hour"},
        {"feature": "cap:violence/ban/day"},
        {"feature": "cap:nonsense/remove/day"},
        {"feature": "cap:violence"},
        {"window": None},
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_changes_nothing(
    plain: Policy, change: dict[str, str | None]
) -> None:
    cluster = Cluster(capped(plain, day=100), 12)
    while not cluster.asks:
        cluster.act(3)
    ask = cluster.asks.pop()
    assert ask.value is not None
    value = json.dumps(json.loads(ask.value) | change).encode()
    cluster.ask(type(ask)(ask.topic, ask.key, value, ask.partition))
    assert cluster.answers == []
    assert all(owner.flush() == {} for owner in cluster.caps)


@pytest.mark.parametrize("feature", ["cap:violence/remove", "cap:violence/remove/hour"])
def test_an_answer_that_makes_no_sense_leases_nothing(plain: Policy, feature: str) -> None:
    from schemas.coordination import Finding

    cluster = Cluster(capped(plain, day=100), 12)
    cluster.act(3)
    ask = {"schema_version": 1, "finding_id": "f", "feature": feature, "account_id": "partition:3"}
    assert not cluster.breakers[3].grant(
        Finding.model_validate_json(json.dumps({**ask, "observed_at": "2024-10-04T00:00:00Z"}))
    )


def test_what_was_written_before_there_were_leases_is_left_out(policy: Policy) -> None:
    breakers = Breakers([policy])
    breakers.restore([[20_000, "violence", "remove", 5]])
    assert breakers.to_json() == []
    assert breakers.allow(policy, "remove", TODAY)
