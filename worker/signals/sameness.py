"""Fingerprints by which texts are found alike that differ in names, links, numbers or a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from worker.signals.measured import MeasuredSignals


class TextPrint(NamedTuple):
    """What is kept of a text to know it again.

    `simhash` has 64 bits: two texts are alike when few of them differ. `sketch` is equal for most texts that are
    alike, and different for nearly all others: what is alike is looked for among those with the same sketch.
    `words` counts the words that went into both.
    """

    simhash: int
    sketch: int
    words: int


def print_texts(measured: Sequence[MeasuredSignals]) -> None:
    """Sets `text_print` of each measurement whose field "text" has words enough to be known again."""
