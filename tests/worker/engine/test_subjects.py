from __future__ import annotations

from typing import Any

import pytest

from schemas.accounts import AccountRecord
from schemas.posts import Post
from tests.worker.engine.helpers import START
from tests.worker.engine.helpers import post as record
from worker.engine.subjects import account_subject, post_subject, primary_language


@pytest.mark.parametrize(
    ("tag", "primary"),
    [
        ("en", "en"), ("en-GB", "en"), ("EN_us", "en"), ("zh-Hant-TW", "zh"), ("und", None), ("", None),
        (None, None), ("zxx", None), ("mul", None), ("qme", None),
    ],
)  # fmt: skip
def test_the_primary_language_is_the_first_subtag(tag: str | None, primary: str | None) -> None:
    assert primary_language(tag) == primary


def test_a_post_is_judged_by_what_its_author_wrote() -> None:
    media = [
        {"media_id": "m0"},
        {"media_id": "m1", "alt_text": "a cat", "transcript": "meow"},
        {"media_id": "m2", "alt_text": "", "transcript": "woof"},
    ]
    more: dict[str, Any] = {
        "lang": "en-GB", "media": media, "author": {"handle": "ann", "bio": "hello"},
        "in_reply_to": {"post_id": "2", "text": "theirs"}, "quotes": {"post_id": "3", "text": "theirs"},
    }  # fmt: skip
    post = Post.model_validate({**record("hello"), **more})
    subject = post_subject(post)
    assert subject.fields == {
        "text": "hello",
        "media[1].alt_text": "a cat",
        "media[1].transcript": "meow",
        "media[2].transcript": "woof",
    }
    assert (subject.kind, subject.id, subject.account_id, subject.lang) == ("post", "1", "u1", "en")
    assert subject.post is post
    assert subject.author is post.author


def test_a_post_without_a_text_has_no_fields() -> None:
    assert post_subject(Post.model_validate(record(""))).fields == {}


def test_a_profile_is_judged_by_its_texts() -> None:
    profile = {"handle": "ann", "display_name": "", "bio": "hello"}
    account = AccountRecord.model_validate(
        {"schema_version": 1, "account_id": "u1", "updated_at": START, "profile": profile}
    )
    subject = account_subject(account)
    assert subject.fields == {"profile.handle": "ann", "profile.bio": "hello"}
    assert (subject.kind, subject.id, subject.account_id, subject.lang) == ("account", "u1", "u1", None)
    assert subject.account is account


def test_an_account_without_a_profile_has_no_fields() -> None:
    account = AccountRecord(schema_version=1, account_id="u1", updated_at=START)
    assert account_subject(account).fields == {}


def test_of_all_media_together_no_more_is_read_than_of_a_post() -> None:
    media = [{"media_id": f"m{n}", "alt_text": "a" * 20_000, "transcript": "b" * 20_000} for n in range(3)]
    post = {
        "schema_version": 1,
        "post_id": "1",
        "author_id": "a",
        "created_at": "2026-11-22T09:30:00Z",
        "text": "x",
    }
    fields = post_subject(Post.model_validate({**post, "media": media})).fields
    assert {name: len(text) for name, text in fields.items()} == {
        "text": 1,
        "media[0].alt_text": 20_000,
        "media[0].transcript": 5_000,
    }
