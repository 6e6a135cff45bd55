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
        # On bytes RE2's wrapper translates no offsets; that costs more than the match, and is needed for hits only.
        data = text.encode()
        found: Iterator[re2._Match] = self._compiled.finditer(data)
        spans = [match.span() for match in islice(found, limit)]
        return spans if not spans or len(data) == len(text) else list(_code_points(data, spans))


def _code_points(data: bytes, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Byte spans of a UTF-8 text as spans of code points; in one pass, as they are in order."""
    done = count = 0
    for start, end in spans:
        count += len(data[done:start].decode())
        first = count
        count += len(data[start:end].decode())
        done = end
        yield first, count


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
