from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.base import format_time
from schemas.reviews import Review
from tests.worker.cli.conftest import Moderator, Ran
from tests.worker.test_held import item, records
from tests.worker.test_operator_reviews import ACTION
from worker.cli import breakers, operating
from worker.embedded.settings import free_port
from worker.engine.records import Record
from worker.sending import NotAllSent

REMOVE = {**ACTION, "kind": "remove", "mode": None, "subject": {"type": "post", "id": "p1"}, "post_id": "p1"}
QUEUE = records(
    item("s1", "2026-11-22T09:10:00Z"),
    item("r1", "2026-11-22T09:20:00Z", proposed=REMOVE, account_id="u2"),
    item("r2", "2026-11-22T09:50:00Z", proposed=REMOVE),
    item("r3", "2026-11-22T10:00:00Z", proposed=REMOVE),
    item("gone", "2026-11-22T10:00:00Z", proposed=REMOVE),
    item("gone", "2026-11-22T10:00:00Z", proposed=REMOVE, closed_by="v0"),
    item("c1", "2026-11-22T10:00:00Z", policy="copyright"),
)
RELEASE = ["breakers", "release", "--policy", "violence", "--kind", "remove", "--as", "ann"]


class Sent:
    """What would have gone to the cluster."""

    def __init__(self) -> None:
        self.reviews: list[Review] = []
        self.per_second: int | None = None

    def send(self, bootstrap: str, records: Sequence[Any], prefix: str = "", **options: Any) -> int:
        assert {record.topic for record in records} <= {"reviews"}
        self.reviews += [Review.model_validate_json(record.value) for record in records]
        self.per_second = options["per_second"]
        assert options["total"] == len(records)
        for number in range(len(records)):
            options["told"](number + 1)
        return len(records)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """A cluster that holds the queue of this module and takes every review."""

    @contextmanager
    def reader(bootstrap: str, topics: list[str], prefix: str = "", **options: Any) -> Iterator[Any]:
        assert topics == ["review.queue"]

        class Topic:
            def everything(self) -> Iterator[Record]:
                return iter(QUEUE)

        yield Topic()

    taken = Sent()
    monkeypatch.setattr(breakers, "reader", reader)
    monkeypatch.setattr(operating, "send_in_order", taken.send)
    return taken


def test_what_is_held_is_listed_by_policy_kind_and_hour(moderator: Moderator, sent: Sent) -> None:
    listed = moderator("breakers", "list", "--json").json
    assert listed["count"] == 5
    assert [(g["policy"], g["kind"], g["hour"][11:13], g["count"]) for g in listed["held"]] == [
        ("copyright", "suspend", "10", 1),
        ("violence", "remove", "09", 2),
        ("violence", "remove", "10", 1),
        ("violence", "suspend", "09", 1),
    ]
    assert listed["held"][1]["oldest"] == "2026-11-22T09:20:00Z"
    some = moderator("breakers", "list", "--policy", "violence", "--kind", "suspend", "--json").json
    assert some["count"] == 1
    table = moderator("breakers", "list")
    assert "2026-11-22T09:20:00Z" in table.out
    assert "u2" not in table.out


def test_an_empty_queue_says_so(moderator: Moderator, sent: Sent) -> None:
    ran = moderator("breakers", "list", "--policy", "trademark")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing is held" in ran.err
    ran = moderator("breakers", "discard", "--policy", "trademark", "--kind", "label", "--as", "ann", "--yes")
    assert (ran.code, sent.reviews) == (0, [])


def test_release_upholds_every_item_as_a_person(moderator: Moderator, sent: Sent) -> None:
    ran = moderator(*RELEASE, "--yes")
    assert ran.code == 0
    assert "3 released" in ran.err
    assert [(r.item_id, r.account_id) for r in sent.reviews] == [("r1", "u2"), ("r2", "u1"), ("r3", "u1")]
    assert {(r.outcome, r.reviewer_id, r.subject, r.action) for r in sent.reviews} == {
        ("uphold", "operator:ann", None, None)
    }


def test_discard_dismisses_what_was_held_before_a_time(moderator: Moderator, sent: Sent) -> None:
    command = ["breakers", "discard", "--policy", "violence", "--kind", "remove", "--as", "ann"]
    ran = moderator(*command, "--before", "2026-11-22T10:00:00Z", "--yes", "--json")
    assert [(r.item_id, r.outcome) for r in sent.reviews] == [("r1", "dismiss"), ("r2", "dismiss")]
    assert (ran.json["count"], ran.json["published"], ran.json["command"]) == (2, 2, "discard")


def test_some_can_be_released_first_and_slowly(moderator: Moderator, sent: Sent) -> None:
    moderator(*RELEASE, "--yes", "--limit", "2", "--per-second", "7")
    assert [r.item_id for r in sent.reviews] == ["r1", "r2"]
    assert sent.per_second == 7


def test_a_time_that_is_given_makes_the_same_ids_again(moderator: Moderator, sent: Sent) -> None:
    for _ in range(2):
        moderator(*RELEASE, "--yes", "--at", "2026-11-22T12:00:00Z")
    assert [r.review_id for r in sent.reviews[:3]] == [r.review_id for r in sent.reviews[3:]]
    assert len({r.review_id for r in sent.reviews}) == 3
    assert {format_time(r.created_at) for r in sent.reviews} == {"2026-11-22T12:00:00Z"}


def test_the_question_shows_how_many_and_no_is_an_answer(moderator: Moderator, sent: Sent) -> None:
    ran = moderator(*RELEASE, stdin=b"n\n")
    assert ran.code == 0
    assert "Release 3 held actions (remove, violence)?" in ran.err
    assert "nothing was published" in ran.err
    assert sent.reviews == []
    assert moderator(*RELEASE, stdin=b"y\n").code == 0
    assert len(sent.reviews) == 3


def test_where_nobody_can_answer_nothing_is_done(moderator: Moderator, sent: Sent) -> None:
    ran = moderator(*RELEASE)
    assert ran.code == 2
    assert "--yes" in ran.err
    assert sent.reviews == []


def test_a_dry_run_says_what_would_be_done(moderator: Moderator, sent: Sent) -> None:
    ran = moderator(*RELEASE, "--dry-run")
    assert ran.code == 0
    assert "3 would be released" in ran.err
    dry = moderator(*RELEASE, "--dry-run", "--json").json
    assert (dry["count"], dry["published"], dry["dry_run"]) == (3, 0, True)
    assert sent.reviews == []


FUTURE = format_time(datetime.now(UTC) + timedelta(days=2))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (["--policy", "violins"], "no such policy"),
        (["--kind", "ban"], "no such kind"),
        (["--as", "a b"], "letters, digits"),
        (["--before", "yesterday"], "--before 'yesterday'"),
        (["--at", "2026-11-22T09:30:00"], "offset"),
        (["--at", FUTURE], "future"),
        (["--limit", "0"], "--limit"),
        (["--per-second", "0"], "--per-second"),
    ],
)
def test_bad_options_are_code_2_before_anything_is_read(
    moderator: Moderator, change: list[str], complaint: str
) -> None:
    ran = moderator(*RELEASE, "--yes", "--broker", "127.0.0.1:1", *change)
    assert ran.code == 2
    assert complaint in ran.err


@pytest.mark.parametrize("missing", ["--policy", "--kind", "--as"])
def test_who_and_what_must_be_said(moderator: Moderator, missing: str) -> None:
    place = RELEASE.index(missing)
    ran = moderator(*RELEASE[:place], *RELEASE[place + 2 :], "--yes")
    assert ran.code == 2
    assert missing in ran.err


@pytest.mark.parametrize("command", [["breakers", "list"], [*RELEASE, "--yes"]])
def test_a_broker_that_does_not_answer_is_code_3(moderator: Moderator, command: list[str]) -> None:
    ran: Ran = moderator(*command, "--broker", f"127.0.0.1:{free_port()}")
    assert ran.code == 3


@pytest.mark.kafka
def test_release_and_discard_reach_who_owns_the_account(
    moderator: Moderator, broker: str, topic_prefix: str
) -> None:
    from kafka import KafkaProducer

    from worker.engine.ids import partition_of
    from worker.reading import reader

    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    assert moderator("breakers", "list", *where).code == 2, "the topics are missing"
    assert moderator("topics", "create", *where, "--partitions", "3").code == 0
    assert moderator("breakers", "list", *where, "--json").json == {"held": [], "count": 0}
    producer = KafkaProducer(bootstrap_servers=broker)
    for number in range(40):
        author = f"u{number}"
        value = item(f"i{number}", proposed=REMOVE if number % 2 else ACTION, account_id=author)
        producer.send(
            f"{topic_prefix}review.queue",
            json.dumps(value).encode(),
            key=author.encode(),
            partition=partition_of(author.encode(), 3),
        )
    producer.flush()
    producer.close()
    assert moderator("breakers", "list", *where, "--json").json["count"] == 40
    both = ["--policy", "violence", "--as", "ann", "--yes", "--json", *where]
    assert moderator("breakers", "release", "--kind", "remove", *both).json["published"] == 20
    assert moderator("breakers", "discard", "--kind", "suspend", *both).json["published"] == 20
    with reader(broker, ["reviews"], topic_prefix) as topic:
        reviews = list(topic.everything())
    assert len(reviews) == 40
    for record in reviews:
        assert record.key is not None
        assert record.value is not None
        assert record.partition == partition_of(record.key, 3)
        value = json.loads(record.value)
        assert value["account_id"] == record.key.decode()
        odd = int(value["item_id"][1:]) % 2
        assert value["outcome"] == ("uphold" if odd else "dismiss")


def test_a_cluster_that_takes_only_some_is_code_3_and_says_how_many(
    moderator: Moderator, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(*given: Any, **options: Any) -> int:
        raise NotAllSent(2, 3, "it fell silent")

    monkeypatch.setattr(operating, "send_in_order", send)
    ran = moderator(*RELEASE, "--yes")
    assert ran.code == 3
    assert "2 of 3 records were acknowledged" in ran.err
    assert "again" in ran.err
