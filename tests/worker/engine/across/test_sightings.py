"""What the owner of a feature remembers: bounded, and the same after it was written and read."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.engine.across.limits import Coordination, Returns
from worker.engine.across.shelf import Shelf
from worker.engine.across.sightings import Sighting, Sightings
from worker.engine.state import DAY


def _sighting(number: int, time: int = 0, simhash: int = 7, account: str | None = None) -> Sighting:
    name = f"u{number}" if account is None else account
    return Sighting(f"o{number}", name, f"p{number}", time, simhash, "fresh", "a.example", 1, 12)


def test_what_was_written_is_read_again() -> None:
    entry = Sightings()
    for number in range(100):
        entry.add(_sighting(number, number, (1 << 64) - 1 - number), -1)
    entry.tell("p/u1", 0.9, 5)
    entry.suspend("0123", 7, 90)
    assert entry.spend("p/0", 3, 2)
    again = Sightings.from_bytes(entry.to_bytes())
    assert again == entry
    assert again.to_bytes() == entry.to_bytes()
    assert Sightings.from_bytes(Sightings().to_bytes()) == Sightings()


def test_sixty_four_accounts_are_remembered_and_the_others_estimated() -> None:
    entry = Sightings()
    for number in range(5000):
        entry.add(_sighting(number, number), -1)
    assert len(entry.seen) == 64
    assert entry.seen[0].account == "u4936"
    assert 4000 < entry.accounts < 6000
    assert len(entry.to_bytes()) < 10_000


def test_the_estimate_ends_with_its_window() -> None:
    entry = Sightings()
    for number in range(100):
        entry.add(_sighting(number, number), -1)
    entry.add(_sighting(200, 10 * DAY), 9 * DAY)
    assert entry.accounts == 1


def test_of_one_account_and_text_the_latest_is_kept_whatever_the_order() -> None:
    both = [_sighting(1, 10, account="u"), _sighting(2, 20, account="u")]
    for order in (both, both[::-1]):
        entry = Sightings()
        for sighting in order:
            entry.add(sighting, -1)
        assert entry.seen == [both[1]]
    assert not entry.add(both[1], -1), "known already"
    entry.add(_sighting(3, 30, simhash=0xFFFFFFFF, account="u"), -1)
    assert len(entry.seen) == 2, "another text with the same sketch"


def test_what_is_spent_comes_back_with_the_next_window() -> None:
    entry = Sightings()
    assert [entry.spend("row", 1, 2) for _ in range(3)] == [True, True, False]
    assert entry.spend("other", 1, 2)
    assert entry.spend("row", 2, 2)


def _shelf(limit: int) -> Shelf[Sightings]:
    return Shelf(limit, Sightings, Sightings.from_bytes)


def _touch(shelf: Shelf[Sightings], feature: str, *, suspended: bool = False) -> None:
    entry = shelf.touch(feature)
    entry.add(_sighting(1), -1)
    if suspended:
        entry.suspend("x", 1, 90)
    shelf.put_back(feature, entry)


def test_the_least_recently_touched_goes_first_with_a_tombstone() -> None:
    shelf = _shelf(3)
    for feature in ("a", "b", "c"):
        _touch(shelf, feature)
    shelf.flush()
    _touch(shelf, "a")
    _touch(shelf, "d")
    assert shelf.flush().keys() == {b"f:a", b"f:b", b"f:d"}
    assert shelf.get("b") is None
    assert len(shelf) == 3


def test_what_belongs_to_a_suspended_account_is_not_pushed_out_by_what_is_merely_new() -> None:
    shelf = _shelf(4)
    _touch(shelf, "old", suspended=True)
    for number in range(50):
        _touch(shelf, f"n{number}")
    entry = shelf.get("old")
    assert entry is not None
    assert entry.suspended
    for number in range(5):
        _touch(shelf, f"s{number}", suspended=True)
    assert shelf.get("old") is None, "but half of the room is the most that they take"
    assert len(shelf) == 4


def test_a_restored_shelf_lets_go_of_the_same_as_the_old_one() -> None:
    def fill(shelf: Shelf[Sightings], numbers: range) -> None:
        for number in numbers:
            _touch(shelf, f"f{number * 7 % 23}", suspended=number % 11 == 0)

    topic: dict[bytes, bytes | None] = {}
    old = _shelf(8)
    for start in range(0, 60, 5):
        fill(old, range(start, start + 5))
        for key, value in old.flush().items():
            topic.pop(key, None)
            topic[key] = value
    new = _shelf(8)
    for key, value in topic.items():
        new.restore(key.decode()[2:], value)
    fill(old, range(60, 100))
    fill(new, range(60, 100))
    assert new.flush() == old.flush()


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": 65},
        {"accounts": 1},
        {"window_minutes": 7 * 24 * 60 + 1},
        {"others": 0.9},
        {"feature": "domain", "linked": True},
        {"feature": "colour"},
        {"fresh": 1.1},
    ],
)
def test_a_row_that_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    row = {"feature": "text", "window_minutes": 60, "accounts": 5, "score": 0.8}
    Coordination.model_validate(row)
    with pytest.raises(ValidationError):
        Coordination.model_validate({**row, **wrong})


def test_a_return_among_others_is_never_surer_than_alone() -> None:
    with pytest.raises(ValidationError, match="among"):
        Returns.model_validate({"feature": "device", "accounts": 3, "score": 0.5, "among": 0.6})


def test_what_may_follow_is_counted_for_each_window_whatever_the_order() -> None:
    entry = Sightings()
    taken = [entry.spend("p/0", bucket, 3) for _ in range(10) for bucket in (7, 8)]
    assert sum(taken) == 6  # one cluster reaches over the border of two windows
    entry = Sightings.from_bytes(entry.to_bytes())
    assert not entry.spend("p/0", 7, 3)
    assert [entry.spend("p/0", bucket, 3) for bucket in (9, 10, 11)] == [True] * 3
    assert not entry.spend("p/0", 7, 3)  # forgotten, and so nothing is left of it
    assert entry.spend("p/0", 1 << 40, 3)  # a clock from the far future takes one place only
    assert entry.spend("p/0", 10, 3)
    assert len(entry.spent["p/0"]) == 4
