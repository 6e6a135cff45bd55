"""A rewriting of a text as a list of edits, so that a place in what came out can be told in what went in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple


class Edit(NamedTuple):
    """`text[start:end]` becomes `replacement`."""

    start: int
    end: int
    replacement: str


class Edits:
    """Edits of one text, in ascending order and disjoint."""

    __slots__ = ("_edits", "_out_ends", "_out_starts")

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._out_starts: list[int] = []
        self._out_ends: list[int] = []
        shift = 0
        for start, end, replacement in edits:
            self._out_starts.append(start + shift)
            self._out_ends.append(start + shift + len(replacement))
            shift += len(replacement) - (end - start)

    def apply(self, text: str) -> str:
        """The text with all edits made."""
        parts: list[str] = []
        done = 0
        for start, end, replacement in self._edits:
            parts.append(text[done:start])
            parts.append(replacement)
            done = end
        parts.append(text[done:])
        return "".join(parts)

    def back(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that the span `[start, end)` of the edited text came from.

        A code point inside a replacement came from all that it replaced. An empty span stays empty.
        """
        if start >= end:
            place = self._source(start)[0]
            return place, place
        return self._source(start)[0], self._source(end - 1)[1]

    def blank_runs(self) -> frozenset[int]:
        """Places in the edited text that hold one blank for several."""
        return frozenset(
            out
            for out, edit in zip(self._out_starts, self._edits, strict=True)
            if edit.replacement in (" ", "\n") and edit.end - edit.start > 1
        )

    def _source(self, place: int) -> tuple[int, int]:
        index = bisect_right(self._out_starts, place) - 1
        if index < 0:
            return place, place + 1
        edit = self._edits[index]
        if place < self._out_ends[index]:
            return edit.start, edit.end
        original = edit.end + place - self._out_ends[index]
        return original, original + 1
