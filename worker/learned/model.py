"""What a trained model is to the worker: the protocols, and the description that stands beside its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.base import PolicyId

BINS = 10  # of equal width, in which scores are counted for drift

Probabilities = NDArray[np.float64]


class ModelError(ValueError):
    """A model's files cannot be used; the message says why."""


class About(BaseModel):
    """The description of a model, the JSON file beside its weights.

    `heads` are the policies that it scores, in the order of its outputs; `calibration` holds `(a, b)` for each:
    the probability is `1 / (1 + exp(-(a * logit + b)))`. `languages` are those that it was trained to read.
    `reference` counts, for each head, the calibrated scores of ordinary texts in ten equal bins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    heads: Annotated[tuple[PolicyId, ...], Field(min_length=1)]
    calibration: tuple[tuple[float, float], ...]
    languages: Annotated[tuple[str, ...], Field(min_length=1)]  # primary subtags; ("*",): any
    max_tokens: Annotated[int, Field(ge=8, le=512)] = 128
    reference: dict[PolicyId, tuple[int, ...]] = {}
    trained: date | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if len(self.calibration) != len(self.heads) or len(set(self.heads)) != len(self.heads):
            raise ValueError("calibration needs one pair for each head, and each head is named once")
        if any(slope <= 0.0 for slope, _ in self.calibration):
            raise ValueError(
                "calibration: slopes are above zero, or a higher logit would be a lower probability"
            )
        if any(len(counts) != BINS for counts in self.reference.values()):
            raise ValueError(f"reference holds {BINS} counts for each head")
        return self

    def probabilities(self, logits: NDArray[np.float64]) -> Probabilities:
        """Calibrated probabilities, of the same shape `(…, heads)`, four decimals."""
        slope, shift = np.array(self.calibration, dtype=np.float64).T
        scaled = np.clip(logits * slope + shift, -60.0, 60.0)
        found: Probabilities = np.round(1.0 / (1.0 + np.exp(-scaled)), 4)
        return found


class Span(NamedTuple):
    """A part of a text that carried a score: half-open code points, and how much of it (0..1)."""

    start: int
    end: int
    share: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model says of one text. `spans` holds, by head, what carried its score, strongest first."""

    probabilities: Probabilities
    spans: dict[int, tuple[Span, ...]]


class FastModel(Protocol):
    """Scores every text. The score of a text never depends on what else is in the batch."""

    heads: tuple[str, ...]
    languages: frozenset[str]

    @property
    def reference(self) -> Mapping[str, Sequence[int]]:
        """Counts of the scores of ordinary texts, see `About`; may be empty."""
        ...

    def score(self, texts: Sequence[str]) -> NDArray[np.floating]:
        """Calibrated probabilities, one row a text, one column a head; four decimals."""
        ...

    def best_window(self, text: str, head: str) -> tuple[int, int]:
        """The half-open span of code points whose score decides; the whole of a short text."""
        ...

    def spans(self, text: str, head: str) -> Sequence[tuple[int, int, float]]:
        """What carried a head's score, strongest first: start and end in code points of the text, and the weight."""
        ...


class SecondModel(Protocol):
    """Reads the few texts of which the fast model is unsure."""

    heads: tuple[str, ...]
    languages: frozenset[str]

    @property
    def reference(self) -> Mapping[str, Sequence[int]]:
        """As `FastModel.reference`."""
        ...

    def read(self, text: str, explain: Sequence[float]) -> Reading:
        """One text's probabilities, with spans for each head that reaches its entry in `explain`.

        Raises:
            Exception: it failed; the text is then judged by a person.
        """
        ...


def read_about(path: Path) -> About:
    """Reads a model's description.

    Raises:
        ModelError: it cannot be read or is no such description.
    """
    try:
        return About.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path.name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if len(lines) < 3 else f"{lines[1]}: {lines[2].strip()}"
