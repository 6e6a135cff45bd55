"""People at risk are helped and not punished, zero tolerance is looked at and preserved, rights-holders are heard."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.worker.engine.helpers import CACHE, PACK, START, Feed, at, outputs, post, topics
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack, load_pack

CARE: Path = PACK.parent / "care"


@pytest.fixture(scope="module")
def care() -> Pack:
    return load_pack(CARE, cache_dir=CACHE)


@pytest.fixture
def judge(care: Pack) -> PartitionJudge:
    return PartitionJudge(care, 0)


def deletion(feed: Feed, when: str) -> Record:
    account = {"schema_version": 1, "account_id": "u1", "updated_at": when, "deleted": True}
    return feed.record("accounts", account)


def items(judged: Judged) -> list[tuple[str, str]]:
    return [(item["reason"], item["policy"]) for item in outputs(judged, "review.queue")]


def test_a_person_at_risk_gets_help_and_a_reviewer_and_no_penalty(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("sorrowword")))
    assert topics(judged) == ["decisions", "review.queue", "notices"]
    (item,) = outputs(judged, "review.queue")
    assert (item["reason"], item["priority"], item["proposed"]) == ("at_risk", 90, None)
    (notice,) = outputs(judged, "notices")
    assert (notice["kind"], notice["lang"]) == ("support", "en")
    assert notice["action_id"] is None
    assert notice["clause"] is None
    assert "helpline" in notice["body"]
    (decision,) = outputs(judged, "decisions")
    assert (decision["outcome"], decision["actions"]) == ("review", [])
    assert decision["strikes"] == {"added": 0, "active": 0}


def test_help_is_offered_in_the_language_of_the_post(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("sorrowword", lang="de-AT")))
    (notice,) = outputs(judged, "notices")
    assert notice["lang"] == "de"
    assert "TelefonSeelsorge" in notice["body"]


def test_help_is_offered_once_a_day_but_every_post_is_looked_at(care: Pack, feed: Feed) -> None:
    judge = PartitionJudge(care, 0)
    first = judge.judge(feed.posts(post("sorrowword", "1"), post("sorrowword again", "2", when=at(1))))
    assert [n["kind"] for n in outputs(first, "notices")] == ["support"]
    assert len(items(first)) == 2
    again = PartitionJudge(care, 0)
    for key, value in first.state.items():
        again.restore(key, value)
    later = again.judge(
        feed.posts(post("sorrowword", "3", when=at(23)), post("sorrowword", "4", when=at(24)))
    )
    assert [n["created_at"] for n in outputs(later, "notices")] == [at(24)]


def test_what_else_a_person_at_risk_wrote_is_for_a_person_to_decide(
    judge: PartitionJudge, feed: Feed
) -> None:
    judged = judge.judge(feed.posts(post("sorrowword and zapfruit")))
    assert "enforcement.remove" not in topics(judged)
    assert items(judged) == [("uncertain", "illegal-goods"), ("at_risk", "suicide-self-harm")]
    proposed = outputs(judged, "review.queue")[0]["proposed"]
    assert (proposed["kind"], proposed["policy"]) == ("remove", "illegal-goods")


def test_danger_to_others_is_acted_on_even_then(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("sorrowword and doomword")))
    assert [a["policy"] for a in outputs(judged, "enforcement.suspend")] == ["violent-extremism"]
    assert ("at_risk", "suicide-self-harm") in items(judged)
    assert "support" in [n["kind"] for n in outputs(judged, "notices")]


def test_zero_tolerance_acts_at_once_without_strikes_and_calls_a_person(
    judge: PartitionJudge, feed: Feed
) -> None:
    judged = judge.judge(feed.posts(post("doomword")))
    (action,) = outputs(judged, "enforcement.suspend")
    assert (action["mode"], action["strikes"]) == ("suspended", {"added": 0, "active": 0})
    assert items(judged) == [("zero_tolerance", "violent-extremism")]


def test_a_preserved_action_outlives_the_account_until_its_time(care: Pack, feed: Feed) -> None:
    judge = PartitionJudge(care, 0)
    first = judge.judge([*feed.posts(post("doomword")), deletion(feed, at(1))])
    (action,) = outputs(first, "enforcement.suspend")
    key = b"x:" + action["action_id"].encode()
    kept = first.state[key]
    assert kept is not None
    assert action["action_id"].encode() in kept
    assert b"a:u1" in first.state
    assert first.state[b"a:u1"] is None
    again = PartitionJudge(care, 0)
    for name, value in first.state.items():
        again.restore(name, value)
    assert key not in again.expire(START + timedelta(days=29)).state
    assert again.expire(START + timedelta(days=31)).state[key] is None


def test_an_ordinary_action_is_erased_with_its_account(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge([*feed.posts(post("zapfruit")), deletion(feed, at(1))])
    (action,) = outputs(judged, "enforcement.remove")
    assert judged.state[b"x:" + action["action_id"].encode()] is None


def report(feed: Feed, **more: object) -> Record:
    value = {
        "schema_version": 1,
        "report_id": "r1",
        "reporter_id": "u9",
        "subject": {"type": "post", "id": "179"},
        "account_id": "u1",
        "reason": "copyright",
        "rights": {"owner": "Example Films", "work": "a film", "basis": "copyright", "good_faith": True},
        "created_at": at(),
        **more,
    }
    return feed.record("reports", value)


def test_a_rights_holders_report_is_looked_at_by_a_person(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge([report(feed)])
    (item,) = outputs(judged, "review.queue")
    assert (item["reason"], item["policy"], item["subject"]) == (
        "report",
        "copyright",
        {"type": "post", "id": "179"},
    )
    assert (item["proposed"]["kind"], item["proposed"]["source"]) == ("remove", "report")
    assert "enforcement.remove" not in topics(judged)


def test_a_trusted_rights_holders_report_removes_the_post(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a film", "179")))
    judged = judge.judge([report(feed, trusted=True), report(feed, report_id="r2", trusted=True)])
    (action,) = outputs(judged, "enforcement.remove")
    assert (action["subject"], action["source"], action["post_id"]) == (
        {"type": "post", "id": "179"},
        "report",
        "179",
    )
    assert [e["signal"] for e in action["evidence"]] == [
        "copyright.reported",
        "rights.copyright",
        "rights.trusted",
    ]
    assert len(outputs(judged, "decisions")) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"rights": {"owner": " ", "work": "a film", "basis": "copyright", "good_faith": True}},
        {"rights": {"owner": "Example Films", "basis": "copyright", "good_faith": True}},
        {"reporter_id": "u1"},
        {"subject": {"type": "post", "id": "somebody else's"}},
    ],
)
def test_trust_needs_a_named_right_another_reporter_and_a_known_post(
    judge: PartitionJudge, feed: Feed, more: dict[str, object]
) -> None:
    judge.judge(feed.posts(post("a film", "179")))
    judged = judge.judge([report(feed, trusted=True, **more)])
    assert "enforcement.remove" not in topics(judged)
    assert items(judged) == [("report", "copyright")]


def test_a_report_does_not_move_the_reported_accounts_clock(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a film", "179")))
    judge.judge([report(feed, created_at="8999-01-01T00:00:00Z")])
    judged = judge.judge(feed.posts(post("zapfruit", "180", when=at(1))))
    assert [action["decided_at"] for action in outputs(judged, "enforcement.remove")] == [at(1)]


@pytest.mark.parametrize(
    "more",
    [
        {"rights": None},
        {"rights": {"basis": "copyright", "good_faith": False}},
        {"subject": {"type": "account", "id": "u1"}},
    ],
)
def test_other_reports_lead_to_no_action(judge: PartitionJudge, feed: Feed, more: dict[str, object]) -> None:
    judged = judge.judge([report(feed, **more)])
    assert not any(topic.startswith("enforcement.") for topic in topics(judged))
