"""What the affected account is told: the rule, what was found, what follows, and how to appeal."""

from __future__ import annotations

import tomllib
from datetime import datetime
from functools import cache
from importlib.resources import files

from schemas.base import format_time
from schemas.enforcement import Enforcement, Subject
from schemas.notices import Notice
from worker.engine.chain import Judgement
from worker.engine.enforce import Case
from worker.engine.ids import digest
from worker.engine.state import APPEAL_DAYS
from worker.engine.times import later

_CONSEQUENCES = {
    ("label", "post"): "Your post was given the label “{detail}”{until}.",
    ("label", "profile_field"): "Part of your profile was given the label “{detail}”{until}.",
    ("remove", "post"): "Your post was removed{until}.",
    ("remove", "profile_field"): "Part of your profile was removed{until}.",
    ("suspend", "read_only"): "You can read but not post{until}.",
    ("suspend", "verify"): "You must confirm who you are before you can post again.",
    ("suspend", "edit_required"): "You must change your profile before you can post again.",
    ("suspend", "suspended"): "Your account was suspended{until}.",
}


_ENDS = {
    ("label", "post"): "The label “{detail}” on your post has ended.",
    ("label", "profile_field"): "The label “{detail}” on your profile has ended.",
    ("remove", "post"): "Your post is visible again.",
    ("remove", "profile_field"): "Your profile is complete again.",
    ("suspend", "account"): "A limit on your account has ended: you can post again.",
}


def consequence_of(action: Enforcement) -> str:
    """One sentence on what an action does, in English."""
    until = f" until {format_time(action.expires_at)}" if action.expires_at is not None else ""
    key = (action.kind, action.mode if action.kind == "suspend" else action.subject.type)
    return _CONSEQUENCES[key].format(until=until, detail=action.label)  # type: ignore[index]  # models keep the pair complete


def found_in(action: Enforcement) -> str:
    """What was found and where, in words, without repeating the text."""
    found = []
    told = [item for item in action.evidence if item.detail] or list(action.evidence)
    for item in told[:5]:
        what = item.detail or item.signal
        place = f" (characters {item.start} to {item.end})" if item.start is not None else ""
        found.append(f"{what} in {item.field}{place}")
    return "; ".join(found)


def action_notice(action: Enforcement) -> Notice:
    """The notice of an action applied. An appeal is possible for 20 days from the decision."""
    until = later(action.decided_at, days=APPEAL_DAYS)
    consequence, found = consequence_of(action), found_in(action)
    body = (
        f"{consequence} It broke this rule: “{action.clause}” We found: {found}. "
        f"If you think that this is wrong, you can appeal until {format_time(until)}; a person will look at it."
    )
    return _notice(action, "action", consequence, found, body, action.decided_at, until)


def reversal_notice(action: Enforcement, still_suspended: bool = False) -> Notice:
    """The notice that an action has ended; `still_suspended`: another suspension of the account stands."""
    sentence = _ENDS[action.kind, action.subject.type].format(detail=action.label)
    if action.kind == "suspend" and still_suspended:
        sentence = "A limit on your account has ended, but another one is still in force."
    return _notice(action, "reversal", sentence, "", sentence, action.decided_at, None)


def support_notice(case: Case, judgement: Judgement) -> Notice:
    """The offer of help to a person who may be in danger, in the post's language where we have it, else in English.

    It accuses nobody of anything: it names no clause, no finding and no consequence.
    """
    lang = case.subject.lang if case.subject.lang in _support() else "en"
    assert lang is not None
    return Notice(
        schema_version=1,
        notice_id=digest("notice", "support", case.subject.account_id, case.cause),
        kind="support",
        account_id=case.subject.account_id,
        subject=Subject(type=case.subject.kind, id=case.subject.id),
        action_id=None,
        policy=judgement.loaded.policy.id,
        clause=None,
        found=None,
        consequence=None,
        expires_at=None,
        appeal_until=None,
        lang=lang,
        body=_support()[lang],
        created_at=case.now,
    )


@cache
def _support() -> dict[str, str]:
    """The offers of help by language."""
    file = files("worker.engine").joinpath("support.toml")
    texts: dict[str, str] = tomllib.loads(file.read_text("utf-8"))["body"]
    return {lang: body.strip() for lang, body in texts.items()}


def _notice(
    action: Enforcement,
    kind: str,
    consequence: str,
    found: str,
    body: str,
    created_at: datetime,
    appeal_until: datetime | None,
) -> Notice:
    return Notice(
        schema_version=1,
        notice_id=digest("notice", kind, action.action_id),
        kind=kind,
        account_id=action.account_id,
        subject=action.subject,
        action_id=action.action_id,
        policy=action.policy,
        clause=action.clause,
        found=found,
        consequence=consequence,
        expires_at=action.expires_at,
        appeal_until=appeal_until,
        lang="en",  # the language of the body: the templates are English until packs carry their own
        body=body,
        created_at=created_at,
    )
