"""The share of texts that the second model may read."""

from __future__ import annotations

from worker.learned.allowance import Allowance


def test_it_starts_full_and_is_spent() -> None:
    allowance = Allowance(0.5, 2)
    assert [allowance.take() for _ in range(3)] == [True, True, False]


def test_judged_texts_earn_their_share() -> None:
    allowance = Allowance(0.03, 1)
    assert allowance.take()
    allowance.earn(33)
    assert not allowance.take()
    allowance.earn(1)
    assert allowance.take()


def test_it_never_holds_more_than_its_burst() -> None:
    allowance = Allowance(1.0, 3)
    allowance.earn(1_000_000)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]


def test_small_shares_add_up_exactly() -> None:
    together, one_by_one = Allowance(0.01, 100), Allowance(0.01, 100)
    for allowance in (together, one_by_one):
        while allowance.take():
            pass
    together.earn(1_000)
    for _ in range(1_000):
        one_by_one.earn(1)
    assert together.to_json() == one_by_one.to_json() == 10_000_000


def test_what_is_left_survives_a_restore() -> None:
    before = Allowance(0.5, 10)
    before.take()
    after = Allowance(0.5, 10)
    after.restore(before.to_json())
    assert after.to_json() == before.to_json() == 9_000_000


def test_a_restore_under_a_smaller_burst_is_bounded() -> None:
    allowance = Allowance(0.5, 1)
    allowance.restore(9_000_000)
    assert [allowance.take(), allowance.take()] == [True, False]
