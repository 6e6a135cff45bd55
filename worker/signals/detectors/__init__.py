"""Detectors: measurements that need more than an expression. Each module here with a `DETECTOR` is one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

from worker.signals.parts import load_parts
from worker.signals.view import Hit


class Detector(Protocol):
    """One measurement.

    `names` are the signals that it may report. `triggers` are RE2 expressions over canonical text
    (variant 0): it runs only on texts where one of them matched. A detector whose module sets `exact = True` on
    it has one name, and a match of its triggers always means a hit: it is run only when its hits are read.
    """

    @property
    def names(self) -> frozenset[str]:
        """The signals that it may report."""
        ...

    @property
    def triggers(self) -> tuple[str, ...]:
        """RE2 expressions over canonical text; it runs only where one of them matched."""
        ...

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """The hits in one canonical text; `spans` are where the triggers matched, in ascending order."""
        ...


@cache
def load_detectors() -> tuple[Detector, ...]:
    """All detectors of this folder, in the order of their modules' names.

    Raises:
        ValueError: two of them report the same signal.
    """
    return load_parts(__name__, __path__, "DETECTOR")
