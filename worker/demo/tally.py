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
KINDS = ("label", "remove", "suspend", "review", "help", "near")
"""What can follow for a policy: three actions, a person's look, help for a person at risk, or a near miss cleared."""

Place = tuple[str, int, int]  # topic, partition and offset of an input record


@dataclass(frozen=True, slots=True)
class Shown:
    """One action, or one offer of help, as the view shows it.

    `spans` are half-open code points of `text`; `signals` stand in for them where the evidence is no text.
    `score` is None for help: nobody is found guilty of anything.
    """

    kind: str
    detail: str
    account: str
    policy: str
    score: float | None
    text: str
    spans: tuple[tuple[int, int], ...]
    signals: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts what was sent and what came of it.

    A record counts as answered once its decision or dead letter is there. `followed` counts, by policy and by one
    of `KINDS`, what followed.
    """

    sent: set[Place] = field(default_factory=set)
    answered: set[Place] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    policies: dict[str, Counter[str]] = field(default_factory=dict)  # verdicts that are not plainly clear
    followed: dict[str, Counter[str]] = field(default_factory=dict)
    dead_letters: Counter[str] = field(default_factory=Counter)
    queued: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    latest: deque[Shown] = field(default_factory=lambda: deque(maxlen=LATEST))
    texts: dict[str, Mapping[str, str]] = field(default_factory=dict)  # post or account id to its fields

    @property
    def waiting(self) -> int:
        """How many records have no answer yet."""
        return len(self.sent) - len(self.answered)

    def total(self, kind: str) -> int:
        """How often one of `KINDS` followed, whatever the policy."""
        return sum(counts[kind] for counts in self.followed.values())

    def add(self, records: Iterable[Record]) -> list[Shown]:
        """Takes output records; returns the actions and offers of help among them in words, in order."""
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
                self._item(value)
            elif record.topic == "notices":
                self.notices[value["kind"]] += 1
                if value["kind"] == "support":
                    shown.append(self._support(value))
        self.latest.extend(shown)
        return shown

    def _decision(self, value: Mapping[str, Any]) -> None:
        if not self._answer(
            value["record"]["topic"], value["record"]["partition"], value["record"]["offset"]
        ):
            return
        self.outcomes[value["outcome"]] += 1
        for verdict in value["verdicts"]:
            clear = verdict["outcome"] == "clear"
            if clear and not verdict["evidence"]:
                continue
            # A clear verdict beside a doubt may be that doubt itself, which the queue counts.
            near = clear and value["outcome"] == "clear"
            word = "near" if near else "doubt" if clear else verdict["outcome"]
            self.policies.setdefault(verdict["policy"], Counter())[word] += 1
            if near:
                self._count(verdict["policy"], "near")

    def _dead_letter(self, value: Mapping[str, Any]) -> None:
        if self._answer(value["topic"], value["partition"], value["offset"]):
            self.dead_letters[value["reason"]] += 1

    def _answer(self, topic: str, partition: int, offset: int) -> bool:
        place = (topic, partition, offset)
        if place not in self.sent or place in self.answered:
            return False
        self.answered.add(place)
        return True

    def _item(self, value: Mapping[str, Any]) -> None:
        self.queued[value["reason"]] += 1
        if value["policy"] is not None:
            self._count(value["policy"], "help" if value["reason"] == "at_risk" else "review")

    def _count(self, policy: str, kind: str) -> None:
        self.followed.setdefault(policy, Counter())[kind] += 1

    def _action(self, value: Mapping[str, Any]) -> Shown:
        if value["operation"] == "apply":
            self._count(value["policy"], value["kind"])
        fields = self.texts.get(value["post_id"] or value["account_id"], {})
        marked = [item for item in value["evidence"] if item["start"] is not None and item["field"] in fields]
        part = _part(value)
        # The field that was acted on, or that the evidence is in: a transcript can be what counts, not the post's text.
        name = f"profile.{part}" if part else marked[0]["field"] if marked else "text"
        spans = tuple((item["start"], item["end"]) for item in marked if item["field"] == name)
        signals = () if spans else tuple(dict.fromkeys(item["signal"] for item in value["evidence"]))
        detail = " ".join(str(word) for word in (part, value["label"], value["mode"]) if word)
        kind = value["kind"] if value["operation"] == "apply" else f"reverse {value['kind']}"
        text = fields.get(name) or fields.get("profile.display_name", "")
        return Shown(kind, detail, value["account_id"], value["policy"], value["score"], text, spans, signals)

    def _support(self, value: Mapping[str, Any]) -> Shown:
        text = self.texts.get((value["subject"] or {}).get("id", ""), {}).get("text", "")
        detail = f"offered, {value['lang']}"
        return Shown("help", detail, value["account_id"], value["policy"] or "", None, text, ())

    def report(self) -> dict[str, Any]:
        """Everything counted, for `--json` and the summary."""
        return {
            "records": len(self.sent),
            "answered": len(self.answered),
            "outcomes": dict(self.outcomes.most_common()),
            "policies": {
                policy: dict(counts.most_common()) for policy, counts in sorted(self.policies.items())
            },
            "followed": {
                policy: {kind: counts[kind] for kind in KINDS if counts[kind]}
                for policy, counts in sorted(self.followed.items())
            },
            "review_queue": dict(self.queued.most_common()),
            "notices": dict(self.notices.most_common()),
            "dead_letters": dict(self.dead_letters.most_common()),
        }


def _part(value: Mapping[str, Any]) -> str:
    """Which field of a profile an action is about; empty for posts and whole accounts."""
    subject = value["subject"]
    return str(subject["id"]).rpartition("/")[2] if subject["type"] == "profile_field" else ""


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
