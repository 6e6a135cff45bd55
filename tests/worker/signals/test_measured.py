"""Places, evidence and discourse are worked out when somebody asks."""

from __future__ import annotations

import pytest

from tests.worker.signals.policies import patterns, policy, post, source, words
from worker.signals.bank import SignalBank
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Discourse, Hit


@pytest.fixture(scope="module")
def bank() -> SignalBank:
    made = policy(
        terms=(words("test.kill", "kill", score=0.6, detail="x" * 300), words("test.weapon", "gun")),
        expressions=(patterns("test.kill", r"\bkill\b", score=0.9), patterns("test.time", "tonight")),
    )
    return SignalBank([source(made)], detectors=[], grammar=(), backend="re2")


def one(bank: SignalBank, text: str, **fields: str) -> MeasuredSignals:
    (signals,) = bank.measure([post(text, **fields)])
    return signals


def test_hits_are_sorted_by_field_then_start(bank: SignalBank) -> None:
    signals = one(bank, "tonight a gun will kill", bio="gun")
    hits = signals.hits("test.kill", "test.time", "test.weapon", "test.absent")
    assert [(hit.field, hit.signal) for hit in hits] == [
        ("bio", "test.weapon"),
        ("text", "test.time"),
        ("text", "test.weapon"),
        ("text", "test.kill"),
    ]


def test_one_place_is_one_hit_with_the_best_score(bank: SignalBank) -> None:
    (hit,) = one(bank, "kill").hits("test.kill")
    assert hit.score == 0.9


def test_the_same_hits_come_back(bank: SignalBank) -> None:
    signals = one(bank, "kill")
    assert signals.hits("test.kill") is signals.hits("test.kill")


def test_evidence_takes_the_rules_score_and_a_short_detail(bank: SignalBank) -> None:
    signals = one(bank, "kill")
    hit = Hit("test.kill", "text", 0, 4, 0.6, "x" * 300)
    assert signals.evidence(hit, score=0.1).score == 0.1
    assert len(signals.evidence(hit).detail) == 256


def test_a_hit_without_a_place_has_evidence_without_one(bank: SignalBank) -> None:
    signals = one(bank, "kill")
    hit = Hit("test.model", "text", None, None, 0.7)
    assert signals.evidence(hit).start is None
    assert signals.sentence(hit) == (0, 4)
    assert signals.discourse(hit) == Discourse()


def test_discourse_reads_the_variant_of_the_hit(bank: SignalBank) -> None:
    signals = one(bank, "he said k.i.l.l. I never k1ll anyone")
    first, second = signals.hits("test.kill")
    assert signals.discourse(first).attributed
    assert signals.discourse(second).negated
    left, right = signals.sentence(second)
    assert signals.text(variant=second.variant)[left:right] == "i never kill anyone"
