"""What an account did is counted by the posts' own times, whatever the order, and never takes more room than stated."""

from __future__ import annotations

import json
import random

import pytest

from worker.engine.behaviour import (
    COLUMN,
    COLUMNS,
    NAMES_KEPT,
    Behaviour,
    Deed,
    add_hash,
    decode_registers,
    encode_registers,
    estimate,
)

NOON = 1_790_000_000 // 60
NOBODY: tuple[tuple[str, ...], ...] = ((), (), (), ())


def deed(text: int = 0, simhash: int = 0, unasked: bool = False, **counts: int) -> Deed:
    """A post that counts in these columns."""
    counts.setdefault("posts", 1)
    return Deed(tuple(counts.get(name, 0) for name in COLUMNS), NOBODY, text, simhash, unasked)


def mentioning(*names: str) -> Deed:
    return Deed((1, 0, 0, 0, 0, len(names), 0, 0, 0, 0, 0), (names, (), (), ()))


def counts(behaviour: Behaviour, minute: int) -> list[int]:
    return [
        behaviour.count(COLUMN[name], minute, window) for name in COLUMNS for window in (5, 60, 120, 1440)
    ]


def random_deeds(rng: random.Random, many: int, span: int) -> list[tuple[Deed, int]]:
    found = []
    for _ in range(many):
        names = tuple(
            tuple(f"{kind}{rng.randrange(30)}" for _ in range(rng.randrange(3))) for kind in range(4)
        )
        row = (1, *(rng.randrange(3) for _ in COLUMNS[1:]))
        text = rng.randrange(1, 20)
        found.append(
            (Deed(row, names, text, text * 0x1234_5678_9ABC, rng.random() < 0.5), NOON + rng.randrange(span))
        )
    return found


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_an_hour_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    deeds = random_deeds(rng, 120, 60)
    records = []
    for _ in range(4):
        behaviour = Behaviour()
        for one, minute in deeds:
            behaviour.add(one, minute)
        records.append(behaviour.to_json())
        rng.shuffle(deeds)
    assert all(record == records[0] for record in records)


@pytest.mark.parametrize("seed", range(4))
def test_reordering_within_a_minute_changes_nothing_over_days(seed: int) -> None:
    rng = random.Random(seed)
    deeds = sorted(random_deeds(rng, 1_500, 4_000), key=lambda pair: pair[1])
    once, again = Behaviour(), Behaviour()
    for one, minute in deeds:
        once.add(one, minute)
    for one, minute in sorted(deeds, key=lambda pair: (pair[1], rng.random())):
        again.add(one, minute)
    assert once.to_json() == again.to_json()


def test_windows_end_at_the_post_and_forget_what_is_older() -> None:
    behaviour = Behaviour()
    for minute in range(0, 180):
        behaviour.add(deed(replies=1), NOON + minute)
    now = NOON + 179
    assert behaviour.count(COLUMN["posts"], now, 60) in range(56, 61)
    assert behaviour.count(COLUMN["replies"], now, 5) in range(1, 6)
    assert behaviour.count(COLUMN["posts"], now, 1440) == 180
    assert behaviour.count(COLUMN["posts"], now + 26 * 60, 1440) == 0
    # Of a late post only what came before it counts.
    assert behaviour.count(COLUMN["posts"], NOON + 30, 60) <= 35


def test_what_upstream_counts_by_the_hour_is_not_added_up_within_it() -> None:
    behaviour = Behaviour()
    hour = NOON // 60 * 60
    for minute, follows in ((1, 30), (20, 90), (50, 60)):
        behaviour.add(deed(follows=follows), hour + minute)
    behaviour.add(deed(follows=40), hour + 70)
    assert behaviour.count(COLUMN["follows"], hour + 70, 1440) == 90 + 40
    assert behaviour.count(COLUMN["follows"], hour + 70, 60) == 40


@pytest.mark.parametrize("years", [-30, -1, 1, 40])
def test_a_time_far_off_destroys_no_counts(years: int) -> None:
    behaviour = Behaviour()
    for minute in range(40):
        behaviour.add(mentioning(f"m{minute}"), NOON + minute)
    before = counts(behaviour, NOON + 39)
    behaviour.add(mentioning("elsewhere"), NOON + years * 525_600)
    assert counts(behaviour, NOON + 39) == before
    assert behaviour.distinct("mentioned", NOON + 39, 120) == 40
    for minute in range(40, 200):
        behaviour.add(mentioning(f"m{minute}"), NOON + minute)
    assert behaviour.count(COLUMN["posts"], NOON + 199, 1440) == 200
    assert behaviour.count(COLUMN["posts"], NOON + 199, 60) in range(56, 61)


def test_an_account_that_comes_back_after_a_month_starts_anew() -> None:
    behaviour = Behaviour()
    for minute in range(0, 600, 10):
        behaviour.add(mentioning(f"m{minute}"), NOON + minute)
    for hour in range(3):
        behaviour.add(mentioning("m"), NOON + 43_200 + hour * 60)
    assert len(behaviour.hours) == 3
    assert behaviour.distinct("mentioned", NOON + 43_200 + 120, 1440) == 1
    assert len(json.dumps(behaviour.to_json())) < 600


def test_distinct_names_are_exact_while_few_and_estimated_when_many() -> None:
    behaviour = Behaviour()
    start = NOON // 1440 * 1440 + 10
    for number in range(NAMES_KEPT):
        behaviour.add(mentioning(f"u{number}", f"u{number}"), start + number)
    assert behaviour.distinct("mentioned", start + NAMES_KEPT, 1440) == NAMES_KEPT
    for number in range(NAMES_KEPT, 500):
        behaviour.add(mentioning(f"u{number}"), start + number)
    assert behaviour.distinct("mentioned", start + 500, 1440) == pytest.approx(500, rel=0.2)
    assert behaviour.distinct("mentioned", start + 499, 60) == 60


@pytest.mark.parametrize("many", [1, 10, 100, 300, 1_000, 10_000, 100_000])
def test_the_estimate_is_within_three_standard_errors(many: int) -> None:
    registers = bytearray(256)
    for number in range(many):
        add_hash(registers, number * 2_654_435_761 & 0xFFFFFFFF)
    assert estimate(registers) == pytest.approx(many, rel=0.2, abs=1.5)
    assert decode_registers(encode_registers(registers)) == registers
    merged = bytearray(registers)
    for number in range(many):  # what was counted once is not counted again
        add_hash(merged, number * 2_654_435_761 & 0xFFFFFFFF)
    assert merged == registers


def test_nearly_the_same_texts_are_counted_together() -> None:
    behaviour = Behaviour()
    base = 0x0F0F_0F0F_0F0F_0F0F
    near = [base ^ (1 << bit) ^ (1 << (bit + 20)) for bit in range(10)]
    for number, simhash in enumerate(near):
        behaviour.add(deed(text=number + 1, simhash=simhash, unasked=number % 2 == 0), NOON + number)
    behaviour.add(deed(text=99, simhash=~base & (1 << 64) - 1), NOON + 20)
    last = deed(text=5, simhash=near[4])
    assert behaviour.alike(last, NOON + 20, 1440) == (10, 5)
    assert behaviour.same(5, NOON + 20, 1440) == (1, 1)
    assert behaviour.alike(last, NOON + 20 + 26 * 60, 1440) == (0, 0)


def test_the_record_is_bounded_whatever_the_account_does() -> None:
    behaviour, rng = Behaviour(), random.Random(1)
    for number in range(6_000):
        names = tuple(tuple(f"{kind}:{number}:{n}" for n in range(8)) for kind in range(4))
        row = (1, *(rng.randrange(400) for _ in COLUMNS[1:]))
        one = Deed(row, names, rng.randrange(1 << 63, 1 << 64), rng.randrange(1 << 63, 1 << 64), True)
        if number % 3 == 0:  # texts that come again
            one = one._replace(text=(1 << 64) - number % 40 - 1)
        behaviour.add(one, NOON + number)
        behaviour.mark(f"behaviour.limit-{number % 40}", NOON + number)
    assert len(json.dumps(behaviour.to_json(), separators=(",", ":"))) < 24_000


def test_a_quiet_account_is_small() -> None:
    behaviour = Behaviour()
    for hour in range(0, 24 * 30, 8):
        behaviour.add(deed(text=1 << 63 | hour, simhash=1 << 63 | hour * 7), NOON + hour * 60)
    assert len(json.dumps(behaviour.to_json(), separators=(",", ":"))) < 600


@pytest.mark.parametrize("seed", range(3))
def test_a_record_that_was_stored_goes_on_as_if_it_had_not_been(seed: int) -> None:
    deeds = random_deeds(random.Random(seed), 200, 3_000)
    one, other = Behaviour(), Behaviour()
    for deed_, minute in deeds:
        one.add(deed_, minute)
        other.add(deed_, minute)
        one.mark("behaviour.x", minute)
        other.mark("behaviour.x", minute)
        other = Behaviour.from_json(json.loads(json.dumps(other.to_json())))
    assert one.to_json() == other.to_json()
    assert Behaviour.from_json(None).to_json() == {}
