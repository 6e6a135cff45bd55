"""What a rule sees of the measurements: the signals that fired in one subject, with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.engine.contract import Evidence


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a signal fired.

    `start` and `end` are half-open code points of the *canonical* text that `variant` names (0: folded
    text; 1: with obfuscation undone; see `worker.signals.canonical`), both None for a measurement
    without a place. `score` is what the policy file or the detector gives it. `languages` are those that the term or
    expression was written for, None for any.
    """

    signal: str
    field: str
    start: int | None
    end: int | None
    score: float = 1.0
    detail: str = ""
    variant: int = 0
    languages: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Discourse:
    """How the words around a hit use it, by shallow reading of its sentence.

    Every flag is independent; a rule decides what each one is worth to it.
    """

    negated: bool = False  # "I would never …", "not going to …", "don't …"
    quoted: bool = False  # inside quotation marks, or a block that starts with ">" or "RT @…:"
    attributed: bool = False  # someone else is named as the speaker: "he said", "texted me", "according to"
    reported: bool = False  # news or record register: "police", "was arrested", "sentenced", "alleged"
    conditional: bool = False  # "if", "unless", "would have"
    question: bool = False  # the sentence asks
    condemned: bool = (
        False  # counter-speech: "disgusting that", "stop saying", "reported this", "is never ok"
    )
    hyperbole: bool = False  # laughing or idiom markers: "lol", "haha", emoji of laughter, "literally dying"
    fiction: bool = (
        False  # a film, book, song or game speaks: "in the movie", "lyrics"; such words are attributed, too
    )


class Signals(Protocol):
    """The measurements of one subject."""

    lang: str | None
    fired: frozenset[str]  # names of all signals that fired in any field
    failed: frozenset[str]  # names of signals whose measurement failed
    uncovered: frozenset[str]  # names that fired only where the signal does not cover the subject's language

    @property
    def thread(self) -> frozenset[str]:
        """Names of signals that fire in the replied-to and quoted texts: somebody else's words.

        Measured when first asked for, whatever the language of those texts.
        """
        ...

    def hits(self, *names: str) -> Sequence[Hit]:
        """All hits of these signals, sorted by field, then start; empty when none fired."""
        ...

    def text(self, field: str = "text", variant: int = 0) -> str:
        """The canonical text of a field that hits of this variant point into; "" when there is none."""
        ...

    def sentence(self, hit: Hit) -> tuple[int, int]:
        """The half-open span, in the hit's canonical text, of the sentence that holds it."""
        ...

    def discourse(self, hit: Hit) -> Discourse:
        """How the hit is used; computed when asked for, once per hit."""
        ...

    def evidence(self, hit: Hit, *, score: float | None = None, detail: str | None = None) -> Evidence:
        """The hit as evidence, its span mapped back to the field as received."""
        ...
