"""RE2 as this project uses it: errors in words, nothing logged, spans in code points."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import re2

# Where an expression that can match nothing shows it.
_PROBES = ("", "a", "a a", " ", "\n", "0", ".")


class Regex:
    """One compiled RE2 expression; groups are not captured.

    Raises:
        ValueError: RE2 does not take it; the message says why in words for whoever wrote it.
    """

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str, *, max_mem: int = 8 << 20) -> None:
        self.pattern = pattern
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.max_mem = max_mem
        try:
            self._compiled = re2.compile(pattern, options=options)
        except re2.error as error:
            raise ValueError(_reason(error)) from error

    def matches(self, text: str) -> bool:
        """Whether it matches anywhere."""
        return self._compiled.search(text.encode()) is not None

    def spans(self, text: str, limit: int | None = None) -> list[tuple[int, int]]:
        """Where it matches, half-open in code points, from the left, without overlaps; at most `limit`."""
        # On bytes RE2 needs no translation of offsets, which costs more than the match.
        found: Iterator[re2._Match] = self._compiled.finditer(text.encode() if text.isascii() else text)
        return [match.span() for match in islice(found, limit)]


def check_expression(pattern: str) -> None:
    """Raises ValueError with the reason when a pattern cannot be scanned with in linear time."""
    compiled = Regex(pattern)
    for probe in _PROBES:
        if any(start == end for start, end in compiled.spans(probe)):
            raise ValueError("it matches the empty string, so it would fire everywhere")


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else ""
    text = cause.decode("utf-8", "replace") if isinstance(cause, bytes) else str(cause)
    if "invalid perl operator: (?" in text:
        return f"look-around and its like do not run in linear time, so RE2 refuses them ({text})"
    if text.startswith("invalid escape sequence: \\") and text[-1:].isdigit():
        return f"back-references do not run in linear time, so RE2 refuses them ({text})"
    return f"not an RE2 expression: {text}"
