"""Mentions are found, e-mail addresses are none."""

from __future__ import annotations

import pytest

from tests.worker.signals.policies import post
from worker.signals.bank import SignalBank
from worker.signals.detectors.mentions import DETECTOR


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("@Bob hi @ann_1, .@carl", ["@Bob", "@ann_1", "@carl"]),
        ("(@bob)", ["@bob"]),
        ("so “nice” @bob", ["@bob"]),
        ("mail x@example.com", []),
        ("@ bob", []),
        ("@" + "a" * 40, []),
    ],
)
def test_mentions_are_found_whole(text: str, mentions: list[str]) -> None:
    (signals,) = SignalBank([], detectors=[DETECTOR], grammar=(), backend="re2").measure([post(text)])
    assert [text[slice(*signals.received_span(hit))] for hit in signals.hits("mention.account")] == mentions
