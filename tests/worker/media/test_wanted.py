"""Most records have no media and must cost nothing; no record that has some may be passed over."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.media.records import account, item, post, record
from worker.media.wanted import Holds, Wanted, may_hold_media, read


def test_a_post_gives_its_items_in_order() -> None:
    found = read(record(post("p1", item("m1", "file:///a.jpg"), item("m2", sha256="ab" * 32))))
    assert isinstance(found, Wanted)
    assert [(each.media.media_id, each.field) for each in found.items] == [("m1", None), ("m2", None)]
    assert found.account_id == "u1"
    assert found.post is not None
    assert str(found.subject_of(found.items[1]).id) == "p1/m2"


def test_an_account_gives_its_pictures() -> None:
    body = account(avatar=item("a1", "file:///a.jpg"), header=item("h1", "file:///h.jpg"))
    found = read(record(body, topic="accounts"))
    assert isinstance(found, Wanted)
    assert [each.field for each in found.items] == ["avatar", "header"]
    subject = found.subject_of(found.items[0])
    assert (subject.type, subject.id) == ("profile_field", "u1/avatar")


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (post("p1"), Holds.NONE),
        (post("p1", item("m1", alt_text="only words")), Holds.NONE),
        (post("p1", item("m1", "file:///a.jpg"), deleted=True), Holds.DELETED),
        (post("p1", item("m1", "file:///a.jpg", kind="hologram")), Holds.UNREADABLE),
        ({**post("p1", item("m1", "file:///a.jpg")), "schema_version": 9}, Holds.UNREADABLE),
        (b'{"media_id":', Holds.UNREADABLE),
        (None, Holds.NONE),
    ],
)
def test_what_holds_nothing_says_why(body: dict[str, object] | bytes | None, holds: Holds) -> None:
    assert read(record(body)) is holds


def test_a_record_under_another_accounts_key_is_left_to_the_judging_worker() -> None:
    body = record(post("p1", item("m1", "file:///a.jpg"), author="u2"))
    from dataclasses import replace

    assert read(replace(body, key=b"u1")) is Holds.UNREADABLE
    assert read(replace(body, key=None)) is Holds.UNREADABLE


def test_frames_alone_can_be_looked_up() -> None:
    body = post("p1", item("m1", frames=[{"at_seconds": 0.0, "pdq": "ab" * 32, "pdq_quality": 90}]))
    assert isinstance(read(record(body)), Wanted)


def _escaped(name: str, which: set[int]) -> str:
    return "".join(f"\\u{ord(char):04x}" if place in which else char for place, char in enumerate(name))


@given(st.sets(st.integers(0, len("media_id") - 1)), st.booleans())
def test_no_spelling_of_the_name_hides_an_item(which: set[int], upper: bool) -> None:
    name = _escaped("media_id", which)
    if upper:
        name = name.replace("\\u006d", "\\u006D").replace("\\u005f", "\\u005F")
    value = json.dumps(post("p1", item("m1", "file:///a.jpg"))).replace('"media_id"', f'"{name}"').encode()
    assert may_hold_media(value)
    assert isinstance(read(record(value)), Wanted)


@given(st.text(max_size=50))
def test_a_text_without_media_is_passed_over_or_decoded_to_nothing(text: str) -> None:
    assert read(record(post("p1", text=text))) is Holds.NONE


def test_passing_a_post_over_takes_about_a_microsecond() -> None:
    value = json.dumps(post("p1", text="x" * 250)).encode()
    assert not may_hold_media(value)
    began = time.process_time()
    for _ in range(10_000):
        may_hold_media(value)
    assert time.process_time() - began < 0.1  # ten times what is needed
