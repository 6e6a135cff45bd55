"""What an account's record keeps of its posts with media and of its profile, for `media.signals` that come alone.

Signals of the worker's own media process bring along what shows the item; those of other producers need not. The
memory is a part of the account's record (`Account.media`), bounded, and erased with it: for 24 hours the last 16 posts
with media and the last profile, their texts cut, and signals that came before their post.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from schemas.accounts import AccountRecord
from schemas.media_signals import MediaSignals
from schemas.posts import Media, Post, Profile
from worker.engine.state import DAY, Account, subject_key
from worker.engine.subjects import MEDIA_TEXTS
from worker.engine.times import EPOCH

POSTS = 16
ITEMS = 10  # of a post
WAITING = 16  # signals that came before their post
JUDGED = 64  # signals that were judged, and posts of which signals were judged first
KEPT_TEXT = 1_000  # code points of a post's text, and of all its items' texts together
_WAITING_BYTES = 4_096  # of one that waits; what is longer is judged alone
_NAME = 100  # code points of an author's name that are kept
_SHORT = 60  # of a word or a name in the metadata
_MICROSECOND = timedelta(microseconds=1)
_ITEM = {"media_id", "kind", "placement", "sha256", "duration_seconds", "marked_sensitive", "provenance", *MEDIA_TEXTS}  # fmt: skip
_AUTHOR = {"handle", "display_name", "verified", "parody", "public_interest", "sensitive_by_default"}
_POST = {"created_at", "text", "lang", "surface", "edit_of"}


def note_post(account: Account, post: Post, now: int) -> None:
    """Remembers a post that was judged, if it has media; an edit takes the place of what it edits."""
    posts: dict[str, Any] = account.media.get("posts", {})
    key = _key(post.post_id)
    if not post.media:
        if posts.pop(key, None) is not None:
            _tidy(account, "posts")
        return
    kept = post.model_dump(mode="json", include=_POST, exclude_defaults=True)
    kept["text"] = post.text[:KEPT_TEXT]
    kept["lang"] = None if post.lang is None else post.lang[:_NAME]
    kept["media"] = _items(post.media[:ITEMS])
    if post.author is not None and (author := _author(post.author)):
        kept["author"] = author
    posts = account.media.setdefault("posts", {})
    posts.pop(key, None)
    posts[key] = [now, kept]
    _bound(posts, POSTS, now)


def note_profile(account: Account, record: AccountRecord, now: int) -> None:
    """Remembers the newest profile, if it has pictures."""
    known = account.media.get("profile")
    time = _microseconds(record.updated_at)
    if known is not None and known[0] > time:
        return
    if known is None and record.avatar is None and record.header is None:
        return
    kept: dict[str, Any] = {}
    if record.profile is not None:
        kept["profile"] = _author(record.profile)
        if record.profile.bio:
            kept["profile"]["bio"] = record.profile.bio[:KEPT_TEXT]
    for name in ("avatar", "header"):
        item = getattr(record, name)
        if item is not None:
            kept[name] = _items((item,))[0]
            if item.uri is not None:
                kept[name]["uri"] = item.uri[: 10 * _NAME]
    account.media["profile"] = [time, now, kept]


def profile_time(account: Account) -> int:
    """When the remembered profile was written, in microseconds; -1 where none is remembered."""
    known = account.media.get("profile")
    return -1 if known is None else int(known[0])


def known_post(account: Account, signals: MediaSignals, now: int) -> Post | None:
    """The post that signals are about, as it is remembered."""
    if signals.post_id is None:
        return None
    entry = account.media.get("posts", {}).get(_key(signals.post_id))
    if entry is None or entry[0] + DAY <= now:
        return None
    given = {"schema_version": 1, "post_id": signals.post_id, "author_id": signals.account_id}
    return Post.model_validate({**given, **entry[1], "media": _named(entry[1]["media"], signals)})


def known_profile(account: Account, signals: MediaSignals) -> AccountRecord | None:
    """The profile that signals are about, as it is remembered."""
    entry = account.media.get("profile")
    if entry is None:
        return None
    given: dict[str, Any] = {"schema_version": 1, "account_id": signals.account_id, **entry[2]}
    for name in ("avatar", "header"):
        if name in given:
            given[name] = _named([given[name]], signals)[0]
    return AccountRecord.model_validate({**given, "updated_at": EPOCH + entry[0] * _MICROSECOND})


def forget_post(account: Account, post_id: str) -> None:
    """Forgets a post that its author deleted, with what waits for it."""
    for part in ("posts", "waiting"):
        if account.media.get(part, {}).pop(_key(post_id), None) is not None:
            _tidy(account, part)


def judged_before(account: Account, name: str, now: int) -> bool:
    """Whether the same signals were judged before, among the last 64 and within 24 hours; remembers it if not."""
    judged = account.media.setdefault("judged", {})
    if judged.get(name, now - DAY) > now - DAY:
        return True
    judged.pop(name, None)
    judged[name] = now
    while len(judged) > JUDGED or next(iter(judged.values())) <= now - DAY:
        del judged[next(iter(judged))]
    return False


def note_ahead(account: Account, cause: str, now: int) -> None:
    """Remembers that signals of a post, or of a profile's version, were judged before it was."""
    ahead = account.media.setdefault("ahead", {})
    ahead.pop(key := _key(cause), None)
    ahead[key] = [now]
    _bound(ahead, JUDGED, now)


def is_ahead(account: Account, cause: str) -> bool:
    """Whether signals of a post, or of a profile's version, were judged before it was."""
    return _key(cause) in account.media.get("ahead", {})


def wait(account: Account, signals: MediaSignals, now: int) -> None:
    """Keeps signals whose post nobody has heard of, so that the post is judged with them when it comes."""
    assert signals.post_id is not None
    kept = signals.model_dump(mode="json", exclude_defaults=True, exclude={"context"})
    if len(signals.model_dump_json(exclude_defaults=True, exclude={"context"})) > _WAITING_BYTES:
        kept.pop("frames", None)
    if len(str(kept)) > _WAITING_BYTES:
        return
    waiting = account.media.setdefault("waiting", {})
    entry = waiting.pop(key := _key(signals.post_id), [now])
    waiting[key] = [now, *entry[1:], kept]
    _bound(waiting, WAITING, now)
    while sum(len(one) - 1 for one in waiting.values()) > WAITING:
        oldest = next(iter(waiting))
        del waiting[oldest][1]
        if len(waiting[oldest]) == 1:
            del waiting[oldest]


def waiting_for(account: Account, post_id: str, now: int) -> list[MediaSignals]:
    """Takes out what waits for a post, oldest first."""
    entry = account.media.get("waiting", {}).pop(_key(post_id), None)
    if entry is None:
        return []
    _tidy(account, "waiting")
    if entry[0] + DAY <= now:
        return []
    return [MediaSignals.model_validate({"schema_version": 1, **one}) for one in entry[1:]]


def _key(name: str) -> str:
    return subject_key("post", name).removeprefix("post:")


def _bound(memory: dict[str, list[Any]], most: int, now: int) -> None:
    """Drops what is too old or too much; the first of an entry is its time, and the oldest comes first."""
    while memory and (len(memory) > most or next(iter(memory.values()))[0] + DAY <= now):
        del memory[next(iter(memory))]


def _tidy(account: Account, part: str) -> None:
    if not account.media[part]:
        del account.media[part]


def _author(profile: Profile) -> dict[str, Any]:
    kept = profile.model_dump(mode="json", include=_AUTHOR, exclude_defaults=True)
    # What it does not say of itself must not be read as said.
    flags = {name: kept[name] for name in _AUTHOR & kept.keys()}
    return {name: one[:_NAME] if isinstance(one, str) else one for name, one in flags.items()}


def _items(media: tuple[Media, ...]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    left = KEPT_TEXT
    for item in media:
        entry = item.model_dump(mode="json", include=_ITEM, exclude_defaults=True)
        entry["media_id"] = _key(item.media_id)
        for name in MEDIA_TEXTS:
            if entry.get(name):
                entry[name] = entry[name][:left]
                left -= len(entry[name])
        provenance = entry.get("provenance") or {}
        provenance.pop("signer", None)
        for name, value in provenance.items():
            provenance[name] = value[:_SHORT] if isinstance(value, str) else value
        kept.append(entry)
    return kept


def _named(items: list[dict[str, Any]], signals: MediaSignals) -> list[dict[str, Any]]:
    """Remembered items, that of the signals under its whole id."""
    key = _key(signals.media_id)
    return [{**one, "media_id": signals.media_id} if one["media_id"] == key else one for one in items]


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // _MICROSECOND
