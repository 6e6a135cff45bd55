"""Dead letters shown and sent again on a real broker, with a real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.scene import Scene, dead_letters
from tests.kafka.traffic import REMOVE_WORD, make_post, partition_of
from tests.worker.cli.conftest import Moderator, moderator, pattern_cache

__all__ = ["moderator", "pattern_cache"]  # fixtures

pytestmark = pytest.mark.kafka


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Scene]:
    with Scene(broker, topic_prefix, tmp_path) as scene:
        yield scene


def test_what_was_misrouted_is_judged_after_a_replay_and_a_second_one_adds_nothing(
    scene: Scene, moderator: Moderator, broker: str, topic_prefix: str
) -> None:
    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    scene.start()
    posts = [
        make_post(f"lost-{number}", f"account-{number}", f"this {REMOVE_WORD} again") for number in range(5)
    ]
    for post in posts:
        wrong = (partition_of(post.key, scene.partitions) + 1) % scene.partitions
        scene.traffic.send_raw(post.value, key=post.key, partition=wrong)
    scene.traffic.send_raw(b"{", key=b"broken")
    scene.oracle.wait_for(lambda records: len(dead_letters(records)) == 6, 60, "the dead letters")

    dry = moderator("dead-letters", "replay", *where, "--dry-run", "--json").json
    assert (dry["chosen"], dry["sent"], dry["left_out"]) == (5, 0, {"would be refused again": 1})
    first = dry["dead_letter_ids"][0]
    shown = moderator("dead-letters", "show", first, *where)
    assert "misrouted" in shown.out
    assert REMOVE_WORD not in shown.out
    assert REMOVE_WORD in moderator("dead-letters", "show", first, *where, "--content").out

    def removed() -> list[str]:
        return sorted(
            record.body["action_id"]
            for record in scene.oracle.read_to_end()
            if record.topic == "enforcement.remove"
        )

    assert removed() == []
    sent = moderator("dead-letters", "replay", *where, "--reason", "misrouted", "--yes", "--json").json
    assert sent["sent"] == 5
    scene.oracle.wait_for(
        lambda records: sum(record.topic == "enforcement.remove" for record in records) >= 5,
        60,
        "the actions",
    )
    once = removed()
    assert len(once) == 5

    def decided(records: list) -> int:
        return sum(record.topic == "decisions" for record in records)

    before = decided(scene.oracle.read_to_end())
    assert moderator("dead-letters", "replay", *where, "--yes", "--json").json["sent"] == 5
    scene.oracle.wait_for(lambda records: decided(records) >= before + 5, 60, "the duplicates' decisions")
    assert removed() == once
    outcomes = {
        record.body["outcome"] for record in scene.oracle.read_to_end()[-5:] if record.topic == "decisions"
    }
    assert outcomes == {"duplicate"}
    assert len(dead_letters(scene.oracle.read_to_end())) == 6


def test_messages_of_the_commands(moderator: Moderator, scene: Scene, broker: str, topic_prefix: str) -> None:
    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    none = moderator("dead-letters", "replay", *where, "--yes")
    assert none.code == 0
    assert "0 sent" in none.err
    unknown = moderator("dead-letters", "show", "nothing", *where)
    assert unknown.code == 2
    assert "there is no dead letter nothing" in unknown.err
    assert moderator("dead-letters", "replay", "nothing", *where).code == 2
    reason = moderator("dead-letters", "replay", *where, "--reason", "bad")
    assert "One of: bad_utf8, bad_json" in reason.err
    assert moderator("dead-letters", "replay", *where, "--since", "yesterday").code == 2
