"""What shows an item is sent along or remembered, and of a profile the newest counts."""

from __future__ import annotations

from functools import lru_cache

import pytest

from tests.worker.engine.helpers import CACHE, Feed, at, outputs
from tests.worker.engine.media import (
    MEDIA,
    PDQ,
    acts,
    found,
    in_force,
    picture,
    profile,
    restored,
    run,
    shown,
    strikes,
)
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack, load_pack


@lru_cache(maxsize=1)
def loaded() -> Pack:
    return load_pack(MEDIA, cache_dir=CACHE)


@pytest.fixture
def media_pack() -> Pack:
    return loaded()


@pytest.fixture
def judge(media_pack: Pack) -> PartitionJudge:
    return PartitionJudge(media_pack, 0, publish_all=True)


# ------------------------------------------------------------------ without context


def test_without_context_the_account_remembers_what_the_item_stood_in(
    judge: PartitionJudge, feed: Feed
) -> None:
    post = shown("realword", picture(placement="header"))
    batches = run(judge, feed, post)
    other = restored(judge, batches)
    made, placed = found(provenance={"ai_generated": True}), found(scores={"nudity": 0.95})
    (removal,) = run(other, feed, made)
    assert acts(removal) == [("remove", "post:1", "synthetic-media", None)]
    (removal,) = run(judge, feed, placed)
    assert acts(removal) == [("remove", "post:1", "sensitive-media", None)]


def test_the_memory_is_bounded_and_ends_with_deletion_and_time(judge: PartitionJudge, feed: Feed) -> None:
    long = [picture(f"m{n}" * 40, alt_text="x" * 20_000, transcript="y" * 5_000) for n in range(20)]
    posts = [shown("z" * 25_000, *long, post_id=f"p{n}", when=at(seconds=n)) for n in range(40)]
    run(judge, feed, *posts)
    media = judge.accounts.get("u1").media
    assert list(media["posts"]) == [f"p{n}" for n in range(24, 40)]
    assert len(judge.accounts.get("u1").to_bytes()) < 100_000
    run(judge, feed, shown("", post_id="p39", when=at(seconds=50)) | {"deleted": True})
    assert "p39" not in media["posts"]
    run(judge, feed, shown(post_id="new", when=at(25)))
    assert list(media["posts"]) == ["new"]


def test_without_context_and_memory_the_item_alone_is_judged(judge: PartitionJudge, feed: Feed) -> None:
    (judged,) = run(judge, feed, found(provenance={"ai_generated": True}))
    assert acts(judged) == [("label", "post:1", "synthetic-media", "manipulated-media")]


def test_a_post_that_comes_later_is_judged_with_what_was_found_before(
    judge: PartitionJudge, feed: Feed
) -> None:
    first = run(judge, feed, found(provenance={"ai_generated": True}))
    other = restored(judge, first)
    for owner in (judge, other):
        (removal,) = run(owner, feed, shown("realword"))
        assert acts(removal) == [("remove", "post:1", "synthetic-media", None)]
        assert outputs(removal, "enforcement.remove")[0]["record"]["topic"] == "posts"


def test_context_that_is_another_accounts_is_not_believed(judge: PartitionJudge, feed: Feed) -> None:
    foreign = shown("realword", author="u2")
    signals = found(foreign, provenance={"ai_generated": True}) | {"account_id": "u1"}
    (judged,) = run(judge, feed, signals)
    assert acts(judged) == [("label", "post:1", "synthetic-media", "manipulated-media")]


# ------------------------------------------------------------------ profiles


def test_a_picture_and_a_name_together_are_an_impersonation(judge: PartitionJudge, feed: Feed) -> None:
    account = profile(profile={"display_name": "Harbour Example Bank"}, avatar=picture("a1"))
    hashes = {"pdq": PDQ, "pdq_quality": 90}
    before, after = run(judge, feed, account, found(account, "a1", hashes=hashes, kind="image"))
    assert {(kind, subject) for kind, subject, *_ in acts(before)} == {
        ("remove", "profile_field:u1/display_name")
    }
    assert {(kind, subject) for kind, subject, *_ in acts(after)} == {("remove", "profile_field:u1/avatar")}
    assert strikes(judge) == 2  # for the name; the picture is the same offence
    (decision,) = outputs(after, "decisions")
    assert decision["subject"] == {"type": "profile_field", "id": "u1/avatar"}


@pytest.mark.parametrize("first", ["account", "signals"])
def test_profiles_come_to_the_same_in_both_orders(judge: PartitionJudge, feed: Feed, first: str) -> None:
    account = profile(profile={"display_name": "Harbour Example Bank"}, avatar=picture("a1"))
    signals = found(account, "a1", hashes={"pdq": PDQ, "pdq_quality": 90}, scores={"nudity": 0.95})
    run(judge, feed, *((account, signals) if first == "account" else (signals, account)))
    assert in_force(judge) == {
        ("remove", "profile_field", "u1/display_name", ""),
        ("remove", "profile_field", "u1/avatar", ""),
    }
    assert strikes(judge) == 2


def test_a_picture_that_was_replaced_is_not_removed(judge: PartitionJudge, feed: Feed) -> None:
    old = profile(avatar=picture("a1"))
    new = profile(at(seconds=2), avatar=picture("a2"))
    *_, last = run(judge, feed, old, new, found(old, "a1", scores={"nudity": 0.95}))
    assert outputs(last, "decisions")[0]["outcome"] == "clear"


def test_the_same_picture_of_a_newer_profile_is_removed_once(judge: PartitionJudge, feed: Feed) -> None:
    old = profile(avatar=picture("a1"))
    new = profile(at(seconds=2), avatar=picture("a1"), profile={"bio": "new"})
    *_, first, second = run(
        judge,
        feed,
        old,
        new,
        found(old, "a1", scores={"nudity": 0.95}),
        found(new, "a1", scores={"nudity": 0.95}, when=at(seconds=9)),
    )
    assert acts(first) == [("remove", "profile_field:u1/avatar", "sensitive-media", None)]
    assert acts(second) == []


def test_without_context_the_profile_is_remembered(judge: PartitionJudge, feed: Feed) -> None:
    account = profile(header=picture("h1"))
    bare = found(None, "h1", post_id=None, field="header", scores={"nudity": 0.95})
    _, after = run(judge, feed, account, bare)
    assert acts(after) == [("remove", "profile_field:u1/header", "sensitive-media", None)]
