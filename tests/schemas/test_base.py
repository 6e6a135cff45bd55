from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import schemas
from schemas.base import EARLIEST, LATEST, Strikes, encode, format_time, parse_time
from schemas.decode import RECORDS
from schemas.enforcement import EvidenceItem
from schemas.posts import Post
from tests.schemas.examples import PROPERTY

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 11, 22, 9, 30, tzinfo=UTC), "2026-11-22T09:30:00Z"),
        (datetime(2026, 11, 22, 9, 30, 0, 500_000, tzinfo=UTC), "2026-11-22T09:30:00.500000Z"),
        (
            datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
            "2026-11-22T04:00:00Z",
        ),
    ],
)
def test_times_are_written_in_utc_with_a_fraction_only_when_there_is_one(time: datetime, text: str) -> None:
    assert format_time(time) == text


def test_a_naive_time_is_never_written() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        format_time(datetime(2026, 11, 22, 9, 30))


@PROPERTY
@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),
        max_value=datetime(8999, 12, 30),
        timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
            lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
        ),
    )
)
def test_a_written_time_reads_back_as_the_same_instant(time: datetime) -> None:
    assert parse_time(format_time(time)) == time
    assert parse_time(time.isoformat()) == time


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00z",
        "2026-11-22t09:30:00Z",
        "2026-11-22 09:30:00Z",
        "2026-11-22T10:30:00+01:00",
        "2026-11-22T09:30:00-00:00",
        "2026-11-22T09:30:00.000000999Z",
    ],
)
def test_every_spelling_that_rfc_3339_allows_is_read(text: str) -> None:
    assert parse_time(text) == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00",  # no offset
        "2026-11-22T09:30Z",
        "2026-11-22",
        "20261122T093000Z",
        "2026-11-22T09:30:00+0100",
        "2026-11-22T09:30:00+24:00",
        "2026-11-22T09:30:60Z",
        "2026-13-22T09:30:00Z",
        "1795339800",
        "1795339800.5",
        " 2026-11-22T09:30:00Z",
        "2026-11-22T09:30:00Z\n",
        "",
        '"',
        "1969-12-31T23:59:59Z",
        "9000-01-01T00:00:00Z",
    ],
)
def test_anything_else_is_no_time_and_the_error_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339") as caught:
        parse_time(text)
    assert len(text) < 2 or text not in str(caught.value)


def test_whatever_a_policy_adds_to_a_time_is_still_a_time() -> None:
    assert LATEST + timedelta(days=365_000) > LATEST
    assert EARLIEST - timedelta(days=365_000) < EARLIEST


@pytest.mark.parametrize("model", RECORDS, ids=lambda model: model.__name__)
def test_every_field_of_every_record_is_described_and_no_record_can_be_changed(model: type) -> None:
    assert model.__doc__
    assert model.model_config["frozen"]
    for name, field in model.model_fields.items():
        assert field.description, name
    for _, inner in model.nested:
        assert inner.model_config["frozen"]


def test_a_frozen_model_refuses_a_change() -> None:
    strikes = Strikes(added=1, active=2)
    with pytest.raises(ValidationError, match="frozen"):
        strikes.added = 2  # type: ignore[misc]  # that is the point


def test_the_encoding_is_compact_utf_8_and_keeps_what_json_must_escape() -> None:
    item = EvidenceItem(signal="a.b", field="text", score=1.0, detail='é😀"\\\n\x00')
    assert encode(item) == (
        '{"signal":"a.b","field":"text","start":null,"end":null,"score":1.0,"detail":"é😀\\"\\\\\\n\\u0000"}'.encode()
    )


def test_the_encoding_normalises_times_to_utc() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-3)))
    post = Post(schema_version=1, post_id="1", author_id="u1", created_at=there, text="")
    assert b'"created_at":"2026-11-22T12:00:00Z"' in encode(post)


@pytest.mark.parametrize("field", ["start", "end", "score"])
def test_numbers_that_are_no_json_cannot_be_built(field: str) -> None:
    values: dict[str, float] = {"start": 0, "end": 1, "score": 1.0, field: float("nan")}
    with pytest.raises(ValidationError):
        EvidenceItem(signal="a.b", field="text", **values)


def test_the_schemas_import_nothing_from_the_worker() -> None:
    allowed = {
        "__future__",
        "argparse",
        "collections",
        "datetime",
        "json",
        "pathlib",
        "pydantic",
        "pydantic_core",
    }
    allowed |= {"schemas", "sys", "types", "typing"}
    for path in Path(schemas.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, path
