"""Runs the observers of a bank: at once those that a rule waits for, the others only where some rule looks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import Observer
from worker.signals.view import Hit


class Observing:
    """The observers that somebody needs, and the facts that they ask.

    Args:
        observers: all there are.
        facts: those of the pack; an observer that can report nothing with them does not run.
        needs: names that rules read; None keeps every observer.
        gates: names that make some rule look at a subject; None: every name is one.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        facts: Facts,
        needs: Collection[str] | None,
        gates: Collection[str] | None,
    ) -> None:
        needed = [one for one in observers if needs is None or not one.names.isdisjoint(needs)]
        self.names: frozenset[str] = frozenset().union(*(one.names for one in needed))
        ready = [one for one in needed if one.ready(facts)]
        self._facts = facts
        self._gates = _with_questions(
            [one for one in ready if gates is None or not one.names.isdisjoint(gates)]
        )
        self._plain_gates = tuple(pair for pair in self._gates if pair[1].on_plain_posts)
        self._context = _with_questions(
            [one for one in ready if gates is not None and one.names.isdisjoint(gates)]
        )

    def gates(self, subject: Subject, failed: set[str]) -> list[Hit] | None:
        """What the observers see that a rule waits for; None, most often, when none of them applies.

        Names of an observer that failed are added to `failed`.
        """
        hits = None
        post = subject.post
        plain = post is not None and not post.media and subject.report is None
        for applies, observer in self._plain_gates if plain else self._gates:
            if applies(subject):
                hits = self._observe(observer, subject, failed, hits or [])
        return hits

    def context(self, subject: Subject, failed: set[str]) -> list[Hit]:
        """What all others see, for subjects that some rule looks at."""
        hits: list[Hit] = []
        for applies, observer in self._context:
            if applies(subject):
                hits = self._observe(observer, subject, failed, hits)
        return hits

    def _observe(self, observer: Observer, subject: Subject, failed: set[str], hits: list[Hit]) -> list[Hit]:
        try:
            return [*hits, *observer.observe(subject, self._facts)]
        except Exception:  # noqa: BLE001 - one observer's failure is named and must not stop the others
            failed.update(observer.names)
            return hits


def _with_questions(
    observers: Sequence[Observer],
) -> tuple[tuple[Callable[[Subject], bool], Observer], ...]:
    """Each observer after its `applies`, looked up once: it is asked for every subject."""
    return tuple((observer.applies, observer) for observer in observers)
