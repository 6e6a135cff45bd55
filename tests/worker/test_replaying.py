from __future__ import annotations

import base64
import json
from typing import Any

from schemas.base import Subject
from schemas.dead_letters import DeadLetter
from worker import replaying
from worker.engine.dead_letters import dead_letter
from worker.engine.records import Record
from worker.replaying import HEADER, plan_replay


def post(post_id: str = "p1", author: str = "u1", **fields: Any) -> bytes:
    body = {
        "schema_version": 1,
        "post_id": post_id,
        "author_id": author,
        "created_at": "2026-11-24T05:00:00Z",
        "text": "a",
    }
    return json.dumps({**body, **fields}).encode()


def letter(
    value: bytes | None,
    *,
    key: bytes | None = b"u1",
    topic: str = "posts",
    partition: int = 0,
    offset: int = 1,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    part: tuple[Subject, bytes] | None = None,
) -> DeadLetter:
    record = Record(topic, partition, offset, 1_700_000_000_000, key, value, headers)
    return DeadLetter.model_validate_json(dead_letter(record, "misrouted", "why", part=part).value or b"")


def left_out(*letters: DeadLetter) -> dict[str, int]:
    plan = plan_replay(letters)
    assert not plan.chosen
    return dict(plan.left_out)


def test_a_record_goes_back_under_its_account_with_its_headers_and_where_it_came_from() -> None:
    given = letter(post(), headers=(("trace", b"\x01"), ("empty", None)))
    ((_, sent),) = plan_replay([given]).chosen
    assert (sent.topic, sent.key, sent.value) == ("posts", b"u1", post())
    assert sent.headers == (("trace", b"\x01"), ("empty", None), (HEADER, given.dead_letter_id.encode()))


def test_a_record_without_a_key_gets_its_accounts() -> None:
    ((_, sent),) = plan_replay([letter(post(author="u7"), key=None)]).chosen
    assert sent.key == b"u7"


def test_the_order_is_that_of_the_log_whatever_order_the_letters_have() -> None:
    places = [("posts", 1, 4), ("accounts", 0, 9), ("posts", 0, 7), ("posts", 0, 3)]
    letters = [
        letter(
            post(f"{topic}{partition}{offset}")
            if topic == "posts"
            else json.dumps(
                {"schema_version": 1, "account_id": "u1", "updated_at": "2026-11-24T05:00:00Z"}
            ).encode(),
            topic=topic,
            partition=partition,
            offset=offset,
        )
        for topic, partition, offset in places
    ]
    chosen = [(one.topic, one.partition, one.offset) for one, _ in plan_replay(letters).chosen]
    assert chosen == sorted(places)


def test_a_record_that_failed_twice_is_sent_once() -> None:
    first = letter(post())
    again = letter(post(), offset=50, headers=((HEADER, first.dead_letter_id.encode()),))
    plan = plan_replay([again, first])
    assert [one.offset for one, _ in plan.chosen] == [1]
    assert plan.left_out == {replaying.TWICE: 1}
    ((_, sent),) = plan_replay([again]).chosen
    assert [name for name, _ in sent.headers] == [HEADER]  # one, of its own letter
    assert sent.headers[0][1] == again.dead_letter_id.encode()


def test_what_would_fail_again_stays() -> None:
    assert left_out(letter(b"{")) == {replaying.REFUSED: 1}
    assert left_out(letter(None)) == {replaying.REFUSED: 1}
    assert left_out(letter(post(text=5))) == {replaying.REFUSED: 1}
    assert left_out(letter(post(schema_version=2))) == {replaying.REFUSED: 1}
    assert left_out(letter(post(author="u2"), key=b"u1")) == {replaying.KEY: 1}
    assert left_out(letter(post(text="a" * 600_000))) == {replaying.CUT: 1}
    assert left_out(letter(b"{}", topic="findings")) == {replaying.INTERNAL: 1}
    item = b'{"media_id": "m1", "kind": "image"}'
    assert left_out(letter(post(), part=(Subject(type="media", id="p1/m1"), item))) == {replaying.ITEM: 1}


def test_bytes_survive_as_they_were() -> None:
    value = post(text="\u00e9\u0000 \U0001f600")
    ((given, sent),) = plan_replay([letter(value)]).chosen
    assert sent.value == value == base64.b64decode(given.value_base64 or "")
