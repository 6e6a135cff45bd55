"""Stand-ins for trained models: each word of a text that names a number is a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.worker.engine.helpers import CACHE, PACK
from worker.engine.policy import Learned
from worker.engine.registry import LoadedPolicy, Pack, load_pack
from worker.learned.cascade import Cascade
from worker.learned.loading import Models
from worker.learned.model import Reading, Span

HEADS = ("illegal-goods", "suicide-self-harm")
LEARNED = Learned(band=0.1, review=0.5, remove=0.9)
HELPED = Learned(band=0.1, review=0.5, at_risk=True)


class Fast:
    """Says of "goods30" that `illegal-goods` is 0.30 likely, of "harm45" that `suicide-self-harm` is 0.45 likely."""

    heads = HEADS
    languages = frozenset({"en"})
    reference: Mapping[str, Sequence[int]] = {}

    def __init__(self) -> None:
        self.seen: list[str] = []

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.seen += texts
        return np.array([_said(text, "goods", "harm") for text in texts], np.float32).reshape(-1, 2)

    def best_window(self, text: str, head: str) -> tuple[int, int]:
        return (0, len(text))

    def spans(self, text: str, head: str) -> Sequence[tuple[int, int, float]]:
        return [(0, len(text.split(maxsplit=1)[0]), 1.0)] if text else []


class Second:
    """As `Fast`, by "readgoods95" and "readharm60"; fails over "broken"; the first word carries its scores."""

    heads = tuple(reversed(HEADS))
    languages = frozenset({"en"})
    reference: Mapping[str, Sequence[int]] = {}

    def __init__(self) -> None:
        self.read_texts: list[str] = []

    def read(self, text: str, explain: Sequence[float]) -> Reading:
        self.read_texts.append(text)
        if "broken" in text:
            raise RuntimeError("made to fail")
        goods, harm = _said(text, "readgoods", "readharm")
        probabilities = np.array([harm, goods])
        if "nonsense" in text:
            probabilities[:] = np.nan
        first = (Span(0, len(text.split(maxsplit=1)[0]), 1.0),)
        spans = {head: first for head in range(2) if probabilities[head] >= explain[head]}
        return Reading(probabilities, spans)


class OnlyHarm(Second):
    """A second model that knows one policy only."""

    heads = HEADS[1:]

    def read(self, text: str, explain: Sequence[float]) -> Reading:
        return Reading(super().read(text, (2.0, 2.0)).probabilities[:1], {})


def _said(text: str, *names: str) -> list[float]:
    found = dict.fromkeys(names, 0.0)
    for word in text.split():
        for name in names:
            if word.startswith(name) and word.removeprefix(name).isdigit():
                found[name] = int(word.removeprefix(name)) / 100
    return list(found.values())


def pack_with_models(
    second: Second | None = None, *, share: float = 1.0, burst: int = 1_000, fast: Fast | None = None
) -> Pack:
    """The pack `care` of the tests, two of whose policies listen to models."""
    care = load_pack(PACK.parent / "care", cache_dir=CACHE)
    wanted = dict(zip(HEADS, (LEARNED, HELPED), strict=True))
    policies = tuple(_taught(loaded, wanted.get(loaded.policy.id)) for loaded in care.policies)
    cascade = Cascade(
        [loaded.policy for loaded in policies], fast or Fast(), second, share=share, burst=burst
    )
    return replace(care, policies=policies, models=Models(cascade, () if second else ("second",)))


def _taught(loaded: LoadedPolicy, learned: Learned | None) -> LoadedPolicy:
    return replace(loaded, policy=loaded.policy.model_copy(update={"learned": learned}))
