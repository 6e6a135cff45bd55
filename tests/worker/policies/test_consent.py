"""The consent register as the policies ask it: whose, when, for what."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from schemas.posts import Media, Post
from worker.engine.contract import RuleContext, Subject
from worker.engine.facts import Consent, Facts
from worker.engine.subjects import post_subject
from worker.policies.consent import in_force, item_of, licensed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FILE = "ab" * 32
OTHER_FILE = "cd" * 32


def consent(**fields: object) -> Consent:
    base = {"subject": "A right", "account_id": "u1", "scope": "video", "from": date(2026, 1, 1)}
    return Consent.model_validate({k: v for k, v in {**base, **fields}.items() if v is not None})


def subject(account_id: str = "u1", media: tuple[Media, ...] = ()) -> Subject:
    post = Post.model_validate(
        {
            "schema_version": 1,
            "post_id": "1",
            "author_id": account_id,
            "created_at": NOW,
            "text": "a post",
            "media": media,
        }
    )
    return post_subject(post)


def context(*consents: Consent) -> RuleContext:
    return RuleContext(NOW, facts=Facts(consents=consents))


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (consent(), True),
        (consent(account_id="u2"), False),
        (consent(until=date(2026, 11, 22)), False),
        (consent(until=date(2026, 11, 23)), True),
        (consent(**{"from": date(2026, 11, 24)}), False),
    ],
)
def test_only_this_accounts_consents_of_this_time_are_in_force(given: Consent, held: bool) -> None:
    assert in_force(subject(), context(given)) == ([given] if held else [])


def test_an_item_belongs_to_its_own_fields_only() -> None:
    first, second = Media(media_id="m1"), Media(media_id="m2")
    post = subject(media=(first, second))
    assert item_of(post, "media[0]") == first
    assert item_of(post, "media[1].transcript") == second
    assert item_of(post, "text") is None


def test_a_profile_has_no_items() -> None:
    assert item_of(Subject("account", "u1", "u1", {}), "media[0]") is None


def test_a_consent_for_a_file_covers_that_file_alone() -> None:
    given = [consent(media_sha256=FILE, scope=None)]
    assert licensed(given, Media(media_id="m1", sha256=FILE.upper()), ())
    assert not licensed(given, Media(media_id="m1", sha256=OTHER_FILE), {"video"})
    assert not licensed(given, Media(media_id="m1"), {"video"})
    assert not licensed(given, None, {"video"})


def test_a_consent_for_a_scope_covers_any_file_of_that_scope() -> None:
    given = [consent(scope="Video")]
    assert licensed(given, None, {"video"})
    assert licensed(given, Media(media_id="m1", sha256=FILE), {"video", "pre-roll"})
    assert not licensed(given, Media(media_id="m1", sha256=FILE), {"copyright"})
