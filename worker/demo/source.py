"""The bundled posts, written for this project; every person, address and number in them is invented."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from schemas.base import format_time

POSTS = Path(__file__).with_name("posts.jsonl")
BAD_RECORDS = Path(__file__).with_name("bad_records.jsonl")
_REFERENCES = ("edit_of",)


@dataclass(frozen=True, slots=True)
class Sample:
    """One record to send. `post` is None for a record that is broken on purpose, whose bytes are `raw`."""

    key: bytes
    post: Mapping[str, Any] | None
    raw: bytes | None = None

    @property
    def text(self) -> str:
        """The post's text, empty for a broken record."""
        return "" if self.post is None else str(self.post["text"])

    def value(self, now: datetime, suffix: str = "") -> bytes | None:
        """The record's bytes with this time, and with a suffix on the post's own ids.

        The same posts can be sent again under another suffix without counting as duplicates.
        """
        if self.post is None:
            return self.raw
        post = {**self.post, "created_at": format_time(now), "post_id": f"{self.post['post_id']}{suffix}"}
        for name in _REFERENCES:
            if post.get(name) is not None:
                post[name] = f"{post[name]}{suffix}"
        return to_json(post)


def samples() -> list[Sample]:
    """All bundled records in the order in which they are sent, the broken ones in their places."""
    posts = [_sample(line) for line in POSTS.read_text(encoding="utf-8").splitlines()]
    broken: dict[int, list[Sample]] = {}
    for line in BAD_RECORDS.read_text(encoding="utf-8").splitlines():
        data = json.loads(line)
        value = data["value_base64"]
        raw = None if value is None else base64.b64decode(value)
        broken.setdefault(data["after"], []).append(Sample(data["key"].encode(), None, raw))
    return list(_merged(posts, broken))


def _sample(line: str) -> Sample:
    post = json.loads(line)
    return Sample(post["author_id"].encode(), post)


def _merged(posts: list[Sample], broken: Mapping[int, list[Sample]]) -> Iterator[Sample]:
    for number, post in enumerate(posts, 1):
        yield post
        yield from broken.get(number, ())
