"""Observers are found by their folder, and each explains every name."""

from __future__ import annotations

from worker.engine.facts import Facts
from worker.engine.policy import POLICY_IDS
from worker.signals.detectors import load_detectors
from worker.signals.observers import load_observers


def test_every_observer_of_the_folder_is_loaded_once_with_names_of_its_own() -> None:
    observers = load_observers()
    assert len(observers) == 10
    names = [name for observer in observers for name in observer.names]
    assert len(names) == len(set(names))
    assert not set(names) & {name for detector in load_detectors() for name in detector.names}


def test_every_name_has_a_meaning_in_a_plain_sentence() -> None:
    for observer in load_observers():
        assert observer.names == frozenset(observer.meanings)
        for meaning in observer.meanings.values():
            assert meaning[0].isupper()
            assert meaning.endswith(".")


def test_every_policy_has_a_name_for_its_hash_banks_and_prints() -> None:
    names = {name for observer in load_observers() for name in observer.names}
    assert {f"hash.{policy}" for policy in POLICY_IDS} <= names
    assert {f"text-print.{policy}" for policy in POLICY_IDS} <= names


def test_only_what_asks_facts_waits_for_them() -> None:
    idle = [observer for observer in load_observers() if not observer.ready(Facts())]
    assert sorted(min(observer.names).partition(".")[0] for observer in idle) == [
        "author",
        "circumvention",
        "identity",
        "text-print",
    ]
