"""What a profile says of the account that writes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.worker.signals.observers.helpers import NOW, account, observe, post, seen
from worker.engine.contract import Subject
from worker.signals.observers import account as account_module
from worker.signals.observers import churn
from worker.signals.observers.author import OBSERVER


def test_a_record_without_a_profile_says_nothing() -> None:
    assert observe(OBSERVER, post()) == []
    assert observe(OBSERVER, Subject("post", "1", "u1", {})) == []
    assert observe(churn.OBSERVER, post()) == []


def test_an_ordinary_account_fires_nothing() -> None:
    author = {"handle": "ann", "followers": 20, "created_at": NOW - timedelta(days=7), "follows_1h": 99}
    assert observe(OBSERVER, post(author=author)) == []
    assert observe(churn.OBSERVER, post(author=author)) == []


def test_flags_of_the_profile_are_reported() -> None:
    author = {
        "verified": True,
        "parody": True,
        "public_interest": True,
        "age_restricted": True,
        "sensitive_by_default": True,
    }
    assert seen(OBSERVER, post(author=author)) == {
        ("author.verified", "author.verified"),
        ("author.parody", "author.parody"),
        ("author.public-interest", "author.public_interest"),
        ("author.age-restricted", "author.age_restricted"),
        ("author.marks-sensitive", "author.sensitive_by_default"),
    }


@pytest.mark.parametrize("age", [timedelta(days=6, hours=23), timedelta(0), timedelta(hours=-1)])
def test_an_account_is_new_at_the_time_of_its_record(age: timedelta) -> None:
    created = {"created_at": NOW - age}
    assert seen(OBSERVER, post(author=created)) == {("author.new", "author.created_at")}
    assert seen(OBSERVER, account(created)) == {("author.new", "profile.created_at")}


def test_an_unknown_age_or_following_is_not_guessed() -> None:
    assert observe(OBSERVER, post(author={"created_at": "0001-01-01T00:00:00Z"})) == []
    assert observe(OBSERVER, post(author={"handle": "ann"})) == []


def test_few_followers_are_reported() -> None:
    assert seen(OBSERVER, post(author={"followers": 19})) == {("author.few-followers", "author.followers")}


@pytest.mark.parametrize(
    ("days", "followers", "followed"),
    [(365, 1000, True), (364, 1000, False), (365, 999, False), (365, None, False)],
)
def test_who_is_followed_for_a_year_is_reported(days: int, followers: int | None, followed: bool) -> None:
    author = {"created_at": NOW - timedelta(days=days), "followers": followers}
    hits = seen(OBSERVER, post(author=author))
    assert hits == ({("author.followed", "author.followers")} if followed else set())


def test_following_and_unfollowing_add_up() -> None:
    (hit,) = observe(churn.OBSERVER, post(author={"follows_1h": 60, "unfollows_1h": 40}))
    assert (hit.signal, hit.field) == ("author.follow-churn", "author.follows_1h")
    assert hit.detail == "60 followed, 40 unfollowed in an hour"
    assert seen(churn.OBSERVER, account({"follows_1h": 100})) == {
        ("author.follow-churn", "profile.follows_1h")
    }


def test_a_profile_always_fires_on_each_of_its_texts() -> None:
    subject = account({"handle": "ann", "bio": "hi"})
    assert seen(account_module.OBSERVER, subject) == {
        ("account.profile", "profile.handle"),
        ("account.profile", "profile.bio"),
    }
    assert seen(account_module.OBSERVER, account()) == {("account.profile", "profile")}
    assert observe(account_module.OBSERVER, post()) == []
