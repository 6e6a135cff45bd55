from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letters import DeadLetter
from worker.engine.dead_letters import MAX_HEADERS, MAX_KEY, dead_letter, time_of
from worker.engine.records import Record

KIB = 1024


def letter_of(record: Record, detail: str = "what was wrong", attempts: int = 1) -> dict[str, Any]:
    output = dead_letter(record, "bad_json", detail, attempts)
    assert output.topic == "dead-letter"
    assert output.value is not None
    assert len(output.value) + len(output.key) < 1_000_000
    DeadLetter.model_validate_json(output.value)
    letter: dict[str, Any] = json.loads(output.value)
    return letter


def record(value: bytes | None, key: bytes | None = b"u1", headers: Any = (), timestamp: int = 0) -> Record:
    return Record("posts", 3, 17, timestamp, key, value, headers)


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"x" * 512 * KIB])
def test_a_value_up_to_512_kib_is_kept_whole(value: bytes) -> None:
    letter = letter_of(record(value, headers=(("trace", b"\x00\x01"), ("none", None))))
    assert base64.b64decode(letter["value_base64"]) == value
    assert (letter["value_bytes"], letter["truncated"]) == (len(value), False)
    assert letter["value_sha256"] == hashlib.sha256(value).hexdigest()
    assert base64.b64decode(letter["key_base64"]) == b"u1"
    assert letter["headers"] == [
        {"key": "trace", "value_base64": "AAE="}, {"key": "none", "value_base64": None},
    ]  # fmt: skip
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("posts", 3, 17)


def test_a_longer_value_keeps_its_first_64_kib_and_the_hash_of_all() -> None:
    value = b"ab" * 256 * KIB + b"c"
    letter = letter_of(record(value))
    assert base64.b64decode(letter["value_base64"]) == value[: 64 * KIB]
    assert (letter["value_bytes"], letter["truncated"]) == (len(value), True)
    assert letter["value_sha256"] == hashlib.sha256(value).hexdigest()


def test_a_record_without_value_and_key_is_told_from_an_empty_one() -> None:
    letter = letter_of(record(None, key=None))
    assert (letter["value_base64"], letter["value_sha256"], letter["key_base64"]) == (None, None, None)
    assert letter["value_bytes"] == 0
    assert dead_letter(record(None, key=None), "null_value", "").key == b""


def test_a_long_key_is_cut() -> None:
    letter = letter_of(record(b"{", key=b"k" * 100 * KIB))
    assert len(base64.b64decode(letter["key_base64"])) == MAX_KEY
    assert letter["truncated"]


@pytest.mark.parametrize(
    "headers",
    [
        tuple(("", None) for _ in range(100_000)),
        tuple(("", b"") for _ in range(100_000)),
        tuple(("\x01" * 100, b"x") for _ in range(10_000)),
        (("h", b"x" * MAX_HEADERS),),
    ],
    ids=["nameless", "empty", "escaped", "one long"],
)
def test_headers_never_make_a_letter_too_long_to_send(headers: Any) -> None:
    letter = letter_of(record(b"{" + b"x" * (512 * KIB - 1), key=b"k" * 10 * KIB, headers=headers))
    assert letter["truncated"]
    assert len(letter["headers"]) < len(headers)


def test_the_same_record_gives_the_same_letter_whenever_it_fails() -> None:
    first, second = (dead_letter(record(b"{"), "bad_json", "x") for _ in range(2))
    assert first == second
    other = Record("posts", 3, 18, 0, b"u1", b"{")
    assert (
        json.loads(dead_letter(other, "bad_json", "x").value or b"")["dead_letter_id"]
        != letter_of(record(b"{"))["dead_letter_id"]
    )


def test_attempts_and_detail_are_told_and_bounded() -> None:
    letter = letter_of(record(b"{"), "d" * 5_000, 3)
    assert (letter["attempts"], len(letter["detail"])) == (3, 1024)


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_timestamp_of_a_broker_is_a_time(milliseconds: int) -> None:
    time = time_of(milliseconds)
    assert time.tzinfo is UTC
    assert letter_of(record(b"{", timestamp=milliseconds))["timestamp"] == milliseconds


def test_a_timestamp_is_exact_to_the_millisecond() -> None:
    assert time_of(1_790_000_000_123) == datetime(2026, 9, 21, 14, 13, 20, 123_000, tzinfo=UTC)


@given(
    st.binary(max_size=64),
    st.one_of(st.none(), st.binary(max_size=16)),
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.binary(max_size=8)),
        max_size=4,
    ),
)
def test_what_was_received_can_be_read_back(
    value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]
) -> None:
    letter = letter_of(record(value, key, tuple(headers)))
    assert base64.b64decode(letter["value_base64"]) == value
    assert (None if letter["key_base64"] is None else base64.b64decode(letter["key_base64"])) == key
    assert [(h["key"], base64.b64decode(h["value_base64"])) for h in letter["headers"]] == headers
