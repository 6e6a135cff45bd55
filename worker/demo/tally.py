"""What has come out so far: counts, the latest actions, and the output files."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from worker.engine.records import Record

LATEST = 12  # actions remembered for the view

Place = tuple[int, int]  # partition and offset of an input record


@dataclass(frozen=True, slots=True)
class Shown:
    """One action as the view shows it. `spans` are half-open code points of `text`."""

    kind: str
    detail: str
    account: str
    policy: str
    score: float
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Tally:
    """Counts what was sent and what came of it.

    `sent` maps the place of each input record to its text; a record counts as answered once its decision
    or dead letter is there.
    """

    sent: dict[Place, str] = field(default_factory=dict)
    answered: set[Place] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    policies: dict[str, Counter[str]] = field(default_factory=dict)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)
    notices: int = 0
    latest: deque[Shown] = field(default_factory=lambda: deque(maxlen=LATEST))
    posts: dict[str, str] = field(default_factory=dict)  # post id to text

    @property
    def waiting(self) -> int:
        """How many records have no answer yet."""
        return len(self.sent) - len(self.answered)

    def add(self, records: Iterable[Record]) -> list[Shown]:
        """Takes output records; returns the actions among them in words, in order."""
        shown: list[Shown] = []
        for record in records:
            if record.value is None:
                continue
            value = json.loads(record.value)
            if record.topic == "decisions":
                self._decision(value)
            elif record.topic == "dead-letter":
                self._dead_letter(value)
            elif record.topic.startswith("enforcement."):
                shown.append(self._action(value))
            elif record.topic == "review.queue" and value.get("closed_by") is None:
                self.queued[value["reason"]] += 1
            elif record.topic == "notices":
                self.notices += 1
        self.latest.extend(shown)
        return shown

    def _decision(self, value: Mapping[str, Any]) -> None:
        if self._answer(value["record"]["topic"], value["record"]["partition"], value["record"]["offset"]):
            self.outcomes[value["outcome"]] += 1
            for verdict in value["verdicts"]:
                if verdict["outcome"] != "clear" or verdict["evidence"]:
                    word = "near" if verdict["outcome"] == "clear" else verdict["outcome"]
                    self.policies.setdefault(verdict["policy"], Counter())[word] += 1

    def _dead_letter(self, value: Mapping[str, Any]) -> None:
        if self._answer(value["topic"], value["partition"], value["offset"]):
            self.dead_letters[value["reason"]] += 1

    def _answer(self, topic: str, partition: int, offset: int) -> bool:
        place = (partition, offset)
        if topic != "posts" or place not in self.sent or place in self.answered:
            return False
        self.answered.add(place)
        return True

    def _action(self, value: Mapping[str, Any]) -> Shown:
        if value["operation"] == "apply":
            self.actions[value["policy"], value["kind"]] += 1
        spans = tuple(
            (item["start"], item["end"])
            for item in value["evidence"]
            if item["field"] == "text" and item["start"] is not None
        )
        detail = " ".join(str(word) for word in (value["label"], value["mode"]) if word)
        kind = value["kind"] if value["operation"] == "apply" else f"reverse {value['kind']}"
        text = self.posts.get(value["post_id"] or "", "")
        return Shown(kind, detail, value["account_id"], value["policy"], value["score"], text, spans)

    def report(self) -> dict[str, Any]:
        """Everything counted, for `--json` and the summary."""
        return {
            "records": len(self.sent),
            "answered": len(self.answered),
            "outcomes": dict(self.outcomes.most_common()),
            "policies": {
                policy: dict(counts.most_common()) for policy, counts in sorted(self.policies.items())
            },
            "actions": [
                {"policy": policy, "kind": kind, "count": count}
                for (policy, kind), count in sorted(self.actions.items())
            ],
            "review_queue": dict(self.queued.most_common()),
            "notices": self.notices,
            "dead_letters": dict(self.dead_letters.most_common()),
        }


class OutputFiles:
    """One JSONL file for each output topic, `{"key", "partition", "offset", "value"}` a line; made when first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def path(self, topic: str) -> Path:
        """Where a topic's records are written."""
        return self._folder / f"{topic}.jsonl"

    def write(self, records: Iterable[Record]) -> None:
        """Appends each record to its topic's file; a first record replaces what an earlier run left."""
        for record in records:
            file = self._files.get(record.topic)
            if file is None:
                file = self._files[record.topic] = self.path(record.topic).open("wb")
            key = json.dumps((record.key or b"").decode("utf-8", "replace")).encode()
            value = b"null" if record.value is None else record.value
            file.write(
                b'{"key":%s,"partition":%d,"offset":%d,"value":%s}\n'
                % (key, record.partition, record.offset, value)
            )
            self.counts[record.topic] += 1
