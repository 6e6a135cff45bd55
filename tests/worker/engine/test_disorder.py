"""Records that come three times, or out of order within a minute, leave the same counts.

What must not depend on the order: what the account did (`behaviour`), its strikes, which of its posts are removed or
labelled how often, and until when it is suspended. A suspension may be spelled differently: of two offences of one
minute that come the wrong way round the second ends no later than the first, so that it is not published again.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.engine.helpers import CACHE, at, post
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack, load_pack
from worker.replay import Replay

PACK = Path(__file__).resolve().parents[2] / "packs" / "record"
ACCOUNTS = 6
MINUTES = 28  # the story begins at half past: it stays within the hour
_WORDS = ("zap", "zap", "zap", "zip", "blip", "same", "", "")
_THINGS = ("bakery", "harbour", "tram", "orchard", "lighthouse", "market", "choir", "kiln")
Input = tuple[float, str, str, dict[str, Any]]
"""Seconds into the story, topic, key, value."""


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK, cache_dir=CACHE)


def story(seed: int) -> list[Input]:
    """What a few accounts post within half an hour, in order. Within a minute an account keeps to one kind of post."""
    chance = random.Random(seed)
    inputs: list[Input] = []
    for number in range(ACCOUNTS):
        author = f"u{number}"
        profile = {"account_id": author, "updated_at": at(), "profile": {"handle": author, "followers": 50}}
        inputs.append((0.0, "accounts", author, {"schema_version": 1, **profile}))
        for minute in range(1, MINUTES):
            if chance.random() < 0.5:
                continue
            word = chance.choice(_WORDS)
            for _ in range(chance.randint(1, 3)):
                second = minute * 60 + chance.random() * 59
                text = " ".join((word, *chance.sample(_THINGS, 4), str(chance.randrange(10**6))))
                if word == "same":
                    text = f"{author} offers lovely hats and gloves from the old mill every single morning"
                body = post(text, f"{author}-{len(inputs)}", author, at(seconds=second))
                if chance.random() < 0.3:
                    body |= {"mentions": [f"m{chance.randrange(9)}"], "hashtags": chance.sample(_THINGS, 2)}
                inputs.append((second, "posts", author, body))
    return sorted(inputs, key=lambda each: each[0])


def records(inputs: Sequence[Input]) -> list[Record]:
    return [
        Record(topic, 0, offset, 0, key.encode(), json.dumps(value).encode())
        for offset, (_, topic, key, value) in enumerate(inputs)
    ]


def judged(pack: Pack, inputs: Sequence[Input], batch: int = 7) -> tuple[Judged, dict[bytes, Any]]:
    """What follows from the inputs, and the state at the end without references to records."""
    judge = PartitionJudge(pack, 0)
    total = Judged()
    given = records(inputs)
    for start in range(0, len(given), batch):
        total.add(judge.judge(given[start : start + batch]))
    state = {key: _unplaced(json.loads(value)) for key, value in total.state.items() if value is not None}
    return total, {key: value for key, value in state.items() if not key.startswith(b"p:")}


def _unplaced(value: Any) -> Any:
    """A JSON value without offsets, which every further copy moves."""
    if isinstance(value, dict):
        return {name: _unplaced(part) for name, part in value.items() if name != "record"}
    return [_unplaced(part) for part in value] if isinstance(value, list) else value


def published(total: Judged) -> list[Any]:
    """What came out, decisions left out: every copy has its own."""
    return [
        (output.topic, output.key, _unplaced(json.loads(output.value)))
        for output in total.outputs
        if output.topic != "decisions" and output.value is not None
    ]


def tripled(inputs: Sequence[Input], chance: random.Random) -> list[Input]:
    """Every record three times, the copies up to a minute later among the others."""
    copies: list[tuple[float, int, Input]] = []
    for number, each in enumerate(inputs):
        copies.append((each[0], number, each))
        copies += [(each[0] + chance.random() * 60, number, each) for _ in range(2)]
    return [each for _, _, each in sorted(copies, key=lambda copy: copy[:2])]


def shuffled(inputs: Sequence[Input], chance: random.Random) -> list[Input]:
    """No record more than a minute away from its place in time."""
    late = [(each[0] + chance.random() * 60, number, each) for number, each in enumerate(inputs)]
    return [each for _, _, each in sorted(late, key=lambda one: one[:2])]


def counts(total: Judged, state: dict[bytes, Any]) -> dict[str, Any]:
    """What an account's record and the published actions count."""
    found: dict[str, Any] = {}
    actions = [value for topic, _, value in published(total) if topic.startswith("enforcement.")]
    for number in range(ACCOUNTS):
        name = f"u{number}"
        record = state[b"a:" + name.encode()]
        mine = [value for value in actions if value["account_id"] == name]
        on_posts = Counter(
            (a["kind"], a["label"], a["policy"]) for a in mine if a["subject"]["type"] == "post"
        )
        blocks = [a for a in mine if a["kind"] == "suspend"]
        ends = [
            datetime.max.replace(tzinfo=UTC) if a["expires_at"] is None else _time(a["expires_at"])
            for a in blocks
        ]
        found[name] = {
            "behaviour": record.get("behaviour"),
            "seen": sorted(record["recent"]),
            "strikes": Counter((policy, weight) for policy, weight, _, _ in record.get("strikes", ())),
            "posts": on_posts,
            "mode": max(
                (a["mode"] for a in blocks), default=None
            ),  # "suspended" is stricter than "read_only"
            "until": max(ends, default=None),
        }
    return found


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_records_that_come_three_times_count_once(pack: Pack, seed: int) -> None:
    inputs = story(seed)
    once, state = judged(pack, inputs)
    thrice, same = judged(pack, tripled(inputs, random.Random(seed)), batch=11)
    assert published(thrice) == published(once)
    assert same == state


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_the_order_within_a_minute_does_not_change_what_is_counted(pack: Pack, seed: int) -> None:
    inputs = story(seed)
    ordered = counts(*judged(pack, inputs))
    disordered = counts(*judged(pack, shuffled(inputs, random.Random(seed)), batch=5))
    for name, expected in ordered.items():
        found = disordered[name]
        for what in ("behaviour", "seen", "strikes", "posts", "mode"):
            assert found[what] == expected[what], (name, what)
        if expected["until"] is None:
            assert found["until"] is None
        else:
            # A record's time never runs back: what comes late counts from the account's clock on.
            assert abs((found["until"] - expected["until"]).total_seconds()) <= 60


def test_the_story_has_what_is_tested(pack: Pack) -> None:
    total, state = judged(pack, story(1))
    kinds = Counter(output.topic for output in total.outputs)
    assert kinds["enforcement.suspend"]
    assert kinds["enforcement.label"]
    assert kinds["enforcement.remove"]
    assert any(json.loads(o.value or b"{}").get("policy") == "platform-manipulation" for o in total.outputs)
    assert any(key.startswith(b"x:") for key in state)


def test_replay_counts_what_comes_three_times_and_out_of_order_once(pack: Pack) -> None:
    chance = random.Random(4)
    inputs = story(4)

    def replay(given: Sequence[Input]) -> tuple[Replay, Counter[str]]:
        run = Replay(pack)
        lines = [json.dumps({"topic": t, "key": key, "value": value}).encode() for _, t, key, value in given]
        out = [json.loads(line) for line in (*run.feed(lines), *run.finish())]
        removed = Counter(o["value"]["action_id"] for o in out if o["topic"] == "enforcement.remove")
        return run, removed

    plain, removed = replay(inputs)
    disordered, removed_again = replay(shuffled(tripled(inputs, chance), chance))
    assert removed_again == removed
    assert set(removed.values()) == {1}
    for number in range(ACCOUNTS):
        expected, found = (run.account(0, f"u{number}") for run in (plain, disordered))
        assert expected is not None
        assert found is not None
        assert found.behaviour.to_json() == expected.behaviour.to_json()
        assert sorted(s.weight for s in found.strikes) == sorted(s.weight for s in expected.strikes)
