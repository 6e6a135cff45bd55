"""Mentions of accounts: "@name" in a text."""

from __future__ import annotations

from collections.abc import Sequence

from worker.signals.view import Hit

_LONGEST = 30  # characters of a name; what is longer is no name of an account
MEANINGS = {"mention.account": "An account is named with its @name."}


class MentionDetector:
    """Reports `mention.account`; the span holds the "@" and the name. An e-mail address is no mention."""

    names = frozenset(("mention.account",))
    triggers = (rf"(?:^|[^a-z0-9_@/+-])@[a-z0-9_]{{1,{_LONGEST}}}\b",)
    exact = True  # a match of the trigger is a hit: the places are looked for only when somebody asks

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """One hit for each mention."""
        return [
            Hit("mention.account", field, text.index("@", start), end, 1.0, "account")
            for start, end in sorted(spans)
        ]


DETECTOR = MentionDetector()
