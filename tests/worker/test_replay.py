from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from tests.worker.cli.conftest import PACK
from tests.worker.engine.across.helpers import PACK as CAMPAIGN
from tests.worker.engine.across.helpers import TEXT as CAMPAIGN_TEXT
from worker.adapters.exchange import Exchange
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack, load_pack
from worker.replay import Replay, is_recording
from worker.topics import BY_NAME, Direction


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack(PACK)


def _post(number: int, text: str, minute: int = 0, author: str = "u1", **fields: Any) -> dict[str, Any]:
    return {
        "topic": "posts",
        "value": {
            "schema_version": 1,
            "post_id": f"p{number}",
            "author_id": author,
            "created_at": f"2026-11-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z",
            "text": text,
        },
        **fields,
    }


def _run(pack: Pack, lines: list[Any], until: datetime | None = None, **options: Any) -> list[Any]:
    replay = Replay(pack, **options)
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return [json.loads(line) for line in (*replay.feed(encoded), *replay.finish(until))]


def _topics(outputs: list[Any]) -> list[str]:
    return [output["topic"] for output in outputs]


def test_a_removed_post_gives_decision_action_and_notice_in_the_contracts_order(pack: Pack) -> None:
    outputs = _run(pack, [_post(1, "zap")])
    assert _topics(outputs) == ["decisions", "enforcement.remove", "notices"]
    assert [output["key"] for output in outputs] == ["u1"] * 3
    assert outputs[1]["value"]["record"] == {"topic": "posts", "partition": 0, "offset": 0}


def test_clear_decisions_are_only_written_when_asked_for(pack: Pack) -> None:
    assert _run(pack, [_post(1, "fine")]) == []
    assert _topics(_run(pack, [_post(1, "fine")], publish_all=True)) == ["decisions"]


def test_strikes_add_up_over_the_file(pack: Pack) -> None:
    outputs = _run(pack, [_post(n, "zap", n) for n in range(3)])
    assert _topics(outputs).count("enforcement.suspend") == 1
    assert outputs[-1]["topic"] == "notices"


def test_a_timer_fires_before_the_first_record_that_its_time_has_passed(pack: Pack) -> None:
    lines = [_post(n, "zap", n) for n in range(3)]
    before = _run(pack, [*lines, _post(9, "fine", 2 + 12 * 60 - 1)], publish_all=True)
    after = _run(pack, [*lines, _post(9, "fine", 2 + 12 * 60)], publish_all=True)
    assert [o["value"]["operation"] for o in before if o["topic"] == "enforcement.suspend"] == ["apply"]
    assert _topics(after)[-3:] == ["enforcement.suspend", "notices", "decisions"]
    assert after[-3]["value"]["operation"] == "reverse"


def test_until_fires_what_is_left_at_the_end(pack: Pack) -> None:
    lines = [_post(n, "zap", n) for n in range(3)]
    assert _topics(_run(pack, lines, datetime(2026, 11, 30, tzinfo=UTC)))[-2:] == [
        "enforcement.suspend",
        "notices",
    ]
    assert _run(pack, lines, datetime(2026, 11, 1, 12, 0, tzinfo=UTC)) == _run(pack, lines)


def test_another_partitions_records_do_not_fire_a_partitions_timers(pack: Pack) -> None:
    lines = [_post(n, "zap", n) for n in range(3)]
    assert _run(pack, [*lines, _post(9, "fine", 5000, "u2", partition=1)]) == _run(pack, lines)


def test_partitions_do_not_share_state_and_offsets_count_by_topic_and_partition(pack: Pack) -> None:
    outputs = _run(
        pack,
        [
            _post(1, "zap"),
            _post(1, "zap", partition=1),
            _post(2, "zap", 1),
            _post(3, "zap", 2, offset=70),
            _post(4, "zap", 3),
        ],
    )
    records = [output["value"]["record"] for output in outputs if output["topic"] == "decisions"]
    assert [(record["partition"], record["offset"]) for record in records] == [
        (0, 0),
        (1, 0),
        (0, 1),
        (0, 70),
        (0, 71),
    ]


def test_internal_topics_follow_the_record_that_changed_them(pack: Pack) -> None:
    outputs = _run(pack, [_post(1, "zap"), _post(2, "fine", 1)], internal=True)
    keys = [output["key"] for output in outputs if output["topic"] == "state" and output["key"] != "p:0"]
    assert keys[0] == "a:u1"
    assert keys[1].startswith("x:")
    assert keys[2] == "a:u1"
    assert _topics(_run(pack, [_post(1, "zap")])).count("state") == 0


@pytest.mark.parametrize(
    ("line", "topic", "reason"),
    [
        (b"nope", "replay", "bad_json"),
        (b"", "replay", "bad_json"),
        (b'{"topic":"posts","value":{"text":"\xff"}}', "replay", "bad_utf8"),
        (b"[" * 100_000, "replay", "too_deep"),
        (b"[]", "replay", "invalid"),
        (b"{}", "replay", "invalid"),
        (b'{"topic":"decisions","value":{}}', "replay", "invalid"),
        (b'{"topic":"nonsense","value":{}}', "replay", "invalid"),
        (b'{"topic":"posts"}', "posts", "invalid"),
        (b'{"topic":"posts","partition":-1,"value":{}}', "posts", "invalid"),
        (b'{"topic":"posts","key":7,"value":{}}', "posts", "invalid"),
        (b'{"topic":"posts","value_base64":"%%%"}', "posts", "invalid"),
        (b'{"topic":"posts","value":null}', "posts", "null_value"),
        (b'{"topic":"posts","value":{}}', "posts", "invalid"),
        (b'{"topic":"posts","value":"text"}', "posts", "invalid"),
        (b'{"topic":"posts","value_base64":"bm9wZQ=="}', "posts", "bad_json"),
        (b'{"topic":"posts","value_base64":"/w=="}', "posts", "bad_utf8"),
        (json.dumps(_post(1, "\ud800")).encode(), "posts", "invalid"),
        (json.dumps(_post(1, "x", key="u2")).encode(), "posts", "misrouted"),
    ],
)
def test_a_bad_line_is_a_dead_letter_with_its_reason(
    pack: Pack, line: bytes, topic: str, reason: str
) -> None:
    outputs = _run(pack, [_post(1, "zap"), line, _post(2, "zap", 1)])
    letters = [output["value"] for output in outputs if output["topic"] == "dead-letter"]
    assert [(letter["topic"], letter["reason"]) for letter in letters] == [(topic, reason)]
    assert _topics(outputs).index("dead-letter") == 3, "it stands between what its neighbours led to"
    assert _topics(outputs).count("enforcement.remove") == 2


def test_the_dead_letter_of_a_bad_line_holds_the_line(pack: Pack) -> None:
    letter = _run(pack, [b"nope"])[0]["value"]
    assert base64.b64decode(letter["value_base64"]) == b"nope"
    assert "line 1" in letter["detail"]


_LINES = st.lists(
    st.one_of(
        st.builds(
            lambda number, text, minute, author, partition: _post(
                number, text, minute, author, partition=partition
            ),
            st.integers(1, 40),
            st.sampled_from(["fine", "zap", "zap zap", "zip", "zonk", "blip", "zork", "faultyword"]),
            st.integers(0, 4000),
            st.sampled_from(["u1", "u2", "u3"]),
            st.integers(0, 1),
        ),
        st.sampled_from([b"nope", b'{"topic":"posts","value":null}', b'{"topic":"posts","value":{}}']),
    ),
    max_size=30,
)


@given(_LINES, st.integers(1, 9))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_a_batch_ends_never_shows(pack: Pack, lines: list[Any], size: int) -> None:
    assert _run(pack, lines, publish_all=True, batch=size) == _run(pack, lines, publish_all=True, batch=1000)
    outputs = _run(pack, lines, publish_all=True, batch=1)
    assert outputs == _run(pack, lines, publish_all=True, batch=1000)


@given(_LINES)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_ends_as_exactly_one_decision_or_dead_letter(pack: Pack, lines: list[Any]) -> None:
    topics = _topics(_run(pack, lines, publish_all=True))
    assert topics.count("decisions") + topics.count("dead-letter") == len(lines)


def test_leaving_out_internal_topics_is_all_that_internal_changes(pack: Pack) -> None:
    lines: list[Any] = [_post(n, "zap", n * 300, f"u{n % 3}") for n in range(12)]
    inner = {"state", "observations", "findings"}
    assert [o for o in _run(pack, lines, internal=True) if o["topic"] not in inner] == _run(pack, lines)


def test_no_two_dead_letters_have_one_id(pack: Pack) -> None:
    lines: list[Any] = [
        b'{"topic":"posts"}',
        b'{"topic":"posts","value":null}',
        b"nope",
        b'{"topic":"posts","value":{}}',
        b'{"topic":"posts","key":7,"value":{}}',
        b'{"topic":"posts","partition":-1,"value":{}}',
        b'{"topic":"posts","value":null}',
        b"nope",
    ]
    letters = [output["value"] for output in _run(pack, lines)]
    places = [(letter["topic"], letter["offset"]) for letter in letters]
    assert [offset for topic, offset in places if topic == "posts"] == [0, 1, 2, 3, 4, 5]
    assert [offset for topic, offset in places if topic == "replay"] == [2, 7], "the lines' own, from 0"
    assert len({letter["dead_letter_id"] for letter in letters}) == len(lines)


def test_a_bad_line_keeps_the_offset_that_it_gives(pack: Pack) -> None:
    outputs = _run(
        pack,
        [
            _post(1, "zap", offset=70),
            b'{"topic":"posts","offset":74,"value_base64":"%%%"}',
            b'{"topic":"posts","offset":"x","value":{}}',
            _post(2, "zap", 1),
        ],
    )
    letters = [output["value"]["offset"] for output in outputs if output["topic"] == "dead-letter"]
    assert letters == [74, 75]
    records = [output["value"]["record"] for output in outputs if output["topic"] == "decisions"]
    assert [record["offset"] for record in records] == [70, 76]


_FAR = "8998-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "line",
    [
        {"topic": "posts", "value": {"created_at": _FAR}},
        {"topic": "posts", "value": {**_post(8, "fine")["value"], "created_at": _FAR, "text": 7}},
        {"topic": "posts", "key": "u2", "value": {**_post(8, "fine")["value"], "created_at": _FAR}},
    ],
    ids=["no post", "a field of the wrong type", "misrouted"],
)
def test_the_time_of_a_record_that_cannot_be_judged_moves_no_clock(pack: Pack, line: Any) -> None:
    lines = [*(_post(n, "zap", n) for n in range(3)), line, b"nope", _post(9, "fine", 3)]
    outputs = _run(pack, lines, publish_all=True)
    assert [o["value"]["operation"] for o in outputs if o["topic"] == "enforcement.suspend"] == ["apply"]
    letters = [output["value"] for output in outputs if output["topic"] == "dead-letter"]
    assert [letter["failed_at"] for letter in letters] == ["2026-11-01T00:02:00Z"] * 2


# --- what workers write for each other


@pytest.fixture(scope="session")
def campaign_pack() -> Pack:
    return load_pack(CAMPAIGN)


def _campaign(accounts: int = 9, partitions: int = 1, noise: int = 3) -> list[dict[str, Any]]:
    """Posts of a campaign by new accounts, with other posts between, as lines."""
    lines = []
    for number in range(accounts):
        text = f"{CAMPAIGN_TEXT} {number}"
        line = _post(100 + number, text, number, f"bot{number}", partition=number % partitions)
        line["value"]["urls"] = ["https://deals.voucher-store.xyz/x"]
        line["value"]["author"] = {"created_at": "2026-10-30T00:00:00Z", "followers": 2}
        lines.append(line)
        for extra in range(noise):
            name = f"u{number % 4}"
            lines.append(
                _post(1000 + number * 10 + extra, "fine", number, name, partition=number % partitions)
            )
    lines.append(_post(5000, "zap", 20, "u1"))
    return lines


def test_a_campaign_shows_in_a_replay(campaign_pack: Pack) -> None:
    outputs = _run(campaign_pack, _campaign())
    removed = {output["key"] for output in outputs if output["topic"] == "enforcement.remove"}
    assert removed == {f"bot{number}" for number in range(9)} | {"u1"}
    assert not {"observations", "findings"} & set(_topics(outputs))


def test_accounts_of_several_partitions_are_found_together(campaign_pack: Pack) -> None:
    outputs = _run(campaign_pack, _campaign(partitions=3))
    removed = [output for output in outputs if output["topic"] == "enforcement.remove"]
    assert len(removed) == 10
    places = {output["key"]: output["value"]["record"]["partition"] for output in removed}
    assert (places["bot4"], places["bot5"]) == (1, 2)


@pytest.mark.parametrize("partitions", [1, 3])
def test_what_follows_does_not_depend_on_the_batch(campaign_pack: Pack, partitions: int) -> None:
    lines = _campaign(20, partitions)
    straight = _run(campaign_pack, lines, publish_all=True, batch=1)
    assert any(output["topic"] == "enforcement.remove" for output in straight)
    for batch in (2, 7, 1000):
        assert _run(campaign_pack, lines, publish_all=True, batch=batch) == straight


def test_a_replay_without_the_loop_judges_the_lines_alone(campaign_pack: Pack) -> None:
    outputs = _run(campaign_pack, _campaign(), loop=False)
    assert {output["key"] for output in outputs if output["topic"] == "enforcement.remove"} == {"u1"}


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_a_recording_of_several_workers_gives_the_same_actions_byte_for_byte(
    campaign_pack: Pack, partitions: int
) -> None:
    """CONTRACT, promise 4: each partition's records in their order, internal topics included."""
    exchange = Exchange(lambda number, count: PartitionJudge(campaign_pack, number, count), partitions)
    for line in _campaign(20):
        value = line["value"]
        exchange.send("posts", value["author_id"], json.dumps(value).encode())
    published = [
        (output.topic, output.value)
        for _, output in exchange.outputs
        if BY_NAME[output.topic].direction is Direction.OUTPUT
    ]
    assert sum(topic == "enforcement.remove" for topic, _ in published) == 21
    lines = [
        json.dumps(
            {
                "topic": record.topic,
                "key": (record.key or b"").decode(),
                "partition": record.partition,
                "offset": record.offset,
                "value_base64": base64.b64encode(record.value or b"").decode(),
            }
        ).encode()
        for record in exchange.records
    ]
    assert is_recording(lines)
    # Partition by partition: how they lay between each other in time must not matter.
    for order in (lines, sorted(lines, key=lambda line: json.loads(line)["partition"])):
        replay = Replay(campaign_pack, loop=False)
        written = [from_json(line) for line in (*replay.feed(order), *replay.finish())]
        again = [(line["topic"], to_json(line["value"])) for line in written]
        assert sorted(again) == sorted((topic, value or b"") for topic, value in published)


def test_what_makes_a_recording(campaign_pack: Pack) -> None:
    finding = {"topic": "findings", "value": {"feature": "fp:1"}}
    model = {"topic": "findings", "value": {"feature": "model:endpoint"}}
    posts = [json.dumps(line).encode() for line in _campaign(1)]
    speaks_of_it = json.dumps(_post(1, 'my "observations" and "findings"')).encode()
    assert not is_recording([*posts, speaks_of_it, json.dumps(model).encode(), b'"observations" no json'])
    assert is_recording([*posts, json.dumps(finding).encode()])
    assert is_recording([*posts, b'{"topic":"observations","value":{}}'])


def test_internal_topics_can_be_replayed_again(campaign_pack: Pack) -> None:
    lines = _campaign()
    first = _run(campaign_pack, lines, internal=True)
    between = [output for output in first if output["topic"] in {"observations", "findings"}]
    assert between
    actions = [output for output in first if output["topic"].startswith("enforcement.")]
    ids = {output["value"]["action_id"] for output in actions}
    again = _run(campaign_pack, [*lines, *between], loop=False)
    assert {o["value"]["action_id"] for o in again if o["topic"].startswith("enforcement.")} == ids
