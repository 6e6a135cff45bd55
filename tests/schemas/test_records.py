"""The examples against the models and against the exported JSON Schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.accounts import AccountRecord
from schemas.base import Wire, encode
from schemas.decode import MODELS, RECORDS, DecodeError, decode
from schemas.export import CHANNELS, FOLDER, INPUTS, NAMES
from schemas.policies import PolicyCurrent
from schemas.posts import Media, Post, PostRef, Profile
from tests.schemas.examples import NAMES as EXAMPLES
from tests.schemas.examples import PROPERTY, content_of, judge, topic_of, value_of

INPUT_TOPICS = {"posts", "accounts", "reports", "appeals", "reviews", "media.signals", "policies"}
OUTPUTS = [name for name in EXAMPLES if topic_of(name) not in INPUT_TOPICS]


def validator_of(model: type[Wire]) -> Draft202012Validator:
    schema = json.loads((FOLDER / "json" / f"{NAMES[model]}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


VALIDATORS = {model: validator_of(model) for model in RECORDS}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid_for_the_model_and_for_the_exported_schema(name: str) -> None:
    decoded = decode(topic_of(name), value_of(name))
    assert decoded.unknown_fields == 0
    VALIDATORS[type(decoded.model)].validate(content_of(name))


def test_every_topic_and_every_record_has_an_example() -> None:
    with_records = {topic for topic, channel in CHANNELS.items() if channel.models}
    assert {topic_of(name) for name in EXAMPLES} == with_records == MODELS.keys()
    assert {type(decode(topic_of(name), value_of(name)).model) for name in EXAMPLES} == set(RECORDS)


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_we_write_has_every_field_of_the_contract_in_its_order(name: str) -> None:
    model = decode(topic_of(name), value_of(name)).model
    again = json.dumps(content_of(name), ensure_ascii=False, separators=(",", ":")).encode()
    assert encode(model) == again
    always = {name for name, field in type(model).model_fields.items() if field.exclude_if is None}
    assert always <= set(content_of(name)) <= set(type(model).model_fields)
    assert encode(decode(topic_of(name), encode(model)).model) == encode(model)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_record_of_ours_reads_back_as_the_same_record(name: str) -> None:
    model = decode(topic_of(name), value_of(name)).model
    assert decode(topic_of(name), encode(model)).model == model


def test_full_examples_show_every_field_that_the_contract_names() -> None:
    for name in (
        "posts__full",
        "accounts__full",
        "reports__full",
        "appeals__full",
        "reviews__full",
        "media.signals__found",
    ):
        assert set(content_of(name)) == set(MODELS[topic_of(name)].model_fields), name
    post = content_of("posts__full")
    assert set(post["author"]) == set(Profile.model_fields)
    assert set(content_of("posts__media")["media"][0]) == set(Media.model_fields)
    assert set(post["quotes"]) == set(PostRef.model_fields)


@pytest.mark.parametrize(
    "name", ["posts__full", "accounts__full", "reports__full", "reviews__full", "media.signals__found"]
)
def test_only_ids_version_and_time_are_required_of_others(name: str) -> None:
    required = {
        "posts": {"schema_version", "post_id", "author_id", "created_at", "text"},
        "accounts": {"schema_version", "account_id", "updated_at"},
        "reports": {"schema_version", "report_id", "reporter_id", "subject", "account_id", "created_at"},
        "reviews": {"schema_version", "review_id", "reviewer_id", "account_id", "outcome", "created_at"},
        "media.signals": {"schema_version", "post_id", "account_id", "media_id", "observed_at"},
    }[topic_of(name)]
    content = content_of(name)
    for field in content:
        value = json.dumps({key: content[key] for key in content if key != field}).encode()
        if field in required:
            with pytest.raises(DecodeError, match=f"invalid: {field}: Field required"):
                decode(topic_of(name), value)
        else:
            decode(topic_of(name), value)


def test_a_null_for_an_optional_field_is_the_same_as_no_field() -> None:
    post = decode("posts", value_of("posts__nulls")).model
    assert isinstance(post, Post)
    assert (post.surface, post.deleted, post.mentions, post.hashtags, post.urls) == (
        "post",
        False,
        (),
        (),
        (),
    )
    assert post.author == Profile()
    assert [item.placement for item in post.media] == ["post", "post"]
    assert post.media[1].ad_markers[0].at_seconds == 0.0


def test_the_pointer_to_the_pack_in_force_is_told_by_its_key_or_by_its_fields() -> None:
    current, piece = value_of("policies__current"), value_of("policies__piece")
    assert isinstance(decode("policies", current).model, PolicyCurrent)
    assert isinstance(decode("policies", current, b"current").model, PolicyCurrent)
    with pytest.raises(DecodeError, match="invalid: path: Field required"):
        decode("policies", current, b"2026-11-22.1/violence/policy.toml/0")
    with pytest.raises(DecodeError, match="invalid: pack: Field required"):
        decode("policies", piece, b"current")


@pytest.mark.parametrize(
    ("topic", "example", "change"),
    [
        ("posts", "posts__full", {"text": "é" * 25_001}),
        ("posts", "posts__full", {"post_id": ""}),
        ("posts", "posts__full", {"post_id": 1790000000000000001}),
        ("posts", "posts__full", {"author_id": "u" * 513}),
        ("posts", "posts__full", {"created_at": "2026-11-22T09:30:00"}),
        ("posts", "posts__full", {"created_at": 1795339800}),
        ("posts", "posts__full", {"surface": "story"}),
        ("posts", "posts__full", {"deleted": "yes"}),
        ("posts", "posts__full", {"mentions": [7]}),
        ("posts", "posts__full", {"mentions": [None]}),
        ("posts", "posts__full", {"mentions": "u7"}),
        ("posts", "posts__full", {"author": {"followers": -1}}),
        ("posts", "posts__full", {"author": {"followers": 1.5}}),
        ("posts", "posts__full", {"author": {"followers": 2**63}}),
        ("posts", "posts__full", {"author": []}),
        ("posts", "posts__full", {"media": [{"kind": "image"}]}),
        ("posts", "posts__full", {"media": [{"media_id": "m", "sha256": "0" * 63}]}),
        ("posts", "posts__full", {"media": [{"media_id": "m", "scores": {"gore": 1.01}}]}),
        ("posts", "posts__full", {"media": [{"media_id": "m", "pdq_quality": 101}]}),
        ("reports", "reports__full", {"subject": {"type": "thread", "id": "1"}}),
        ("reviews", "reviews__full", {"outcome": "maybe"}),
        ("reviews", "reviews__act", {"action": {"kind": "ban"}}),
        ("enforcement.remove", "enforcement.remove__apply", {"evidence": [{}] * 33}),
        ("enforcement.remove", "enforcement.remove__apply", {"score": 1.1}),
        ("enforcement.remove", "enforcement.remove__apply", {"policy": "no-such-policy"}),
        ("review.queue", "review.queue__open", {"priority": 101}),
        ("dead-letter", "dead-letter__whole", {"reason": "unlucky"}),
        ("media.signals", "media.signals__found", {"post_id": None}),
        ("media.signals", "media.signals__found", {"field": "avatar"}),
        ("media.signals", "media.signals__profile", {"field": None}),
        ("media.signals", "media.signals__profile", {"field": "banner"}),
        ("media.signals", "media.signals__profile", {"post_id": "1"}),
        ("media.signals", "media.signals__found", {"hashes": {"md5": "0" * 31}}),
        ("media.signals", "media.signals__found", {"hashes": {"tlsh": "T2" + "0" * 70}}),
        ("media.signals", "media.signals__found", {"matches": [{"bank": "b", "share": 1.5}]}),
        ("media.signals", "media.signals__found", {"context": {"post": {"post_id": "1"}}}),
        ("findings", "findings__full", {"feature": "mood:bad"}),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_by_model_and_schema(
    topic: str, example: str, change: dict[str, Any]
) -> None:
    content = content_of(example) | change
    with pytest.raises(DecodeError) as caught:
        decode(topic, json.dumps(content).encode())
    assert caught.value.reason == "invalid"
    assert not VALIDATORS[MODELS[topic]].is_valid(content)


def test_limits_are_inclusive_and_count_code_points() -> None:
    content = content_of("posts__full") | {"text": "😀" * 25_000}
    for escaped in (True, False):
        post = decode("posts", json.dumps(content, ensure_ascii=escaped).encode()).model
        assert isinstance(post, Post)
        assert len(post.text) == 25_000
    item = content_of("enforcement.remove__apply")["evidence"][0]
    full = content_of("enforcement.remove__apply") | {"evidence": [item | {"detail": "é" * 256}] * 32}
    decode("enforcement.remove", json.dumps(full).encode())
    longer = full | {"evidence": [item | {"detail": "é" * 257}]}
    with pytest.raises(DecodeError, match=r"evidence\.0\.detail"):
        decode("enforcement.remove", json.dumps(longer).encode())


def test_an_unknown_age_written_as_the_year_one_does_not_cost_the_post() -> None:
    content = content_of("accounts__full")
    content["profile"]["created_at"] = "0001-01-01T00:00:00Z"
    account = decode("accounts", json.dumps(content).encode()).model
    assert isinstance(account, AccountRecord)
    assert account.profile is not None
    assert account.profile.created_at is not None
    assert account.profile.created_at.year == 1


WRONG = st.sampled_from(
    [None, "x", "", 5, -1, 0.5, True, [], {}, [{}], ["x"], [None], {"x": None}, "2026-11-22T09:30:00Z"]
)


@PROPERTY
@given(st.sampled_from([name for name in EXAMPLES if MODELS[topic_of(name)] in INPUTS]), st.data())
def test_model_and_exported_schema_agree_on_damaged_inputs(name: str, data: st.DataObject) -> None:
    content = content_of(name)
    spot: Any = content
    while True:
        step = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        inner = spot[step]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        spot = inner
    if isinstance(spot, dict) and data.draw(st.booleans()):
        del spot[step]
    else:
        spot[step] = data.draw(WRONG)
    result = judge(topic_of(name), json.dumps(content).encode())
    kind = type(decode(topic_of(name), value_of(name)).model)
    assert VALIDATORS[kind].is_valid(content) == (
        not isinstance(result, DecodeError) and type(result.model) is kind
    )
