"""What an operator's own model says comes back as a record, and is judged like any other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.base import encode
from tests.worker.engine.helpers import CACHE, PACK, Feed, at, outputs, post, topics
from worker.engine.ids import action_id, digest
from worker.engine.judge import PartitionJudge
from worker.engine.model_findings import finding_of
from worker.engine.records import Judged, Question, Record
from worker.engine.registry import Pack, load_pack
from worker.learned.cascade import Cascade
from worker.learned.loading import Models
from worker.learned.model import Reading
from worker.replay import Replay

HEADS = ("hateful-conduct", "suicide-self-harm")


class FastStandIn:
    """Is unsure of every text with a question mark in it."""

    heads: tuple[str, ...] = HEADS
    languages = frozenset({"en"})
    reference: Mapping[str, Sequence[int]] = {}

    def score(self, texts: Sequence[str]) -> NDArray[np.floating]:
        return np.array([[0.4 if "?" in text else 0.01, 0.01] for text in texts]).reshape(-1, 2)

    def best_window(self, text: str, head: str) -> tuple[int, int]:
        return 0, len(text)

    def spans(self, text: str, head: str) -> Sequence[tuple[int, int, float]]:
        return ()


class SecondStandIn:
    """Finds nothing."""

    heads: tuple[str, ...] = HEADS
    languages = frozenset({"en"})
    reference: Mapping[str, Sequence[int]] = {}

    def read(self, text: str, explain: Sequence[float]) -> Reading:
        return Reading(np.array([0.02, 0.01]), {})


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK.parent / "opinions", cache_dir=CACHE)


@pytest.fixture(scope="module")
def asking(pack: Pack) -> Pack:
    """The pack with stand-ins for its models."""
    policies = [loaded.policy for loaded in pack.policies]
    return dataclasses.replace(pack, models=Models(Cascade(policies, FastStandIn(), SecondStandIn())))


def finding(
    post_id: str | None = "1",
    policy: str | None = "hateful-conduct",
    score: float = 0.93,
    account: str = "u1",
    when: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "finding_id": digest(post_id, policy, "model:endpoint"),
        "feature": "model:endpoint",
        "account_id": account,
        "post_id": post_id,
        "policy": policy,
        "score": score,
        "observed_at": when or at(),
        **more,
    }


def told(judge: PartitionJudge, feed: Feed, *findings: Mapping[str, Any]) -> Judged:
    return judge.judge([feed.record("findings", dict(each)) for each in findings])


def decided(judged: Judged) -> dict[str, int]:
    return {
        labels[2]: count
        for labels, count in judged.tally.items()
        if labels[:2] == ("moderator_decisions_total", "findings")
    }


def test_a_sure_answer_removes_the_post_with_the_finding_as_cause(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, finding())
    assert topics(judged) == ["decisions", "enforcement.remove", "notices"]
    (action,) = outputs(judged, "enforcement.remove")
    cause = finding()["finding_id"]
    assert action["action_id"] == action_id("remove", "apply", "post", "1", "hateful-conduct", 2, cause)
    assert (action["source"], action["post_id"], action["decided_at"]) == ("automated", "1", at())
    assert action["record"] == {"topic": "findings", "partition": 0, "offset": 0}
    assert action["strikes"] == {"added": 1, "active": 1}
    (evidence,) = action["evidence"]
    assert evidence == {
        "signal": "learned.hateful-conduct",
        "field": "text",
        "start": None,
        "end": None,
        "score": action["score"],
        "detail": "operator's model 0.93, remove from 0.9 on",
    }
    assert 0.8 <= action["score"] < 0.95
    (decision,) = outputs(judged, "decisions")
    assert (decision["outcome"], decision["subject"]) == ("violation", {"type": "post", "id": "1"})
    assert [verdict["policy"] for verdict in decision["verdicts"]] == ["hateful-conduct"]


@pytest.mark.parametrize(
    ("score", "topic", "kind"),
    [(0.85, "enforcement.label", "label"), (0.985, "enforcement.suspend", "suspend")],
)
def test_each_step_of_the_scale_has_its_own_action(
    judge: PartitionJudge, feed: Feed, score: float, topic: str, kind: str
) -> None:
    judge.judge(feed.posts(post("a fine day")))
    (action,) = outputs(told(judge, feed, finding(score=score)), topic)
    assert action["kind"] == kind


def test_between_review_and_the_first_step_a_person_looks(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, finding(score=0.6))
    assert topics(judged) == ["decisions", "review.queue"]
    (item,) = outputs(judged, "review.queue")
    assert (item["reason"], item["policy"], item["post_id"]) == ("uncertain", "hateful-conduct", "1")
    assert item["proposed"]["kind"] == "label"
    assert decided(judged) == {"review": 1}


def test_where_a_person_looks_already_a_doubt_adds_no_second_item(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    told(judge, feed, finding(score=0.6))
    judged = told(judge, feed, finding(score=0.6, policy="violent-extremism"))
    assert topics(judged) == ["decisions"]
    assert decided(judged) == {"review": 1}


@pytest.mark.parametrize(
    "given",
    [
        finding(score=0.49),
        finding(policy="trademark"),  # without a scale for learned scores
        finding(policy="copyright"),  # not in the pack
        finding(policy=None),
        finding(post_id="unknown"),
        finding(account="nobody"),
        finding(policy="suicide-self-harm", score=0.59),
    ],
    ids=["below", "no scale", "no such policy", "no policy", "unknown post", "unknown account", "help below"],
)
def test_what_says_nothing_is_a_clear_decision(
    judge: PartitionJudge, feed: Feed, given: Mapping[str, Any]
) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, given)
    assert judged.outputs == []
    assert decided(judged) == {"clear": 1}


def test_findings_of_other_kinds_are_counted_as_before(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, finding(feature="domain:example.com"), finding(post_id=None))
    assert judged.outputs == []
    assert decided(judged) == {"clear": 2}


def test_the_same_finding_twice_is_a_duplicate(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, finding(), finding())
    assert topics(judged).count("enforcement.remove") == 1
    assert decided(judged) == {"violation": 1, "duplicate": 1}
    later = told(judge, feed, finding(when=at(23)))
    assert decided(later) == {"duplicate": 1}


def test_a_person_at_risk_is_helped_in_their_language_and_never_punished(
    judge: PartitionJudge, feed: Feed
) -> None:
    judge.judge(feed.posts(post("ein schöner Tag")))
    judged = told(judge, feed, finding(policy="suicide-self-harm", score=0.97, lang="de"))
    assert topics(judged) == ["decisions", "review.queue", "notices"]
    (item,) = outputs(judged, "review.queue")
    assert (item["reason"], item["proposed"]) == ("at_risk", None)
    (notice,) = outputs(judged, "notices")
    assert (notice["kind"], notice["lang"], notice["clause"]) == ("support", "de", None)


def test_who_is_at_risk_is_not_punished_by_a_later_finding_save_to_protect_others(
    judge: PartitionJudge, feed: Feed
) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(
        judge,
        feed,
        finding(policy="suicide-self-harm", score=0.97),
        finding(score=0.99),
        finding(policy="violent-extremism", score=0.93),
    )
    assert decided(judged) == {"review": 2, "violation": 1}
    assert [action["policy"] for action in outputs(judged, "enforcement.remove")] == ["violent-extremism"]
    assert outputs(judged, "enforcement.suspend") == []
    assert [item["reason"] for item in outputs(judged, "review.queue")] == ["at_risk"]


def test_help_that_the_post_itself_brought_holds_too(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("sorrowword")))
    judged = told(judge, feed, finding(score=0.99), finding(policy="suicide-self-harm", score=0.9))
    assert topics(judged) == ["decisions", "decisions"]


def test_a_policy_in_shadow_is_counted_and_does_nothing(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    judged = told(judge, feed, finding(policy="illegal-goods"))
    assert judged.outputs == []
    assert decided(judged) == {"clear": 1}
    assert judged.tally["moderator_shadow_actions_total", "illegal-goods", "remove"] == 1


def test_a_removed_post_gains_no_second_strike_and_no_item(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(*(post("zap", str(n)) for n in (7, 8))))
    judged = told(judge, feed, finding("8"), finding("8", "violent-extremism", 0.6))
    assert topics(judged) == ["decisions"]
    assert judge.accounts.get("u1").active_strikes(0) == 2
    assert decided(judged) == {"violation": 1, "clear": 1}


def test_what_is_stricter_than_a_removal_is_news(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("zap")))
    (action,) = outputs(told(judge, feed, finding(score=0.99)), "enforcement.suspend")
    assert action["mode"] == "suspended"


def test_strikes_climb_the_ladder_and_breakers_hold(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(*(post("a fine day", str(n)) for n in range(5))))
    judged = told(judge, feed, *(finding(str(n)) for n in range(5)))
    removals = outputs(judged, "enforcement.remove")
    assert [action["strikes"]["active"] for action in removals] == [1, 2, 3]
    assert [action["mode"] for action in outputs(judged, "enforcement.suspend")] == ["read_only"]
    assert [item["reason"] for item in outputs(judged, "review.queue")] == ["breaker", "breaker"]


def test_a_post_that_its_author_deleted_is_left_alone(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day"), post("", when=at(1), deleted=True)))
    judged = told(judge, feed, finding())
    assert judged.outputs == []
    assert decided(judged) == {"clear": 1}


def test_a_deletion_is_remembered_by_the_next_owner(pack: Pack, feed: Feed) -> None:
    first, second = PartitionJudge(pack, 0), PartitionJudge(pack, 0)
    for judged in (
        first.judge(feed.posts(post("a fine day"), post("", when=at(1), deleted=True), post("fine", "2"))),
        told(first, feed, finding("2")),
    ):
        for key, value in judged.state.items():
            second.restore(key, value)
    judged = told(second, feed, finding(), finding("2"))
    assert judged.outputs == []
    assert decided(judged) == {"clear": 1, "duplicate": 1}


def test_an_erased_account_is_left_alone(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day")))
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(1), "profile": None, "deleted": True}
    judge.judge([feed.record("accounts", gone)])
    judged = told(judge, feed, finding())
    assert judged.outputs == []
    assert "u1" not in judge.accounts
    assert b"a:u1" not in judged.state


def test_the_accounts_clock_does_not_run_back(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day"), post("another", "2", when=at(2))))
    (action,) = outputs(told(judge, feed, finding()), "enforcement.remove")
    assert action["decided_at"] == at(2)


def test_replaying_posts_and_findings_gives_the_same_bytes(pack: Pack, feed: Feed) -> None:
    records = [
        *feed.posts(post("a fine day"), post("zap", "2"), post("sorrowword", "3", "u2")),
        feed.record("findings", finding()),
        *feed.posts(post("another", "4", when=at(1))),
        feed.record("findings", finding("4", when=at(1))),
        feed.record("findings", finding("4", when=at(1))),
        feed.record("findings", finding("3", account="u2")),
    ]
    one_by_one, judged = PartitionJudge(pack, 0), Judged()
    for record in records:
        judged.add(one_by_one.judge([record]))
    lines = [
        json.dumps({"topic": record.topic, "value": json.loads(record.value or b"")}).encode()
        for record in records
    ]
    for batch in (1, 1000):
        replay = Replay(pack, batch=batch)
        replayed = [*replay.feed(lines), *replay.finish()]
        assert [json.loads(line)["value"] for line in replayed] == [
            json.loads(output.value or b"") for output in judged.outputs
        ]
    assert topics(judged).count("enforcement.remove") == 3


# --- what is asked


def questions(asking: Pack, feed: Feed, *posts: dict[str, Any], ask: bool = True) -> list[Question]:
    return PartitionJudge(asking, 0, ask=ask).judge(feed.posts(*posts)).questions


def test_nothing_is_asked_unless_told_to(asking: Pack, feed: Feed) -> None:
    assert questions(asking, feed, post("is it?"), ask=False) == []


def test_uncertain_texts_are_asked_as_models_read_them_without_ids(asking: Pack, feed: Feed) -> None:
    (question,) = questions(
        asking, feed, post("a fine day"), post("@Ann is it? https://example.com/u1", "2", "u2", lang="en-GB")
    )
    assert question.text == "@user is it? link"
    assert (question.post_id, question.account_id, question.lang) == ("2", "u2", "en")
    assert question.created_at == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert question.reviews == {
        "suicide-self-harm": 0.6,
        "violent-extremism": 0.5,
        "hateful-conduct": 0.5,
        "illegal-goods": 0.5,
    }
    assert next(iter(question.reviews)) == "suicide-self-harm"


def test_what_the_second_model_had_no_share_left_for_is_asked_too(pack: Pack, feed: Feed) -> None:
    policies = [loaded.policy for loaded in pack.policies]
    for second in (SecondStandIn(), None):
        cascade = Cascade(policies, FastStandIn(), second, share=0.0, burst=1)
        poor = dataclasses.replace(pack, models=Models(cascade))
        assert len(questions(poor, feed, post("is it?"), post("is it?", "2"), post("is it?", "3"))) == 3


def test_copies_removed_posts_and_profiles_are_not_asked_about(asking: Pack, feed: Feed) -> None:
    judge = PartitionJudge(asking, 0, ask=True)
    judged = judge.judge(feed.posts(post("is it?"), post("is it?"), post("zap?", "2")))
    assert [question.post_id for question in judged.questions] == ["1"]
    profile = {"schema_version": 1, "account_id": "u1", "updated_at": at(), "profile": {"bio": "is it?"}}
    assert judge.judge([feed.record("accounts", profile)]).questions == []


def test_an_edit_that_keeps_its_id_is_a_question_of_its_own(asking: Pack, feed: Feed) -> None:
    judge = PartitionJudge(asking, 0, ask=True)
    edit = post("is it not?", when=at(1), edit_of="1")
    judged = judge.judge(feed.posts(post("is it?"), edit))
    first, second = (finding_of(question, "hateful-conduct", 0.93) for question in judged.questions)
    assert first.finding_id != second.finding_id
    judged = judge.judge(
        [Record("findings", 0, offset, 0, None, encode(each)) for offset, each in enumerate((first, second))]
    )
    assert decided(judged) == {"violation": 2}
    assert topics(judged).count("enforcement.remove") == 1


def test_questions_of_batches_that_are_published_together_stay_in_order(asking: Pack, feed: Feed) -> None:
    judge, judged = PartitionJudge(asking, 0, ask=True), Judged()
    for number in range(3):
        judged.add(judge.judge(feed.posts(post("is it?", str(number)))))
    assert [question.post_id for question in judged.questions] == ["0", "1", "2"]
