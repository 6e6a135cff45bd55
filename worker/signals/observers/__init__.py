"""Observers: signals of what is not text. Each module here with an `OBSERVER` is one.

What they report has no place in a text (`start` and `end` are None) and holds in every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Protocol

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.parts import load_parts
from worker.signals.view import Hit


class Observer(Protocol):
    """One group of measurements that are made together."""

    @property
    def names(self) -> frozenset[str]:
        """The signals that it may report."""
        ...

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each of them says, in one plain sentence."""
        ...

    @property
    def on_plain_posts(self) -> bool:
        """Whether it may apply to a post without media that no report brought: nearly all subjects are such."""
        ...

    def ready(self, facts: Facts) -> bool:
        """Whether it can report anything at all with these facts; asked once for a pack."""
        ...

    def applies(self, subject: Subject) -> bool:
        """Whether it is worth to observe this subject: asked for every one, so it may cost next to nothing."""
        ...

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """What it sees in a subject that it applies to; all hits without a place."""
        ...


class PlainObserver:
    """An observer that needs no facts; `meanings` says what it reports."""

    meanings: Mapping[str, str]
    on_plain_posts: bool = True

    @property
    def names(self) -> frozenset[str]:
        """The signals that it may report."""
        return frozenset(self.meanings)

    def ready(self, facts: Facts) -> bool:
        """Always."""
        return True


@cache
def load_observers() -> tuple[Observer, ...]:
    """All observers of this folder, in the order of their modules' names.

    Raises:
        ValueError: two of them report the same signal.
    """
    return load_parts(__name__, __path__, "OBSERVER")
