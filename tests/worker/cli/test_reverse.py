from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.base import encode
from schemas.reviews import Review
from tests.worker.cli.conftest import Moderator
from tests.worker.engine.helpers import Feed, at, outputs, post
from worker.cli import reverse as command
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack, load_pack
from worker.operator_reviews import reversal
from worker.standing import Standing, Wanted

SOON = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
MUCH_LATER = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def pack(pattern_cache: Path) -> Pack:
    return load_pack(Path(__file__).parents[2] / "packs" / "plain", cache_dir=pattern_cache)


def _story(pack: Pack) -> tuple[PartitionJudge, Judged]:
    """Four removals of one account, the third with a suspension for twelve hours, and one label of another."""
    judge = PartitionJudge(pack, 0)
    posts = [post("zap", str(number), when=at(number)) for number in range(4)]
    feed = Feed()
    judged = judge.judge([*feed.posts(*posts), *feed.posts(post("zing", "9", "u2", at(1)))])
    return judge, judged


def _ids(judged: Judged) -> set[str]:
    topics = ("enforcement.label", "enforcement.remove", "enforcement.suspend")
    return {
        record["action_id"]
        for topic in topics
        for record in outputs(judged, topic)
        if record["operation"] == "apply"
    }


def _states(*judged: Judged) -> list[Record]:
    return [
        Record("state", 0, number, 0, key, value)
        for number, (key, value) in enumerate(item for one in judged for item in one.state.items())
    ]


def _standing(records: list[Record], **wanted: Any) -> Standing:
    standing = Standing(Wanted(**{"policy": "violence", "version": 3, **wanted}))
    for record in records:
        standing.state(record)
    assert standing.unreadable == 0
    return standing


def test_the_state_tells_what_stands(pack: Pack) -> None:
    _, judged = _story(pack)
    assert {action.action_id for action in _standing(_states(judged)).at(SOON)} == _ids(judged)
    kinds = [action.kind for action in _standing(_states(judged)).at(SOON)]
    assert kinds.count("remove") == 4
    assert "suspend" in kinds


def test_what_ended_is_not_listed_whether_or_not_a_timer_ran(pack: Pack) -> None:
    judge, judged = _story(pack)
    indefinite = {a.action_id for a in _standing(_states(judged)).at(MUCH_LATER)}
    assert indefinite < _ids(judged)
    ended = judge.expire(datetime(2026, 11, 25, tzinfo=UTC))
    assert outputs(ended, "enforcement.suspend")
    assert {a.action_id for a in _standing(_states(judged, ended)).at(SOON)} == indefinite


def test_erased_accounts_and_tombstones_take_their_actions_with_them(pack: Pack) -> None:
    judge, judged = _story(pack)
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(30), "deleted": True}
    erased = judge.judge([Feed().record("accounts", gone)])
    left = {a.account_id for a in _standing(_states(judged, erased)).at(SOON)}
    assert "u1" not in left


def test_what_was_reversed_or_erased_does_not_stand(pack: Pack) -> None:
    _, judged = _story(pack)
    records = _states(judged)
    name, value = next(
        (r.key, json.loads(r.value or b"")) for r in records if (r.key or b"").startswith(b"x:")
    )
    before = len(_standing(records).at(SOON))
    for mark in ({"reversed": True, "ended": 1}, {"erased": True}):
        changed = Record(
            "state", 0, 99, 0, name, json.dumps({**value, **mark}, separators=(",", ":")).encode()
        )
        assert len(_standing([*records, changed]).at(SOON)) == before - 1


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"version": 2}, 0),
        ({"policy": "copyright"}, 0),
        ({"pack": "another"}, 0),
        ({"pack": "plain-1", "kinds": {"remove"}}, 4),
        ({"kinds": {"remove"}, "since": datetime(2026, 11, 22, 10, 30, tzinfo=UTC)}, 3),
        ({"kinds": {"remove"}, "until": datetime(2026, 11, 22, 10, 30, tzinfo=UTC)}, 1),
        ({"ids": set()}, 0),
    ],
)
def test_only_what_is_wanted(pack: Pack, wanted: dict[str, Any], count: int) -> None:
    _, judged = _story(pack)
    assert len(_standing(_states(judged), **wanted).at(SOON)) == count


def test_an_unreadable_record_is_counted(pack: Pack) -> None:
    standing = Standing(Wanted("violence", 3))
    standing.state(Record("state", 0, 0, 0, b"x:1", b'{"action":{"policy":"violence"},"expires":null}'))
    assert standing.unreadable == 1


def test_the_workers_reverse_exactly_what_is_listed_and_twice_does_nothing_twice(pack: Pack) -> None:
    judge, judged = _story(pack)
    feed = Feed()
    other = judge.judge([feed.record("posts", post("zap", "10", "u2", at(2)))])
    asked = [action for action in _standing(_states(judged)).at(SOON) if action.account_id == "u1"]
    reviews = [reversal(action, command="reverse", by="operator:ann", at=SOON) for action in asked]
    undone = judge.judge([feed.record("reviews", encode(review), b"u1") for review in reviews])
    reverses = [
        record
        for topic in ("enforcement.label", "enforcement.remove", "enforcement.suspend")
        for record in outputs(undone, topic)
    ]
    assert {record["reverses"] for record in reverses} == {action.action_id for action in asked}
    assert all((record["operation"], record["source"]) == ("reverse", "human") for record in reverses)
    assert judge.accounts.get("u1").active_strikes(judge.accounts.get("u1").clock_us // 1000) == 0
    assert {notice["kind"] for notice in outputs(undone, "notices")} == {"reversal"}
    left = _standing(_states(judged, other, undone)).at(SOON)
    assert {action.action_id for action in left} == _ids(other)
    again = judge.judge([feed.record("reviews", encode(review), b"u1") for review in reviews])
    later = [reversal(action, command="reverse", by="operator:ann", at=MUCH_LATER) for action in asked]
    refused = judge.judge([feed.record("reviews", encode(review), b"u1") for review in later])
    for nothing in (again, refused):
        assert not any(output.topic.startswith(("enforcement.", "notices")) for output in nothing.outputs)


# -- the command ---------------------------------------------------------------------------------------


def _replayed(moderator: Moderator, *options: str) -> bytes:
    posts = [post("zap", str(number), when=at(number)) for number in range(4)]
    lines = b"".join(json.dumps({"topic": "posts", "value": value}).encode() + b"\n" for value in posts)
    return moderator("replay", "-", *options, stdin=lines).out.encode()


def test_a_file_is_listed_and_nothing_is_sent(moderator: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "send", lambda *arguments: pytest.fail("sent"))
    out = _replayed(moderator)
    ran = moderator(
        "reverse", "--policy", "violence", "--version", "3", "--from", "-", "--yes", "--json", stdin=out
    )
    assert ran.code == 0
    assert ran.json["published"] == 0
    assert ran.json["standing"] == len(ran.json["actions"])
    groups = {(g["kind"], g["detail"]): g["count"] for g in ran.json["groups"]}
    assert groups[("remove", None)] == 4
    assert groups[("suspend", "read_only")] >= 1
    table = moderator("reverse", "--policy", "violence", "--version", "3", "--from", "-", stdin=out)
    assert "actions of violence, version 3, stand" in table.out
    ended = _replayed(moderator, "--until", "2026-12-24T00:00:00Z")
    later = moderator(
        "reverse", "--policy", "violence", "--version", "3", "--from", "-", "--json", stdin=ended
    )
    assert [g["kind"] for g in later.json["groups"]] == ["remove"]


def test_only_takes_the_ids_of_a_file(moderator: Moderator, tmp_path: Path) -> None:
    out = _replayed(moderator)
    arguments = ("reverse", "--policy", "violence", "--version", "3", "--from", "-", "--json")
    ids = [action["action_id"] for action in moderator(*arguments, stdin=out).json["actions"]]
    file = tmp_path / "ids"
    file.write_text(ids[1] + "\nunknown\n")
    ran = moderator(*arguments, "--only", str(file), stdin=out)
    assert [action["action_id"] for action in ran.json["actions"]] == [ids[1]]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--policy", "niceness", "--version", "1"), "no such policy"),
        (("--policy", "violence", "--version", "1", "--kind", "ban"), "no such kind"),
        (("--policy", "violence", "--version", "1", "--since", "today"), "not a time"),
        (("--policy", "violence", "--version", "1", "--as", "a b"), "--as"),
    ],
)
def test_mistakes_are_named(moderator: Moderator, arguments: tuple[str, ...], complaint: str) -> None:
    ran = moderator("reverse", *arguments, "--from", "-")
    assert ran.code == 2
    assert complaint in ran.err


class _Cluster:
    """Stands in for the topics: hands out the state, and collects what is sent."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.sent: list[Review] = []

    def read(self, standing: Standing, broker: str, prefix: str) -> None:
        for record in self.records:
            standing.state(record)

    def send(self, broker: str, prefix: str, reviews: list[Review], per_second: int | None) -> int:
        self.sent += reviews
        return len(reviews)


@pytest.fixture
def cluster(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> _Cluster:
    _, judged = _story(pack)
    made = _Cluster(_states(judged))
    monkeypatch.setattr(command, "_read_state", made.read)
    monkeypatch.setattr(command, "send", made.send)
    return made


ASK = ("reverse", "--policy", "violence", "--version", "3", "--at", "2026-11-22T14:00:00Z", "--as", "ann")


def test_each_action_is_reversed_by_a_review_that_names_it(moderator: Moderator, cluster: _Cluster) -> None:
    ran = moderator(*ASK, "--yes", "--json")
    assert ran.code == 0
    assert ran.json["published"] == ran.json["standing"] == len(cluster.sent)
    listed = {action["action_id"]: action for action in ran.json["actions"]}
    for review in cluster.sent:
        assert review.outcome == "act"
        assert review.reviewer_id == "operator:ann"
        assert review.action is not None
        assert review.action.operation == "reverse"
        named = listed.pop(review.action.action_id or "")
        assert review.account_id == named["account_id"]
        assert review.subject is not None
        assert review.subject.model_dump() == named["subject"]
    assert not listed
    first = [review.review_id for review in cluster.sent]
    moderator(*ASK, "--yes", "--json")
    assert [review.review_id for review in cluster.sent[len(first) :]] == first


def test_a_dry_run_sends_nothing(moderator: Moderator, cluster: _Cluster) -> None:
    assert moderator(*ASK, "--dry-run", "--yes").code == 0
    assert cluster.sent == []


def test_the_number_must_be_typed(moderator: Moderator, cluster: _Cluster) -> None:
    count = moderator(*ASK, "--dry-run", "--json").json["standing"]
    wrong = moderator(*ASK, stdin=b"yes\n")
    assert (wrong.code, cluster.sent) == (2, [])
    assert "that is not the number" in wrong.err
    nobody = moderator(*ASK, stdin=b"")
    assert (nobody.code, cluster.sent) == (2, [])
    assert "Give --yes" in nobody.err
    assert moderator(*ASK, stdin=f"{count}\n".encode()).code == 0
    assert len(cluster.sent) == count


def test_what_people_decided_stays_unless_asked_for(moderator: Moderator, cluster: _Cluster) -> None:
    for place, record in enumerate(cluster.records):
        if (record.key or b"").startswith(b"x:"):
            value = (record.value or b"").replace(b'"source":"automated"', b'"source":"human"')
            cluster.records[place] = Record("state", 0, 0, 0, record.key, value)
            break
    every = moderator(*ASK, "--dry-run", "--json", "--people").json
    most = moderator(*ASK, "--dry-run", "--json").json
    assert most["standing"] == every["standing"] - 1
    assert most["left_to_people"] == 1


def test_nothing_to_reverse_is_no_error(moderator: Moderator, cluster: _Cluster) -> None:
    ran = moderator("reverse", "--policy", "violence", "--version", "2", "--yes")
    assert ran.code == 0
    assert "nothing that policy violence, version 2, did still stands" in ran.err
    assert cluster.sent == []
