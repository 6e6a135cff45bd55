"""Which records have media, and which of their items are worth looking at; most records have none."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from schemas.accounts import AccountRecord
from schemas.base import Subject
from schemas.decode import DecodeError, decode
from schemas.media_signals import ProfileField
from schemas.posts import Media, Post
from worker.engine.records import Record

# Every media item has an id, so a value without the name has no media: no need to decode it. JSON can hide letters
# as escapes; a value that has one of a letter of this name is decoded to be sure.
_NAME = b"media_id"
_ESCAPE = b"\\u00"
_HIDDEN = tuple(
    _ESCAPE + code.encode()
    for code in sorted({spelling for byte in _NAME for spelling in (f"{byte:02x}", f"{byte:02X}")})
)


class Holds(StrEnum):
    """What a record holds for the media worker; the closed set of outcomes in metrics."""

    MEDIA = "media"
    NONE = "none"
    DELETED = "deleted"
    UNREADABLE = "unreadable"  # the judging worker dead-letters it


class Item(NamedTuple):
    """One media item worth looking at; `field` names the picture of a profile, None in a post."""

    media: Media
    field: ProfileField | None


class Wanted(NamedTuple):
    """A record's items, at least one, and what they stand in: either the post or the account."""

    record: Record
    account_id: str
    items: tuple[Item, ...]
    post: Post | None
    account: AccountRecord | None

    def subject_of(self, item: Item) -> Subject:
        """What an action, or a dead letter, about the item is about."""
        if self.post is None:
            return Subject(type="profile_field", id=f"{self.account_id}/{item.field}")
        return Subject(type="media", id=f"{self.post.post_id}/{item.media.media_id}")


def may_hold_media(value: bytes | None) -> bool:
    """Whether the record's bytes can hold a media item; costs a fraction of a microsecond."""
    if value is None:
        return False
    return _NAME in value or (_ESCAPE in value and any(hidden in value for hidden in _HIDDEN))


def read(record: Record) -> Wanted | Holds:
    """The items of a record of `posts` or `accounts`, or why there are none.

    A record that cannot be judged, or that came under another key than its account's, is the judging worker's to
    dead-letter.
    """
    if not may_hold_media(record.value):
        return Holds.NONE
    try:
        model = decode(record.topic, record.value, record.key).model
    except DecodeError:
        return Holds.UNREADABLE
    if isinstance(model, Post):
        return _of(record, model.author_id, model, None, [Item(media, None) for media in model.media])
    assert isinstance(model, AccountRecord)
    pictures = [
        Item(media, field)
        for media, field in ((model.avatar, _AVATAR), (model.header, _HEADER))
        if media is not None
    ]
    return _of(record, model.account_id, None, model, pictures)


_AVATAR: ProfileField = "avatar"
_HEADER: ProfileField = "header"


def _of(
    record: Record, account_id: str, post: Post | None, account: AccountRecord | None, items: list[Item]
) -> Wanted | Holds:
    if record.key != account_id.encode():
        return Holds.UNREADABLE
    if (post or account).deleted:  # type: ignore[union-attr]  # one of them is there
        return Holds.DELETED
    wanted = tuple(item for item in items if item.media.uri or has_hashes(item.media))
    return Wanted(record, account_id, wanted, post, account) if wanted else Holds.NONE


def has_hashes(media: Media) -> bool:
    """Whether upstream sent anything that banks can be asked about."""
    return bool(media.sha256 or media.md5 or media.pdq or any(frame.pdq for frame in media.frames))
