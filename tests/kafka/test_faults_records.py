"""Records that a worker cannot judge, or must not: each ends as one dead letter with its reason, or as nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.oracle import read_outputs
from tests.kafka.recomputed import Place, count_by_reason
from tests.kafka.scene import Scene, dead_letters
from tests.kafka.traffic import (
    FATAL_WORD,
    HANG_WORD,
    REMOVE_WORD,
    Traffic,
    make_post,
    make_posts,
    partition_of,
)
from worker.watchdog import EXIT_CODE as WATCHDOG_EXIT

# Rarely, on a busy machine, kafka-python's close leaves a socket to the garbage collector.
_LEAK = "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings(_LEAK)]

FATAL_EXIT = 9  # what the pack's rule ends the process with
MOST_RESTARTS = 3
ATTEMPTS = 3  # in its batch, alone, in a process of its own


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Scene]:
    with Scene(broker, topic_prefix, tmp_path) as scene:
        yield scene


def send_bad_post(scene: Scene, word: str, *, account: str = "account-bad", number: int = 0) -> Place:
    """Sends a post that no worker survives; it must become a dead letter and nothing else."""
    reason = "crashed_worker"
    post = make_post(f"bad-{word}-{number}", account, f"this {word} is one too many")
    placement = scene.traffic.send_raw(post.value, key=post.key)
    place = ("posts", placement.partition, placement.offset)
    scene.ledger.expect_dead_letter(*place, reason)
    scene.given_up[place] = reason
    return place


def test_a_post_that_kills_the_process_ends_as_a_dead_letter_and_takes_nobody_with_it(scene: Scene) -> None:
    scene.post(60)
    send_bad_post(scene, FATAL_WORD)
    scene.post(60)
    scene.start()
    scene.finish().assert_exactly_once()
    assert scene.codes() == [FATAL_EXIT] * len(scene.codes())
    assert 1 <= len(scene.codes()) <= MOST_RESTARTS
    (letter,) = dead_letters(scene.oracle.records)
    assert letter["attempts"] == ATTEMPTS


def test_a_post_that_hangs_the_process_ends_as_a_dead_letter_too(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    limits = {"batch_limit": "4", "probe_limit": "4"}  # seconds
    with Scene(broker, topic_prefix, tmp_path, settings=limits) as scene:
        scene.post(40)
        send_bad_post(scene, HANG_WORD)
        scene.post(40)
        scene.start()
        scene.finish().assert_exactly_once()
        assert scene.codes() == [WATCHDOG_EXIT] * len(scene.codes())
        assert 1 <= len(scene.codes()) <= MOST_RESTARTS
        (letter,) = dead_letters(scene.oracle.records)
        assert letter["attempts"] == ATTEMPTS


@pytest.mark.slow
def test_several_posts_that_end_the_process_each_end_as_a_dead_letter(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    limits = {"batch_limit": "4", "probe_limit": "4"}  # seconds
    with Scene(broker, topic_prefix, tmp_path, settings=limits) as scene:
        scene.post(60)
        for number, word in enumerate((FATAL_WORD, FATAL_WORD, HANG_WORD, FATAL_WORD)):
            # Two in a row of one account, then a hanging one and another on partitions of their own choice.
            send_bad_post(scene, word, account=f"account-{max(1, number)}", number=number)
        scene.post(60)
        scene.start()
        scene.finish(400.0).assert_exactly_once()
        assert set(scene.codes()) <= {FATAL_EXIT, WATCHDOG_EXIT}
        assert len(scene.codes()) <= 4 * MOST_RESTARTS
        letters = dead_letters(scene.oracle.records)
        assert [letter["attempts"] for letter in letters] == [ATTEMPTS] * 4


def test_posts_of_an_aborted_upstream_transaction_are_never_judged(scene: Scene) -> None:
    scene.start()
    upstream = f"{scene.prefix}upstream"
    with Traffic(scene.broker, scene.prefix, transactional_id=upstream) as traffic:
        committed = traffic.send_in_transaction(make_posts(300, first=0), commit=True)
        traffic.send_in_transaction(make_posts(300, first=300, violating_share=1.0), commit=False)
        committed += traffic.send_in_transaction(make_posts(300, first=600), commit=True)
        traffic.send_in_transaction(make_posts(50, first=900, violating_share=1.0), commit=False)
    scene.ledger.expect(committed)
    outcome = scene.finish()
    outcome.assert_exactly_once()
    assert outcome.by_engine.posts == len(committed)
    judged = {record.body["subject"]["id"] for record in scene.oracle.records if record.topic == "decisions"}
    assert judged == {post.post_id for post in committed}


def test_a_topic_that_ends_in_an_aborted_transaction_keeps_nobody_waiting(scene: Scene) -> None:
    upstream = f"{scene.prefix}upstream"
    with Traffic(scene.broker, scene.prefix, transactional_id=upstream) as traffic:
        scene.ledger.expect(traffic.send_in_transaction(make_posts(60), commit=True))
        traffic.send_in_transaction(make_posts(60, first=60), commit=False)
    worker = scene.start()[0]
    scene.wait(lambda: worker.metric("moderator_consumer_lag_records") == 0, 30, "no lag")
    scene.progress(0)
    scene.finish().assert_exactly_once()


def nested(depth: int) -> bytes:
    return (
        b'{"schema_version":1,"post_id":"p","author_id":"a","created_at":"2026-11-22T09:00:00Z","text":"","x":%s}'
        % (b"[" * depth + b"]" * depth)
    )


def text_of(escaped: str) -> bytes:
    """A post whose text is this JSON escape, which must stay as it is."""
    return make_post("p", "a", "TEXT").value.replace(b"TEXT", escaped.encode())


POISON: dict[str, tuple[bytes | None, str]] = {
    "half an object": (b'{"schema_version": 1, "post_id"', "bad_json"),
    "nothing": (b"", "bad_json"),
    "no JSON": (b"\x00\x01\x02", "bad_json"),
    "not UTF-8": (b'{"schema_version": 1, "text": "\xff\xfe"}', "bad_utf8"),
    "null value": (None, "null_value"),
    "a list": (b"[1, 2, 3]", "invalid"),
    "no text": (b'{"schema_version": 1, "post_id": "p", "author_id": "a"}', "invalid"),
    "2 MB": (make_post("p", "a", f"{REMOVE_WORD} " + "x" * (2 << 20)).value, "too_large"),
    "100 000 levels": (nested(100_000), "too_deep"),
    "40 levels in an unknown field": (nested(40), "too_deep"),
    "half a surrogate pair": (text_of(r"\ud83d"), "invalid"),
    "another version": (make_post("p", "a", "x").value.replace(b'"schema_version": 1', b'"schema_version": 99'), "unsupported_version"),
    "25 001 code points": (make_post("p", "a", "x" * 25_001).value, "invalid"),
}  # fmt: skip


def test_poison_becomes_one_dead_letter_each_and_the_posts_between_are_judged(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    limit = {"max.message.bytes": str(4 << 20)}
    with Scene(broker, topic_prefix, tmp_path, topic_settings=limit) as scene:
        worker = scene.start()[0]
        reasons = []
        for name, (value, reason) in POISON.items():
            scene.post(20)
            placement = scene.traffic.send_raw(value, key=b"a", headers=[("name", name.encode())])
            scene.ledger.expect_dead_letter("posts", placement.partition, placement.offset, reason)
            reasons.append(reason)
        # Valid posts on wrong partitions: under another account's key, without one, on a number by hand.
        post = make_post("astray", "account-astray", REMOVE_WORD)
        right = partition_of(post.key, scene.partitions)
        astray = ((b"account-0", None), (None, right), (post.key, (right + 1) % scene.partitions))
        for key, partition in astray:
            placement = scene.traffic.send_raw(post.value, key=key, partition=partition)
            scene.ledger.expect_dead_letter("posts", placement.partition, placement.offset, "misrouted")
            reasons.append("misrouted")
        # NUL and an emoji as two escapes are text like any other.
        for name, text in {"nul": f"\0 {REMOVE_WORD} \0", "emoji": f"{REMOVE_WORD} \U0001f600"}.items():
            fine = make_post(f"fine-{name}", "account-fine", text, kind="remove")
            scene.ledger.expect(scene.traffic.send([fine]))
        scene.post(100)
        scene.finish().assert_exactly_once()
        assert scene.codes() == []
        assert worker.exit_code == 0
        letters = dead_letters(scene.oracle.records)
        assert count_by_reason(scene.oracle.records) == {each: reasons.count(each) for each in reasons}
        (large,) = (letter for letter in letters if letter["reason"] == "too_large")
        assert large["truncated"]
        assert large["value_bytes"] > 2 << 20
        assert all(letter["attempts"] == 1 for letter in letters)


def test_records_on_a_topic_of_poison_alone_all_end_as_dead_letters(scene: Scene) -> None:
    for number in range(300):
        key = b"account-%d" % number
        placement = scene.traffic.send_raw(b"{%d" % number, key=key)
        scene.ledger.expect_dead_letter("posts", placement.partition, placement.offset, "bad_json")
    scene.start()
    scene.finish().assert_exactly_once()
    records = read_outputs(scene.broker, scene.prefix)
    assert len(dead_letters(records)) == 300
    assert all(json.loads(record.value or b"{}")["reason"] == "bad_json" for record in records)
