"""What the claims of one subject are compared with, read once however often the subject repeats itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, islice

from worker.engine.contract import RuleContext, Subject
from worker.policies.civic_integrity.calendar import Reach, Reference, find_event
from worker.signals.view import Hit, Signals

_DATE = "time.date"
TIMES = (_DATE, "time.relative")
LOCAL = "civic-integrity.local"
_TAIL = 40  # code points after a claim in which its time may stand, within its sentence
_TIMES_LIMIT = 8  # of one claim, from its start on; who lists more days says nothing about one


class Claims:
    """One subject with the calendar at hand: the event that each field means, and the times around a claim."""

    def __init__(self, subject: Subject, signals: Signals, context: RuleContext, reach: Reach) -> None:
        self.signals = signals
        self.now = context.now
        self._subject = subject
        self._calendar = context.facts.calendar
        self._reach = reach
        self._events: dict[str, Reference | None] = {}
        self._local = frozenset(hit.field for hit in signals.hits(LOCAL))
        placed = (hit for hit in signals.hits(*TIMES) if hit.start is not None)
        self._times = {field: list(hits) for field, hits in groupby(placed, key=lambda hit: hit.field)}

    def event(self, hit: Hit) -> Reference | None:
        """The event meant by a claim; None too for a local election."""
        field = hit.field
        if field not in self._events:
            text = self.signals.text(field)
            self._events[field] = find_event(self._calendar, text, self._subject.lang, self.now, self._reach)
        known = self._events[field]
        if known is None or (known.certainty != "named" and self.is_local(hit)):
            return None
        return known

    def is_local(self, hit: Hit) -> bool:
        """Whether the claim's field speaks of a local vote, of which the calendar knows nothing."""
        return hit.field in self._local

    def times(self, hit: Hit, *, whole: bool = False) -> list[Hit]:
        """The times that belong to a claim: in it or right after it, or with `whole` anywhere in its sentence.

        No more than the first few.
        """
        left, right = self._received(hit, self.signals.sentence(hit))
        if not whole and hit.start is not None and hit.end is not None:
            left, end = self._received(hit, (hit.start, hit.end))
            right = min(right, end + _TAIL)
        found = list(islice(self._between(hit.field, left, right), _TIMES_LIMIT))
        if whole:
            return [one for _, one in found]
        # "Tuesday, November 3" is one time, of which the date says more; days further off are not the claim's.
        near = [one for span, one in found if span[0] - found[0][0][1] <= 8]
        return [one for one in near if one.signal == _DATE] or near

    def _between(self, field: str, left: int, right: int) -> Iterator[tuple[tuple[int, int], Hit]]:
        """The times that start in a span of the field as received, with their own spans, in order."""
        times = self._times.get(field, [])
        for one in islice(times, bisect_left(times, left, key=lambda hit: self._place(hit)[0]), None):
            span = self._place(one)
            if span[0] >= right:
                return
            yield span, one

    def _place(self, hit: Hit) -> tuple[int, int]:
        return self._received(hit, (hit.start or 0, hit.end or 0))

    def _received(self, hit: Hit, span: tuple[int, int]) -> tuple[int, int]:
        """A span of the hit's canonical text in the field as received: times are read before disguises are undone."""
        item = self.signals.evidence(replace(hit, start=span[0], end=span[1]))
        return item.start or 0, item.end or 0
