from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.base import encode
from schemas.dead_letters import DeadLetterReason
from schemas.decode import MAX_DEPTH, MAX_DETAIL, MAX_RECORD_BYTES, MODELS, DecodeError, decode, is_too_deep
from schemas.posts import Post
from tests.schemas.examples import NAMES, PROPERTY, content_of, judge, post, topic_of, value_of

SECRET = "meet me at the old mill"


def with_raw(field: str, raw: bytes) -> bytes:
    """A valid post with one more field whose value is these bytes."""
    return post()[:-1] + b', "' + field.encode() + b'": ' + raw + b"}"


def nested(depth: int) -> bytes:
    """A post whose unknown field lies as deep as said, the post itself included."""
    inside = depth - 1
    return with_raw(
        "x", b'{"a":[' * (inside // 2) + b"[" * (inside % 2) + b"]" * (inside % 2) + b"]}" * (inside // 2)
    )


BAD: list[tuple[str, bytes | None, DeadLetterReason, str]] = [
    ("no value", None, "null_value", "no value"),
    ("a byte that is no UTF-8", with_raw("x", b'"\xff"'), "bad_utf8", "at byte"),
    ("a surrogate encoded as bytes", with_raw("x", b'"\xed\xa0\x80"'), "bad_utf8", "at byte"),
    ("UTF-16", post().decode().encode("utf-16"), "bad_utf8", "at byte"),
    ("nothing", b"", "bad_json", "line 1 column 1"),
    ("half a record", post()[:-1], "bad_json", "column"),
    ("two records", post() + post(), "bad_json", "Extra data"),
    ("a trailing comma", post()[:-1] + b",}", "bad_json", "column"),
    ("a byte order mark", b"\xef\xbb\xbf" + post(), "bad_json", "BOM"),
    ("single quotes", post().replace(b'"', b"'"), "bad_json", "column"),
    ("a raw control character", post(text="a").replace(b'"a"', b'"\x01"'), "bad_json", "control character"),
    ("half an escape", with_raw("x", rb'"\ud800\u12"'), "bad_json", "escape"),
    ("NaN in a known field", with_raw("lang", b"NaN"), "bad_json", "NaN is no JSON"),
    ("NaN in an unknown field", with_raw("x", b"[NaN]"), "bad_json", "NaN is no JSON"),
    ("minus infinity", with_raw("x", b"-Infinity"), "bad_json", "-Infinity is no JSON"),
    ("a leading zero", with_raw("x", b"01"), "bad_json", "column"),
    ("null", b"null", "invalid", "value: Input should be an object"),
    ("an array", b"[]", "invalid", "value: Input should be an object"),
    ("a string", b'"a"', "invalid", "value: Input should be an object"),
    ("an empty object", b"{}", "invalid", "schema_version: Field required (and 4 more)"),
    ("a lone surrogate in the text", post(text="\ud800"), "invalid", "surrogate"),
    ("a lone surrogate in an unknown field", post(x="\udc00"), "invalid", "surrogate"),
    ("a lone surrogate as a name", post(**{"\udfff": 1}), "invalid", "surrogate"),
    ("a pair the wrong way round", with_raw("x", rb'"\udc00\ud800"'), "invalid", "surrogate"),
    ("a very long integer", with_raw("x", b"9" * 5_000), "invalid", "digits"),
    (
        "a number that is none",
        with_raw("media", b'[{"media_id": "m", "duration_seconds": 1e999}]'),
        "invalid",
        "finite",
    ),
    (
        "the last of two names is bad",
        with_raw("text", b"7"),
        "invalid",
        "text: Input should be a valid string",
    ),
    ("a version as text", post(schema_version="1"), "invalid", "schema_version"),
    ("a version that is true", post(schema_version=True), "invalid", "schema_version"),
    ("a version with a fraction", post(schema_version=1.5), "invalid", "schema_version"),
    ("no version", post(schema_version=None), "invalid", "schema_version"),
    ("the next version", post(schema_version=2), "unsupported_version", "schema_version is not 1"),
    ("version zero", post(schema_version=0), "unsupported_version", "schema_version is not 1"),
    ("a huge version", post(schema_version=10**4000), "unsupported_version", "schema_version is not 1"),
    ("another version with other fields", b'{"schema_version": 2, "id": 7}', "unsupported_version", "not 1"),
    ("a value one byte too large", post(x="a" * MAX_RECORD_BYTES), "too_large", "bytes, more than 1048576"),
    ("two megabytes that are no UTF-8", b"\xff" * 2_000_000, "too_large", "2000000 bytes"),
    ("one level too deep", nested(MAX_DEPTH + 1), "too_deep", "more than 32"),
    ("deeper than any stack", b"[" * 1_000_000, "too_deep", "more than 32"),
    ("deep objects", b'{"a":' * 200_000, "too_deep", "more than 32"),
    ("deep and closed", with_raw("x", b"[" * 100_000 + b"]" * 100_000), "too_deep", "more than 32"),
    ("deep in a known field", with_raw("author", b"[" * 50 + b"]" * 50), "too_deep", "more than 32"),
]


@pytest.mark.parametrize(
    ("value", "reason", "detail"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_what_cannot_be_judged_says_why(value: bytes | None, reason: str, detail: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode("posts", value)
    assert caught.value.reason == reason
    assert detail in caught.value.detail
    assert str(caught.value) == f"{reason}: {caught.value.detail}"


def test_every_reason_that_lies_in_the_bytes_is_given() -> None:
    elsewhere = {"misrouted", "crashed_worker", "media_refused"}  # decided by who reads the topic
    assert {case[2] for case in BAD} | elsewhere == set(DeadLetterReason.__args__)


@pytest.mark.parametrize("topic", MODELS)
def test_no_topic_lets_a_bad_value_through(topic: str) -> None:
    for value, reason in (
        (None, "null_value"),
        (b"\xff", "bad_utf8"),
        (b"{", "bad_json"),
        (b"[]", "invalid"),
    ):
        with pytest.raises(DecodeError) as caught:
            decode(topic, value)
        assert caught.value.reason == reason


def test_an_unknown_topic_is_a_fault_of_the_caller() -> None:
    with pytest.raises(KeyError):
        decode("state", b"{}")


def test_the_largest_value_and_the_deepest_nesting_are_judged() -> None:
    value = post(x="")
    assert (
        decode(
            "posts", value.replace(b'""}', b'"' + b"a" * (MAX_RECORD_BYTES - len(value)) + b'"}')
        ).unknown_fields
        == 1
    )
    assert decode("posts", nested(MAX_DEPTH)).unknown_fields == 1


def test_brackets_inside_strings_do_not_count_as_nesting() -> None:
    text = '["{' * 1_000 + "\\" * 3
    record = decode("posts", post(text=text, x=1)).model
    assert isinstance(record, Post)
    assert record.text == text


def test_nul_is_text() -> None:
    record = decode("posts", post(text="a\x00b")).model
    assert isinstance(record, Post)
    assert record.text == "a\x00b"


def test_surrogate_pairs_are_one_code_point() -> None:
    record = decode("posts", with_raw("lang", rb'"\ud83d\ude00"')).model
    assert isinstance(record, Post)
    assert record.lang == "😀"


def test_of_a_name_that_stands_twice_the_last_counts() -> None:
    record = decode("posts", with_raw("text", b'"second"')).model
    assert isinstance(record, Post)
    assert record.text == "second"
    assert decode("posts", post(text=7)[:-1] + b', "text": "second"}').model == record


def test_large_integers_stay_out_of_known_fields_and_are_ignored_in_unknown_ones() -> None:
    assert decode("posts", with_raw("x", b"9" * 4_000)).unknown_fields == 1
    with pytest.raises(DecodeError, match=r"author\.followers"):
        decode("posts", with_raw("author", b'{"followers": ' + b"9" * 4_000 + b"}"))


def test_unknown_fields_are_counted_at_every_level_and_forgotten() -> None:
    content = content_of("posts__full")
    clean = decode("posts", json.dumps(content).encode()).model
    content["x"] = {"y": {"z": 1}}  # one: what is inside of it is not known either
    content["NaN"] = "Infinity"
    for part in (content["author"], content["client"], content["quotes"], content["in_reply_to"]):
        part["x"] = None
    media = content["media"][0]
    media["x"] = media["provenance"]["x"] = media["frames"][0]["x"] = media["ad_markers"][0]["x"] = []
    media["scores"]["x"] = 0.5  # classes are free
    decoded = decode("posts", json.dumps(content).encode())
    assert decoded.unknown_fields == 10
    assert encode(decoded.model).count(b'"x"') == 1
    del media["scores"]["x"]
    assert decode("posts", json.dumps(content).encode()).model == clean


def test_unknown_fields_named_like_attributes_of_the_model_do_no_harm() -> None:
    names = [
        "model_fields",
        "__class__",
        "__dict__",
        "nested",
        "never_null",
        "model_dump",
        "__pydantic_extra__",
        "",
    ]
    decoded = decode("posts", post(**{name: {"a": 1} for name in names}))
    assert decoded.unknown_fields == len(names)
    assert decoded.model == decode("posts", post()).model


def test_unknown_fields_are_counted_when_nulls_had_to_be_left_out() -> None:
    content = content_of("posts__nulls") | {"x": None}
    assert decode("posts", json.dumps(content).encode()).unknown_fields == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_detail_never_repeats_what_people_wrote(name: str) -> None:
    """Every field, one after the other, is given a secret text, a secret name and both within each other."""
    content = content_of(name)
    wrong: list[Any] = [SECRET, [SECRET], {SECRET: SECRET}, [{SECRET: SECRET}], {"scores": {SECRET: SECRET}}]
    wrong += [[{"media_id": "m", "scores": {SECRET: SECRET}}], {"followers": SECRET}, [[SECRET]]]
    refused = 0
    for field in content:
        for value in wrong:
            result = judge(topic_of(name), json.dumps(content | {field: value}).encode())
            if isinstance(result, DecodeError):
                refused += 1
                assert SECRET not in result.detail
                assert SECRET not in str(result)
                assert result.__cause__ is None
    assert refused


def test_a_detail_is_short_however_much_is_wrong() -> None:
    error = DecodeError("invalid", "x" * 10_000)
    assert len(error.detail) == MAX_DETAIL


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from(["", "u1", "1"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@PROPERTY
@given(st.sampled_from(sorted(MODELS)), st.binary(max_size=200))
@example("posts", b'{"a":1e400}')
@example("posts", b'"\\u')
def test_arbitrary_bytes_never_raise_anything_else(topic: str, value: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(topic, value)


@PROPERTY
@given(st.sampled_from(NAMES), st.data())
def test_damaged_records_never_raise_anything_else(name: str, data: st.DataObject) -> None:
    value = bytearray(value_of(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(value)))
        value[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b'"', b"\\", b"\\ud800", b"[", b"}", b"null", b"NaN", b"9" * 30])
        )
    result = judge(topic_of(name), bytes(value))
    if isinstance(result, DecodeError):
        assert len(result.detail) <= MAX_DETAIL
    else:
        # what passes is JSON by the book, and can be written again
        json.loads(bytes(value).decode(), parse_constant=pytest.fail)
        assert decode(topic_of(name), encode(result.model)).model == result.model


@PROPERTY
@given(st.dictionaries(st.sampled_from(sorted(Post.model_fields)) | st.text(max_size=5), JSON, max_size=6))
def test_posts_with_arbitrary_fields_are_judged_or_refused(fields: dict[str, Any]) -> None:
    value = json.dumps(content_of("posts__minimal") | fields).encode()
    result = judge("posts", value)
    if isinstance(result, DecodeError):
        assert result.reason in {"invalid", "bad_json", "unsupported_version", "too_deep"}
    else:
        assert result.unknown_fields >= len(fields.keys() - Post.model_fields.keys())
        assert decode("posts", encode(result.model)) == (result.model, 0)


@PROPERTY
@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=3).map(tuple), st.text(max_size=20))
def test_a_post_survives_writing_and_reading_in_every_code_point(
    text: str, urls: tuple[str, ...], bio: str
) -> None:
    value = post(text=text, urls=urls, author={"bio": bio})
    record = decode("posts", value).model
    assert isinstance(record, Post)
    assert record.author is not None
    assert (record.text, record.urls, record.author.bio) == (text, urls, bio)
    assert decode("posts", encode(record)).model == record


@PROPERTY
@given(
    st.recursive(
        st.integers() | st.text('"\\[]{}a'),
        lambda inner: st.lists(inner) | st.dictionaries(st.text('"\\[{', max_size=3), inner),
    )
)
def test_depth_is_measured_as_the_tree_has_it(tree: Any) -> None:
    def depth(node: Any) -> int:
        if not isinstance(node, list | dict):
            return 0
        return 1 + max(map(depth, node.values() if isinstance(node, dict) else node), default=0)

    around = MAX_DEPTH - depth(tree)
    assert not is_too_deep(b"[" * around + json.dumps(tree).encode() + b"]" * around)
    assert is_too_deep(b"[" * (around + 1) + json.dumps(tree).encode() + b"]" * (around + 1)) == (around >= 0)
