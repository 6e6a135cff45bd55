"""Records of `accounts`: a new account or a changed profile, as a full snapshot."""

from __future__ import annotations

from schemas.base import Flag, Id, InputRecord, Time
from schemas.posts import Client, Media, Profile


class AccountRecord(InputRecord):
    """A full snapshot of an account; with `deleted` its state is erased."""

    account_id: Id
    """The account; the record's key."""
    updated_at: Time
    """When it changed: the time by which it is judged."""
    profile: Profile | None = None
    """What it shows of itself."""
    avatar: Media | None = None
    """Its picture."""
    header: Media | None = None
    """Its header picture."""
    client: Client | None = None
    """What it was changed with."""
    deleted: Flag = False
    """The account is gone: what is kept about it is erased."""
