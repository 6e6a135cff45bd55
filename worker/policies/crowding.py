"""Whether a text repeats itself so often that not all of it was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from worker.engine.contract import Outcome, Verdict
from worker.signals.detection import MAX_SPANS
from worker.signals.view import Hit, Signals

# Places of one signal in one field. Detectors look at no more candidates, the scanner tells of 100.
CROWD = MAX_SPANS


def crowd(signals: Signals, names: Iterable[str]) -> Hit | None:
    """The last told place of a signal of which there may be more in its field; None where all were told."""
    for name in sorted(signals.fired.intersection(names)):
        hits = signals.hits(name)
        if len(hits) < CROWD:
            continue
        fields = Counter((hit.field, hit.variant) for hit in hits)
        for hit in reversed(hits):
            if fields[hit.field, hit.variant] >= CROWD:
                return hit
    return None


def doubted(verdict: Verdict, signals: Signals, names: Iterable[str], review_score: float) -> Verdict:
    """The verdict, or where it would pass a text of which not all was looked at, a doubt for a person to settle.

    Whoever hides one sentence among a hundred harmless ones like it gets a reader.
    """
    if verdict.outcome is not Outcome.CLEAR or verdict.score >= review_score:
        return verdict
    last = crowd(signals, names)
    if last is None:
        return verdict
    why = "repeats itself; not all of it was looked at"
    evidence = verdict.evidence or (signals.evidence(last, score=review_score, detail=why),)
    return Verdict(Outcome.CLEAR, review_score, evidence, at_risk=verdict.at_risk)
