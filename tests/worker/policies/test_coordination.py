"""The shipped limits: campaigns and returns that they catch, and crowds of people that they leave alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.worker.engine.across.helpers import LINK, TEXT, Story, fresh, seconds, settled
from tests.worker.engine.helpers import CACHE, at
from worker.engine.registry import Pack, load_pack

HEADLINE = "Harbour bridge reopens after nine months of repairs and the mayor promises no further delays"
PETITION = "I have just signed to keep the night trains running because our town needs them, join me today"


@pytest.fixture(scope="module")
def shipped() -> Pack:
    only = ["platform-manipulation", "enforcement-circumvention", "hateful-conduct"]
    return load_pack(cache_dir=CACHE, models=False, only=only)


@pytest.fixture
def story(shipped: Pack) -> Story:
    return Story(shipped)


def _crowd(story: Story, text: str, accounts: int, share_new: float, gap: float = 2, **more: Any) -> None:
    """Accounts of all ages and sizes, of which a share is new, post the same text."""
    chance = random.Random(11)
    for number in range(accounts):
        if chance.random() < share_new:
            profile = fresh(followers=chance.randrange(0, 60))
        else:
            year = chance.randrange(2009, 2026)
            profile = settled(
                created_at=f"{year}-03-01T00:00:00Z", followers=int(chance.lognormvariate(5, 1.5))
            )
        story.post(f"p{number}", text, when=seconds(number * gap), profile=profile, **more)


def _untouched(story: Story) -> bool:
    return not (story.acted("label") | story.acted("remove") | story.acted("suspend") | story.looked_at())


def test_new_accounts_that_push_a_link_are_removed(story: Story) -> None:
    for number in range(12):
        story.post(
            f"bot{number}", f"{TEXT} {number}", when=seconds(number * 60), profile=fresh(), urls=[LINK]
        )
    assert story.acted("remove") == {f"bot{number}" for number in range(12)}


def test_new_accounts_without_a_link_are_never_removed(story: Story) -> None:
    for number in range(40):
        story.post(f"bot{number}", f"{TEXT} {number}", when=seconds(number * 20), profile=fresh())
    assert not story.acted("remove")
    assert not story.acted("suspend")
    assert story.values("findings")


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (HEADLINE, {"urls": ["https://www.bbc.co.uk/news/uk-1"]}),
        (PETITION, {"urls": ["https://www.change.org/p/night-trains"]}),
        ("We dance until the morning light forgets our names tonight, oh darling never let me go", {}),
        ("Rest in peace to the greatest goalkeeper this city ever had, thank you for every save", {}),
        ("Thunderstorm warning for the northern coast until midnight, stay inside and away from trees", {}),
        ("Happy new year to everyone here, health and happiness to you and your families", {}),
        ("Knock knock, who is there, it is the printer again and it still wants cyan for a grey page", {}),
    ],
)
def test_crowds_of_people_are_left_alone(story: Story, text: str, more: dict[str, Any]) -> None:
    _crowd(story, text, 150, 0.15, hashtags=["one"], **more)
    assert _untouched(story)


def test_a_crowd_with_an_unusual_link_shows_three_posts_to_a_person(story: Story) -> None:
    _crowd(story, PETITION, 150, 0.1, urls=["https://night-trains.example.org/sign"])
    assert not story.acted("remove") | story.acted("label")
    assert 0 < len(story.looked_at()) <= 3


def test_ordinary_posts_of_new_accounts_are_left_alone(story: Story) -> None:
    chance = random.Random(3)
    words = [
        "".join(chance.choice("bdklmnrst") + chance.choice("aeiou") for _ in range(3)) for _ in range(300)
    ]
    for number in range(200):
        text = " ".join(chance.choice(words) for _ in range(12))
        story.post(f"n{number}", text, when=seconds(number * 5), profile=fresh())
    assert _untouched(story)


def test_a_return_on_the_same_device_is_met_with_a_check(story: Story) -> None:
    # What suspends is another policy's matter: the owner of the device is told directly.
    observation = {
        "schema_version": 1,
        "observation_id": "o1",
        "feature": "device:d:1",
        "account_id": "old",
        "observed_at": at(),
        "enforcement": "suspended",
    }
    story.send("observations", "device:d:1", observation)
    new = {"created_at": at(2), "followers": 0}
    story.post("new", "hello there", 1, at(3), profile=new, client={"device": "d:1"})
    (action,) = story.values("enforcement.suspend")
    assert (action["account_id"], action["mode"]) == ("new", "verify")
    assert action["policy"] == "enforcement-circumvention"
