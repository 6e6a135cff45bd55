"""Subjects with media, profiles and reports, for the tests of observers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.accounts import AccountRecord
from schemas.posts import Post
from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.engine.subjects import account_subject, post_subject
from worker.signals.observers import Observer
from worker.signals.view import Hit

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def media(**more: Any) -> dict[str, Any]:
    """A media item."""
    return {"media_id": "m1", "kind": "image", **more}


def post(text: str = "look at this", **more: Any) -> Subject:
    """A post as a record carries it."""
    values = {"schema_version": 1, "post_id": "1", "author_id": "u1", "created_at": NOW, "text": text, **more}
    return post_subject(Post.model_validate(values))


def account(profile: Mapping[str, Any] | None = None, **more: Any) -> Subject:
    """A profile as a record carries it."""
    values = {"schema_version": 1, "account_id": "u1", "updated_at": NOW, "profile": profile, **more}
    return account_subject(AccountRecord.model_validate(values))


def observe(observer: Observer, subject: Subject, facts: Facts | None = None) -> list[Hit]:
    """What a bank would get: nothing unless the observer applies."""
    hits = observer.observe(subject, facts or Facts()) if observer.applies(subject) else []
    assert all(hit.start is None and hit.end is None and hit.signal in observer.names for hit in hits)
    return hits


def seen(observer: Observer, subject: Subject, facts: Facts | None = None) -> set[tuple[str, str]]:
    """Names and fields of the hits."""
    return {(hit.signal, hit.field) for hit in observe(observer, subject, facts)}
