"""What people decided about an account's subjects, which nothing automatic undoes.

`account.human` maps "post:<id>", "profile_field:<account>/<name>" and "account:<id>" to `[outcome, reviewer, time]`. A
decision is about what was there when it was made: an edit of the post, or other content in the field, is judged afresh.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from worker.engine.contract import Evidence, Subject
from worker.engine.ids import digest
from worker.engine.state import Account, subject_key
from worker.engine.times import EPOCH

OWN_FIELDS = frozenset({"handle", "display_name", "bio", "avatar", "header"})
"""What the owner of a profile put there; how old or how followed an account is, is not."""
REMEMBERED_EDITS = 64
_MILLISECOND = timedelta(milliseconds=1)


def key_of(subject_type: str, subject_id: str) -> str:
    """The key of a subject in `account.human`."""
    return subject_key(subject_type, subject_id)


def own_fields(evidence: Iterable[Evidence]) -> list[str]:
    """The fields of a profile, of those that its owner filled, in which something was found."""
    names = dict.fromkeys(item.field.removeprefix("profile.").partition(".")[0] for item in evidence)
    return [name for name in names if name in OWN_FIELDS]


def content_of(subject: Subject, name: str) -> str:
    """What a profile's field holds, as a digest; of a picture its hash, or what else names it."""
    if name in {"avatar", "header"}:
        item = None if subject.account is None else getattr(subject.account, name)
        if subject.examined is not None and subject.examined.field == f"profile.{name}":
            item = subject.examined.received  # the same content before it was examined and after
        held = None if item is None else item.sha256 or item.pdq or item.uri or item.media_id
        return digest("content", name, held)
    return digest("content", subject.fields.get("profile." + name, ""))


def note_contents(subject: Subject, evidence: Iterable[Evidence], account: Account, now: int) -> None:
    """Notes since when the fields of a profile in which something was found hold what they hold."""
    names = own_fields(evidence) if subject.kind == "account" else []
    if not names:
        return
    held = account.traits.setdefault("contents", {})
    for name in names:
        content = content_of(subject, name)
        if name not in held or held[name][0] != content:
            held[name] = [content, now]


def note_edit(account: Account, post_id: str, time: datetime) -> None:
    """Notes when a post was edited, for as long as a person's decision about the account is remembered."""
    if not account.human:
        return
    edits = account.traits.setdefault("edits", {})
    key = key_of("post", post_id)
    edits[key] = max(edits.pop(key, 0), _milliseconds(time))
    while len(edits) > REMEMBERED_EDITS:
        del edits[next(iter(edits))]


def is_edited_since(account: Account, post_id: str, time_ms: int) -> bool:
    """Whether a post, one of the last 64 that were, was edited after a person decided about it."""
    return bool(account.traits.get("edits", {}).get(key_of("post", post_id), 0) > time_ms)


def is_settled(subject: Subject, evidence: Iterable[Evidence], account: Account) -> bool:
    """Whether a person decided about the content in which this was found."""
    if not account.human:
        return False
    if subject.kind == "post":
        decided = _decided(account, "post", subject.id)
        if decided is None:
            return False
        post = subject.post
        return post is None or post.edit_of != post.post_id or _milliseconds(post.created_at) <= decided
    names = own_fields(evidence)
    return bool(names) and all(is_field_settled(subject, name, account) for name in names)


def is_field_settled(subject: Subject, name: str, account: Account) -> bool:
    """Whether a person decided about what a profile's field holds now, alone or with the whole profile."""
    times = [_decided(account, "profile_field", f"{subject.account_id}/{name}")]
    if account.human.get(key_of("account", subject.account_id), ("",))[0] == "dismiss":
        times.append(_decided(account, "account", subject.account_id))
    since = _since(account, name)
    return since is not None and any(time is not None and since <= time for time in times)


def is_suspension_settled(subject: Subject, evidence: Iterable[Evidence], account: Account, now: int) -> bool:
    """Whether a person decided about the account after the violation that a suspension would follow from."""
    decided = _decided(account, "account", subject.account_id)
    if decided is None:
        return False
    if subject.kind == "account":
        times = [since for name in own_fields(evidence) if (since := _since(account, name)) is not None]
        return max(times, default=now) <= decided
    source = subject.post or subject.report
    return (now if source is None else _milliseconds(source.created_at)) <= decided


def _decided(account: Account, subject_type: str, subject_id: str) -> int | None:
    entry = account.human.get(key_of(subject_type, subject_id))
    return None if entry is None else int(entry[2])


def _since(account: Account, name: str) -> int | None:
    entry = account.traits.get("contents", {}).get(name)
    return None if entry is None else int(entry[1])


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // _MILLISECOND
