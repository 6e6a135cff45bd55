"""What is known of media: classifier scores, provenance, advertisement markers, hashes, where it is shown.

Upstream says it in the post or the profile, or it was found later and came as `media.signals`.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.media_signals import BankMatch
from schemas.posts import Media, Provenance
from worker.engine.contract import Examined, Subject
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
# Terms of the IPTC's digital source types, https://cv.iptc.org/newscodes/digitalsourcetype/, read 2026-11-24.
_GENERATED = frozenset(("trainedalgorithmicmedia",))
_PARTLY_GENERATED = frozenset(("compositewithtrainedalgorithmicmedia",))
_CAPTURED = frozenset(("digitalcapture", "computationalcapture", "negativefilm", "positivefilm", "print"))
PARTLY = 0.58  # how much "generated" says of a picture of which a part is
_FAILURES = 3  # checks that a manifest failed, in a detail
_NAME = 60  # code points of a program's or a model's name in a detail
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
    "media.ai-generated": f"It is known to be made by a generative model, or with {PARTLY} a part of it.",
    "media.c2pa-camera": "A C2PA manifest of a signer on the trust list says that a camera took it.",
    "media.c2pa-trusted": "It carries a valid C2PA manifest, and its signer is on the trust list.",
    "media.c2pa-valid": "It carries a valid C2PA manifest; without a known signer anybody can have made that.",
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
            examined = subject.examined
            if examined is not None and examined.field != field:
                examined = None
            marked = item.marked_sensitive or (marks_all and field[0] == "m")
            hits += _scores(field, item, examined, marked=marked)
            hits += [Hit(name, field, None, None) for name in _places(field, item, live=live)]
            hits += _origin(field, item)
            hits += _hashes(field, item, examined, facts)
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


def _scores(field: str, item: Media, examined: Examined | None, *, marked: bool) -> list[Hit]:
    hits: list[Hit] = []
    model = None if examined is None else examined.classifier
    sensitive = 0.0
    for written, score in item.scores.items():
        name = written.lower().replace("_", "-").replace(" ", "-")
        if name in _SENSITIVE_CLASSES:
            sensitive = max(sensitive, score)
        if score >= FLOOR:
            # Of an item that upstream had scored as well, the model is named for what it raised.
            raised = model and examined is not None and score > examined.received.scores.get(written, -1.0)
            detail = _said(model) if raised and model else ""
            if name in {"nudity", "gore"}:
                hits.append(Hit(f"media.{name}", field, None, None, score, detail))
            elif name in CLASSES:
                hits.append(Hit(f"media.score-{name}", field, None, None, score, detail))
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
        yield from _made(field, provenance)
    if item.ad_markers:
        kinds = sorted({marker.kind for marker in item.ad_markers if marker.kind})
        first = item.ad_markers[0].at_seconds
        detail = f"{len(item.ad_markers)} from {first:g} s on: {', '.join(kinds) or 'no kind given'}"
        yield Hit("media.ad-marker", field, None, None, 1.0, detail)


def _made(field: str, provenance: Provenance) -> Iterator[Hit]:
    """How the item was made; of a source type that is given as an address the last part counts."""
    source = (provenance.digital_source_type or "").rpartition("/")[2].rpartition(":")[2]
    kind = source.lower()
    generated = 0.0
    if kind in _PARTLY_GENERATED:
        generated = PARTLY  # also where the flag says "generated": it does not say how much
    elif kind in _GENERATED or provenance.ai_generated:
        generated = 1.0
    if generated:
        said = [f"source type {source}"] if kind in _GENERATED | _PARTLY_GENERATED else []
        if provenance.generator:
            said.append(_said(provenance.generator))
        yield Hit("media.ai-generated", field, None, None, generated, ", ".join(said))
    state = (provenance.c2pa or "").lower()
    name = _C2PA.get(state)
    if name is not None:
        failed = ", ".join(_said(code) for code in provenance.c2pa_failures[:_FAILURES])
        yield Hit(name, field, None, None, 1.0, failed)
    if state == "trusted":
        signer = f"signed by {_said(provenance.signer)}" if provenance.signer else ""
        yield Hit("media.c2pa-trusted", field, None, None, 1.0, signer)
        if kind in _CAPTURED and not generated:
            yield Hit("media.c2pa-camera", field, None, None, 1.0, f"source type {source}")


def _said(name: str) -> str:
    """A name from metadata or a producer, as far as it can be shown."""
    return "".join(char for char in name[:_NAME] if char.isprintable())


def _hashes(field: str, item: Media, examined: Examined | None, facts: Facts) -> list[Hit]:
    """For each policy the surest match of the item and of its frames, in the pack's banks or in the operator's."""
    found: list[tuple[float, int, str, str]] = []  # score, distance, policy, detail
    if facts.banks:
        hashes = facts.hashes
        for match in hashes.find(
            sha256=item.sha256, md5=item.md5, pdq=item.pdq, pdq_quality=item.pdq_quality
        ):
            found.append((match.score, match.distance, match.policy, _detail(match)))
        for frame in item.frames:
            place = f", frame at {frame.at_seconds:g} s"
            for match in hashes.find(pdq=frame.pdq, pdq_quality=frame.pdq_quality):
                found.append((match.score, match.distance, match.policy, _detail(match) + place))
    for one in () if examined is None else examined.matches:
        if one.policy in POLICY_IDS:
            score = 1.0 if one.opinion == "confirmed" else 0.5
            found.append((score, one.distance, one.policy, _bank_detail(one)))
    found.sort(key=lambda match: (-match[0], match[1]))
    best: dict[str, Hit] = {}
    for score, _, policy, detail in found:
        name = f"hash.{policy}"
        best.setdefault(name, Hit(name, field, None, None, score, detail))
    return list(best.values())


def _detail(match: Match) -> str:
    detail = f"bank {match.bank}, {match.kind}"
    return f"{detail} at distance {match.distance}" if match.kind == "pdq" else detail


def _bank_detail(match: BankMatch) -> str:
    detail = f"bank {_said(match.bank)}"
    if match.share is not None:
        return f"{detail}, {match.share:.0%} of frames".replace("%", " %")
    if match.kind is not None:
        detail += f", {_said(match.kind)}"
    return f"{detail} at distance {match.distance}" if match.distance or match.kind == "pdq" else detail


OBSERVER = MediaObserver()
