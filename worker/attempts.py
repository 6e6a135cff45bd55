"""When a record that kills the process must stop being tried. Pure: what the shell does, it asks here.

A worker marks each partition that it owns in the `state` topic (`p:<partition>`, key "shell"): running, with
the committed offsets of that moment. A clean release says so. Who takes a partition whose last owner was
still running compares offsets:

1. something was done since: the end had no record to blame, or not this one; batches as usual;
2. nothing was done on a topic that has records waiting: the records that the last batch may have held are
   judged one by one, each named in the mark before it is judged, in the transaction of the one before;
3. a record is named: it is tried in a process of its own. If that dies or hangs, the record is a dead
   letter; if it survives, an operator or the machine killed the worker, and the record is judged;
4. the same record is named again, although it had survived its trial: a dead letter without a trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

FIRST_NAMED = 2  # the batch was the first attempt; judged alone, by name, is the second
TRIED_ALONE = 3


@dataclass(slots=True)
class Suspect:
    """The record that was about to be judged. `attempts` counts how often it was, the batch included."""

    topic: str
    offset: int
    attempts: int = FIRST_NAMED


@dataclass(slots=True)
class Mark:
    """What the owner of a partition leaves for the next one.

    `offsets` are the committed offsets when the mark was made, by topic; a topic without one is left out.
    `careful` is how many records of a topic are still to be judged one by one. `done` are the offsets up to
    which the state has taken the topics in; it is kept only where offsets are not committed together with
    the state (at least once).
    """

    running: bool = False
    offsets: dict[str, int] = field(default_factory=dict)
    careful: dict[str, int] = field(default_factory=dict)
    suspect: Suspect | None = None
    done: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The mark as the JSON object that stands under "shell" in the partition's record."""
        suspect = self.suspect
        value: dict[str, Any] = {
            "running": self.running,
            "offsets": dict(sorted(self.offsets.items())),
            "careful": dict(sorted(self.careful.items())),
            "suspect": suspect
            and {"topic": suspect.topic, "offset": suspect.offset, "attempts": suspect.attempts},
        }
        if self.done:
            value["done"] = dict(sorted(self.done.items()))
        return value

    @classmethod
    def from_json(cls, value: object) -> Mark:
        """The mark that `to_json` wrote; one that cannot be read counts as a clean release."""
        if not isinstance(value, dict):
            return cls()
        try:
            found = value.get("suspect")
            suspect = None
            if found is not None:
                suspect = Suspect(str(found["topic"]), int(found["offset"]), int(found["attempts"]))
            return cls(
                running=value.get("running") is True,
                offsets={str(topic): int(offset) for topic, offset in value.get("offsets", {}).items()},
                careful={str(topic): int(count) for topic, count in value.get("careful", {}).items()},
                suspect=suspect,
                done={str(topic): int(offset) for topic, offset in value.get("done", {}).items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()


def first_to_judge(last: Mark, committed: Mapping[str, int], ends: Mapping[str, int]) -> dict[str, int]:
    """From which offset on records are to be judged, by topic, where offsets are committed after the state.

    What the state has taken in was published before and must not be judged again: the engine would take it
    for duplicates. A mark beyond the end is that of a topic that was deleted and made again.

    Args:
        last: what the owner before left.
        committed: the group's offsets now, by topic; a topic without one is left out.
        ends: last stable offsets now, by topic.
    """
    begin = dict(committed)
    for topic, offset in last.done.items():
        if offset <= ends.get(topic, 0):
            begin[topic] = max(offset, begin.get(topic, 0))
    return begin


def mark_at_start(
    last: Mark, committed: Mapping[str, int], ends: Mapping[str, int], starts: Mapping[str, int], batch: int
) -> Mark:
    """The mark with which an owner begins.

    Args:
        last: what the owner before left.
        committed: the group's offsets now, by topic; a topic without one is left out.
        ends: last stable offsets now, by topic.
        starts: first offsets now, by topic.
        batch: how many records a batch may have.
    """
    mark = Mark(running=True, offsets=dict(committed))
    if not last.running:
        return mark
    for topic, end in ends.items():
        position = committed.get(topic, starts.get(topic, 0))
        waiting = end - position
        if waiting <= 0:
            continue
        stuck = committed.get(topic) == last.offsets.get(topic)
        still_careful = last.careful.get(topic, 0)
        if stuck:
            mark.careful[topic] = min(batch, waiting)
        elif still_careful:
            mark.careful[topic] = min(still_careful, waiting)
    suspect = last.suspect
    if suspect is not None and committed.get(suspect.topic, 0) <= suspect.offset < ends.get(suspect.topic, 0):
        mark.suspect = suspect
        mark.careful.setdefault(suspect.topic, 1)
    return mark


class Treatment(Enum):
    """How a record is to be judged."""

    PLAIN = "plain"
    TRIAL = "trial"  # in a process of its own first
    GIVE_UP = "give up"  # a dead letter


def treatment(mark: Mark, topic: str, offset: int) -> Treatment:
    """How the next record of a careful stretch is to be judged."""
    suspect = mark.suspect
    if suspect is None or (suspect.topic, suspect.offset) != (topic, offset):
        return Treatment.PLAIN
    return Treatment.GIVE_UP if suspect.attempts >= TRIED_ALONE else Treatment.TRIAL
