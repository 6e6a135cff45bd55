"""Threats of violence, calls for it and its glorification, as English says them.

A threat is read as a small grammar: an *act* on a person ("kill you") counts only with the *intent* that it
hangs on ("i'll", "we're gonna", "someone should", "i want to"); set phrases ("you're a dead man") count alone.
What counts starts at its signal's score. Corroboration (weapon, time, place, hostile address, a claim to be serious,
a second signal) takes away a share of the doubt each; readings that excuse it (negation, attribution, a
game, a match, a story …) multiply the score. All figures stand in `policy.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import re2

from worker.engine.contract import CLEAR, Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.signals.canonical import canonicalise
from worker.signals.terms import expand
from worker.signals.view import Hit, Signals

_FAMILY = "violence."


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _names(text: str) -> frozenset[str]:
    return frozenset(_FAMILY + name for name in text.split())


ACTS = _names("act-kill act-emoji act-lethal act-known act-sexual act-mass act-injury act-beating act-loose")
THREATS = _names(
    "threat-bomb threat-armed threat-outcome threat-dead threat-conditional threat-veiled threat-asked menace hint"
)
GLORIFYING = _names("glorification gloating praise")
PHRASES = THREATS | GLORIFYING | _names("incitement incitement-figure bounty wish")
INTENTS = _names("intent-will intent-we intent-call intent-want intent-order")
CALL, WILL = _FAMILY + "intent-call", _FAMILY + "intent-will"
MEANS = ("weapon", "time", "place")  # what makes a threat credible
SUPPORT = (*MEANS, "hostility", "serious")
CONTEXTS = _names("context-gaming context-sport context-fiction context-defence context-other")
ATTACK, HARMLESS = _FAMILY + "attack", _FAMILY + "thread-harmless"  # read in the thread, not in the post
TRIVIAL, IDIOM, RESCUE = _FAMILY + "context-trivial", _FAMILY + "idiom", _FAMILY + "rescue"
MASS, LOOSE = _names("act-mass threat-bomb"), _names("act-loose hint")
WISH, PRAISE, SERIOUS = _FAMILY + "wish", _FAMILY + "praise", _FAMILY + "serious"
# Flags of discourse that a reading sets aside: nobody disowns "i'll kill you" by what else is vile, and in
# "don't say that or i'll kill you" the threat is not what "don't" negates.
_FIRST_PERSON = frozenset({"condemned"})
_ULTIMATUM = frozenset({"condemned", "negated"})


# Function words between an intent and its act ("gonna [come over there and] kill you").
_ADVERBS = _words(
    "just literally fucking fuckin fkn really honestly actually personally definitely def seriously gladly happily "
    "legit fr deadass all both still soon one day someday first be the to have get go come then so fully straight "
    "tonight tomorrow today right now and & n again finally probably absolutely eventually either or you "
    "simply please pls lowkey highkey over there pull up i swear"
)
_JOINTS = _words("and n & then or")
_AIMS = _words("to until")  # "coming over to kill you"; but "they should be able to kill" calls for nothing
# Past intents ("i was going to") count as negated.
_NEGATORS = _words("not never dont wont cant didnt doesnt aint was were almost")
_BREAKS = _NEGATORS | _words(
    "without but because who whose which if unless whether he she they it "
    "let lets would could might said says told asked"
)
_BELOVED = _words(
    "family kid kids child children wife husband mother mom mum father dad son daughter dog brother sister head throat"
)
_SECOND_PERSON = _words("you u ya yall y'all your ur yo youse")
_ENDS = frozenset(".!?\n;")
_OPENERS = frozenset('.!?\n;:"')


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One thing that may be a violation: its place, widened to the intent, and where its score starts."""

    hit: Hit
    base: float
    waives: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Finding:
    """One weighed candidate."""

    candidate: _Candidate
    score: float
    support: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class _Thread:
    """What the answered or quoted post adds, by the policy's own expressions."""

    attack: bool = False
    harmless: bool = False
    addressed: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """One variant of one field: its text, what was seen in it, and the thread around it."""

    signals: Signals
    text: str
    by_name: Mapping[str, Sequence[Hit]]
    thread: _Thread


class EnglishRule:
    """Judges every text that an account wrote; see the module for the method.

    `gate` names what can make a violation: where none of it fired, the rest (intent, support, contexts) means nothing.
    """

    gate = ACTS | PHRASES
    needs = gate | INTENTS | CONTEXTS | _names(" ".join(SUPPORT)) | {TRIVIAL, IDIOM, RESCUE, ATTACK, HARMLESS}

    def __init__(self, policy: Policy) -> None:
        """Reads figures and thread expressions from the policy.

        Raises:
          KeyError: the policy file lacks a parameter or an expression that the rule reads.
        """
        self._policy = policy
        self._figures: Mapping[str, float] = policy.parameters
        self._support = {_FAMILY + kind: self._figures["weight-" + kind] for kind in SUPPORT}
        self._names = sorted(self.needs - {ATTACK, HARMLESS})
        self._attack = _compiled(policy, ATTACK)
        self._harmless = _compiled(policy, HARMLESS)

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        """The strongest reading over all fields; below the threshold the score alone says what it found."""
        if signals.fired.isdisjoint(self.gate):
            return CLEAR
        thread = self._read_thread(subject)
        texts: dict[tuple[str, int], list[Hit]] = {}
        for hit in signals.hits(*(name for name in self._names if name in signals.fired)):
            texts.setdefault((hit.field, hit.variant), []).append(hit)
        findings = [finding for key in sorted(texts) for finding in self._read(signals, texts[key], thread)]
        score = max((finding.score for finding in findings), default=0.0)
        if score == 0.0:
            return CLEAR
        outcome = Outcome.VIOLATION if score >= self._policy.threshold else Outcome.CLEAR
        return Verdict(outcome, score, self._evidence(signals, findings, score))

    # ---------------------------------------------------------------- reading

    def _read_thread(self, subject: Subject) -> _Thread:
        post = subject.post
        if post is None:
            return _Thread()
        said = [ref.text for ref in (post.in_reply_to, post.quotes) if ref is not None and ref.text]
        texts = [canonicalise(text).text for text in said]
        return _Thread(
            attack=any(self._attack.search(text) is not None for text in texts),
            harmless=any(self._harmless.search(text) is not None for text in texts),
            addressed=bool(post.mentions) or post.in_reply_to is not None,
        )

    def _read(self, signals: Signals, hits: Sequence[Hit], thread: _Thread) -> list[_Finding]:
        """Weighs what one variant of one field holds."""
        text = signals.text(hits[0].field, hits[0].variant)
        by_name: dict[str, list[Hit]] = {}
        for hit in hits:
            by_name.setdefault(hit.signal, []).append(hit)
        intents = [hit for name in sorted(INTENTS) for hit in by_name.get(name, ())]
        idioms = by_name.get(IDIOM, ())
        candidates = []
        for hit in hits:
            if hit.signal not in self.gate or any(_overlap(hit, idiom) for idiom in idioms):
                continue
            candidate = self._candidate(hit, intents, text, thread)
            if candidate is not None:
                candidates.append(candidate)
        reading = _Reading(signals, text, by_name, thread)
        return [self._weigh(reading, candidate, candidates) for candidate in candidates]

    def _candidate(self, hit: Hit, intents: Sequence[Hit], text: str, thread: _Thread) -> _Candidate | None:
        if hit.signal == PRAISE:
            return _Candidate(hit, self._figures["praise-in-thread"] if thread.attack else 0.0)
        if hit.signal not in ACTS:
            waives = _FIRST_PERSON if hit.signal in THREATS else frozenset()
            return _Candidate(hit, hit.score, waives)
        if _owns(text, hit):
            return None
        limit = int(self._figures["max-gap-words"])
        intent = max(
            (intent for intent in intents if _hangs_on(text, intent, hit, limit)),
            key=lambda found: (_span(found)[1], found.signal),
            default=None,
        )
        if intent is None:
            if hit.signal in LOOSE or not _opens(text, hit):
                return None
            # "Bringing a gun to school": a participle that opens the sentence announces, a verb orders.
            announced = text[hit.start : hit.end].split(maxsplit=1)[0].endswith("ing")
            kind = "intent-will" if announced else "intent-imperative"
            return _Candidate(hit, hit.score * self._figures[kind])
        kind = intent.signal.removeprefix(_FAMILY)
        if hit.signal in LOOSE and kind == "intent-we":
            kind = "intent-we-loose"
        waives = _FIRST_PERSON if kind.startswith(("intent-will", "intent-we")) else frozenset()
        if text[: intent.start].endswith((" or ", " or else ")):
            waives = _ULTIMATUM
        return _Candidate(replace(hit, start=intent.start), hit.score * self._figures[kind], waives)

    # ---------------------------------------------------------------- weighing

    def _weigh(self, reading: _Reading, candidate: _Candidate, others: Sequence[_Candidate]) -> _Finding:
        figures, hit, by_name = self._figures, candidate.hit, reading.by_name
        start, end = reading.signals.sentence(hit)
        glorifying = hit.signal in GLORIFYING
        if candidate.base == 0.0 or (glorifying and _inside(by_name.get(RESCUE, ()), start, end)):
            return _Finding(candidate, 0.0, ())
        doubt = 1.0 - candidate.base
        support: list[Hit] = []
        means = 0
        if not glorifying:
            for name, weight in self._support.items():
                kind = name.removeprefix(_FAMILY)
                hits = by_name.get(name, ())
                if hit.signal in MASS | LOOSE:  # its bomb is part of it, and no further reason
                    hits = [other for other in hits if not _overlap(other, hit)]
                if hit.signal in MASS and kind == "place":
                    continue
                found, share = self._nearest(hits, hit, start, end)
                if found is None:
                    continue
                means += kind in MEANS
                if hit.signal in LOOSE and kind in {"time", "place"}:
                    share *= figures["ambiguous-ratio"]
                support.append(found)
                doubt *= 1.0 - weight * share
            doubt *= 1.0 - self._second(candidate, others, reading.text)
            if reading.thread.addressed and _addresses(reading.text, hit):
                doubt *= 1.0 - figures["weight-named"]
        raised = 1.0 - doubt
        score = self._excused(reading, candidate, raised, means, (start, end))
        if hit.signal == WISH:
            score = min(score, figures["wish-cap"])
        return _Finding(candidate, round(score, 4), tuple(support))

    def _nearest(self, hits: Sequence[Hit], hit: Hit, start: int, end: int) -> tuple[Hit | None, float]:
        """The support that stands closest, and the share of its weight that counts."""
        inside = _inside(hits, start, end)
        if inside:
            return min(inside, key=lambda other: _distance(other, hit)), 1.0
        near = min(hits, key=lambda other: _distance(other, hit), default=None)
        if near is None or _distance(near, hit) > self._figures["near-code-points"]:
            return None, 0.0
        return near, self._figures["far-ratio"]

    def _second(self, candidate: _Candidate, others: Sequence[_Candidate], text: str) -> float:
        """The weight of another thing said that would reach review alone; the same words again add nothing."""
        said = text[slice(*_span(candidate.hit))]
        for other in others:
            apart = not _overlap(other.hit, candidate.hit) and text[slice(*_span(other.hit))] != said
            if apart and other.hit.signal != WISH and other.base >= self._policy.review.score:
                return self._figures["weight-second"]
        return 0.0

    def _excused(
        self, reading: _Reading, candidate: _Candidate, raised: float, means: int, sentence: tuple[int, int]
    ) -> float:
        """The score after everything that speaks for the writer; laughter alone never clears a credible threat."""
        figures, by_name, start, end = self._figures, reading.by_name, *sentence
        discourse = reading.signals.discourse(candidate.hit)
        score = raised
        excused = False
        for flag in ("negated", "attributed", "reported", "condemned"):
            # The grammar itself refuses "i'm not going to"; "not joking" negates no threat.
            if flag == "negated" and _inside(by_name.get(SERIOUS, ()), start, end):
                continue
            if flag in candidate.waives and not discourse.quoted:
                continue
            if flag == "attributed" and not discourse.quoted:
                # Without quotation marks nobody can be sure where the other's words end: doubt, not an excuse.
                score *= figures["factor-attributed-unquoted"] if discourse.attributed else 1.0
            elif getattr(discourse, flag):
                score *= figures["factor-" + flag]
                excused = True
        # These leave doubt and do not add up: laughter in a question is laughter.
        doubts = ("quoted", "question", "hyperbole")
        score *= min((figures["factor-" + flag] for flag in doubts if getattr(discourse, flag)), default=1.0)
        contexts = [context for name in CONTEXTS for context in by_name.get(name, ())]
        at_hand = bool(_inside(contexts, start, end))
        if at_hand:
            score *= figures["factor-context"]
        elif contexts or reading.thread.harmless:
            score *= figures["factor-context-far"]
        if _inside(by_name.get(TRIVIAL, ()), start, end):
            score *= figures["factor-trivial"]
        credible = means >= figures["floor-kinds"] or candidate.hit.signal in MASS
        sure = credible and raised >= self._policy.threshold and not excused
        return max(score, figures["floor"]) if sure and (not at_hand or means == len(MEANS)) else score

    # ---------------------------------------------------------------- evidence

    def _evidence(self, signals: Signals, findings: Sequence[_Finding], score: float) -> tuple[Evidence, ...]:
        """What carries the verdict: all that reaches review, else the strongest, each place once."""
        floor = min(score, self._policy.review.score)
        found: dict[tuple[str, int | None, int | None, str], Evidence] = {}
        for finding in sorted(findings, key=lambda item: -item.score):
            if finding.score < floor:
                continue
            own = signals.evidence(finding.candidate.hit, score=finding.score)
            for item in (own, *(signals.evidence(hit) for hit in finding.support)):
                found.setdefault((item.field, item.start, item.end, item.signal), item)
        return tuple(sorted(found.values(), key=lambda item: (item.field, item.start or 0, item.end or 0)))


def _compiled(policy: Policy, name: str) -> re2._Regexp:
    """The expressions of one signal of the policy as one, to read the thread with."""
    for expressions in policy.expressions:
        if expressions.name == name:
            return re2.compile("|".join(f"(?:{expand(p, policy.fragments)})" for p in expressions.patterns))
    raise KeyError(name)


def _span(hit: Hit) -> tuple[int, int]:
    assert hit.start is not None
    assert hit.end is not None
    return hit.start, hit.end


def _overlap(one: Hit, other: Hit) -> bool:
    (a, b), (c, d) = _span(one), _span(other)
    return a < d and c < b


def _inside(hits: Sequence[Hit], start: int, end: int) -> list[Hit]:
    return [hit for hit in hits if _span(hit)[0] < end and start < _span(hit)[1]]


def _distance(one: Hit, other: Hit) -> int:
    (a, b), (c, d) = _span(one), _span(other)
    return max(0, c - b, a - d)


def _addresses(text: str, hit: Hit) -> bool:
    start, end = _span(hit)
    return any(word in _SECOND_PERSON or word.startswith("@") for word in text[start:end].split())


def _hangs_on(text: str, intent: Hit, act: Hit, limit: int) -> bool:
    """Whether the act is what the intent intends: near enough, nothing between that breaks the tie.

    Adverbs may stand between ("gonna just kill you"), or a way there that ends in a joint ("gonna come over and kill you").
    """
    (begin, end), (start, stop) = _span(intent), _span(act)
    if begin < start < end:
        # "coming to kill": the intent's own words lead into the act
        return _positive(text[begin:start], _NEGATORS)
    if end > start or stop <= begin:
        return False
    gap = text[end:start]
    words = [word.strip(",:\"'()*") for word in gap.split()]
    if len(words) > limit or not _ENDS.isdisjoint(gap) or not _positive(gap):
        return False
    # "why don't we" is a call, not a negation.
    if intent.signal != CALL and not _positive(text[begin:end], _NEGATORS):
        return False
    path = [word for word in words if word not in _ADVERBS]
    if not path:
        return True
    joints = _JOINTS | _AIMS if intent.signal == WILL else _JOINTS
    last = next((word for word in reversed(words) if word in joints or word not in _ADVERBS), "")
    return last in joints or gap.rstrip().endswith(",")


def _owns(text: str, act: Hit) -> bool:
    """Whether the person that the act ends on only owns what it is done to ("hang the kids' drawings")."""
    mark, _, rest = text[_span(act)[1] :].partition(" ")
    return mark in {"'s", "'"} and rest.partition(" ")[0].strip(".,!?") not in _BELOVED


def _opens(text: str, act: Hit) -> bool:
    """Whether the act opens its sentence, so that it reads as an order."""
    before = text[: _span(act)[0]].rstrip(" ")
    words: list[str] = []
    while before and before[-1] not in _OPENERS and len(words) <= 3:
        before, _, word = before.rpartition(" ")
        words.append(word.strip(",:\"'()*"))
        before = before.rstrip(" ")
    return all(word in _ADVERBS or word.startswith(("@", "#")) for word in words)


def _positive(text: str, breaks: frozenset[str] = _BREAKS) -> bool:
    """Whether no word negates or (by default) turns the sentence to another subject."""
    return not any(word in breaks or word.endswith("n't") for word in text.split())
