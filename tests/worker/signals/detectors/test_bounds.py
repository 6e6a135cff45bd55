"""Every detector of contact data and numbers stays quick on hostile texts and keeps its spans inside them."""

from __future__ import annotations

import time

import pytest
import re2

from tests.worker.signals.detectors.helpers import detect
from worker.signals.detectors import Detector, address, contact, national_ids, numbers

DETECTORS = [contact.DETECTOR, address.DETECTOR, numbers.DETECTOR, national_ids.DETECTOR]
BOMBS = {
    "digits": "1234567890" * 10_000,
    "cards": "4539 0123 4509 8716 " * 5_000,
    "phones": "212-555-0147 " * 7_700,
    "mailboxes": "a.b@c.example.net " * 5_500,
    "at signs": "@" * 100_000,
    "addresses": "12 oak street, ste 4, dunmere tx 75999 " * 2_500,
    "digit words": "five five five " * 6_600,
    "dots": "1.2.3.4.5.6.7.8.9." * 5_500,
    "coordinates": "40.712345, -74.005678 " * 4_500,
    "colons": "a:1:" * 25_000,
    "mathematical digits": "\U0001d7d9" * 100_000,
}


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
@pytest.mark.parametrize("bomb", BOMBS)
def test_a_hundred_kilobytes_are_judged_within_the_budget(detector: Detector, bomb: str) -> None:
    text = BOMBS[bomb]
    spans = set()
    for trigger in detector.triggers:
        for count, match in enumerate(re2.finditer(trigger, text)):
            if count == 100:  # the bank takes no more
                break
            spans.add(match.span())
    # Processor time, best of two: other processes on the machine do not count.
    best = min(_timed(detector, text, sorted(spans)) for _ in range(2))
    assert best < 0.05


def _timed(detector: Detector, text: str, spans: list[tuple[int, int]]) -> float:
    start = time.process_time()
    detector.detect("text", text, spans)
    return time.process_time() - start


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: type(detector).__name__)
@pytest.mark.parametrize("bomb", BOMBS)
def test_hits_lie_inside_the_text_and_are_sorted(detector: Detector, bomb: str) -> None:
    text = BOMBS[bomb][:2_000]
    hits = detect(detector, text)
    assert all(
        hit.start is not None and hit.end is not None and 0 <= hit.start < hit.end <= len(text)
        for hit in hits
    )
    assert [hit.start for hit in hits] == sorted(hit.start or 0 for hit in hits)
    assert all(hit.signal in detector.names and 0 < hit.score <= 1 for hit in hits)
