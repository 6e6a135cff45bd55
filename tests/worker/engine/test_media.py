"""What is found in media counts where it stands, once, whatever came first."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.engine.helpers import CACHE, Feed, at, outputs
from tests.worker.engine.media import (
    LICENSED,
    MEDIA,
    acts,
    found,
    in_force,
    match,
    picture,
    profile,
    record_of,
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


# ------------------------------------------------------------------ what counts


def test_what_a_classifier_finds_is_acted_on_as_if_the_post_had_carried_it(
    judge: PartitionJudge, feed: Feed
) -> None:
    post = shown()
    before, after = run(judge, feed, post, found(post, scores={"nudity": 0.95}, classifier="example-1"))
    assert acts(before) == []
    assert acts(after) == [("label", "post:1", "sensitive-media", "sensitive-media")]
    (decision,) = outputs(after, "decisions")
    assert decision["subject"] == {"type": "media", "id": "1/m1"}
    assert decision["record"]["topic"] == "media.signals"
    (label,) = outputs(after, "enforcement.label")
    assert label["post_id"] == "1"
    assert label["decided_at"] == at(seconds=5)
    details = {item["signal"]: item["detail"] for item in label["evidence"]}
    assert details["media.nudity"] == "example-1"
    assert {item["field"] for item in label["evidence"]} == {"media[0]"}


def test_the_id_of_the_action_is_that_of_the_post_carrying_the_scores_itself(
    media_pack: Pack, feed: Feed
) -> None:
    carried = run(PartitionJudge(media_pack, 0), feed, shown("hello", picture(scores={"nudity": 0.95})))[0]
    later = run(PartitionJudge(media_pack, 0), feed, post := shown(), found(post, scores={"nudity": 0.95}))[1]
    ids = [outputs(judged, "enforcement.label")[0]["action_id"] for judged in (carried, later)]
    assert ids[0] == ids[1]


def test_words_alone_are_not_judged_again(judge: PartitionJudge, feed: Feed) -> None:
    post = shown("badword")
    first, second = run(judge, feed, post, found(post, scores={"nudity": 0.1}))
    assert acts(first) == [("remove", "post:1", "abuse-harassment", None)]
    assert outputs(second, "decisions")[0]["outcome"] == "clear"
    assert [output.topic for output in second.outputs] == ["decisions"]


def test_words_and_media_count_together(judge: PartitionJudge, feed: Feed) -> None:
    made = {"digital_source_type": "trainedAlgorithmicMedia", "generator": "Example Maker"}
    silent, said = shown("hello"), shown("realword", post_id="2")
    _, label, _, removal = run(
        judge, feed, silent, found(silent, provenance=made), said, found(said, provenance=made)
    )
    assert acts(label) == [("label", "post:1", "synthetic-media", "manipulated-media")]
    assert acts(removal) == [("remove", "post:2", "synthetic-media", None)]
    (action,) = outputs(removal, "enforcement.remove")
    details = {item["detail"] for item in action["evidence"] if item["signal"] == "media.ai-generated"}
    assert details == {"source type trainedAlgorithmicMedia, Example Maker"}


@pytest.mark.parametrize(
    ("opinion", "outcome"), [("confirmed", "violation"), ("seed", "review"), (None, "review")]
)
def test_a_confirmed_match_is_acted_on_and_a_seed_is_looked_at(
    judge: PartitionJudge, feed: Feed, opinion: str | None, outcome: str
) -> None:
    post = shown()
    entry = match("sensitive-media", share=0.87, kind="vpdq") | {"opinion": opinion}
    _, after = run(judge, feed, post, found(post, matches=[entry]))
    (decision,) = outputs(after, "decisions")
    assert decision["outcome"] == outcome
    (verdict,) = decision["verdicts"]
    details = {item["signal"]: item["detail"] for item in verdict["evidence"]}
    assert details["hash.sensitive-media"] == "bank made-up, 87 % of frames"
    assert bool(acts(after)) == (outcome == "violation")
    assert len(outputs(after, "review.queue")) == (outcome == "review")


def test_a_match_filed_under_no_policy_of_ours_is_ignored(judge: PartitionJudge, feed: Feed) -> None:
    post = shown()
    _, after = run(
        judge, feed, post, found(post, matches=[match("no-such-policy"), match("x") | {"policy": None}])
    )
    assert outputs(after, "decisions")[0]["outcome"] == "clear"


def test_of_two_scores_the_higher_counts_and_what_the_post_says_of_the_item_stays(
    judge: PartitionJudge, feed: Feed
) -> None:
    post = shown("hello", picture(kind="live_video", placement="profile", scores={"nudity": 0.95}))
    before, after = run(judge, feed, post, found(post, kind="video", scores={"nudity": 0.2, "gore": 0.99}))
    assert acts(before) == [("remove", "post:1", "sensitive-media", None)]
    assert acts(after) == []  # the post is removed already
    (decision,) = outputs(after, "decisions")
    assert {v["policy"] for v in decision["verdicts"]} == {"sensitive-media", "abuse-harassment"}


def test_a_consent_by_file_holds_for_the_hash_that_was_found(judge: PartitionJudge, feed: Feed) -> None:
    own, other = shown(author="licensed"), shown(post_id="2")
    hashes = {"sha256": LICENSED.upper()}
    _, licensed, _, removed = run(
        judge,
        feed,
        own,
        found(own, matches=[match("copyright")], hashes=hashes),
        other,
        found(other, matches=[match("copyright")], hashes=hashes),
    )
    assert outputs(licensed, "decisions")[0]["outcome"] == "clear"
    assert acts(removed) == [("remove", "post:2", "copyright", None)]


# ------------------------------------------------------------------ once


def test_the_same_signals_twice_are_a_duplicate(judge: PartitionJudge, feed: Feed) -> None:
    post = shown()
    signals = found(post, scores={"gore": 0.95})
    _, first, second = run(judge, feed, post, signals, signals | {"observed_at": at(seconds=9)})
    assert len(acts(first)) == 1
    assert [output.topic for output in second.outputs] == ["decisions"]
    assert outputs(second, "decisions")[0]["outcome"] == "duplicate"
    assert strikes(judge) == 1


@pytest.mark.parametrize("first", ["post", "signals"])
def test_words_and_media_of_one_post_are_one_strike_and_no_repetition(
    judge: PartitionJudge, feed: Feed, first: str
) -> None:
    post = shown("badword")
    signals = found(post, scores={"gore": 0.95})
    batches = run(judge, feed, *((post, signals) if first == "post" else (signals, post)))
    assert [acts(judged) for judged in batches] == [[("remove", "post:1", "abuse-harassment", None)], []]
    assert strikes(judge) == 1
    assert ("suspend", "account", "u1", "read_only") not in in_force(judge)


def test_the_next_post_is_a_repetition(judge: PartitionJudge, feed: Feed) -> None:
    one, two = shown(), shown(post_id="2", when=at(0.1))
    *_, last = run(
        judge,
        feed,
        one,
        found(one, scores={"gore": 0.9}),
        two,
        found(two, scores={"gore": 0.9}, when=at(0.2)),
    )
    assert ("suspend", "account:u1", "abuse-harassment", "read_only") in acts(last)
    assert strikes(judge) == 2


@pytest.mark.parametrize("first", ["post", "signals"])
def test_a_first_offence_is_warned_of_once(judge: PartitionJudge, feed: Feed, first: str) -> None:
    post = shown("realword", picture(provenance={"ai_generated": True}))
    signals = found(post, provenance={"digital_source_type": "trainedAlgorithmicMedia"})
    batches = run(judge, feed, *((post, signals) if first == "post" else (signals, post)))
    assert [notice["kind"] for judged in batches for notice in outputs(judged, "notices")] == ["warning"]
    assert strikes(judge) == 0


@pytest.mark.parametrize("first", ["post", "signals"])
def test_a_person_is_asked_once(judge: PartitionJudge, feed: Feed, first: str) -> None:
    post = shown("hello", picture(scores={"gore": 0.5}))
    signals = found(post, scores={"gore": 0.6})
    batches = run(judge, feed, *((post, signals) if first == "post" else (signals, post)))
    assert [len(outputs(judged, "review.queue")) for judged in batches] == [1, 0]


def test_above_the_quota_a_person_looks_and_is_asked_once(judge: PartitionJudge, feed: Feed) -> None:
    posts = [shown(post_id=str(n), author=f"u{n}") for n in range(4)]
    signals = [found(post, matches=[match("copyright")]) for post in posts]
    batches = run(judge, feed, *posts, *signals, signals[3] | {"scores": {"nudity": 0.1}})[4:]
    assert [len(acts(judged)) for judged in batches] == [1, 1, 0, 0, 0]
    reasons = [[item["reason"] for item in outputs(judged, "review.queue")] for judged in batches]
    assert reasons == [[], [], ["breaker"], ["breaker"], []]


def test_zero_tolerance_is_shown_to_a_person_once(judge: PartitionJudge, feed: Feed) -> None:
    post = shown("hello", picture(), picture("m2"))
    one = found(post, matches=[match("child-sexual-exploitation")])
    two = found(post, "m2", matches=[match("child-sexual-exploitation")])
    _, first, second = run(judge, feed, post, one, two)
    assert {kind for kind, *_ in acts(first)} == {"remove", "suspend"}
    assert [item["reason"] for item in outputs(first, "review.queue")] == ["zero_tolerance"]
    assert acts(second) == []
    assert outputs(second, "review.queue") == []


# ------------------------------------------------------------------ what nothing may follow from


def test_nothing_follows_for_a_deleted_post(judge: PartitionJudge, feed: Feed) -> None:
    post = shown()
    deletion = shown("", when=at(seconds=2)) | {"deleted": True, "media": []}
    *_, known, alone = run(
        judge, feed, post, deletion, found(post, scores={"gore": 0.99}), found(scores={"gore": 0.99})
    )
    assert [outputs(judged, "decisions")[0]["outcome"] for judged in (known, alone)] == ["clear", "clear"]
    assert in_force(judge) == set()


def test_nothing_follows_for_an_item_that_an_edit_took_away(judge: PartitionJudge, feed: Feed) -> None:
    post = shown()
    edit = shown("hello", picture("m2"), when=at(seconds=2)) | {"edit_of": "1"}
    *_, last = run(judge, feed, post, edit, found(post, scores={"gore": 0.99}))
    assert outputs(last, "decisions")[0]["outcome"] == "clear"


def test_nothing_follows_for_an_erased_account_and_nothing_is_remembered(
    judge: PartitionJudge, feed: Feed
) -> None:
    post = shown()
    batches = run(judge, feed, post, profile(at(seconds=2), deleted=True), found(post, scores={"gore": 0.99}))
    assert outputs(batches[-1], "decisions")[0]["outcome"] == "clear"
    assert "u1" not in judge.accounts
    other = restored(judge, batches)
    (again,) = run(other, feed, found(post, scores={"gore": 0.98}))
    assert outputs(again, "decisions") == []
    assert "u1" not in other.accounts


def test_what_a_moderator_decided_stays(judge: PartitionJudge, feed: Feed) -> None:
    post = shown("hello", picture(scores={"gore": 0.5}))
    (judged,) = run(judge, feed, post)
    (item,) = outputs(judged, "review.queue")
    review = {
        "schema_version": 1, "review_id": "v1", "reviewer_id": "mod:3", "account_id": "u1",
        "item_id": item["item_id"], "outcome": "dismiss", "created_at": at(seconds=3),
    }  # fmt: skip
    judge.judge([feed.record("reviews", review)])
    (after,) = run(judge, feed, found(post, scores={"gore": 0.99}))
    assert acts(after) == []
    assert in_force(judge) == set()


@pytest.mark.parametrize("first", ["post", "signals"])
def test_nobody_at_risk_is_punished_for_their_media(judge: PartitionJudge, feed: Feed, first: str) -> None:
    post = shown("sorrowword")
    signals = found(post, scores={"gore": 0.99})
    batches = run(judge, feed, *((post, signals) if first == "post" else (signals, post)))
    assert [acts(judged) for judged in batches] == [[], []]
    reasons = [item["reason"] for judged in batches for item in outputs(judged, "review.queue")]
    assert sorted(reasons) == ["at_risk", "uncertain"]
    supports = [n for judged in batches for n in outputs(judged, "notices") if n["kind"] == "support"]
    assert len(supports) == 1


def test_what_protects_others_is_done_all_the_same(judge: PartitionJudge, feed: Feed) -> None:
    post = shown("sorrowword")
    _, after = run(judge, feed, post, found(post, matches=[match("child-sexual-exploitation")]))
    assert ("remove", "post:1", "child-sexual-exploitation", None) in acts(after)


@pytest.mark.parametrize("first", ["post", "signals"])
def test_whom_the_public_knows_only_a_person_suspends(judge: PartitionJudge, feed: Feed, first: str) -> None:
    known = {"verified": True, "public_interest": True}
    (one,) = run(judge, feed, shown("badword", post_id="0", when=at(-1)))
    post = shown() | {"author": known}
    signals = found(post, scores={"gore": 0.99})
    batches = run(judge, feed, *((post, signals) if first == "post" else (signals, post)))
    assert acts(one)
    assert {act[0] for judged in batches for act in acts(judged)} == {"remove"}
    proposed = [i["proposed"]["kind"] for judged in batches for i in outputs(judged, "review.queue")]
    assert proposed == ["suspend"]


# ------------------------------------------------------------------ whatever the order

TEXTS = st.sampled_from(["hello", "badword", "realword", "badword realword", "sorrowword"])
FOUND = st.fixed_dictionaries(
    {},
    optional={
        "scores": st.dictionaries(st.sampled_from(["nudity", "gore"]), st.sampled_from([0.2, 0.5, 0.95])),
        "provenance": st.just({"ai_generated": True}),
        "matches": st.lists(
            st.builds(
                match,
                st.sampled_from(["sensitive-media", "child-sexual-exploitation"]),
                st.sampled_from(["seed", "confirmed"]),
            ),
            max_size=2,
        ),
    },
)


# 0 is the post, 1 and 2 are its signals, which may come again.
ORDERS = st.lists(st.sampled_from([1, 2]), max_size=2).flatmap(lambda more: st.permutations([0, 1, 2, *more]))


def judged_in(order: list[int], records: list[dict[str, Any]]) -> PartitionJudge:
    """The owner after one batch in this order; nothing was done twice, and a restart forgets nothing."""
    feed, judge = Feed(), PartitionJudge(loaded(), 0)
    batch = judge.judge([record_of(feed, records[place]) for place in order])
    assert in_force(restored(judge, [batch])) == in_force(judge)
    kinds = ("label", "remove", "suspend")
    ids = [action["action_id"] for kind in kinds for action in outputs(batch, f"enforcement.{kind}")]
    assert len(ids) == len(set(ids))
    assert strikes(judge) <= 1
    return judge


@settings(max_examples=100, deadline=None)
@given(TEXTS, FOUND, FOUND, ORDERS)
def test_the_same_is_in_force_whatever_the_order(
    text: str, first: Any, second: Any, order: list[int]
) -> None:
    post = shown(text, picture(), picture("m2"))
    records = [post, found(post, "m1", **first), found(post, "m2", **second)]
    assert in_force(judged_in(order, records)) == in_force(judged_in([0, 1, 2], records))


@settings(max_examples=60, deadline=None)
@given(TEXTS.filter(lambda text: text != "sorrowword"), FOUND, FOUND, ORDERS)
def test_without_context_at_most_a_label_of_the_item_alone_is_left(
    text: str, first: Any, second: Any, order: list[int]
) -> None:
    post = shown(text, picture(), picture("m2"))
    records = [post, found(None, "m1", **first), found(None, "m2", **second)]
    actual, expected = in_force(judged_in(order, records)), in_force(judged_in([0, 1, 2], records))
    assert expected <= actual
    assert {kind for kind, *_ in actual - expected} <= {"label"}


def test_what_says_nothing_new_is_not_measured(judge: PartitionJudge) -> None:
    def subject(**more: Any) -> bool:
        begun: Any = judge.begin([record_of(Feed(), found(shown(), **more))])
        return bool(begun.subjects != [None])

    hashes = {"sha256": LICENSED, "pdq": "f0" * 32, "pdq_quality": 90}
    silent: Any = {
        "hashes": hashes,
        "scores": {"nudity": 0.29},
        "provenance": {"generator": "x"},
        "kind": "image",
    }
    assert not subject(**silent)
    for loud in (
        {"scores": {"nudity": 0.3}},
        {"provenance": {"c2pa": "invalid"}},
        {"provenance": {"digital_source_type": "digitalCapture"}},
        {"ad_markers": [{"at_seconds": 0.0}]},
        {"matches": [match("copyright")]},
    ):
        assert subject(**silent | loud)
    unknown: Any = judge.begin([record_of(Feed(), found(shown("x", picture(kind=None)), **silent))])
    assert unknown.subjects != [None]
