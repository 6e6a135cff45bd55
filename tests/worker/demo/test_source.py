from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest

from schemas.accounts import AccountRecord
from schemas.decode import DecodeError, decode
from schemas.posts import Post
from schemas.reports import Report
from worker.demo.source import Sample, samples

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def everything() -> list[Sample]:
    return samples()


def test_there_are_two_thousand_posts_and_all_are_valid(everything: list[Sample]) -> None:
    posts = [sample for sample in everything if sample.post is not None]
    assert len(posts) == 2_000
    for sample in posts:
        decoded = decode("posts", sample.value(NOW))
        assert isinstance(decoded.model, Post)
        assert decoded.unknown_fields == 0
        assert decoded.model.author_id.encode() == sample.key
        assert decoded.model.created_at == NOW


def test_profiles_and_reports_are_valid_and_come_after_what_they_are_about(everything: list[Sample]) -> None:
    others = [sample for sample in everything if sample.topic != "posts"]
    assert Counter(sample.topic for sample in others).keys() == {"accounts", "reports"}
    for sample in others:
        decoded = decode(sample.topic, sample.value(NOW, "-2"))
        assert isinstance(decoded.model, AccountRecord | Report)
        assert decoded.unknown_fields == 0
        assert decoded.model.account_id.encode() == sample.key
        if isinstance(decoded.model, Report):
            earlier = everything[: everything.index(sample)]
            posts = {f"{one.subject}-2": one.key for one in earlier if one.post is not None}
            assert posts[decoded.model.subject.id] == sample.key, "a report is about that account's post"


def test_the_posts_read_as_many_people_write(everything: list[Sample]) -> None:
    texts = {sample.text for sample in everything}
    authors = {sample.key for sample in everything}
    languages = {sample.post.get("lang") for sample in everything if sample.post is not None}
    assert len(texts) >= 1_600
    assert len(authors) >= 150
    assert len(languages) >= 12


def test_the_broken_records_show_every_kind_of_fault_that_can_be_sent(everything: list[Sample]) -> None:
    reasons = []
    for sample in everything:
        if sample.record is None:
            try:
                decode("posts", sample.raw)
            except DecodeError as error:
                reasons.append(error.reason)
            else:
                assert sample.raw is not None
                assert json.loads(sample.raw)["author_id"].encode() != sample.key
                reasons.append("misrouted")
    assert sorted(reasons) == [
        "bad_json", "bad_utf8", "invalid", "misrouted", "null_value", "too_deep", "unsupported_version",
    ]  # fmt: skip


def test_edits_a_deletion_and_a_repeat_are_among_them(everything: list[Sample]) -> None:
    posts = [sample.post for sample in everything if sample.post is not None]
    assert sum(post.get("edit_of") is not None for post in posts) == 2
    deleted = [post["post_id"] for post in posts if post.get("deleted")]
    assert len(deleted) == 1
    live = [post["post_id"] for post in posts if not post.get("deleted")]
    assert len(live) - len(set(live)) == 1
    assert deleted[0] in live


def test_a_suffix_makes_the_same_posts_new_ones(everything: list[Sample]) -> None:
    edited = next(sample for sample in everything if sample.post is not None and sample.post.get("edit_of"))
    assert edited.post is not None
    value = json.loads(edited.value(NOW, "-2") or b"")
    assert value["post_id"] == f"{edited.post['post_id']}-2"
    assert value["edit_of"] == f"{edited.post['edit_of']}-2"


def test_no_number_or_address_in_them_can_be_a_real_persons(everything: list[Sample]) -> None:
    """E-mail addresses are under .example; phone numbers come from ranges reserved for fiction."""
    for sample in everything:
        for word in " ".join(sample.fields.values()).split():
            if "@" in word.strip("@") and not word.startswith("@"):
                assert word.rstrip(".,").endswith(".example"), word
