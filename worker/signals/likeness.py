"""Whether two names look the same, or nearly so, to whoever reads them in passing.

`skeleton` follows the idea of UTS 39 (https://www.unicode.org/reports/tr39/#Confusable_Detection, read 2026-11-23): two
strings are confusable when their skeletons are equal. Look-alike letters come from the project's folding tables; what
looks alike within ASCII is added here.
"""

from __future__ import annotations

from worker.signals.folding import fold

# Pairs of letters that are read as one, then single characters; after them "l" stands for l, i, 1 and |.
_PAIRS = (("rn", "m"), ("vv", "w"))
_SINGLES = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "5": "s", "$": "s", "3": "e", "@": "a"})


def letters(text: str) -> str:
    """The folded letters and digits of a text, every look-alike read as Latin where a Latin text could hold it."""
    # A wholly Cyrillic "РауРаl" is left alone in running text; as a name it must be compared with Latin ones.
    return "".join(char for char in fold(f"x {text}")[2:] if char.isalnum() or char in "|$@")


def skeleton(text: str) -> str:
    """What remains of a name once everything that looks alike is one: equal skeletons look alike."""
    plain = letters(text)
    for pair, single in _PAIRS:
        plain = plain.replace(pair, single)
    return plain.translate(_SINGLES)


def distance(one: str, other: str, limit: int) -> int:
    """Insertions, deletions, exchanges and swaps of neighbours from one text to the other; `limit + 1` when more.

    The optimal string alignment distance, worked out in a band around the diagonal: O(limit * length).
    """
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    far = limit + 1
    before: list[int] = []
    row = [min(column, far) for column in range(len(other) + 1)]
    for i, char in enumerate(one, 1):
        last, row_before = row, before
        row = [far] * (len(other) + 1)
        if i <= limit:
            row[0] = i
        for j in range(max(1, i - limit), min(len(other), i + limit) + 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (char != other[j - 1]))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == other[j - 1]:
                cost = min(cost, row_before[j - 2] + 1)
            row[j] = min(cost, far)
        before = last
        if min(row) >= far:
            return far
    return row[len(other)]
