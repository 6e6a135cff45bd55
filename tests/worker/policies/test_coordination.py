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


def test_mourners_who_reach_nobody_but_followers_are_left_alone(story: Story) -> None:
    # Without a tag, too, the old accounts among them are told in part: else the new ones would look like all there are.
    _crowd(
        story,
        "Rest in peace to the greatest goalkeeper this city ever had, thank you for every save",
        200,
        0.15,
    )
    assert _untouched(story)


@pytest.mark.parametrize("tags", [(), ("mediaclass",)])
def test_a_class_of_new_accounts_shows_ten_posts_to_a_person(story: Story, tags: tuple[str, ...]) -> None:
    text = "Hello world, this is my first post for the media studies class of Ms Hartmann, nice to meet you"
    for number in range(26):
        story.post(f"c{number}", text, when=seconds(number * 25), profile=fresh(), hashtags=list(tags))
    assert not story.acted("remove") | story.acted("label") | story.acted("suspend")
    assert len(story.looked_at()) <= 10


def test_what_reaches_nobody_is_never_limited(story: Story) -> None:
    text = "I have joined the harbour library reading club and my goal is twenty books until September"
    for number in range(60):
        story.post(f"w{number}", text, when=seconds(number * 40), profile=fresh())
    assert not story.acted("remove") | story.acted("label") | story.acted("suspend")
    assert len(story.looked_at()) <= 10


def test_an_app_that_writes_for_its_users_shows_three_posts_a_day(story: Story) -> None:
    # Fifty minutes: the cap holds over the borders of the windows of a quarter of an hour, too.
    for number in range(100):
        profile = fresh() if number % 10 < 3 else settled()
        text = f"I just ran {number} km with Stridely along the harbour, my best run of this year so far"
        link = f"https://stridely.example/run/{number}"
        story.post(f"a{number}", text, when=seconds(number * 30), profile=profile, urls=[link])
    assert not story.acted("remove") | story.acted("label")
    assert 0 < len(story.looked_at()) <= 3


def test_a_computer_of_a_library_is_never_cleared(story: Story) -> None:
    chance = random.Random(5)
    for number in range(14):
        text = " ".join(chance.choice(HEADLINE.split()) for _ in range(8))
        story.post(f"l{number}", text, when=seconds(number * 1800), profile=fresh(), client={"device": "d:l"})
    assert not story.acted("remove") | story.acted("label") | story.acted("suspend")


def test_a_few_posts_a_day_with_one_link_are_looked_at(story: Story) -> None:
    for number in range(24):
        when = seconds(number * 6 * 3600)
        profile = {"created_at": when, "followers": 1}
        story.post(f"s{number}", f"{TEXT} {number}", when=when, profile=profile, urls=[LINK])
    assert story.looked_at()


def test_old_accounts_that_nobody_follows_are_looked_at(story: Story) -> None:
    for number in range(30):
        profile = settled(followers=number % 12)
        story.post(f"o{number}", TEXT, when=seconds(number * 40), profile=profile, urls=[LINK])
    assert story.looked_at()
    assert not story.acted("remove") | story.acted("label")
