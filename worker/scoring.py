"""Scores JSONL lines of posts without any state: what `moderator score` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from schemas.posts import Post
from worker.engine.assess import Assessment, Assessor
from worker.engine.policy import POLICY_IDS
from worker.engine.registry import Pack

BATCH = 1000  # lines judged together: the scan and the scores are batched, memory stays small
# A bare {"id", "text"} has no time; no stateless verdict depends on it.
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Scorer:
    """Scores batch after batch. `lines` counts all seen, `bad` those that are no post."""

    def __init__(self, pack: Pack) -> None:
        self._assessor = Assessor(pack)
        self.lines = 0
        self.bad = 0
        self.outcomes: Counter[str] = Counter()

    def score(self, batch: Sequence[bytes]) -> bytes:
        """One output line for each input line, in order, each ended by a newline."""
        posts: list[Post] = []
        answers: list[dict[str, Any] | None] = []
        ids: list[object] = []
        for line in batch:
            self.lines += 1
            try:
                identity, post = read_post(line)
            except ValueError as error:
                self.bad += 1
                answers.append({"id": None, "error": f"line {self.lines}: {reason_of(error)}"})
            else:
                if post.deleted:
                    answers.append(self._gone(identity))
                    continue
                answers.append(None)
                ids.append(identity)
                posts.append(post)
        assessed = iter(zip(ids, self._assessor.assess(posts) if posts else (), strict=True))
        return b"".join([to_json(self._answer(*next(assessed)) if a is None else a) + b"\n" for a in answers])

    def _gone(self, identity: object) -> dict[str, Any]:
        """The answer for a deletion: it is clear, nothing is judged and nothing is done."""
        self.outcomes["clear"] += 1
        return {"id": identity, "scores": dict.fromkeys(POLICY_IDS), "outcome": "clear", "actions": []}

    def _answer(self, identity: object, assessment: Assessment) -> dict[str, Any]:
        self.outcomes[assessment.outcome] += 1
        return {
            "id": identity,
            "scores": assessment.scores,
            "outcome": assessment.outcome,
            "actions": [{"kind": kind, "policy": policy} for kind, policy in assessment.actions],
        }

    def summary(self) -> str:
        """The outcomes counted, most frequent first: `980 clear, 20 violation`."""
        return (
            ", ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.most_common())
            or "nothing scored"
        )


def read_post(line: bytes) -> tuple[object, Post]:
    """The id and post of one line.

    Raises:
        ValueError: the line is not JSON, no object, or neither a post nor `{"id", "text"}`.
    """
    data = from_json(line)
    if not isinstance(data, dict):
        raise ValueError('expected an object: a post, or {"id", "text"}')
    if "post_id" in data:
        return data["post_id"], Post.model_validate(data)
    if "id" not in data or "text" not in data:
        raise ValueError('neither a post (post_id, …) nor {"id", "text"}')
    identity = data["id"]
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        raise ValueError("id: expected a string or a whole number")
    fields = {
        "schema_version": 1,
        "post_id": str(identity) or "-",
        "author_id": "-",
        "created_at": _NO_TIME,
        "text": data["text"],
        "lang": data.get("lang"),
    }
    return identity, Post.model_validate(fields)


def reason_of(error: ValueError) -> str:
    """What was wrong, without repeating the post."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}" for fault in faults[:5]
        )
    return str(error)
