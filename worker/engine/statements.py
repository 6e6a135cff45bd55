"""From an action applied to a statement of reasons, as the EU's DSA transparency database takes it.

A statement is public and says what was done and why, never to whom: no id, handle, address or text of anybody goes
into it. What was found is told in the pack's own words (titles of findings, details of lists), never in those that
were worked out from a post.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from schemas.enforcement import Enforcement, EvidenceItem
from schemas.posts import Media
from schemas.queue import QueueItem
from schemas.statements import Statement
from worker.engine.contract import Subject
from worker.engine.dsa import OTHER
from worker.engine.ids import digest
from worker.engine.policy import Policy
from worker.engine.registry import Pack
from worker.engine.times import EPOCH

MAX_GROUND = 500  # characters of the rule that was broken
_TOLD = 5  # different things found that are named
_TYPES = {
    "text": "CONTENT_TYPE_TEXT",
    "image": "CONTENT_TYPE_IMAGE",
    "gif": "CONTENT_TYPE_IMAGE",
    "video": "CONTENT_TYPE_VIDEO",
    "live_video": "CONTENT_TYPE_VIDEO",
    "audio": "CONTENT_TYPE_AUDIO",
    "synthetic": "CONTENT_TYPE_SYNTHETIC_MEDIA",
    "other": "CONTENT_TYPE_OTHER",
}
_THINGS = {
    "post": "The post",
    "media": "The media item",
    "profile_field": "The part of the profile",
    "account": "The account",
}
_MODES = {
    "read_only": "The account can read but not post",
    "verify": "The account cannot post until its holder confirms who they are",
    "edit_required": "The account cannot post until its holder changes its profile",
    "suspended": "The account was suspended",
}
_LABELS = {
    "sensitive-media": "a warning of sensitive media",
    "graphic-media": "a warning of graphic media",
    "manipulated-media": "a notice that its media were manipulated",
    "misleading": "a notice that it misleads",
    "limited-visibility": "limited visibility",
    "parody": "a notice that it is a parody",
    "automated": "a notice that it is automated",
}


class Brought(StrEnum):
    """What brought a matter up, in the database's words."""

    OWN = "SOURCE_VOLUNTARY"  # the platform itself
    NOTICE = "SOURCE_ARTICLE_16"  # a notice of something illegal: a rights-holder's report
    TRUSTED = "SOURCE_TRUSTED_FLAGGER"
    REPORT = "SOURCE_TYPE_OTHER_NOTIFICATION"  # a report of what breaks the platform's rules


@dataclass(frozen=True, slots=True)
class Matter:
    """What is known of a case beyond the action, and of the content nothing but its day, language and kind.

    `posted` None: unknown. `types` are keys of what the database calls content types; `detected`: by automated means.
    """

    posted: datetime | None = None
    lang: str | None = None
    types: tuple[str, ...] = ()
    brought: Brought = Brought.OWN
    detected: bool = True


def matter_of_subject(subject: Subject) -> Matter:
    """The matter of a post, a profile or a rights-holder's report that the rules judged."""
    report = subject.report
    if report is not None:
        brought = Brought.TRUSTED if report.trusted else Brought.NOTICE
        return Matter(brought=brought, detected=False)
    if subject.post is not None:
        post = subject.post
        types = ["text"] if post.text else []
        types += _media_types(post.media)
        return Matter(post.created_at, subject.lang, tuple(dict.fromkeys(types)))
    posted = None if subject.account is None else subject.account.updated_at
    return Matter(posted, subject.lang)


def matter_of_item(item: QueueItem) -> Matter:
    """The matter of an item that a moderator upheld; of its content only the evidence tells."""
    if item.reason != "report":
        return Matter(item.created_at)
    # Of reports only those of rights-holders say that something is illegal.
    rights = item.policy in {"copyright", "trademark"}
    return Matter(item.created_at, brought=Brought.NOTICE if rights else Brought.REPORT, detected=False)


def _media_types(media: Sequence[Media]) -> Iterator[str]:
    for item in media:
        yield item.kind or "other"
        if item.provenance is not None and item.provenance.ai_generated:
            yield "synthetic"


class Statements:
    """Makes the statements of one pack's actions."""

    def __init__(self, pack: Pack) -> None:
        self._policies = {loaded.policy.id: loaded.policy for loaded in pack.policies}
        self._words = dict(_words(self._policies.values()))
        self._scope = pack.statements.territorial_scope

    def of(
        self, action: Enforcement, matter: Matter | None = None, posted_ms: int | None = None
    ) -> Statement | None:
        """The statement of an action applied; None for a reversal and for policies that make none.

        Without a matter a person acted on their own initiative, or nothing is known but when it was posted.
        """
        policy = self._policies.get(action.policy)
        if action.operation != "apply" or (policy is not None and not policy.dsa_statement):
            return None
        if matter is None:
            brought = Brought.REPORT if action.source == "report" else Brought.OWN
            posted = None if posted_ms is None else EPOCH + timedelta(milliseconds=posted_ms)
            matter = Matter(posted, brought=brought, detected=action.source == "automated")
        types = matter.types or _types_of(action)
        if action.subject.type == "profile_field":
            types = _types_of(action)  # the whole profile was judged, and one field of it removed
        title = policy.title if policy is not None else action.policy
        found = self._found(action)
        return Statement(
            puid=digest("statement", action.action_id),
            content_date=(matter.posted or action.decided_at).date(),
            application_date=action.decided_at.date(),
            territorial_scope=self._scope,
            content_language=_language(matter.lang),
            content_type=tuple(dict.fromkeys(_TYPES[name] for name in types)),
            content_type_other=_other(action) if "other" in types else None,
            **_decision(action),
            decision_ground="DECISION_GROUND_INCOMPATIBLE_CONTENT",
            decision_ground_reference_url=policy.source.url[:500] if policy is not None else None,
            incompatible_content_ground=_cut(action.clause, MAX_GROUND),
            incompatible_content_explanation=_cut(f"It falls under the rule on {title}: {found}.", 2000),
            category=policy.dsa_category if policy is not None else OTHER,
            category_specification=policy.dsa_keywords if policy is not None else (),
            decision_facts=_cut(_facts(action, matter, title, found), 5000),
            source_type=matter.brought.value,
            automated_detection="Yes" if matter.detected else "No",
            automated_decision=_automated(action, matter),
        )

    def _found(self, action: Enforcement) -> str:
        """What was found and where, strongest first, in the pack's own words."""
        told: dict[str, None] = {}
        for item in sorted(action.evidence, key=lambda item: -item.score):
            if words := self._words.get(item.signal):
                told.setdefault(f"“{words}” in {_place(item)}")
        if not told:
            places = dict.fromkeys(_place(item) for item in action.evidence if item.field != "record")
            return f"signs of it in {' and '.join(places)}" if places else "as a moderator saw it"
        return "; ".join(list(told)[:_TOLD])


def _words(policies: Iterable[Policy]) -> Iterator[tuple[str, str]]:
    """What each signal of a pack is called in the pack's files; nothing that depends on a post is among it."""
    for policy in policies:
        yield from ((entry.name, entry.detail) for entry in policy.terms if entry.detail)
        yield from ((entry.name, entry.detail) for entry in policy.expressions if entry.detail)
        for finding in policy.findings:
            yield f"{policy.id}.{finding.name}", finding.title
        yield f"learned.{policy.id}", "what a trained model recognises"


def _place(item: EvidenceItem) -> str:
    """The field of an evidence item in words; of a path that nobody knows only that it is content."""
    field = item.field
    if field == "text":
        return "the text"
    if field.startswith("media["):
        return "a media item"
    if field.startswith("profile.") or field.startswith("author."):
        return "the profile"
    return "the content"


def _decision(action: Enforcement) -> dict[str, Any]:
    """What was done, in the database's codes.

    A removal with an end is a content disabled: it comes back by itself. A suspension without an end is still no
    termination: the account stays and can be restored. Who can read but not post keeps a part of the service.
    """
    end = None if action.expires_at is None else action.expires_at.date()
    if action.kind == "suspend":
        if action.mode == "suspended":
            return {"decision_account": "DECISION_ACCOUNT_SUSPENDED", "end_date_account_restriction": end}
        partial = "DECISION_PROVISION_PARTIAL_SUSPENSION"
        return {"decision_provision": partial, "end_date_service_restriction": end}
    if action.kind == "remove":
        code = "REMOVED" if end is None else "DISABLED"
    else:
        code = "DEMOTED" if action.label == "limited-visibility" else "LABELLED"
    return {
        "decision_visibility": (f"DECISION_VISIBILITY_CONTENT_{code}",),
        "end_date_visibility_restriction": end,
    }


def _automated(action: Enforcement, matter: Matter) -> str:
    """A person who upholds what was proposed decides with automated means; one who acts alone does not."""
    if action.source != "human":
        return "AUTOMATED_DECISION_FULLY"
    return "AUTOMATED_DECISION_PARTIALLY" if matter.detected else "AUTOMATED_DECISION_NOT_AUTOMATED"


def _types_of(action: Enforcement) -> tuple[str, ...]:
    """What kinds of content an action is about, as far as it tells itself."""
    if action.subject.type == "profile_field":
        picture = action.subject.id.rpartition("/")[2] in {"avatar", "header"}
        return ("image",) if picture else ("text",)
    if action.subject.type == "media":
        return ("other",)
    types = []
    for item in action.evidence:
        if item.field == "text" or item.field.startswith("profile."):
            types.append("text")
        elif item.field.startswith("media["):
            types.append("other")
    return tuple(dict.fromkeys(types)) or ("other",)


def _other(action: Enforcement) -> str:
    if any(item.field.startswith("media[") for item in action.evidence) or action.subject.type == "media":
        return "media item"
    return "account" if action.subject.type == "account" else "post"


def _language(lang: str | None) -> str | None:
    """ISO 639-1 in capitals; languages that have no such code are left out."""
    return lang.upper() if lang is not None and len(lang) == 2 and lang.isascii() and lang.isalpha() else None


def _facts(action: Enforcement, matter: Matter, title: str, found: str) -> str:
    who = {
        "automated": "Automated means found and decided",
        "report": "A notice brought this up, and automated means decided",
        "human": "Automated means found this, and a moderator decided"
        if matter.detected
        else "A moderator decided",
    }[action.source]
    parts = [
        f"{who} that the rule on {title} (policy {action.policy}, version {action.policy_version}) was broken: {found}.",
        f"{_done(action)}{_until(action)}.",
    ]
    if action.source != "human":
        parts.append(f"The score was {action.score:.2f} of 1.")
    if action.kind == "suspend" and action.strikes.active:
        parts.append(f"Violations counted against the account and not yet expired: {action.strikes.active}.")
    return " ".join(parts)


def _done(action: Enforcement) -> str:
    if action.kind == "suspend":
        return _MODES[action.mode or "suspended"]
    thing = _THINGS[action.subject.type]
    return (
        f"{thing} was removed"
        if action.kind == "remove"
        else f"{thing} was given {_LABELS[action.label or 'misleading']}"
    )


def _until(action: Enforcement) -> str:
    return "" if action.expires_at is None else f" until {action.expires_at.date().isoformat()}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
