"""A bank asks observers for what rules wait for, and the others where a rule looks."""

from __future__ import annotations

import timeit

import pytest

from tests.worker.signals.observers.helpers import account, media, post
from tests.worker.signals.policies import policy, source, words
from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.bank import SignalBank
from worker.signals.measured import MeasuredSignals
from worker.signals.observers import PlainObserver, load_observers
from worker.signals.observing import Observing
from worker.signals.view import Hit

NEEDS = frozenset(("test.kill", "media.gore", "author.parody", "surface.reply"))


class Breaks(PlainObserver):
    """An observer that fails."""

    meanings = {"test.broken": "Never.", "test.broken-too": "Never."}  # noqa: RUF012 - a constant of a test

    def applies(self, subject: Subject) -> bool:
        return True

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        raise RuntimeError("no")


def bank(**more: object) -> SignalBank:
    made = policy(terms=(words("test.kill", "kill"), words("test.gun", "gun")))
    values: dict[str, object] = {
        "needs": NEEDS | {"test.gun"},
        "gates": {"test.kill", "media.gore"},
        "detectors": [],
        "grammar": (),
        "backend": "re2",
        **more,
    }
    return SignalBank([source(made)], **values)  # type: ignore[arg-type]  # tests override any of them


@pytest.fixture(scope="module")
def measuring() -> SignalBank:
    return bank()


def one(measuring: SignalBank, subject: Subject) -> MeasuredSignals:
    (signals,) = measuring.measure([subject])
    return signals


GORE = media(scores={"gore": 0.7})
PARODY = {"parody": True}


def test_media_that_a_rule_waits_for_fires_with_evidence_without_a_place(measuring: SignalBank) -> None:
    signals = one(measuring, post("", media=[GORE]))
    (hit,) = signals.hits("media.gore")
    evidence = signals.evidence(hit)
    assert (evidence.signal, evidence.field, evidence.start, evidence.end) == (
        "media.gore",
        "media[0]",
        None,
        None,
    )
    assert evidence.score == 0.7
    assert signals.text("media[0]") == ""
    assert signals.sentence(hit) == (0, 0)


def test_the_others_are_observed_only_where_something_opened_the_subject(measuring: SignalBank) -> None:
    assert one(measuring, post("a quiet day", author=PARODY, surface="reply")).fired == frozenset()
    opened = one(measuring, post("kill", author=PARODY, surface="reply"))
    assert opened.fired == {"test.kill", "author.parody", "surface.reply"}
    assert [hit.field for hit in opened.hits("author.parody")] == ["author.parody"]


def test_media_opens_the_context_of_the_text_as_well(measuring: SignalBank) -> None:
    signals = one(measuring, post("a gun", media=[GORE], author=PARODY))
    assert {"media.gore", "test.gun", "author.parody"} <= signals.fired


def test_other_signals_of_an_observer_open_nothing(measuring: SignalBank) -> None:
    signals = one(measuring, post("a gun", media=[media(kind="video")], author=PARODY))
    assert signals.fired == frozenset()


def test_names_that_nobody_needs_are_left_out() -> None:
    assert "rights.copyright" not in bank().names
    assert "rights.copyright" in bank(needs=None).names
    assert bank(needs=None, observers=()).names == {"test.kill", "test.gun"}


def test_a_profile_fires_where_a_rule_waits_for_it() -> None:
    waiting = bank(needs={"account.profile"}, gates={"account.profile"})
    assert one(waiting, account({"handle": "ann"})).fired == {"account.profile"}
    assert one(waiting, post("hello")).fired == frozenset()


def test_an_observer_that_fails_is_named_and_stops_nobody() -> None:
    broken = bank(
        needs=None, gates={"test.kill", "test.broken", "media.gore"}, observers=[Breaks(), *load_observers()]
    )
    signals = one(broken, post("kill", media=[GORE]))
    assert signals.failed == {"test.broken", "test.broken-too"}
    assert {"test.kill", "media.gore"} <= signals.fired


def test_without_gates_every_observer_runs(measuring: SignalBank) -> None:
    signals = one(bank(gates=None), post("a quiet day", author=PARODY, surface="reply"))
    assert signals.fired == {"author.parody", "surface.reply"}


def test_a_thread_is_measured_when_a_rule_asks(measuring: SignalBank) -> None:
    replied = {"post_id": "2", "text": "I will k1ll it"}
    signals = one(measuring, post("kill", in_reply_to=replied, quotes={"post_id": "3", "text": "my GUN"}))
    assert signals.thread == {"test.kill", "test.gun"}
    assert "test.gun" not in signals.fired
    assert signals.thread is signals.thread


def test_a_thread_without_texts_is_empty(measuring: SignalBank) -> None:
    assert one(measuring, post("kill")).thread == frozenset()
    assert one(measuring, post("kill", quotes={"post_id": "3"})).thread == frozenset()
    assert one(measuring, account({"bio": "kill"})).thread == frozenset()


def test_an_ordinary_post_costs_next_to_nothing() -> None:
    gates = {"media.gore", "hash.violence", "account.profile", "author.follow-churn", "rights.copyright"}
    observing = Observing(load_observers(), Facts(), None, gates)
    subject = post("just a day", author={"handle": "ann", "followers": 50})
    failed: set[str] = set()
    runs = 20_000
    seconds = min(timeit.repeat(lambda: observing.gates(subject, failed), number=runs, repeat=5)) / runs
    assert observing.gates(subject, failed) is None
    assert seconds < 5e-6  # measured: 0.4e-6; loose, as other work shares the machine
