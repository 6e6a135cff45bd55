"""Runs one detector on a text as the signal bank does: folded text, spans of its triggers."""

from __future__ import annotations

import re2

from worker.signals.canonical import canonicalise
from worker.signals.detectors import Detector
from worker.signals.view import Hit


def detect(detector: Detector, text: str) -> list[Hit]:
    """The hits in a text."""
    folded = canonicalise(text).text
    spans: set[tuple[int, int]] = set()
    for trigger in detector.triggers:
        for count, match in enumerate(re2.finditer(trigger, folded)):
            if count == 100:
                break
            spans.add(match.span())
    return detector.detect("text", folded, sorted(spans)) if spans else []


def found(detector: Detector, text: str, least: float = 0.5) -> list[tuple[str, str]]:
    """Signal and text of each hit that is trusted at least this much."""
    folded = canonicalise(text).text
    return [
        (hit.signal, folded[hit.start or 0 : hit.end or 0])
        for hit in detect(detector, text)
        if hit.score >= least
    ]
