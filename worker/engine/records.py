"""Records as they cross the edge of the core: bytes in, bytes out, no broker types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Record:
    """One record as received.

    `topic` is the contract's name without the prefix; `timestamp` is milliseconds since the epoch,
    as the broker stored it, and decides nothing but latency metrics and dead letters.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """One record to publish, on the partition number of the input it follows from unless `partition` names another.

    `value` None is a tombstone (compacted topics only).
    """

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A text of which the fast model was uncertain, for an operator's own model to read.

    `cause` names the text: the post's id, with the time of an edit that keeps it. `text` is what models read of it.
    `reviews` holds, for each policy that wants to know, the probability from which on it does: people at risk first.
    """

    post_id: str
    cause: str
    account_id: str
    lang: str | None
    created_at: datetime
    text: str
    reviews: Mapping[str, float]


@dataclass(slots=True)
class Begun:
    """A batch that is half judged. `think`, where not None, is to be called before it is finished, on any thread."""

    records: Sequence[Record]
    think: Callable[[], None] | None = field(default=None, init=False)


@dataclass(slots=True)
class Judged:
    """What follows from one batch of records; publishing all of it at once makes the batch done.

    `outputs` are in the order of the records. `state` maps keys of the `state` topic to their new
    values, each key once (None is a tombstone). `tally` counts what happened, for metrics: keys are
    `(metric name, *label values)` as `worker.metrics` declares them; `observed` are values of histograms, by such
    keys. `acted` holds the broker's timestamp of each record that an action follows from, for latency. `questions`
    are for an operator's own model, once all else is published; none where nobody is to be asked.
    """

    outputs: list[Output] = field(default_factory=list)
    state: dict[bytes, bytes | None] = field(default_factory=dict)
    tally: dict[tuple[str, ...], int] = field(default_factory=dict)
    acted: list[int] = field(default_factory=list)
    observed: list[tuple[tuple[str, ...], float]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def add(self, later: Judged) -> None:
        """Takes what follows from the records after these; of state keys that are in both, the later value counts."""
        self.outputs += later.outputs
        self.state.update(later.state)
        self.acted += later.acted
        self.observed += later.observed
        self.questions += later.questions
        for key, times in later.tally.items():
            self.tally[key] = self.tally.get(key, 0) + times

    def count(self, metric: str, *labels: str, by: int = 1) -> None:
        """Adds to a counter of this batch."""
        key = (metric, *labels)
        self.tally[key] = self.tally.get(key, 0) + by
