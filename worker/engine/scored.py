"""The rule that policies without code of their own use: findings, support and excuses, all from `policy.toml`.

A *finding* starts at its score wherever one of its anchors fired and its formula holds around it. *Support* takes
away a share of the doubt each, capped by group (doubt *= 1 - weight); *excuses* multiply the score, of one group only
the strongest. The strongest finding decides. Weights with group caps, composites and forced actions are ideas
of rspamd (https://docs.rspamd.com/configuration/composites/, read 2026-11-23).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice

from worker.engine.contract import CLEAR, Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.formula import Atom, Formula, Scope, asserted, atoms, holds, parse
from worker.engine.policy import Excuse, Finding, Policy, Support
from worker.signals.view import Hit, Signals

MAX_CANDIDATES = 64  # a finding; a text that repeats itself must not cost more
NEAR = 120  # code points
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Effect:
    """One support or excuse that applied: what held, and its weight or factor."""

    condition: str
    value: float
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True, slots=True)
class Weighed:
    """One candidate with everything that made its score; what `moderator explain` shows."""

    finding: Finding
    hit: Hit
    base: float
    support: tuple[Effect, ...]
    excuses: tuple[Effect, ...]
    score: float
    because: tuple[Hit, ...] = ()  # hits that made the formula true


@dataclass(frozen=True, slots=True)
class _Modified:
    """A support or an excuse, its formula parsed."""

    condition: str
    formula: Formula
    within: Scope
    value: float
    group: str | None
    findings: frozenset[str]


class ScoredRule:
    """Judges by the policy's `findings`. A rule of code may derive from it and override `hits_of`.

    Raises:
      ValueError: the policy has no finding.
    """

    def __init__(self, policy: Policy) -> None:
        if not policy.findings:
            raise ValueError("a policy without rule.py needs at least one [[findings]] entry")
        self.policy = policy
        self._formulas = {f.name: parse(f.when) for f in policy.findings if f.when is not None}
        self._support = [_modified(s, s.weight) for s in policy.support]
        self._excuses = [_modified(e, e.factor) for e in policy.excuses]
        self._anchors = [(finding, frozenset(finding.anchor)) for finding in policy.findings]
        self._caps = {group.name: group.cap for group in policy.groups}
        self.gate: Set[str] = frozenset(name for finding in policy.findings for name in finding.anchor)
        formulas = [*self._formulas.values(), *(m.formula for m in (*self._support, *self._excuses))]
        named = {atom.name for formula in formulas for atom in atoms(formula) if atom.flag is None}
        self.needs: Set[str] = self.gate | named

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        """The strongest finding; a person at risk is never a violation.

        Nor is what was found only by words of another language, in a text that the policy cannot read: that is a doubt.
        """
        weighed = [one for one in self.weigh(subject, signals, context) if one.score > 0.0]
        if not weighed:
            return self._unseen(signals) if self._is_cut_off(signals) else CLEAR
        weighed.sort(key=lambda one: -one.score)
        at_risk = next((one for one in weighed if one.finding.at_risk), None)
        if at_risk is not None and at_risk.score >= self.policy.review.score:
            own = [one for one in weighed if one.finding.at_risk]
            return Verdict(Outcome.CLEAR, at_risk.score, self._evidence(signals, own), at_risk=True)
        violation = any(
            one.score >= self.policy.threshold
            and not one.finding.at_risk
            and (one.hit.signal not in signals.uncovered or self.policy.covers(subject.lang))
            for one in weighed
        )
        outcome = Outcome.VIOLATION if violation else Outcome.CLEAR
        score = weighed[0].score
        if self._is_cut_off(signals):
            # There was more than was looked at: whoever hides one sentence among a hundred harmless ones gets a reader.
            score = max(score, self.policy.review.score)
        return Verdict(outcome, score, self._evidence(signals, weighed))

    def _unseen(self, signals: Signals) -> Verdict:
        last = signals.hits(*self.gate)[-1]
        return Verdict(Outcome.CLEAR, self.policy.review.score, (signals.evidence(last),))

    def _is_cut_off(self, signals: Signals) -> bool:
        return any(
            len(signals.hits(*anchors)) > MAX_CANDIDATES
            for _, anchors in self._anchors
            if not signals.fired.isdisjoint(anchors)
        )

    def weigh(self, subject: Subject, signals: Signals, context: RuleContext) -> list[Weighed]:
        """Every candidate of every finding with its score, in the order of the policy file."""
        around = _Around(signals, self.policy.covers(subject.lang))
        fired = signals.fired
        return [
            self._weigh(around, finding, hit)
            for finding, anchors in self._anchors
            if not fired.isdisjoint(anchors)
            for hit in self._candidates(around, finding, subject, signals, context)
        ]

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The candidates of a finding before its formula is asked: by default every hit of its anchors.

        A rule that derives overrides this for its `computed` findings; the score of each hit multiplies the
        finding's. The hits may be of any name, in any field, with or without a place.
        """
        return () if finding.computed else signals.hits(*finding.anchor)

    def _candidates(
        self, around: _Around, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterator[Hit]:
        formula = self._formulas.get(finding.name)
        hits = list(islice(self.hits_of(finding, subject, signals, context), MAX_CANDIDATES))
        seen: set[tuple[object, ...]] = set()
        for hit in hits:
            if finding.languages and not (hit.languages or _NONE).intersection(finding.languages):
                continue
            if formula is not None and not around.holds(formula, hit, finding.within):
                continue
            if len(hits) > 1:
                # The same signal twice in one sentence, used in the same way, says nothing new.
                place = (hit.signal, hit.field, hit.score, around.sentence(hit), signals.discourse(hit))
                if place in seen:
                    continue
                seen.add(place)
            yield hit

    def _weigh(self, around: _Around, finding: Finding, hit: Hit) -> Weighed:
        base = finding.score * hit.score
        support = _applying(around, self._support, finding, hit)
        doubt = 1.0 - base
        gains: dict[str | None, float] = {}
        for one in support:
            gains[one.group] = 1.0 - (1.0 - gains.get(one.group, 0.0)) * (1.0 - one.value)
        for group, gain in gains.items():
            doubt *= 1.0 - min(gain, self._caps.get(group or "", 1.0))
        excuses = [] if finding.forced else _applying(around, self._excuses, finding, hit)
        factors: dict[str, float] = {}
        for one in excuses:
            name = one.group or one.condition
            factors[name] = min(factors.get(name, 1.0), one.value)
        score = 1.0 - doubt
        for factor in factors.values():
            score *= factor
        formula = self._formulas.get(finding.name)
        because = () if formula is None else around.witnesses(formula, hit, finding.within)
        return Weighed(
            finding,
            hit,
            base,
            tuple(Effect(s.condition, s.value, around.witnesses(s.formula, hit, s.within)) for s in support),
            tuple(Effect(e.condition, e.value) for e in excuses),
            round(min(1.0, max(0.0, score)), 4),
            because,
        )

    def _evidence(self, signals: Signals, weighed: Sequence[Weighed]) -> tuple[Evidence, ...]:
        """The findings at their places, then what made them and what supports them; sorted, without repeats."""
        found: dict[tuple[str, str, int, int], Evidence] = {}

        def add(item: Evidence) -> None:
            key = (item.field, item.signal, item.start or 0, item.end or 0)
            found.setdefault(key, item)

        prefix = self.policy.id
        named_findings = {f"{prefix}.{one.finding.name}" for one in weighed}
        for one in weighed[:8]:
            named = replace(one.hit, signal=f"{prefix}.{one.finding.name}")
            detail = f"{one.finding.title} ({one.hit.detail})" if one.hit.detail else one.finding.title
            add(signals.evidence(named, score=one.score, detail=detail))
            add(signals.evidence(one.hit))
            for hit in (*one.because, *(hit for effect in one.support for hit in effect.hits)):
                add(signals.evidence(hit))
        # What was found goes before what supports it: evidence that leaves the finding out explains nothing.
        order = sorted(found.values(), key=lambda item: (item.signal not in named_findings, -item.score))[:24]
        return tuple(
            sorted(order, key=lambda item: (item.field, item.start or 0, item.end or 0, item.signal))
        )


def _modified(modifier: Support | Excuse, value: float) -> _Modified:
    condition = modifier.condition
    return _Modified(
        condition, parse(condition), modifier.within, value, modifier.group, frozenset(modifier.findings)
    )


def _applying(around: _Around, modifiers: Sequence[_Modified], finding: Finding, hit: Hit) -> list[_Modified]:
    return [
        one
        for one in modifiers
        if (not one.findings or finding.name in one.findings)
        and one.condition not in finding.waives
        and around.holds(one.formula, hit, one.within)
    ]


class _Around:
    """Answers, for one subject, what fired around a hit; each question is worked out once."""

    def __init__(self, signals: Signals, covers: bool) -> None:
        self._signals = signals
        # In a language that the policy reads, what fired only through words of another one is most often a chance
        # likeness (Spanish "son" is nobody's son). In one that it does not read, nothing better is at hand: a person looks.
        self._foreign = signals.uncovered if covers else frozenset()
        self._known: dict[tuple[object, ...], tuple[Hit, ...]] = {}
        self._spans: dict[tuple[str, int, int | None, int | None], tuple[int, int] | None] = {}

    def sentence(self, hit: Hit) -> tuple[int, int]:
        """The hit's sentence, in code points of the field as received; a hit without a place has none."""
        if hit.start is None:
            return (-1, -1)
        start, end = self._signals.sentence(hit)
        return self._received(replace(hit, start=start, end=end)) or (-1, -1)

    def holds(self, formula: Formula, hit: Hit, within: Scope) -> bool:
        return holds(formula, lambda atom: self._test(atom, hit, within))

    def witnesses(self, formula: Formula, hit: Hit, within: Scope) -> tuple[Hit, ...]:
        """For each signal that speaks for a formula, its first hit in scope, other than the hit itself."""
        found: list[Hit] = []
        for atom in asserted(formula):
            scope = atom.scope or within
            if atom.flag is None and scope != "thread":
                near = self._in_scope(atom.name, hit, scope)
                found.extend(near[:1])
        return tuple(found)

    def _test(self, atom: Atom, hit: Hit, within: Scope) -> bool:
        if atom.flag is not None:
            return bool(getattr(self._signals.discourse(hit), atom.flag))
        scope = atom.scope or within
        if scope == "thread":
            return atom.name in self._signals.thread
        if atom.name not in self._signals.fired or atom.name in self._foreign:
            return False
        if scope == "subject":
            return True
        return bool(self._in_scope(atom.name, hit, scope))

    def _in_scope(self, name: str, hit: Hit, scope: Scope) -> tuple[Hit, ...]:
        if name not in self._signals.fired:
            return ()
        place: tuple[int, int] | None = None
        if scope == "sentence":
            place = self.sentence(hit)
        elif scope == "near":
            span = self._received(hit)
            place = (-1, -1) if span is None else (span[0] - NEAR, span[1] + NEAR)
        key = (name, scope, _item(hit.field) if scope == "item" else hit.field, place)
        known = self._known.get(key)
        if known is None:
            hits = self._signals.hits(name)
            known = tuple(other for other in hits if self._lies(other, hit, scope, place))
            self._known[key] = known
        # An anchor is no witness of itself; what stands elsewhere is.
        return tuple(other for other in known if other != hit)

    def _lies(self, other: Hit, hit: Hit, scope: Scope, place: tuple[int, int] | None) -> bool:
        if scope == "item":
            return _item(other.field) == _item(hit.field)
        if scope == "subject" or other.start is None or hit.start is None:
            return True  # what has no place in a text (an account's age, a surface) is true of all of it
        if other.field != hit.field:
            return False
        if place is None:
            return True
        span = self._received(other)
        return span is not None and span[0] < place[1] and place[0] < span[1]

    def _received(self, hit: Hit) -> tuple[int, int] | None:
        """The hit's place in the field as received: hits of different variants are compared there."""
        key = (hit.field, hit.variant, hit.start, hit.end)
        if key not in self._spans:
            found = self._signals.evidence(hit)
            span = None if found.start is None or found.end is None else (found.start, found.end)
            self._spans[key] = span
        return self._spans[key]


def _item(field: str) -> str:
    """The media item that a field belongs to ("media[0].transcript" to "media[0]"), else the field itself."""
    return field.partition("]")[0] if field.startswith("media[") else field
