"""Tells other people's private information from one's own and from what is public, and exposure from talk about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from worker.engine.contract import CLEAR, Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.policies.crowding import doubted
from worker.policies.private_information.reading import digits_of, letters_of, padded_words, told_once
from worker.signals.detection import words
from worker.signals.view import Hit, Signals

# What can be disclosed: signal → the name of its parameters.
_KINDS = {
    "contact.phone": "phone",
    "contact.address": "address",
    "contact.email": "email",
    "contact.handle": "handle",
    "number.card": "card",
    "number.iban": "iban",
    "number.national-id": "national-id",
    "number.ip": "ip",
    "number.coordinates": "coordinates",
    "private.plate": "plate",
    "private.claimed": "claimed",
    "private.credential": "credential",
    "private.lodging": "lodging",
    "private.line": "phone",
    "private.street": "address",
}
# Whoever owns such a number is at risk, the author included, so owning it is no excuse for leaving it in view.
_AT_RISK = frozenset({"number.card", "number.national-id"})
_OWNERS = {
    "private.possessor": "cue-possessor",
    "private.residence": "cue-residence",
    "private.named": "cue-named",
    "private.incite": "cue-object",
    "private.nudge": "cue-object",
    "private.turned": "cue-turned",
}
_OWN = "private.own"
_SPEECH = {
    "private.extort": "speech-extort",
    "private.threat": "speech-threat",
    "private.bounty": "speech-bounty",
    "private.service": "speech-service",
    "private.request": "speech-request",
    "private.inquiry": "speech-inquiry",
    "private.nudes": "speech-nudes",
}
# Said in pieces: what it is about, what else must stand near it, and the parameter.
_SPREAD = (
    ("private.yours", ("private.airing", "private.ultimatum"), "spread-threat"),
    ("private.theirs", ("private.seek", "private.pay"), "spread-bounty"),
    ("private.their-place", ("private.seek", "private.pay"), "spread-bounty"),
    ("private.theirs", ("private.offer",), "spread-offer"),
    ("private.theirs", ("private.seek",), "spread-request"),
)
_ABOUT = frozenset(about for about, _, _ in _SPREAD)
_PIECES = _ABOUT.union(*(beside for _, beside, _ in _SPREAD))
# In these a question mark is part of the asking; a threat that is asked about is somebody else's.
_ASKING = frozenset({"private.request", "private.inquiry", "private.bounty"})
# Asking others for it can be held up to be condemned.
_CONDEMNABLE = frozenset({"private.request", "private.bounty"})
_AGAINST = ("business", "official", "example", "fiction", "scam", "counter", "consent", "kind")
_EXCUSING = frozenset(f"private.{reason}" for reason in _AGAINST)
_READ = frozenset({"en", "es", "pt", "fr", "de", "ar"})
# Business words stand in many a hostile post ("she works at the clinic"); these say something about the number itself.
_STANDING = frozenset({"example", "scam", "consent"})
# A word for a third person. Such words stand in one post of eight, so they are looked for only around what was disclosed.
_THIRD = words(
    "he she hes shes he's she's him her his hers ex boss bully coworker roommate professor teacher girl dude"
)
_CUES = ("private.urge", "private.reveal", "private.part", "private.live", "private.asked")


@dataclass(slots=True)
class _Finding:
    """A score with the hits that made it."""

    score: float = 0.0
    hits: list[Hit] = field(default_factory=list)


class Rule:
    """Judges disclosure and speech about it separately; the stronger one is the verdict."""

    needs = frozenset(
        {*_KINDS, *_OWNERS, *_SPEECH, *_CUES, _OWN, *_PIECES, *(f"private.{name}" for name in _AGAINST)}
    )

    # Cues such as "call me" or "the office" mean nothing without something disclosed or said about disclosing.
    gate = frozenset({*_KINDS, *_SPEECH, *_ABOUT})

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._value: Mapping[str, float] = policy.parameters
        self._asked = tuple(
            padded_words(term)
            for group in policy.terms
            if group.name == "private.asked"
            for term in group.terms
        )

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        """See `worker.engine.contract.RuleProcessor`."""
        if self.gate.isdisjoint(signals.fired):
            return CLEAR
        fields = dict.fromkeys(hit.field for hit in signals.hits(*self.gate))
        best = _Finding()
        for name in fields:
            for finding in (
                self._disclosure(name, subject, signals),
                self._speech(name, signals),
                self._spread(name, signals),
            ):
                if finding.score > best.score:
                    best = finding
        score = round(max(0.0, min(best.score, 0.99)), 4)
        evidence = _evidence(signals, best.hits, score) if score else ()
        outcome = Outcome.VIOLATION if evidence and score >= self._policy.threshold else Outcome.CLEAR
        return doubted(Verdict(outcome, score, evidence), signals, self.gate, self._policy.review.score)

    # --- disclosure ---------------------------------------------------------------------------------------------

    def _disclosure(self, name: str, subject: Subject, signals: Signals) -> _Finding:
        """Scores what was published in one field."""
        value = self._value
        measured = told_once(_in_field(signals, name, _KINDS), value["trust-least"])
        if not measured:
            return _Finding()
        owners = _in_field(signals, name, _OWNERS)
        homes = [hit for hit in owners if hit.signal == "private.residence"]
        kinds = [
            hit
            for hit in (self._vouched(hit, homes) for hit in measured)
            if hit.score >= value["trust-least"]
        ]
        if not kinds:
            return _Finding()
        owns = _in_field(signals, name, (_OWN,))
        asked = self._was_asked_for(subject)
        kept: list[Hit] = []
        used: list[Hit] = []
        owner_weight = value["cue-asked"] if asked else 0.0
        at_risk = 0.0
        for kind in kinds:
            cue, distance = self._nearest(kind, owners)
            own, own_distance = self._nearest(kind, owns)
            if (cue is None and self._is_authors(kind, subject, signals)) or (
                own is not None and (cue is None or own_distance < distance)
            ):
                if kind.signal in _AT_RISK:
                    at_risk = max(at_risk, self._weight(kind))
                    used.append(kind)
                continue
            kept.append(kind)
            for owner in self._within_reach(kind, owners):
                owner_weight = max(owner_weight, value[_OWNERS[owner.signal]])
                used.append(owner)
        if owner_weight == 0.0 and not owns and any(self._speaks_of_a_third(kind, signals) for kind in kept):
            owner_weight = value["cue-third"]
        reasons = [reason for reason in _AGAINST if _in_field(signals, name, (f"private.{reason}",))]
        against = self._against(reasons)
        if subject.post is not None and subject.post.surface == "message":
            against += value["less-message"]
        if not kept:
            return _Finding(max(0.0, at_risk - against), used)
        strongest = max(kept, key=self._weight)
        score = self._weight(strongest) + value["more-kinds"] * (len({hit.signal for hit in kept}) - 1)
        cues, dump = 0.0, False
        if owner_weight > 0.0:
            cues += owner_weight
        hostile = _in_field(signals, name, ("private.incite",))
        urges = _in_field(signals, name, ("private.urge",)) if owner_weight > 0.0 else []
        nudges = _in_field(signals, name, ("private.nudge",))
        reveals = _in_field(signals, name, ("private.reveal",))
        parts = _in_field(signals, name, ("private.part",))
        live = _in_field(signals, name, ("private.live",))
        listed = len({self._label(signals, hit) for hit in parts}) + len({hit.signal for hit in kept})
        if (len(kept) >= 2 and listed >= value["dump-parts"]) or listed > value["dump-labels"]:
            dump = True
            cues += value["cue-dump"]
            used.extend(parts)
        for hits, weight in ((reveals, "cue-reveal"), (live, "cue-live")):
            if hits and owner_weight > 0.0:
                cues += value[weight]
                used.extend(hits)
        if hostile:
            cues += value["cue-incite"]
            used.extend(hostile)
        elif urges:
            cues += value["cue-urge"]
            used.extend(urges)
        elif nudges and owner_weight > 0.0:
            cues += value["cue-nudge"]
            used.extend(nudges)
        score += self._share(strongest) * cues
        pointed = bool(hostile or urges) or dump or (bool(reveals) and owner_weight >= value["cue-possessor"])
        pointed = pointed or (
            strongest.signal in {"contact.address", "number.coordinates"}
            and any(
                hit.signal == "private.residence" and not signals.discourse(hit).reported
                for hit in self._within_reach(strongest, owners)
            )
        )
        if pointed:
            score -= self._against(reason for reason in reasons if reason in _STANDING)
            score -= self._against(r for r in reasons if r not in _STANDING) * value["less-hostile-share"]
        else:
            score -= against
        score = max(score, at_risk - against)
        if not (dump and (hostile or urges)):
            score = min(score, value["ceiling"])
        return _Finding(max(0.0, score), kept + used)

    def _vouched(self, kind: Hit, homes: Iterable[Hit]) -> Hit:
        """A street that could be a phrase is trusted as an address where the text says that somebody lives there."""
        floor = self._value["trust-vouched"]
        doubted = kind.signal == "contact.address" and self._value["trust-vouchable"] <= kind.score < floor
        return replace(kind, score=floor) if doubted and self._within_reach(kind, homes) else kind

    def _weight(self, kind: Hit) -> float:
        return self._value[f"weight-{_KINDS[kind.signal]}"] * kind.score

    def _share(self, kind: Hit) -> float:
        return self._value.get(f"share-{_KINDS[kind.signal]}", 1.0)

    def _gap(self, kind: Hit, cue: Hit) -> float | None:
        """How far a cue stands from a disclosed thing, None when out of reach; after it costs more than before."""
        if kind.start is None or kind.end is None or cue.start is None or cue.end is None:
            return None
        if cue.start < kind.end and kind.start < cue.end:
            return 0.0
        if cue.end <= kind.start:
            gap = kind.start - cue.end
            return float(gap) if gap <= self._value["reach-before"] else None
        gap = cue.start - kind.end
        return gap + 8.0 if gap <= self._value["reach-after"] else None

    def _nearest(self, kind: Hit, cues: Iterable[Hit]) -> tuple[Hit | None, float]:
        best: tuple[Hit | None, float] = (None, float("inf"))
        for cue in cues:
            gap = self._gap(kind, cue) if cue.variant == kind.variant else self._value["reach-before"]
            if gap is not None and gap < best[1]:
                best = (cue, gap)
        return best

    def _within_reach(self, kind: Hit, cues: Iterable[Hit]) -> list[Hit]:
        return [cue for cue in cues if cue.variant != kind.variant or self._gap(kind, cue) is not None]

    def _speaks_of_a_third(self, kind: Hit, signals: Signals) -> bool:
        """Whether a word for a third person stands within reach of a disclosed thing."""
        text = signals.text(kind.field, kind.variant)
        start, end = kind.start or 0, kind.end or 0
        before = text[max(0, start - int(self._value["reach-before"])) : start]
        after = text[end : end + int(self._value["reach-after"])]
        around = "".join(char if char.isalnum() or char == "'" else " " for char in f"{before} {after}")
        return not _THIRD.isdisjoint(around.split())

    def _label(self, signals: Signals, hit: Hit) -> str:
        return signals.text(hit.field, hit.variant)[hit.start or 0 : hit.end or 0].strip(" :=")

    def _was_asked_for(self, subject: Subject) -> bool:
        """Whether the answered or quoted post asks for a third person's private information."""
        if subject.post is None:
            return False
        return any(
            ref is not None and self._asks(ref.text)
            for ref in (subject.post.in_reply_to, subject.post.quotes)
        )

    def _asks(self, text: str | None) -> bool:
        if not text:
            return False
        padded = padded_words(text)
        return any(term in padded for term in self._asked)

    def _is_authors(self, kind: Hit, subject: Subject, signals: Signals) -> bool:
        """Whether a mailbox carries the author's name, or the number stands in the author's own bio."""
        author = subject.author
        if author is None or kind.field.startswith("profile."):
            return author is not None and kind.signal in {"contact.phone", "contact.email", "contact.handle"}
        written = signals.text(kind.field, kind.variant)[kind.start or 0 : kind.end or 0]
        if kind.signal == "contact.phone":
            digits, bio = digits_of(written), digits_of(author.bio or "")
            return len(digits) >= 7 and digits[-7:] in bio
        if kind.signal in {"contact.email", "contact.handle"}:
            local = letters_of(written.partition("@")[0])
            names = {letters_of(name) for name in (author.handle, author.display_name) if name}
            return len(local) >= 3 and (local in names or written in (author.bio or "").casefold())
        return False

    def _against(self, reasons: Iterable[str]) -> float:
        """What these reasons speak against a disclosure, capped."""
        return min(sum(self._value[f"less-{reason}"] for reason in reasons), self._value["less-most"])

    # --- speech about exposing ----------------------------------------------------------------------------------

    def _speech(self, name: str, signals: Signals) -> _Finding:
        """Scores threats, rewards, requests and offers in one field."""
        best = _Finding()
        value = self._value
        counter = bool(_in_field(signals, name, ("private.counter", "private.consent")))
        hostile = _in_field(signals, name, ("private.incite", "private.urge"))
        for hit in _in_field(signals, name, _SPEECH):
            if (hit.end or 0) - (hit.start or 0) > value["speech-longest"]:
                continue
            score = value[_SPEECH[hit.signal]]
            used = [hit]
            if hit.signal in _ASKING and hostile:
                score = min(score + value["speech-hostile"], value["ceiling"])
                used += hostile
            discourse = signals.discourse(hit)
            if discourse.negated:
                score -= value["speech-negated"]
            if discourse.quoted or discourse.attributed:
                score -= value["speech-quoted"]
            if discourse.reported and not hostile:
                score -= value["speech-reported"]
            # "Delete that or I'll …" reads like condemnation; what the author announces themself is none.
            if counter or (discourse.condemned and hit.signal in _CONDEMNABLE):
                score -= value["speech-condemned"]
            if discourse.hyperbole or (discourse.question and hit.signal not in _ASKING):
                score -= value["speech-banter"]
            if _in_field(signals, name, ("private.fiction", "private.official")) and hit.signal in _ASKING:
                score -= value["speech-banter"]
            if score > best.score:
                best = _Finding(score, used)
        return best

    def _spread(self, name: str, signals: Signals) -> _Finding:
        """Scores threats, rewards, offers and requests whose parts stand near each other, in any order."""
        value = self._value
        best = _Finding()
        hostile = _in_field(signals, name, ("private.incite", "private.urge"))
        excused = _in_field(signals, name, ("private.counter", "private.consent", "private.kind"))
        for about, wanted, parameter in _SPREAD:
            for hit in _in_field(signals, name, (about,)):
                found = (self._beside(hit, _in_field(signals, name, (other,))) for other in wanted)
                parts = [part for part in found if part is not None]
                if len(parts) < len(wanted) or (
                    wanted == ("private.seek",) and (parts[0].start or 0) > (hit.start or 0)
                ):
                    continue  # "his number changed, does anyone …" asks for something else
                score = value[parameter]
                used = [hit, *parts]
                if hostile:
                    score = min(score + value["speech-hostile"], value["ceiling"])
                    used += hostile
                discourse = signals.discourse(hit)
                if discourse.negated:
                    score -= value["speech-negated"]
                # "Your address" in somebody else's mouth stands in quotation marks.
                if discourse.quoted or (discourse.attributed and about != "private.yours"):
                    score -= value["speech-quoted"]
                if discourse.reported and not hostile:
                    score -= value["speech-reported"]
                if discourse.hyperbole and not hostile:
                    score -= value["speech-banter"]
                if excused:
                    score -= value["speech-condemned"]
                if _in_field(signals, name, ("private.fiction", "private.official")):
                    score -= value["speech-banter"]
                if score > best.score:
                    best = _Finding(score, used)
        return best

    def _beside(self, hit: Hit, others: Iterable[Hit]) -> Hit | None:
        """The first of the others that stands near enough to be said about the same thing."""
        reach = self._value["reach-spread"]
        for other in others:
            if hit.start is None or hit.end is None or other.start is None or other.end is None:
                continue
            if other.variant == hit.variant and max(other.start - hit.end, hit.start - other.end) <= reach:
                return other
        return None


def _in_field(signals: Signals, name: str, wanted: Iterable[str]) -> list[Hit]:
    """The hits in one field; no excuse by words of a language that the text is not in ("calle Mayor")."""
    foreign = signals.uncovered & _EXCUSING if signals.lang in _READ else frozenset()
    return [hit for hit in signals.hits(*wanted) if hit.field == name and hit.signal not in foreign]


def _evidence(signals: Signals, hits: Sequence[Hit], score: float) -> tuple[Evidence, ...]:
    """The hits, each once, sorted by field and place."""
    unique = dict.fromkeys(hits)
    items = [
        signals.evidence(hit, score=min(hit.score, score) if hit.signal in _KINDS else score)
        for hit in unique
    ]
    return tuple(
        sorted(set(items), key=lambda item: (item.field, item.start or 0, item.end or 0, item.signal))
    )
