"""Records with media for tests of the media worker: the JSON that upstream sends."""

from __future__ import annotations

import json
from typing import Any

from worker.engine.records import Record

TIME = "2026-11-23T09:00:00Z"


def item(media_id: str, uri: str | None = None, **fields: Any) -> dict[str, Any]:
    """A media item as it stands in a post."""
    return {"media_id": media_id, "uri": uri, **fields}


def post(post_id: str, *media: dict[str, Any], author: str = "u1", **fields: Any) -> dict[str, Any]:
    """A post with these items."""
    return {
        "schema_version": 1,
        "post_id": post_id,
        "author_id": author,
        "created_at": TIME,
        "text": "a text",
        "media": list(media),
        **fields,
    }


def account(account_id: str = "u1", **fields: Any) -> dict[str, Any]:
    """An account's snapshot."""
    return {"schema_version": 1, "account_id": account_id, "updated_at": TIME, **fields}


def record(body: dict[str, Any] | bytes | None, *, topic: str = "posts", offset: int = 0) -> Record:
    """The record that holds the body, under its account's key."""
    key = "u1"
    if isinstance(body, dict):
        key = str(body.get("author_id") or body.get("account_id"))
    value = json.dumps(body).encode() if isinstance(body, dict) else body
    return Record(topic, 0, offset, 1_700_000_000_000, key.encode(), value, (("trace", b"1"),))
