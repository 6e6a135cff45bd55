"""Records of `reports`: a person reports something of an account."""

from __future__ import annotations

from typing import Literal

from schemas.base import Flag, Id, InputRecord, Subject, Time, Wire


class Rights(Wire):
    """The right that a report of an infringement stands on."""

    owner: str | None = None
    """Who holds the right."""
    work: str | None = None
    """What is protected."""
    basis: Literal["copyright", "trademark"] | None = None
    """Which right it is."""
    good_faith: Flag = False
    """The reporter states to believe in good faith that the use is not authorised."""


class Report(InputRecord):
    """One person's report."""

    report_id: Id
    """Id of the report."""
    reporter_id: Id
    """Account that reports."""
    subject: Subject
    """What is reported."""
    account_id: Id
    """The reported account; the record's key."""
    reason: str | None = None
    """Why: a policy id, or what upstream's form offers."""
    comment: str | None = None
    """What the reporter adds."""
    trusted: Flag = False
    """The reporter is a trusted flagger."""
    rights: Rights | None = None
    """The right that is infringed, for copyright and trademark."""
    created_at: Time
    """When it was reported: the time by which it is judged."""
