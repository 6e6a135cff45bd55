"""How the tests of discourse write a text: what is judged stands in square brackets."""

from __future__ import annotations

import dataclasses

import pytest

from worker.signals.canonical import canonicalise
from worker.signals.discourse import discourse_of

Texts = dict[str, tuple[list[str], list[str]]]  # flag: texts that raise it, texts that do not


def flags(marked: str, lang: str | None) -> set[str]:
    """The flags that are up for the bracketed words of a text as received."""
    before, _, rest = marked.partition("[")
    hit, _, after = rest.partition("]")
    text = canonicalise(f"{before}{hit}{after}").text
    wanted = canonicalise(hit).text
    start = text.index(wanted)
    seen = dataclasses.asdict(discourse_of(text, start, start + len(wanted), lang))
    return {name for name, up in seen.items() if up}


def raising(texts: Texts) -> list[object]:
    """Parameters (flag, text) of the texts that raise their flag."""
    return [
        pytest.param(flag, text, id=f"{flag}-{i}") for flag in texts for i, text in enumerate(texts[flag][0])
    ]


def not_raising(texts: Texts) -> list[object]:
    """Parameters (flag, text) of the texts that do not."""
    return [
        pytest.param(flag, text, id=f"{flag}-{i}") for flag in texts for i, text in enumerate(texts[flag][1])
    ]
