"""What tests about media share: a pack of made-up policies, records of `media.signals`, and what is in force."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from tests.worker.engine.helpers import PACK, START, Feed, at, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.times import EPOCH

MEDIA = PACK.parent / "media"
LICENSED = "ab" * 32
PDQ = "f0e1d2c3b4a5968778695a4b3c2d1e0ff0e1d2c3b4a5968778695a4b3c2d1e0f"
"""That of the protected identity's picture."""


def picture(media_id: str = "m1", kind: str | None = "image", **more: Any) -> dict[str, Any]:
    return {"media_id": media_id, "kind": kind, "uri": f"file:///media/{media_id}", **more}


def shown(text: str = "hello", *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A post with media: one picture where none is given."""
    return post(text, media=list(items) or [picture()], **more)


def profile(when: str | None = None, account_id: str = "u1", **more: Any) -> dict[str, Any]:
    return {"schema_version": 1, "account_id": account_id, "updated_at": when or at(), **more}


def found(
    context: dict[str, Any] | None = None,
    media_id: str = "m1",
    when: str | None = None,
    account: str = "u1",
    post_id: str | None = "1",
    **more: Any,
) -> dict[str, Any]:
    """A record of what was found in an item, with the post or the profile that shows it unless there is none."""
    record: dict[str, Any] = {"schema_version": 1, "account_id": account, "media_id": media_id}
    record |= {"post_id": post_id, "observed_at": when or at(seconds=5), **more}
    if context is not None and "updated_at" in context:
        record |= {"post_id": None, "field": more.get("field", "avatar"), "context": {"account": context}}
        record["account_id"] = context["account_id"]
    elif context is not None:
        record |= {"context": {"post": context}}
        record["post_id"], record["account_id"] = context["post_id"], context["author_id"]
    return record


def match(policy: str, opinion: str = "confirmed", **more: Any) -> dict[str, Any]:
    return {"bank": "made-up", "policy": policy, "opinion": opinion, "kind": "pdq", "distance": 12, **more}


def record_of(feed: Feed, value: dict[str, Any]) -> Record:
    """A record on the topic that its value belongs to."""
    if "observed_at" in value:
        return feed.record("media.signals", value)
    return feed.record("accounts" if "updated_at" in value else "posts", value)


def run(judge: PartitionJudge, feed: Feed, *values: dict[str, Any]) -> list[Judged]:
    """Judges records one by one."""
    return [judge.judge([record_of(feed, value)]) for value in values]


def acts(judged: Judged) -> list[tuple[str, str, str, str | None]]:
    """(kind, type and id of the subject, label or mode) of each action, in order."""
    return [
        (a["kind"], f"{a['subject']['type']}:{a['subject']['id']}", a["policy"], a["label"] or a["mode"])
        for kind in ("label", "remove", "suspend")
        for a in outputs(judged, f"enforcement.{kind}")
    ]


def in_force(judge: PartitionJudge, account_id: str = "u1") -> set[tuple[str, ...]]:
    """What stands about an account a minute after the start, suspensions by the strictest."""
    now = (START - EPOCH) // timedelta(milliseconds=1) + 60_000
    standing = [a for a in judge.accounts.get(account_id).actions if a.stands(now)]
    return {(a.kind, a.subject_type, a.subject_id, a.detail) for a in standing}


def strikes(judge: PartitionJudge, account_id: str = "u1") -> int:
    now = (START - EPOCH) // timedelta(milliseconds=1) + 60_000
    return judge.accounts.get(account_id).active_strikes(now)


def restored(judge: PartitionJudge, batches: Iterable[Judged]) -> PartitionJudge:
    """Another owner of the partition, from what was written to the `state` topic."""
    state: dict[bytes, bytes | None] = {}
    for judged in batches:
        state.update(judged.state)
    other = PartitionJudge(judge.pack, 0)
    for key, value in state.items():
        other.restore(key, value)
    return other


def size(value: Any) -> int:
    return len(json.dumps(value))
