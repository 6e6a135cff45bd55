"""Labelled posts: what a line of a labelled file says, and what it does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from schemas.posts import Post
from worker.engine.policy import POLICY_IDS

_KNOWN = frozenset(POLICY_IDS)
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class BadRowError(ValueError):
    """A line that is no labelled post; the message never repeats its text."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled post.

    `labels` are the policies that it breaks, `covers` those that its source really annotates: covered and not
    labelled is a true negative, neither is unknown. `weak` are labels (or their absence) that are presumed or noisy:
    precision is never reported on them. `slices` name the groups that it belongs to, such as `source: edos`.
    """

    id: str
    post: Post
    labels: frozenset[str]
    covers: frozenset[str]
    weak: frozenset[str]
    slices: Mapping[str, str] = field(default_factory=dict)

    def truth(self, policy: str) -> bool | None:
        """Whether it breaks a policy, None where its source does not say so with certainty."""
        if policy in self.weak or policy not in self.covers | self.labels:
            return None
        return policy in self.labels

    @property
    def presumed_benign(self) -> bool:
        """Whether nothing was found in it by a source that only presumes so: ordinary posts."""
        return not self.labels and bool(self.weak) and not self.covers - self.weak


def read_row(line: bytes) -> Row:
    """Reads `{"id", "text", "labels", "covers", …}`, or a whole post with `labels` and `covers` beside its fields.

    Raises:
      BadRowError: it is neither; the message says why.
    """
    try:
        data = from_json(line)
    except ValueError as error:
        raise BadRowError(f"not JSON: {str(error).partition(' at line')[0]}") from error
    if not isinstance(data, dict):
        raise BadRowError("expected an object")
    labels, covers, weak = (_policies(data, name) for name in ("labels", "covers", "weak"))
    try:
        post = _post(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise BadRowError(f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}") from error
    return Row(str(data.get("id") or post.post_id), post, labels, covers, weak, _slices(data, post))


def _policies(data: Mapping[str, Any], name: str) -> frozenset[str]:
    values = data.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise BadRowError(f"{name}: expected a list of policy ids")
    if unknown := set(values) - _KNOWN:
        raise BadRowError(f"{name}: no such policy: {', '.join(sorted(unknown))}")
    return frozenset(values)


def _post(data: Mapping[str, Any]) -> Post:
    if "post_id" in data:
        return Post.model_validate({key: value for key, value in data.items() if key in Post.model_fields})
    if not isinstance(data.get("text"), str):
        raise BadRowError("text: missing")
    return Post.model_validate(
        {
            "schema_version": 1,
            "post_id": str(data.get("id") or "-"),
            "author_id": "-",
            "created_at": _NO_TIME,
            "text": data["text"],
            "lang": data.get("lang"),
        }
    )


def _slices(data: Mapping[str, Any], post: Post) -> dict[str, str]:
    original = data.get("orig")
    functionality = data.get("functionality") or (
        original.get("functionality") if isinstance(original, dict) else None
    )
    named = {
        "source": data.get("source"),
        "language": data.get("lang") or post.lang,
        "genre": data.get("genre"),
        "functionality": functionality,
        "evasion": data.get("evasion"),
    }
    return {name: str(value) for name, value in named.items() if value}
