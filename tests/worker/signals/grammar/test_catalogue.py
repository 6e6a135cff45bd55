"""The page of signals says what the files say."""

from __future__ import annotations

from pathlib import Path

from worker.signals.detectors import load_detectors
from worker.signals.grammar import load_grammar
from worker.signals.grammar.catalogue import catalogue
from worker.signals.observers import load_observers

PAGE = Path(__file__).parents[4] / "docs" / "signals.md"


def test_the_page_is_current() -> None:
    page = PAGE.read_text("utf-8")
    assert page == catalogue(), "run: python -m worker.signals.grammar.catalogue > docs/signals.md"


def test_every_signal_has_one_row() -> None:
    names = {name for file in load_grammar() for name in file.names}
    names |= {name for detector in load_detectors() for name in detector.names}
    names |= {name for observer in load_observers() for name in observer.names}
    page = catalogue()
    assert {name for name in names if page.count(f"| `{name}` |") != 1} == set()
