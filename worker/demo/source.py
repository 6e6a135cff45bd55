"""The bundled records, written for this project; every person, address and number in them is invented.

Most are posts. A few are account snapshots and rights-holders' reports, which some policies are about.
"""

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
from worker.engine.intake import ACCOUNT_OF

POSTS = Path(__file__).with_name("posts.jsonl")
RECORDS = Path(__file__).with_name("records.jsonl")
BAD_RECORDS = Path(__file__).with_name("bad_records.jsonl")
TOPICS = ("posts", "accounts", "reports")
_TIME = {"posts": "created_at", "accounts": "updated_at", "reports": "created_at"}
_POST_IDS = ("post_id", "edit_of", "report_id")


@dataclass(frozen=True, slots=True)
class Sample:
    """One record to send. `record` is None for one that is broken on purpose, whose bytes are `raw`."""

    topic: str
    key: bytes
    record: Mapping[str, Any] | None
    raw: bytes | None = None

    @property
    def post(self) -> Mapping[str, Any] | None:
        """The record where it is a post, None for all others."""
        return self.record if self.topic == "posts" else None

    @property
    def text(self) -> str:
        """What people read of it: a post's text, who an account says it is; else empty."""
        fields = self.fields
        return fields.get("text") or " · ".join(
            filter(None, (fields.get("profile.display_name"), fields.get("profile.bio")))
        )

    @property
    def fields(self) -> dict[str, str]:
        """Every text that evidence can point into, by the field's name."""
        record = self.record or {}
        found = {"text": record.get("text")}
        for index, item in enumerate(record.get("media") or ()):
            found[f"media[{index}].alt_text"] = item.get("alt_text")
            found[f"media[{index}].transcript"] = item.get("transcript")
        for name in ("handle", "display_name", "bio"):
            found[f"profile.{name}"] = (record.get("profile") or {}).get(name)
        return {name: text for name, text in found.items() if text}

    @property
    def subject(self) -> str | None:
        """The id that what follows will name: a post's or an account's; None where it is another record's."""
        if self.record is None or self.topic not in {"posts", "accounts"}:
            return None
        return str(self.record["post_id" if self.topic == "posts" else "account_id"])

    def subject_as(self, suffix: str) -> str | None:
        """The same under a suffix: posts have one, accounts stay the same."""
        return f"{self.subject}{suffix}" if self.post is not None else self.subject

    def value(self, now: datetime, suffix: str = "") -> bytes | None:
        """The record's bytes with this time, and with a suffix on the ids of posts and reports.

        The same records can be sent again under another suffix without counting as duplicates.
        """
        if self.record is None:
            return self.raw
        record = {**self.record, _TIME[self.topic]: format_time(now)}
        for name in _POST_IDS:
            if record.get(name) is not None:
                record[name] = f"{record[name]}{suffix}"
        if self.topic == "reports" and record["subject"]["type"] == "post":
            record["subject"] = {**record["subject"], "id": f"{record['subject']['id']}{suffix}"}
        return to_json(record)


def samples() -> list[Sample]:
    """All bundled records in the order in which they are sent, the few others in their places among the posts."""
    posts = [_sample("posts", json.loads(line)) for line in _lines(POSTS)]
    others: dict[int, list[Sample]] = {}
    for data in map(json.loads, _lines(RECORDS)):
        others.setdefault(data["after"], []).append(_sample(data["topic"], data["value"]))
    for data in map(json.loads, _lines(BAD_RECORDS)):
        value = data["value_base64"]
        raw = None if value is None else base64.b64decode(value)
        others.setdefault(data["after"], []).append(Sample("posts", data["key"].encode(), None, raw))
    return list(_merged(posts, others))


def _lines(path: Path) -> list[str]:
    # Not splitlines(): a text may hold a line separator that JSON leaves as it is.
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def _sample(topic: str, record: Mapping[str, Any]) -> Sample:
    return Sample(topic, record[ACCOUNT_OF[topic]].encode(), record)


def _merged(posts: list[Sample], others: Mapping[int, list[Sample]]) -> Iterator[Sample]:
    for number, post in enumerate(posts, 1):
        yield post
        yield from others.get(number, ())
