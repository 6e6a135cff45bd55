"""The measurements of one subject: what fired at once, where and how only when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from worker.engine.contract import Evidence
from worker.signals.canonical import Canonical
from worker.signals.discourse import Reading
from worker.signals.sameness import TextPrint
from worker.signals.view import Discourse, Hit

_DETAIL_LIMIT = 256
_HITS_LIMIT = 200  # places of one signal in one field: a text that repeats itself must not cost more
_NONE: frozenset[str] = frozenset()


@dataclass(slots=True)
class FieldScan:
    """What the scanner said of one variant of one field.

    `literals` are (index of the term, start, end), whole words where asked for; `expressions` and `context`
    are indexes of the bank's expressions of the first and the second pass; `found` are hits of detectors,
    `exact` indexes of detectors still to be run.
    """

    field: str
    canonical: Canonical
    variant: int
    literals: Sequence[tuple[int, int, int]] = ()
    expressions: Sequence[int] = ()
    context: Sequence[int] = ()
    found: Sequence[Hit] = ()
    exact: Sequence[int] = ()


class MeasuredSignals:
    """Implements `worker.signals.view.Signals`.

    `canonicals` holds each field's canonical text. `learned` holds the scores of the trained models by policy, on
    the policy's own scale, also those too low to fire; None where no model looked. `text_hash` is equal for the same words in the same order,
    `text_print` what the text can be known again by, None where it is too short. `failed` holds the names whose measurement failed, `uncovered` those that fired only through terms or
    expressions written for other languages than the subject's.
    """

    __slots__ = (
        "_cache",
        "_discourse",
        "_learned",
        "_locate",
        "_readings",
        "_scans",
        "_thread",
        "canonicals",
        "failed",
        "fired",
        "lang",
        "learned",
        "text_hash",
        "text_print",
        "uncovered",
    )

    def __init__(
        self,
        lang: str | None,
        canonicals: dict[str, Canonical],
        fired: frozenset[str] = _NONE,
        scans: Sequence[FieldScan] = (),
        locate: Callable[[FieldScan, str, str | None], list[Hit]] | None = None,
        failed: frozenset[str] = _NONE,
        uncovered: frozenset[str] = _NONE,
        thread: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self.lang = lang
        self.fired = fired
        self.failed = failed
        self.uncovered = uncovered
        self.canonicals = canonicals
        self._scans = scans
        self._locate = locate
        self._thread: Callable[[], frozenset[str]] | frozenset[str] = _NONE if thread is None else thread
        self.learned: dict[str, float] | None = None
        self._learned: dict[str, list[Hit]] | None = None
        self.text_hash = 0
        self.text_print: TextPrint | None = None
        self._cache: dict[str, tuple[Hit, ...]] | None = None
        self._discourse: dict[tuple[str, int, int, int], Discourse] | None = None
        self._readings: dict[tuple[str, int], Reading] | None = None

    def learn(self, hit: Hit) -> None:
        """Adds what a trained model found, once all else is measured."""
        if self._learned is None:
            self._learned = {}
        self._learned.setdefault(hit.signal, []).append(hit)
        self.fired = self.fired | {hit.signal}

    @property
    def is_close(self) -> bool:
        """Whether what stands around was measured, because something fired."""
        return bool(self._scans)

    def adopt(self, other: MeasuredSignals) -> None:
        """Takes over what was measured on the same subject more closely; what models found stays."""
        self.fired = self.fired | other.fired
        self.failed = self.failed | other.failed
        self.uncovered = other.uncovered
        self.canonicals = other.canonicals
        self._scans, self._locate, self._thread = other._scans, other._locate, other._thread
        self._cache = self._discourse = self._readings = None

    @property
    def thread(self) -> frozenset[str]:
        """Names that fire in the replied-to and quoted texts; measured when first asked for."""
        if not isinstance(self._thread, frozenset):
            self._thread = self._thread()
        return self._thread

    def hits(self, *names: str) -> Sequence[Hit]:
        """All hits of these signals, sorted by field, then start; empty when none fired."""
        wanted = [name for name in names if name in self.fired]
        if not wanted:
            return ()
        if len(wanted) == 1:
            return self._hits_of(wanted[0])
        merged = [hit for name in dict.fromkeys(wanted) for hit in self._hits_of(name)]
        merged.sort(key=_place)
        return merged

    def _hits_of(self, name: str) -> tuple[Hit, ...]:
        if self._cache is None:
            self._cache = {}
        hits = self._cache.get(name)
        if hits is None:
            hits = self._cache[name] = self._locate_all(name)
        return hits

    def _locate_all(self, name: str) -> tuple[Hit, ...]:
        if self._learned is not None and name in self._learned:
            return tuple(sorted(self._learned[name], key=_place))
        if self._locate is None:
            return ()
        # What fired in the text's own language is not joined by what only looks like it in another one.
        lang = None if name in self.uncovered else self.lang
        best: dict[tuple[str, int, int | None, int | None], Hit] = {}
        for scan in self._scans:
            for hit in islice(self._locate(scan, name, lang), _HITS_LIMIT):
                key = (hit.field, hit.variant, hit.start, hit.end)
                known = best.get(key)
                if known is None or hit.score > known.score:
                    best[key] = hit
        hits = list(best.values())
        if any(hit.variant for hit in hits):
            hits = self._without_repeats(hits)
        hits.sort(key=_place)
        return tuple(hits)

    def _without_repeats(self, hits: list[Hit]) -> list[Hit]:
        """Drops hits in the folded text that the variant with disguises undone shows as well.

        So what belongs together stands in one variant, and places can be compared.
        """
        undone: dict[str, list[tuple[int, int]]] = {}
        for hit in hits:
            if hit.variant:
                undone.setdefault(hit.field, []).append(self.received_span(hit))
        for spans in undone.values():
            spans.sort()
        return [hit for hit in hits if hit.variant or not self._is_shown(hit, undone.get(hit.field, []))]

    def _is_shown(self, hit: Hit, spans: list[tuple[int, int]]) -> bool:
        if hit.start is None:
            return False
        start, end = self.received_span(hit)
        place = bisect_left(
            spans, (end, -1)
        )  # hits of one signal hardly overlap: the nearest one before decides
        return any(left < end and start < right for left, right in spans[max(0, place - 3) : place])

    def text(self, field: str = "text", variant: int = 0) -> str:
        """The canonical text of a field that hits of this variant point into; "" when there is none."""
        canonical = self.canonicals.get(field)
        if canonical is None or variant >= len(canonical.variants):
            return ""
        return canonical.variants[variant]

    def received_span(self, hit: Hit) -> tuple[int, int]:
        """The span of a hit that has a place, in code points of its field as received."""
        assert hit.start is not None
        assert hit.end is not None
        return self.canonicals[hit.field].received_span(hit.start, hit.end, hit.variant)

    def sentence(self, hit: Hit) -> tuple[int, int]:
        """The half-open span, in the hit's canonical text, of the sentence that holds it."""
        text = self.text(hit.field, hit.variant)
        if hit.start is None or hit.end is None:
            return 0, len(text)
        return self._reading(hit).sentence(hit.start, hit.end)

    def discourse(self, hit: Hit) -> Discourse:
        """How the hit is used; computed when asked for, once per place."""
        if hit.start is None or hit.end is None:
            return Discourse()
        if self._discourse is None:
            self._discourse = {}
        place = (hit.field, hit.variant, hit.start, hit.end)
        discourse = self._discourse.get(place)
        if discourse is None:
            discourse = self._discourse[place] = self._reading(hit).discourse(hit.start, hit.end)
        return discourse

    def _reading(self, hit: Hit) -> Reading:
        if self._readings is None:
            self._readings = {}
        key = (hit.field, hit.variant)
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = Reading(self.text(hit.field, hit.variant), self.lang)
        return reading

    def evidence(self, hit: Hit, *, score: float | None = None, detail: str | None = None) -> Evidence:
        """The hit as evidence, its span mapped back to the field as received."""
        start, end = (None, None) if hit.start is None or hit.end is None else self.received_span(hit)
        return Evidence(
            signal=hit.signal,
            field=hit.field,
            start=start,
            end=end,
            score=hit.score if score is None else score,
            detail=(hit.detail if detail is None else detail)[:_DETAIL_LIMIT],
        )


def _place(hit: Hit) -> tuple[str, int, int, int]:
    return hit.field, -1 if hit.start is None else hit.start, -1 if hit.end is None else hit.end, hit.variant
