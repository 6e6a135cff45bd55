"""Promises of the contract that hold for every input, tried on many."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from schemas.decode import decode
from schemas.posts import Post
from tests.worker.engine.helpers import START, Feed, at, outputs, post
from worker.engine.ids import action_id, digest
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import Pack
from worker.engine.subjects import account_subject, post_subject

SCHEMAS = Path(__file__).resolve().parents[3] / "schemas" / "json"
NAMES = {
    "enforcement.label": "enforcement", "enforcement.remove": "enforcement", "enforcement.suspend": "enforcement",
    "review.queue": "queue-item", "notices": "notice", "decisions": "decision", "dead-letter": "dead-letter",
}  # fmt: skip
VALIDATORS = {
    topic: Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8")))
    for topic, name in NAMES.items()
}
ENDS = {"moderator_decisions_total", "moderator_dead_letters_total"}

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # fmt: skip

unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.sampled_from(
    ["zap", "zip", "zonk", "a blip", "zork", "quux42", "faultyword", "nonsenseword", "fine", "zаp", "z.a.p", "ZAP", "é"]
)  # fmt: skip
texts = st.lists(st.one_of(words, unicode), max_size=4).map(" ".join)
times = st.integers(0, 24 * 40).map(at)
accounts = st.sampled_from(["u1", "u2", "ü:3"])
langs = st.sampled_from([None, "en", "en-GB", "de", "und", "", "x-y"])
media = st.lists(
    st.fixed_dictionaries({"media_id": st.just("m"), "alt_text": texts, "transcript": texts}), max_size=2
)
posts = st.builds(
    lambda author, **fields: {"schema_version": 1, "author_id": author, **fields},
    author=accounts,
    post_id=st.sampled_from(["1", "2", "3", "4", "p" * 300]),
    created_at=times,
    text=texts,
    lang=langs,
    media=media,
    deleted=st.sampled_from([False, False, False, True]),
    edit_of=st.sampled_from([None, None, None, "1"]),
)
profiles = st.builds(
    lambda account_id, updated_at, deleted, **profile: {
        "schema_version": 1, "account_id": account_id, "updated_at": updated_at, "deleted": deleted, "profile": profile,
    },
    account_id=accounts, updated_at=times, deleted=st.sampled_from([False, False, True]),
    handle=texts, display_name=texts, bio=texts,
)  # fmt: skip
broken = st.one_of(
    st.none(), st.binary(max_size=20), st.sampled_from([b"{}", b"[]", b'{"schema_version":2}', b"\xff"])
)
entries = st.lists(
    st.one_of(
        st.tuples(st.just("posts"), posts),
        st.tuples(st.just("posts"), posts),
        st.tuples(st.just("accounts"), profiles),
        st.tuples(st.sampled_from(["posts", "accounts", "reports", "appeals", "reviews", "media.signals"]), broken),
    ),
    max_size=25,
)  # fmt: skip
Entries = list[tuple[str, Any]]

json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), unicode),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(unicode, inner, max_size=3)),
    max_leaves=6,
)
FIELDS = [*Post.model_fields, "surprise"]


def feed(entries: Entries) -> list[Record]:
    numbers = Feed()
    return [numbers.record(topic, value) for topic, value in entries]


def ended(judged: Judged) -> int:
    return sum(times for labels, times in judged.tally.items() if labels[0] in ENDS)


def run(judge: PartitionJudge, records: Sequence[Record], sizes: Sequence[int] = (1,)) -> list[Judged]:
    """Judges the records in batches of these sizes, over and over."""
    results, start, number = [], 0, 0
    while start < len(records):
        size = sizes[number % len(sizes)]
        results.append(judge.judge(records[start : start + size]))
        start, number = start + size, number + 1
    return results


def published(results: Sequence[Judged]) -> list[Output]:
    return [output for judged in results for output in judged.outputs]


def final_state(results: Sequence[Judged]) -> dict[bytes, bytes]:
    """What the compacted topic holds in the end."""
    state: dict[bytes, bytes | None] = {}
    for judged in results:
        state.update(judged.state)
    return {key: value for key, value in state.items() if value is not None}


def assert_valid(results: Sequence[Judged]) -> None:
    for output in published(results):
        assert output.value is not None
        VALIDATORS[output.topic].validate(json.loads(output.value))
        assert len(output.value) < 1_000_000


@quick
@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6), texts, st.booleans())
def test_any_json_ends_as_exactly_one_decision_or_one_dead_letter(
    pack: Pack, fields: dict[str, Any], text: str, whole: bool
) -> None:
    value = {**post(text), **fields} if whole else fields
    judged = PartitionJudge(pack, 0).judge(Feed().posts(value))
    assert ended(judged) == 1
    assert_valid([judged])


@quick
@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=20)))
def test_any_bytes_end_as_exactly_one_decision_or_one_dead_letter(
    pack: Pack, value: bytes, key: bytes | None
) -> None:
    for topic in (
        "posts",
        "accounts",
        "reports",
        "appeals",
        "reviews",
        "media.signals",
        "findings",
        "policies",
    ):
        judged = PartitionJudge(pack, 0).judge([Record(topic, 0, 0, -1, key, value)])
        assert ended(judged) == 1
        assert_valid([judged])


@quick
@given(entries)
def test_every_record_of_a_story_ends_once_and_all_outputs_keep_to_the_schemas(
    pack: Pack, entries: Entries
) -> None:
    for publish_all in (False, True):
        judge = PartitionJudge(pack, 0, publish_all=publish_all)
        results = run(judge, feed(entries), (7,))
        assert sum(map(ended, results)) == len(entries)
        results.append(judge.expire(START + timedelta(days=90)))
        assert_valid(results)
        if publish_all:
            told = Counter(output.topic for output in published(results))
            silent = {"reports", "appeals", "reviews", "media.signals"}
            counted = sum(
                times
                for judged in results
                for labels, times in judged.tally.items()
                if labels[0] == "moderator_decisions_total" and labels[1] not in silent
            )
            assert told["decisions"] == counted


@quick
@given(entries, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_the_split_into_batches_changes_nothing(pack: Pack, entries: Entries, sizes: list[int]) -> None:
    whole, split = PartitionJudge(pack, 0), PartitionJudge(pack, 0)
    records = feed(entries)
    once, often = run(whole, records, (100,)), run(split, records, sizes)
    assert published(once) == published(often)
    assert final_state(once) == final_state(often)
    tallies = [sum((Counter(judged.tally) for judged in results), Counter()) for results in (once, often)]
    assert tallies[0] == tallies[1]
    end = START + timedelta(days=90)
    assert whole.expire(end).outputs == split.expire(end).outputs


@quick
@given(entries, st.integers(0, 25), st.sampled_from([None, 3, 30]), st.booleans())
def test_a_new_owner_goes_on_from_the_state_as_the_old_one_would(
    pack: Pack, entries: Entries, cut: int, days: int | None, is_compacted: bool
) -> None:
    old = PartitionJudge(pack, 0)
    records = feed(entries)
    before = run(old, records[:cut])
    if days is not None:
        before.append(old.expire(START + timedelta(days=days)))
    new = PartitionJudge(pack, 0)
    compacted = list(final_state(before).items())
    everything = [change for judged in before for change in judged.state.items()]
    for key, value in compacted if is_compacted else everything:
        new.restore(key, value)
    after = [run(judge, records[cut:]) for judge in (old, new)]
    assert published(after[0]) == published(after[1])
    assert [judged.state for judged in after[0]] == [judged.state for judged in after[1]]
    for end in (START + timedelta(days=35), START + timedelta(days=90)):
        ends = [judge.expire(end) for judge in (old, new)]
        assert (ends[0].outputs, ends[0].state) == (ends[1].outputs, ends[1].state)


@quick
@given(entries)
def test_a_replay_gives_the_same_bytes(pack: Pack, entries: Entries) -> None:
    runs = [run(PartitionJudge(pack, 0), feed(entries)) for _ in range(2)]
    assert published(runs[0]) == published(runs[1])
    assert [judged.state for judged in runs[0]] == [judged.state for judged in runs[1]]


@quick
@given(entries)
def test_action_ids_are_the_contracts_hash_of_what_the_action_says(pack: Pack, entries: Entries) -> None:
    judge = PartitionJudge(pack, 0)
    records = feed(entries)
    results = run(judge, records)
    causes = {}
    for record in records:
        if record.topic == "accounts" and record.value is not None and b"updated_at" in record.value:
            snapshot = json.loads(record.value)
            causes["accounts", record.offset] = f"{snapshot['account_id']}@{snapshot['updated_at']}"
    applied = {}
    for kind in ("label", "remove", "suspend"):
        for judged in results:
            for action in outputs(judged, f"enforcement.{kind}"):
                ref = action["record"]
                cause = action["post_id"] or causes[ref["topic"], ref["offset"]]
                subject = action["subject"]
                assert action["action_id"] == action_id(
                    kind, "apply", subject["type"], subject["id"], action["policy"], action["policy_version"], cause
                )  # fmt: skip
                applied[action["action_id"]] = action
        for reverse in outputs(judge.expire(START + timedelta(days=90)), f"enforcement.{kind}"):
            original = applied[reverse["reverses"]]
            assert reverse["decided_at"] == original["expires_at"]
            subject = reverse["subject"]
            assert reverse["action_id"] == digest(
                kind, "reverse", subject["type"], subject["id"], reverse["policy"], reverse["policy_version"],
                original["action_id"],
            )  # fmt: skip


@quick
@given(entries)
def test_all_evidence_lies_inside_the_text_as_received(pack: Pack, entries: Entries) -> None:
    for record in feed(entries):
        judged = PartitionJudge(pack, 0).judge([record])
        evidence = [
            item
            for topic in NAMES
            for value in outputs(judged, topic)
            for item in [*value.get("evidence", ()), *(i for v in value.get("verdicts", ()) for i in v["evidence"])]
        ]  # fmt: skip
        if not evidence:
            continue
        model: Any = decode(record.topic, record.value).model
        fields = (post_subject(model) if record.topic == "posts" else account_subject(model)).fields
        for item in evidence:
            if item["start"] is not None:
                assert 0 <= item["start"] < item["end"] <= len(fields[item["field"]])


@quick
@given(st.lists(posts, max_size=25))
def test_one_record_makes_at_most_one_action_a_kind_and_subject(
    pack: Pack, stories: list[dict[str, Any]]
) -> None:
    judge = PartitionJudge(pack, 0)
    for record in Feed().posts(*stories):
        judged = judge.judge([record])
        made = [
            (topic, action["subject"]["type"], action["subject"]["id"])
            for topic in ("enforcement.label", "enforcement.remove", "enforcement.suspend")
            for action in outputs(judged, topic)
        ]
        assert len(made) == len(set(made))
        active = [d["strikes"]["active"] for d in outputs(judged, "decisions")]
        assert all(number >= 0 for number in active)


@pytest.mark.parametrize(
    "when", ["1970-01-01T00:00:00Z", "8999-12-31T23:59:59.999999Z", "8999-12-31T23:00:00-00:59"]
)
@pytest.mark.parametrize("text", ["zap", "zip", "zonk", "a blip", "faultyword", "fine"])
def test_the_first_and_the_last_time_of_the_contract_can_be_judged(pack: Pack, when: str, text: str) -> None:
    judge, numbers = PartitionJudge(pack, 0), Feed()
    results = [judge.judge(numbers.posts(*(post(text, str(n), when=when) for n in range(4))))]
    results.append(judge.expire(START))
    assert ended(results[0]) == 4
    assert_valid(results)


def test_an_accounts_record_is_bounded_whatever_ids_its_posts_have(pack: Pack) -> None:
    judge, numbers = PartitionJudge(pack, 0), Feed()
    records = [
        numbers.record("posts", post(text, f"{n:04d}".rjust(512, "\x01"), "\x02" * 512, at(seconds=n)))
        for n in range(600)
        for text in ["zip" if n < 5 else "a blip"]
    ]
    sizes = [len(value) for judged in run(judge, records, (50,)) for value in judged.state.values() if value]
    assert max(sizes) < 1_000_000
