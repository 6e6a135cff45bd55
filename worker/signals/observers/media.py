"""What upstream says about media: classifier scores, provenance, advertisement markers, hashes, where it is shown."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.posts import Media
from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.engine.policy import POLICY_IDS
from worker.signals.hashes import Match
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

FLOOR = 0.3  # of a classifier's score: below it nothing is reported
SENSITIVE = 0.5  # from here on media should be marked as sensitive
# Classes that upstream classifiers may send beside nudity and gore; another class is not read.
CLASSES = {
    "ad-logo": "the logo of an advertiser or sponsor",
    "animal-cruelty": "cruelty to animals",
    "brand-logo": "a brand's logo or product",
    "child-safety": "possible abuse of a child, which only trained people may look at",
    "deepfake": "a manipulated or generated face or voice",
    "drugs": "drugs",
    "extremist-symbol": "a symbol of an extremist or terrorist group",
    "hate-symbol": "a symbol of hate",
    "self-harm": "self-harm",
    "sexual-violence": "sexual violence",
    "suggestive": "suggestive, not explicit, content",
    "weapon": "a weapon",
}
_SENSITIVE_CLASSES = ("nudity", "gore", "sexual-violence", "animal-cruelty")
_C2PA = {
    "valid": "media.c2pa-valid",
    "trusted": "media.c2pa-valid",
    "invalid": "media.c2pa-invalid",
    "tampered": "media.c2pa-invalid",
    "mismatch": "media.c2pa-invalid",
    "revoked": "media.c2pa-invalid",
}

MEANINGS = {
    "media.nudity": f"A classifier sees nudity or adult content, from {FLOOR} on.",
    "media.gore": f"A classifier sees gore, from {FLOOR} on.",
    **{
        f"media.score-{name}": f"A classifier sees {what}, from {FLOOR} on." for name, what in CLASSES.items()
    },
    "media.unmarked": f"Media that a classifier finds sensitive, from {SENSITIVE} on, and nobody marked so.",
    "media.live": "It is shown live.",
    "media.profile": "It is an account's picture.",
    "media.header": "It is an account's header picture.",
    "media.video": "It is a video.",
    "media.ai-generated": "It is known to be made by a generative model.",
    "media.c2pa-valid": "It carries a valid C2PA manifest of where it comes from.",
    "media.c2pa-invalid": "Its C2PA manifest does not fit it: it was changed afterwards.",
    "media.ad-marker": "It announces an advertisement.",
    **{f"hash.{policy}": f"It is in a hash bank of {policy}." for policy in POLICY_IDS},
}


class MediaObserver(PlainObserver):
    """Reports on each media item, in the field `media[<index>]`, `profile.avatar` or `profile.header`."""

    meanings = MEANINGS
    on_plain_posts = False

    def applies(self, subject: Subject) -> bool:
        """Where there is media."""
        if subject.post is not None:
            return bool(subject.post.media)
        account = subject.account
        return account is not None and (account.avatar is not None or account.header is not None)

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """The hits of all items, in their order."""
        hits: list[Hit] = []
        author = subject.author
        marks_all = author is not None and author.sensitive_by_default
        live = subject.post is not None and subject.post.surface == "live"
        for field, item in _items(subject):
            hits += _scores(field, item, marked=item.marked_sensitive or (marks_all and field[0] == "m"))
            hits += [Hit(name, field, None, None) for name in _places(field, item, live=live)]
            hits += _origin(field, item)
            hits += _hashes(field, item, facts)
        return hits


def _items(subject: Subject) -> Iterator[tuple[str, Media]]:
    if subject.post is not None:
        for index, item in enumerate(subject.post.media):
            yield f"media[{index}]", item
    if subject.account is not None:
        if subject.account.avatar is not None:
            yield "profile.avatar", subject.account.avatar
        if subject.account.header is not None:
            yield "profile.header", subject.account.header


def _scores(field: str, item: Media, *, marked: bool) -> list[Hit]:
    hits: list[Hit] = []
    sensitive = 0.0
    for written, score in item.scores.items():
        name = written.lower().replace("_", "-").replace(" ", "-")
        if name in _SENSITIVE_CLASSES:
            sensitive = max(sensitive, score)
        if score >= FLOOR:
            if name in {"nudity", "gore"}:
                hits.append(Hit(f"media.{name}", field, None, None, score))
            elif name in CLASSES:
                hits.append(Hit(f"media.score-{name}", field, None, None, score))
    if sensitive >= SENSITIVE and not marked:
        hits.append(Hit("media.unmarked", field, None, None, sensitive))
    return hits


def _places(field: str, item: Media, *, live: bool) -> Iterator[str]:
    if live or item.placement == "live" or item.kind == "live_video":
        yield "media.live"
    if field == "profile.avatar" or item.placement == "profile":
        yield "media.profile"
    if field == "profile.header" or item.placement == "header":
        yield "media.header"
    if item.kind in {"video", "live_video"}:
        yield "media.video"


def _origin(field: str, item: Media) -> Iterator[Hit]:
    provenance = item.provenance
    if provenance is not None:
        if provenance.ai_generated:
            yield Hit("media.ai-generated", field, None, None)
        name = _C2PA.get((provenance.c2pa or "").lower())
        if name is not None:
            yield Hit(name, field, None, None)
    if item.ad_markers:
        kinds = sorted({marker.kind for marker in item.ad_markers if marker.kind})
        first = item.ad_markers[0].at_seconds
        detail = f"{len(item.ad_markers)} from {first:g} s on: {', '.join(kinds) or 'no kind given'}"
        yield Hit("media.ad-marker", field, None, None, 1.0, detail)


def _hashes(field: str, item: Media, facts: Facts) -> list[Hit]:
    """For each policy the surest match of the item and of its frames."""
    if not facts.banks:
        return []
    matches: list[tuple[Match, str]] = [
        (match, "")
        for match in facts.hashes.find(sha256=item.sha256, pdq=item.pdq, pdq_quality=item.pdq_quality)
    ]
    for frame in item.frames:
        place = f", frame at {frame.at_seconds:g} s"
        found = facts.hashes.find(pdq=frame.pdq, pdq_quality=frame.pdq_quality)
        matches += [(match, place) for match in found]
    matches.sort(key=lambda found: (-found[0].score, found[0].distance))
    best: dict[str, Hit] = {}
    for match, place in matches:
        name = f"hash.{match.policy}"
        detail = f"bank {match.bank}, {match.kind}"
        if match.kind == "pdq":
            detail += f" at distance {match.distance}"
        best.setdefault(name, Hit(name, field, None, None, match.score, detail + place))
    return list(best.values())


OBSERVER = MediaObserver()
