"""A post's signals learn what the account does too much of, with its figures, once and at the right post."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.posts import Post
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.behaviour import LONGEST_MINUTES
from worker.engine.explaining import explain
from worker.engine.judge import PartitionJudge
from worker.engine.limits import COUNTERS, MEANINGS, Limit
from worker.engine.registry import Pack, load_pack
from worker.engine.state import Account, InForce
from worker.engine.subjects import post_subject


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(backend="re2", only={"platform-manipulation"}, models=False)


def spam(number: int, author: str = "u1", seconds: float = 60.0, **more: Any) -> dict[str, Any]:
    """The same unasked reply to the next person."""
    return post(
        "my page explains the method behind it",
        f"p{number}",
        author,
        at(seconds=number * seconds),
        surface="reply",
        in_reply_to={"post_id": f"q{number}", "author_id": f"v{number}", "text": "thinking aloud"},
        **more,
    )


def outcomes(judge: PartitionJudge, *posts: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in outputs(judge.judge(Feed().posts(*posts)), "decisions")]


def test_the_tenth_reply_is_found_with_its_figures(pack: Pack) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    judged = judge.judge(Feed().posts(*(spam(n) for n in range(10))))
    decisions = outputs(judged, "decisions")
    assert [one["outcome"] for one in decisions] == ["clear"] * 9 + ["violation"]
    evidence = {item["signal"]: item for item in decisions[-1]["verdicts"][0]["evidence"]}
    found = evidence["behaviour.replies-same"]
    assert found["field"] == "account"
    assert (found["start"], found["end"]) == (None, None)
    assert found["detail"] == "10 replies with the same words to people who did not ask, within 24 hours"
    assert [action["label"] for action in outputs(judged, "enforcement.label")] == ["limited-visibility"]


def test_the_same_record_twice_and_an_edit_count_once(pack: Pack) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    nine = [spam(n) for n in range(9)]
    assert "violation" not in outcomes(judge, *nine, *nine, *nine)
    edits = [{**spam(8), "edit_of": "p8", "created_at": at(seconds=600 + n)} for n in range(5)]
    assert "violation" not in outcomes(judge, *edits)
    behaviour = judge.accounts.get("u1").behaviour
    assert behaviour.posts() == 9


def test_order_within_a_minute_and_repeats_leave_the_same_counts(pack: Pack) -> None:
    rng = random.Random(4)
    posts = [spam(n, seconds=7.0, mentions=[f"m{n % 5}"], hashtags=["a", "b"]) for n in range(60)]
    plain = PartitionJudge(pack, 0)
    plain.judge(Feed().posts(*posts))
    mixed = [one for one in posts for _ in range(3)]
    mixed.sort(key=lambda one: (one["created_at"][:16], rng.random()))
    shuffled = PartitionJudge(pack, 0)
    shuffled.judge(Feed().posts(*mixed))
    one, other = (judge.accounts.get("u1").behaviour.to_json() for judge in (plain, shuffled))
    assert one == other


def test_a_restored_account_goes_on_counting(pack: Pack) -> None:
    posts = [spam(n) for n in range(14)]
    whole = PartitionJudge(pack, 0, publish_all=True)
    expected = outcomes(whole, *posts)
    first = PartitionJudge(pack, 0, publish_all=True)
    feed = Feed()
    judged = first.judge(feed.posts(*posts[:8]))
    second = PartitionJudge(pack, 0, publish_all=True)
    for key, value in judged.state.items():
        second.restore(key, value)
    rest = outputs(second.judge(feed.posts(*posts[8:])), "decisions")
    assert [one["outcome"] for one in rest] == expected[8:]
    assert second.accounts.get("u1").to_bytes() == whole.accounts.get("u1").to_bytes()


def test_explain_shows_what_was_counted_without_counting_it_again(pack: Pack) -> None:
    judge = PartitionJudge(pack, 0)
    judge.judge(Feed().posts(*(spam(n) for n in range(9))))
    account = judge.accounts.get("u1")
    before = account.to_bytes()
    subject = post_subject(Post.model_validate(spam(9)))
    explanation = explain(pack, subject, START, account=account)
    counted = {one.limit.name: (one.found, one.reached) for one in explanation.counters}
    assert counted["behaviour.replies-same"] == (10, True)
    assert counted["behaviour.replies-same-new"] == (10, False)
    assert counted["behaviour.posts-hour"] == (10, False)
    assert explanation.ruling.outcome == "violation"
    found = {item.what for part in explanation.policies for item in part.changes if item.decisive}
    assert "behaviour.replies-same" in found
    assert account.to_bytes() == before


def test_who_is_asked_may_answer(pack: Pack) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    posts = [spam(n) for n in range(30)]
    for one in posts:
        one["in_reply_to"]["text"] = "hey @Helper can you help"
        one["author"] = {"handle": "helper"}
    assert set(outcomes(judge, *posts)) == {"clear"}


def test_what_others_do_is_not_counted_for_an_account(pack: Pack) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    assert set(outcomes(judge, *(spam(n, author=f"u{n}") for n in range(40)))) == {"clear"}


@pytest.mark.parametrize("when", ["2031-01-01T00:00:00Z", "1999-01-01T00:00:00Z"])
def test_one_post_with_a_wrong_clock_hides_nothing(pack: Pack, when: str) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    posts = [spam(n) for n in range(20)]
    posts.insert(5, {**spam(99), "created_at": when})
    found = outcomes(judge, *posts)
    assert found.index("violation") in (9, 10)


def test_a_label_of_automation_excuses_what_bots_do(pack: Pack) -> None:
    def run(labelled: bool) -> set[str]:
        judge = PartitionJudge(pack, 0, publish_all=True)
        account: Account = judge.accounts.get("u1")
        if labelled:
            account.actions.append(InForce("a" * 32, "label", "account", "u1", "automated", None))
        text = "Gauge at the old bridge: water level {} centimetres, slightly rising since the last reading"
        return set(outcomes(judge, *(post(text.format(n), f"p{n}", when=at(0.5 * n)) for n in range(40))))

    assert run(True) == {"clear"}
    assert "violation" in run(False)


GOOD: dict[str, Any] = {
    "name": "behaviour.x",
    "counter": "posts",
    "window_minutes": 60,
    "at_least": 5,
    "detail": "{count} within {window}",
    "source": "s",
}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"window_minutes": LONGEST_MINUTES + 60}, "less than or equal"),
        ({"window_minutes": 7}, "multiple"),
        ({"window_minutes": 150}, "multiple"),
        ({"counter": "same-text", "window_minutes": 15}, "multiple"),
        ({"counter": "marked"}, "signals belong"),
        ({"signals": ["a.b"]}, "signals belong"),
        ({"detail": "{who}"}, "detail"),
        ({"name": "posts"}, "pattern"),
        ({"counter": "mentioned", "at_least": 65}, "at most 64"),
        ({"also": [{"counter": "links"}]}, "either"),
        ({"also": [{"counter": "tags", "share": 0.5}]}, "share"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(wrong: dict[str, Any], reason: str) -> None:
    Limit.model_validate(GOOD)
    with pytest.raises(ValidationError, match=reason):
        Limit.model_validate({**GOOD, **wrong})


def test_every_counter_has_a_meaning() -> None:
    assert set(COUNTERS) == set(MEANINGS)


@pytest.mark.parametrize("restored", [False, True])
def test_a_person_is_asked_once_a_day_about_how_much_an_account_does(pack: Pack, restored: bool) -> None:
    # Hourly readings in the same words reach the same limit with every one of them.
    text = "Gauge at the old bridge: water level {} centimetres, slightly rising since the last reading"
    followed = {"created_at": "2015-01-01T00:00:00Z", "followers": 5000}
    judge = PartitionJudge(pack, 0)
    state: dict[bytes, bytes | None] = {}
    asked: list[int] = []
    feed = Feed()
    for number in range(96):
        if restored and number % 7 == 0:
            judge = PartitionJudge(pack, 0)
            for key, stored in state.items():
                judge.restore(key, stored)
        value = post(text.format(number), f"p{number}", when=at(0.5 * number)) | {"author": followed}
        judged = judge.judge([feed.record("posts", value)])
        state.update(judged.state)
        asked += [number] * len(outputs(judged, "review.queue"))
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 46
