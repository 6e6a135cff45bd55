"""The engine on a pack of made-up words: every promise of the contract that needs no broker."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.base import parse_time
from tests.worker.engine.helpers import START, Feed, at, outputs, post, topics
from worker.engine.breakers import Name
from worker.engine.ids import action_id, digest, partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack


def decisions(judged: Judged) -> dict[str, int]:
    return {
        labels[2]: count
        for labels, count in judged.tally.items()
        if labels[:2] == ("moderator_decisions_total", "posts")
    }


def test_a_clear_post_gives_a_counted_decision_and_no_output(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("a fine day")))
    assert judged.outputs == []
    assert decisions(judged) == {"clear": 1}
    assert b"a:u1" in judged.state


def test_a_violation_names_policy_version_clause_evidence_and_appeal(
    judge: PartitionJudge, feed: Feed
) -> None:
    judged = judge.judge(feed.posts(post("please zap it", "179")))
    assert topics(judged) == ["decisions", "enforcement.remove", "notices"]
    (action,) = outputs(judged, "enforcement.remove")
    assert action["action_id"] == action_id("remove", "apply", "post", "179", "violence", 3, "179")
    assert (action["policy"], action["policy_version"], action["clause"]) == (
        "violence",
        3,
        "You may not zap.",
    )
    assert action["subject"] == {"type": "post", "id": "179"}
    assert action["decided_at"] == at()
    assert action["record"] == {"topic": "posts", "partition": 0, "offset": 0}
    assert action["strikes"] == {"added": 1, "active": 1}
    (evidence,) = action["evidence"]
    assert (evidence["signal"], evidence["field"], evidence["start"], evidence["end"]) == (
        "plain.remove",
        "text",
        7,
        10,
    )
    (notice,) = outputs(judged, "notices")
    assert parse_time(notice["appeal_until"]) == START + timedelta(days=20)
    assert "You may not zap." in notice["body"]
    (decision,) = outputs(judged, "decisions")
    assert decision["outcome"] == "violation"
    assert decision["actions"] == [action["action_id"]]


def test_a_doubt_goes_to_review_with_what_would_be_done(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("a blip")))
    assert topics(judged) == ["decisions", "review.queue"]
    (item,) = outputs(judged, "review.queue")
    assert (item["reason"], item["policy"], item["closed_by"]) == ("uncertain", "violence", None)
    assert item["proposed"]["kind"] == "label"
    assert parse_time(item["due_at"]) == START + timedelta(hours=12)
    assert decisions(judged) == {"review": 1}


def test_a_post_seen_again_is_a_duplicate_without_output(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("zap", "1")))
    judged = judge.judge(feed.posts(post("zap", "1", when=at(23))))
    assert judged.outputs == []
    assert decisions(judged) == {"duplicate": 1}


def test_two_copies_in_one_batch_count_once(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("zap", "1"), post("zap", "1")))
    assert topics(judged).count("enforcement.remove") == 1
    assert decisions(judged) == {"violation": 1, "duplicate": 1}


def test_what_is_in_force_is_not_repeated_when_the_id_is_forgotten(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("zap", "1")))
    judged = judge.judge(feed.posts(post("zap", "1", when=at(30))))
    assert topics(judged) == ["decisions"]


def test_an_edit_that_keeps_its_id_is_judged_again(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day", "1")))
    edit = post("now zap", "1", when=at(1), edit_of="1")
    judged = judge.judge(feed.posts(edit, edit))
    assert decisions(judged) == {"violation": 1, "duplicate": 1}


def test_strikes_climb_the_ladder_to_a_suspension_that_ends_by_itself(
    judge: PartitionJudge, feed: Feed
) -> None:
    judged = judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    assert [a["strikes"]["active"] for a in outputs(judged, "enforcement.remove")] == [1, 2, 3]
    (suspension,) = outputs(judged, "enforcement.suspend")
    assert (suspension["mode"], suspension["subject"]) == ("read_only", {"type": "account", "id": "u1"})
    assert parse_time(suspension["expires_at"]) == START + timedelta(hours=14)
    assert judge.expire(START + timedelta(hours=13, minutes=59)).outputs == []
    ended = judge.expire(START + timedelta(hours=14))
    (reverse,) = outputs(ended, "enforcement.suspend")
    assert reverse["operation"] == "reverse"
    assert reverse["reverses"] == suspension["action_id"]
    assert reverse["decided_at"] == suspension["expires_at"]
    assert reverse["action_id"] == digest(
        "suspend", "reverse", "account", "u1", "violence", 3, suspension["action_id"]
    )
    assert [n["kind"] for n in outputs(ended, "notices")] == ["reversal"]
    assert judge.expire(START + timedelta(days=9)).outputs == []


def test_a_suspension_counts_until_its_end_even_when_no_timer_ran(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    during = judge.judge(feed.posts(post("zap", "9", when=at(2, seconds=0))))
    assert outputs(during, "enforcement.suspend") == []
    after = judge.judge(feed.posts(post("zap", "10", when=at(20))))
    assert len(outputs(after, "enforcement.suspend")) == 1


def test_a_stricter_suspension_is_applied_over_a_weaker_one(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    judged = judge.judge(feed.posts(post("zonk", "9", when=at(4))))
    assert [a["mode"] for a in outputs(judged, "enforcement.suspend")] == ["suspended"]
    again = judge.judge(feed.posts(post("zonk", "10", when=at(5))))
    assert outputs(again, "enforcement.suspend") == []


def test_one_record_adds_its_strikes_once_however_many_actions_follow(
    judge: PartitionJudge, feed: Feed
) -> None:
    judged = judge.judge(feed.posts(post("zonk")))
    strikes = [
        a["strikes"]
        for topic in ("enforcement.remove", "enforcement.suspend")
        for a in outputs(judged, topic)
    ]
    assert sum(s["added"] for s in strikes) == 2
    assert {s["active"] for s in strikes} == {2}


def test_a_breaker_holds_for_review_what_is_above_the_quota(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(*(post("zap", str(n), author=f"u{n}") for n in range(7))))
    assert len(outputs(judged, "enforcement.remove")) == 5
    held = outputs(judged, "review.queue")
    assert [item["reason"] for item in held] == ["breaker", "breaker"]
    assert {item["proposed"]["kind"] for item in held} == {"remove"}
    assert judge.breakers.open()[Name("violence", "remove", "day")]
    next_day = judge.judge(feed.posts(post("zap", "8", author="u8", when=at(24))))
    assert len(outputs(next_day, "enforcement.remove")) == 1
    assert not judge.breakers.open()[Name("violence", "remove", "day")]


def test_a_rule_that_fails_is_never_clear(judge: PartitionJudge, feed: Feed) -> None:
    for word in ("faultyword", "nonsenseword"):
        judged = judge.judge(feed.posts(post(word, word)))
        (item,) = outputs(judged, "review.queue")
        assert (item["reason"], item["proposed"]) == ("rule_failed", None)
        assert judged.tally["moderator_rule_failures_total", "violence"] == 1
        assert decisions(judged) == {"review": 1}


def test_a_shadow_policy_is_recorded_but_does_nothing(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(post("a zork for sale")))
    assert judged.outputs == []
    assert judged.tally["moderator_shadow_actions_total", "illegal-goods", "remove"] == 1
    assert judged.tally["moderator_verdicts_total", "illegal-goods", "shadow", "violation"] == 1
    both = judge.judge(feed.posts(post("zap the zork", "2")))
    (decision,) = outputs(both, "decisions")
    assert [(v["policy"], v["status"]) for v in decision["verdicts"]] == [
        ("violence", "enforce"),
        ("illegal-goods", "shadow"),
    ]


def test_an_uncovered_language_is_neither_cleared_nor_punished(judge: PartitionJudge, feed: Feed) -> None:
    plain = judge.judge(feed.posts(post("alles gut", "1", lang="de")))
    assert plain.tally["moderator_uncovered_language_total", "violence"] == 1
    doubtful = judge.judge(feed.posts(post("zap", "2", lang="de")))
    assert topics(doubtful) == ["decisions", "review.queue"]
    assert outputs(doubtful, "decisions")[0]["uncovered_language"] == "de"
    anywhere = judge.judge(feed.posts(post("quux42", "3", lang="de")))
    assert len(outputs(anywhere, "enforcement.remove")) == 1


def test_a_deletion_closes_the_items_of_the_post_and_makes_no_action(
    judge: PartitionJudge, feed: Feed
) -> None:
    (opened,) = outputs(judge.judge(feed.posts(post("a blip", "1"))), "review.queue")
    judged = judge.judge(feed.posts(post("a blip", "1", deleted=True)))
    assert topics(judged) == ["review.queue"]
    (closed,) = outputs(judged, "review.queue")
    assert closed == {**opened, "closed_by": "deleted-by-author"}
    assert judged.state[b"x:" + opened["item_id"].encode()] is None


def test_an_accounts_clock_never_runs_backwards(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("a fine day", "1", when=at(5))))
    (action,) = outputs(judge.judge(feed.posts(post("zap", "2", when=at(1)))), "enforcement.remove")
    assert action["decided_at"] == at(5)


def test_a_profile_is_judged_and_its_field_acted_on(judge: PartitionJudge, feed: Feed) -> None:
    snapshot = {"schema_version": 1, "account_id": "u1", "updated_at": at(), "profile": {"bio": "zap"}}
    judged = judge.judge([feed.record("accounts", snapshot)])
    (action,) = outputs(judged, "enforcement.remove")
    assert action["subject"] == {"type": "profile_field", "id": "u1/bio"}
    assert action["post_id"] is None
    assert action["action_id"] == action_id(
        "remove", "apply", "profile_field", "u1/bio", "violence", 3, f"u1@{at()}"
    )


def test_a_deleted_account_is_erased(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(3), "deleted": True}
    judged = judge.judge([feed.record("accounts", gone)])
    assert judged.outputs == []
    assert judged.state[b"a:u1"] is None
    assert sum(1 for key, value in judged.state.items() if key.startswith(b"x:") and value is None) == 4
    assert judge.expire(START + timedelta(days=9)).outputs == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", "bad_json"),
        (b'{"text":"\xff"}', "bad_utf8"),
        (None, "null_value"),
        (b'{"schema_version":1}', "invalid"),
        (b'{"schema_version":99}', "unsupported_version"),
        (b"[" * 100_000, "too_deep"),
        (b'"' + b"x" * (2 * 1024 * 1024) + b'"', "too_large"),
    ],
)
def test_what_cannot_be_judged_is_a_dead_letter(
    judge: PartitionJudge, feed: Feed, value: bytes | None, reason: str
) -> None:
    judged = judge.judge([feed.record("posts", value), *feed.posts(post("zap", "2"))])
    assert topics(judged)[0] == "dead-letter"
    (letter,) = outputs(judged, "dead-letter")
    assert (letter["reason"], letter["topic"], letter["offset"]) == (reason, "posts", 0)
    assert letter["truncated"] == (reason == "too_large")
    assert len(outputs(judged, "enforcement.remove")) == 1
    assert all(len(output.value or b"") < 1_000_000 for output in judged.outputs)


def test_a_misrouted_record_is_a_dead_letter(pack: Pack, feed: Feed) -> None:
    partition = partition_of(b"u1", 8)
    owner = PartitionJudge(pack, partition, partitions=8)
    right = owner.judge([feed.record("posts", post("zap"), b"u1", partition)])
    assert topics(right)[1] == "enforcement.remove"
    for key in (b"u2", None):
        judged = owner.judge([feed.record("posts", post("zap"), key, partition)])
        assert [letter["reason"] for letter in outputs(judged, "dead-letter")] == ["misrouted"]
    other = PartitionJudge(pack, (partition + 1) % 8, partitions=8)
    judged = other.judge([feed.record("posts", post("zap"), b"u1", (partition + 1) % 8)])
    (letter,) = outputs(judged, "dead-letter")
    assert letter["reason"] == "misrouted"
    assert "murmur2" in letter["detail"]


def test_every_record_ends_as_one_decision_or_one_dead_letter(judge: PartitionJudge, feed: Feed) -> None:
    records = [
        *feed.posts(
            post("zap", "1"),
            post("zap", "1"),
            post("a blip", "2"),
            post("fine", "3"),
            post("faultyword", "4"),
        ),
        feed.record("posts", b"{"),
        feed.record("posts", None),
    ]
    tally = judge.judge(records).tally
    ends = sum(
        count
        for labels, count in tally.items()
        if labels[0] in {"moderator_decisions_total", "moderator_dead_letters_total"}
    )
    assert ends == len(records)


STORY = [
    *(post(text, f"{n}-{m}", author=f"u{m}", when=at(n, seconds=m)) for n in range(8) for m, text in enumerate(
        ["zap", "fine", "a blip", "zonk it", "zip", "faultyword", "quux42"]
    )),
]  # fmt: skip


def test_the_split_into_batches_changes_nothing(pack: Pack) -> None:
    runs = []
    for size in (1, 3, 100):
        judge, feed = PartitionJudge(pack, 0), Feed()
        records = feed.posts(*STORY)
        runs.append(
            [o for i in range(0, len(records), size) for o in judge.judge(records[i : i + size]).outputs]
        )
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("cut", [1, 9, 30, 55])
def test_a_restored_owner_goes_on_as_if_nothing_had_happened(pack: Pack, cut: int) -> None:
    whole, feed = PartitionJudge(pack, 0), Feed()
    records: list[Record] = feed.posts(*STORY)
    expected = [whole.judge([record]).outputs for record in records]
    first = PartitionJudge(pack, 0)
    state: dict[bytes, bytes | None] = {}
    for record in records[:cut]:
        state.update(first.judge([record]).state)
    second = PartitionJudge(pack, 0)
    for key, value in state.items():
        second.restore(key, value)
    assert [second.judge([record]).outputs for record in records[cut:]] == expected[cut:]
    end = START + timedelta(days=60)
    assert second.expire(end).outputs == whole.expire(end).outputs


def test_a_reversal_is_published_once_even_after_a_restore(pack: Pack, feed: Feed) -> None:
    first = PartitionJudge(pack, 0)
    state = dict(first.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3)))).state)
    ended = first.expire(START + timedelta(days=1))
    assert len(outputs(ended, "enforcement.suspend")) == 1
    state.update(ended.state)
    second = PartitionJudge(pack, 0)
    for key, value in state.items():
        second.restore(key, value)
    assert second.expire(START + timedelta(days=2)).outputs == []
    late = second.expire(START + timedelta(days=22))
    assert [value for key, value in late.state.items() if key.startswith(b"x:")] == [None]


def test_a_dead_letter_fits_one_request_whatever_key_and_headers_hold(judge: PartitionJudge) -> None:
    headers = tuple((f"h{n}", b"x" * 10_000) for n in range(100))
    record = Record("posts", 0, 5, 0, b"k" * 900_000, b"{" + b"x" * (512 * 1024 - 1), headers)
    (output,) = judge.judge([record]).outputs
    assert output.value is not None
    assert len(output.value) + len(output.key) < 1_000_000
    (letter,) = outputs(judge.judge([record]), "dead-letter")
    assert letter["truncated"]
    assert letter["value_bytes"] == 512 * 1024
    assert len(letter["headers"]) == 3


def test_open_items_are_bounded_and_leave_nothing_behind(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(feed.posts(*(post("a blip", str(n)) for n in range(70))))
    open_items = [key for key, value in judged.state.items() if key.startswith(b"x:") and value is not None]
    assert len(open_items) == 64


def test_timers_change_nothing_in_how_late_records_are_judged(pack: Pack) -> None:
    story = [post("zap", str(n)) for n in range(6)]
    plain, timed, feed = PartitionJudge(pack, 0), PartitionJudge(pack, 0), Feed()
    for record in feed.posts(*story):
        expected = plain.judge([record]).outputs
        assert timed.judge([record]).outputs == expected
        timed.expire(START + timedelta(days=1))


def test_a_post_that_comes_after_its_own_deletion_is_not_acted_on(judge: PartitionJudge, feed: Feed) -> None:
    judge.judge(feed.posts(post("zap", "1", deleted=True)))
    judged = judge.judge(feed.posts(post("zap", "1")))
    assert judged.outputs == []
    assert decisions(judged) == {"duplicate": 1}


def test_a_backlog_older_than_the_time_for_appeals_gives_each_action_id_once(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0)
    judged = judge.judge(feed.posts(*(post("zap", str(n), when=at(n)) for n in range(3))))
    assert len(outputs(judged, "enforcement.suspend")) == 1
    judge.expire(START + timedelta(days=90))  # the wall clock, when a worker reads what is long past
    again = judge.judge(feed.posts(post("zap", "2", when=at(30))))
    assert outputs(again, "enforcement.suspend") == []


def test_a_profile_field_that_is_filled_again_is_removed_again(judge: PartitionJudge, feed: Feed) -> None:
    def snapshot(hour: int, bio: str) -> Judged:
        value = {"schema_version": 1, "account_id": "u1", "updated_at": at(hour), "profile": {"bio": bio}}
        return judge.judge([feed.record("accounts", value)])

    assert len(outputs(snapshot(0, "zap"), "enforcement.remove")) == 1
    assert outputs(snapshot(1, "zap"), "enforcement.remove") == []
    assert len(outputs(snapshot(2, "zap and more"), "enforcement.remove")) == 1


def test_with_all_decisions_every_input_shows(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    judge.judge(feed.posts(post("zap")))
    inputs = {
        "reports": {
            "report_id": "r",
            "reporter_id": "u9",
            "subject": {"type": "post", "id": "1"},
            "reason": "x",
        },
        "appeals": {"appeal_id": "a", "action_id": "x"},
        "reviews": {"review_id": "v", "reviewer_id": "m", "outcome": "dismiss"},
    }
    for topic, value in inputs.items():
        more = {"schema_version": 1, "account_id": "u1", "created_at": at(1)}
        (decision,) = outputs(judge.judge([feed.record(topic, {**value, **more})]), "decisions")
        outcome = (
            "clear" if topic == "reports" else "refused"
        )  # the post is removed; there is nothing to decide
        assert (decision["outcome"], decision["record"]["topic"], decision["strikes"]["active"]) == (
            outcome,
            topic,
            1,
        )


def test_a_late_deletion_erases_and_the_clock_does_not_run_backwards(pack: Pack, feed: Feed) -> None:
    judge = PartitionJudge(pack, 0, publish_all=True)
    judge.judge(feed.posts(post("fine", when=at(5))))
    gone = {"schema_version": 1, "account_id": "u1", "updated_at": at(1), "deleted": True}
    judged = judge.judge([feed.record("accounts", gone)])
    assert outputs(judged, "decisions")[0]["decided_at"] == at(5)
    assert judged.state[b"a:u1"] is None


def test_what_is_no_policy_is_a_dead_letter(judge: PartitionJudge, feed: Feed) -> None:
    judged = judge.judge(
        [feed.record("policies", {"garbage": 1}, b"current"), feed.record("policies", None, b"p/f/0")]
    )
    assert [letter["reason"] for letter in outputs(judged, "dead-letter")] == ["invalid"]
    assert judged.tally["moderator_decisions_total", "policies", "clear"] == 1
