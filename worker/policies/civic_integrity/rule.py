"""Compares claims about elections with the civic calendar; everything else is the policy file's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from worker.engine.contract import RuleContext, Subject
from worker.engine.facts import Event
from worker.engine.policy import Finding, Policy
from worker.engine.scored import ScoredRule
from worker.policies.civic_integrity.calendar import Reach, Reference, contradicts, days_apart, fits
from worker.policies.civic_integrity.claims import LOCAL, TIMES, Claims
from worker.signals.view import Hit, Signals

_ELECTION_DAY = "civic-integrity.day"
_CLAIMS_LIMIT = 64  # of one finding; a text that repeats itself must not cost more
_REMOTE_METHODS = frozenset({"online", "internet", "telephone", "phone", "email", "e-mail"})


class Rule(ScoredRule):
    """Adds the findings that need the calendar to those of `policy.toml`.

    A claim scores by how surely its event is known: named in the post, assumed since no other is near, or unknown.
    Official accounts of an event are never found wrong about it.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.needs |= {*TIMES, LOCAL}
        self._value = policy.parameters
        days = self._value
        self._reach = Reach(days["named-days"], days["country-days"], days["assumed-days"])
        self._find: dict[str, Callable[[Claims, Hit], Hit | None]] = {
            "wrong-date": self._wrong_date,
            "split-days": self._split_days,
            "moved": self._moved,
            "false-method": self._false_method,
            "discouraged": self._discouraged,
            "early-winner": self._early_winner,
        }

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The claims of a finding that the calendar does not bear out, scored by how sure that is."""
        if not finding.computed:
            return super().hits_of(finding, subject, signals, context)
        return self._computed(finding, subject, signals, context)

    def _computed(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterator[Hit]:
        if any(_speaks_for(subject, event) for event in context.facts.calendar):
            return
        judge = self._find[finding.name]
        claims = Claims(subject, signals, context, self._reach)
        hits = signals.hits(*finding.anchor)
        for hit in hits[:_CLAIMS_LIMIT]:
            found = judge(claims, hit)
            if found is not None:
                yield found
        if len(hits) > _CLAIMS_LIMIT:
            yield self._unknown(hits[-1], "more claims than are compared")

    # --- one method a finding ---------------------------------------------------------------------------------

    def _wrong_date(self, claims: Claims, hit: Hit) -> Hit | None:
        times = claims.times(hit)
        known = claims.event(hit)
        if known is None or not times:
            return None
        if known.certainty != "named" and all(
            days_apart(one.detail, known.event, claims.now) > self._value["far-days"] for one in times
        ):
            return None
        election_day = hit.signal == _ELECTION_DAY
        wrong = [contradicts(one.detail, known.event, claims.now, election_day=election_day) for one in times]
        return self._against(hit, known, claims.now) if all(wrong) else None

    def _split_days(self, claims: Claims, hit: Hit) -> Hit | None:
        known = claims.event(hit)
        times = claims.times(hit, whole=True)
        if known is None:
            return self._unknown(hit)
        if any(contradicts(one.detail, known.event, claims.now, election_day=True) for one in times):
            return self._against(hit, known, claims.now)
        return None

    def _moved(self, claims: Claims, hit: Hit) -> Hit | None:
        known = claims.event(hit)
        if known is None:
            if claims.is_local(hit):
                return None
            return self._unknown(hit)
        times = claims.times(hit, whole=True)
        if any(fits(one.detail, known.event, claims.now) for one in times):
            return None  # the calendar knows of it
        return self._against(hit, known, claims.now)

    def _false_method(self, claims: Claims, hit: Hit) -> Hit | None:
        known = claims.event(hit)
        social = hit.score >= 1.0
        methods = frozenset(known.event.methods) if known is not None else frozenset()
        if not social and _REMOTE_METHODS & methods:
            return None
        if social or known is None or not methods:
            # No state takes votes by text message or hashtag, whatever the event; some take them online.
            detail = hit.detail if known is None else f"{hit.detail}; {_entry(known.event)}"
            return replace(
                hit, score=self._value["factor-social" if social else "factor-online"], detail=detail
            )
        detail = f"{hit.detail}; {_entry(known.event)}: ways to vote {', '.join(known.event.methods)}"
        return replace(self._against(hit, known, claims.now), detail=detail)

    def _discouraged(self, claims: Claims, hit: Hit) -> Hit | None:
        known = claims.event(hit)
        if known is None or known.event.opens_at > claims.now + timedelta(days=14):
            return self._unknown(hit)
        return self._against(hit, known, claims.now)

    def _early_winner(self, claims: Claims, hit: Hit) -> Hit | None:
        known = claims.event(hit)
        if known is None or known.event.opens_at > claims.now + timedelta(days=7):
            return None  # a prediction, or another vote: only before the polls close is it early
        return self._against(hit, known, claims.now)

    # --- the calendar -----------------------------------------------------------------------------------------

    def _against(self, hit: Hit, known: Reference, now: datetime) -> Hit:
        """The claim as evidence, with the entry that it contradicts and a score by how surely that is meant."""
        read = (now.date() - known.event.read_at).days
        if read > self._value["stale-days"]:
            factor = self._value["factor-unsure"]
        else:
            factor = self._value[f"factor-{known.certainty}"]
        return replace(hit, score=round(hit.score * factor, 4), detail=_entry(known.event))

    def _unknown(self, hit: Hit, why: str = "no event of the calendar is in reach") -> Hit:
        """The claim where the calendar has nothing to compare it with: a person looks."""
        score = round(hit.score * self._value["factor-unsure"], 4)
        return replace(hit, score=score, detail=why)


def _entry(event: Event) -> str:
    days = (
        f"{event.first_day}"
        if event.first_day == event.last_day
        else f"{event.first_day} to {event.last_day}"
    )
    return f"calendar: {event.name} ({event.jurisdiction}), {days}, read {event.read_at}"


def _speaks_for(subject: Subject, event: Event) -> bool:
    """Whether the author is an official account of the event; a handle counts for a verified account only."""
    official = {name.casefold() for name in event.official_accounts}
    if subject.account_id.casefold() in official:
        return True
    author = subject.author
    return bool(author and author.verified and author.handle and author.handle.casefold() in official)
