"""Texts with their evidence marked: in colour on a terminal, with carets underneath elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.text import Text

from worker.cli.output import printable

MARK_STYLE = "bold white on red"
_COLUMNS = 100  # a marked line longer than this is folded, or its carets would wrap away from it

Span = tuple[int, int]


def merged(spans: Iterable[Span], length: int) -> list[Span]:
    """Half-open spans inside a text of this length, sorted, overlapping and touching ones joined."""
    result: list[Span] = []
    for start, end in sorted((max(0, start), min(end, length)) for start, end in spans):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def mark(text: str, spans: Iterable[Span], *, style: str = MARK_STYLE) -> Text:
    """The text with its evidence in colour. Spans are code points of the text as received."""
    marked = Text(printable(text))
    for start, end in merged(spans, len(text)):
        marked.stylize(style, start, end)
    return marked


def underline(text: str, spans: Sequence[Span], *, columns: int = _COLUMNS) -> str:
    """The text with a line of carets under each line that holds evidence.

    Long lines are folded at `columns`; carets count terminal cells, so they also stand right under
    wide characters.
    """
    shown = printable(text)
    joined = merged(spans, len(text))
    lines: list[str] = []
    start = 0
    for whole in shown.split("\n"):
        for piece_start, piece in _folded(whole, columns):
            lines.append(piece)
            carets = _carets(piece, start + piece_start, joined)
            if carets:
                lines.append(carets)
        start += len(whole) + 1
    return "\n".join(lines)


def bracketed(text: str, spans: Iterable[Span]) -> str:
    """The text on one line with `[evidence]` in brackets, for logs and plain tables."""
    shown = printable(text).replace("\n", " ")
    parts: list[str] = []
    last = 0
    for start, end in merged(spans, len(text)):
        parts += [shown[last:start], "[", shown[start:end], "]"]
        last = end
    parts.append(shown[last:])
    return "".join(parts)


def excerpt(text: str, spans: Sequence[Span], length: int) -> tuple[str, list[Span]]:
    """At most `length` code points around the first piece of evidence, with the spans moved along.

    What was cut is shown by an ellipsis, which counts.
    """
    joined = merged(spans, len(text))
    if len(text) <= length:
        return text, joined
    first = joined[0][0] if joined else 0
    begin = max(0, min(first - length // 4, len(text) - length))
    end = begin + length
    head, tail = ("…" if begin else ""), ("…" if end < len(text) else "")
    begin, end = begin + len(head), end - len(tail)
    moved = [
        (start - begin + len(head), stop - begin + len(head))
        for start, stop in joined
        if stop > begin and start < end
    ]
    body = head + text[begin:end] + tail
    return body, merged(
        ((max(start, len(head)), min(stop, len(body) - len(tail))) for start, stop in moved), len(body)
    )


def _folded(line: str, columns: int) -> Iterable[tuple[int, str]]:
    """Pieces of a line of at most this many cells, each with its first code point; prefers to break after a space."""
    start = 0
    while cell_len(line[start:]) > columns:
        end, width = start, 0
        while end < len(line):
            wide = cell_len(line[end])
            if width + wide > columns:
                break
            width += wide
            end += 1
        space = line.rfind(" ", start, end)
        end = space + 1 if space > start + (end - start) // 2 else max(end, start + 1)
        yield start, line[start:end]
        start = end
    yield start, line[start:]


def _carets(piece: str, offset: int, spans: Sequence[Span]) -> str:
    marks: list[str] = []
    for index, character in enumerate(piece, offset):
        inside = any(start <= index < end for start, end in spans)
        marks.append(("^" if inside else " ") * cell_len(character))
    return "".join(marks).rstrip()
