"""Detectors are found by folder."""

from __future__ import annotations

from worker.signals.detectors import load_detectors
from worker.signals.regex import check_expression


def test_every_module_with_a_detector_is_found() -> None:
    names = frozenset().union(*(detector.names for detector in load_detectors()))
    assert names >= {"link.url", "mention.account", "contact.phone", "contact.email", "number.card"}


def test_every_trigger_can_be_scanned_with() -> None:
    for detector in load_detectors():
        assert detector.names
        for trigger in detector.triggers:
            check_expression(trigger)
