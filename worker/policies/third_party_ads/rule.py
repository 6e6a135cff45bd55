"""Leaves out what the consent register allows, and what advertises its own publisher."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from worker.engine.contract import RuleContext, Subject
from worker.engine.facts import Consent
from worker.engine.policy import Finding
from worker.engine.scored import ScoredRule
from worker.policies.consent import in_force, item_of, licensed
from worker.signals.canonical import canonicalise
from worker.signals.view import Hit, Signals

if TYPE_CHECKING:
    from schemas.posts import Media

# What the scope of a consent may be called, by finding; "video" and "video-ads" stand for all of them.
_ANY = frozenset({"video", "video-ads"})
_SCOPES: dict[str, frozenset[str]] = {
    "ad-break": _ANY | {"ad-break", "pre-roll", "mid-roll", "post-roll"},
    "graphic": _ANY | {"sponsorship", "sponsorship-graphic"},
    "graphic-known": _ANY | {"sponsorship", "sponsorship-graphic"},
    "spoken": _ANY | {"sponsorship", "sponsorship-spoken"},
    "spoken-weak": _ANY | {"sponsorship", "sponsorship-spoken"},
    "offer": _ANY | {"sponsorship", "sponsorship-spoken"},
}
_SHORTEST_NAME = 3  # letters; a shorter name stands in too many words


class Rule(ScoredRule):
    """Judges the advertisements in videos that nobody consented to.

    Only items of a post count, never its text: the policy's formulas ask for a video in the same item.
    """

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The anchors' hits in media items that no consent covers and that are not the account's own brand."""
        consents = in_force(subject, context)
        own = _names(subject)
        for hit in super().hits_of(finding, subject, signals, context):
            item = item_of(subject, hit.field)
            if item is None:
                continue
            said = _said(hit, signals)
            if any(_holds_name(said, name) for name in own):
                continue
            if not any(_covers(consent, finding, item, said) for consent in consents):
                yield hit


def _said(hit: Hit, signals: Signals) -> str:
    """The canonical sentence of a hit; empty where it has no place in a text."""
    if hit.start is None:
        return ""
    start, end = signals.sentence(hit)
    return signals.text(hit.field, hit.variant)[start:end]


def _covers(consent: Consent, finding: Finding, item: Media, said: str) -> bool:
    """Whether a consent in force covers this advertisement.

    One for a file covers all in it. One for a scope covers that kind; where the advertisement is spoken and the
    consent names an advertiser, the name must be in the sentence.
    """
    if not licensed((consent,), item, _SCOPES[finding.name]):
        return False
    if consent.media_sha256 is not None or not said or consent.advertiser is None:
        return True
    return _holds_name(said, canonicalise(consent.advertiser).text)


def _names(subject: Subject) -> list[str]:
    """What the account calls itself, folded as texts are; what it says of itself is no third party's advertisement."""
    author = subject.author
    if author is None:
        return []
    folded = (canonicalise(name).text for name in (author.display_name, author.handle) if name)
    return [name for name in folded if len(name) >= _SHORTEST_NAME]


def _holds_name(text: str, name: str) -> bool:
    """Whether the name stands in the text as whole words."""
    place = text.find(name)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(name) : place + len(name) + 1]
        if not (before and before.isalnum()) and not (after and after.isalnum()):
            return True
        place = text.find(name, place + 1)
    return False
