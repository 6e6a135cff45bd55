"""What the shared detectors have in common: bounded reading around a match."""

from __future__ import annotations

from collections.abc import Iterable

# A post with more candidates than this is a list or an attack; the first ones decide it as well.
MAX_SPANS = 64
# Words that say what a number is stand close to it; further away they speak of something else.
WORDS_BEFORE = 48
WORDS_AFTER = 28


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set to look in."""
    return frozenset(text.split())


def distinct(spans: Iterable[tuple[int, int]], limit: int = MAX_SPANS) -> list[tuple[int, int]]:
    """At most `limit` spans, sorted, overlapping ones joined."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif len(joined) == limit:
            break
        else:
            joined.append((start, end))
    return joined


def has_near(
    text: str,
    span: tuple[int, int],
    wanted: Iterable[str],
    before: int = WORDS_BEFORE,
    after: int = WORDS_AFTER,
) -> bool:
    """Whether one of the words stands near the span, as whole words, any punctuation around them."""
    start, end = span
    around = f" {text[max(0, start - before) : start]} \x00 {text[end : end + after]} "
    folded = "".join(char if char.isalnum() else " " for char in around)
    folded = f" {' '.join(folded.split())} "
    return any(f" {word} " in folded for word in wanted)


def cut_from_run(text: str, span: tuple[int, int]) -> bool:
    """Whether the span is a piece of a longer run of letters and digits, so not a number by itself."""
    start, end = span
    return (start > 0 and text[start - 1].isalnum()) or (end < len(text) and text[end].isalnum())
