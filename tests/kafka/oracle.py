"""What came out, read by an independent client, and the ledger that says what should have.

The worker reads and writes with aiokafka; this reads with kafka-python, `read_committed`, from offset 0.
Nothing here uses code of the worker but its table of topic names.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, TopicPartition

from tests.kafka.traffic import SyntheticPost
from worker.topics import OUTPUTS

_ID_FIELDS = {
    "enforcement.label": "action_id",
    "enforcement.remove": "action_id",
    "enforcement.suspend": "action_id",
    "review.queue": "item_id",
    "notices": "notice_id",
    "decisions": "decision_id",
    "dead-letter": "dead_letter_id",
}
_SHOWN = 5


@dataclass(frozen=True)
class OutputRecord:
    """One record as a consumer sees it; `topic` is the contract's name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    @cached_property
    def body(self) -> dict[str, Any]:
        """The value as JSON, {} for a tombstone."""
        return {} if self.value is None else dict(json.loads(self.value))


class Oracle:
    """Reads output topics from the beginning and keeps all records, in the order it got them.

    A context manager. The topics must exist. `records` grows with every call.
    """

    def __init__(self, bootstrap: str, prefix: str, topics: Sequence[str] = OUTPUTS) -> None:
        self.records: list[OutputRecord] = []
        self._prefix = prefix
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            max_partition_fetch_bytes=8 << 20,
            max_poll_records=5000,
        )
        self._partitions: list[TopicPartition] = []
        for name in topics:
            numbers = self._consumer.partitions_for_topic(prefix + name)
            if not numbers:
                self._consumer.close()
                msg = f"the topic {prefix + name} does not exist"
                raise LookupError(msg)
            self._partitions += [TopicPartition(prefix + name, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning(*self._partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def poll(self, wait_seconds: float = 0.2) -> int:
        """Takes what is there; returns how many records came."""
        came = 0
        for partition, records in self._consumer.poll(timeout_ms=int(wait_seconds * 1000)).items():
            name = partition.topic.removeprefix(self._prefix)
            came += len(records)
            self.records += [
                OutputRecord(name, partition.partition, record.offset, record.key, record.value)
                for record in records
            ]
        return came

    def read_to_end(self, timeout_seconds: float = 60.0) -> list[OutputRecord]:
        """Reads up to the last stable offset that each partition has now; returns all records so far.

        Raises:
            TimeoutError: the end was not reached in time.
        """
        ends = self._consumer.end_offsets(self._partitions)  # last stable, because of read_committed
        deadline = time.monotonic() + timeout_seconds
        while behind := [tp for tp in self._partitions if self._consumer.position(tp) < ends[tp]]:
            self.poll()
            if time.monotonic() > deadline:
                msg = f"did not reach the end of {len(behind)} partitions in {timeout_seconds:g} s: {behind[:_SHOWN]}"
                raise TimeoutError(msg)
        return self.records

    def wait_for(
        self, condition: Callable[[list[OutputRecord]], bool], timeout_seconds: float, what: str
    ) -> list[OutputRecord]:
        """Reads on until the records satisfy the condition; returns all of them.

        Raises:
            TimeoutError: they did not in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while not condition(self.records):
            if time.monotonic() > deadline:
                counts = dict(Counter(record.topic for record in self.records))
                msg = f"timed out after {timeout_seconds:g} s waiting for {what}; read so far: {counts}"
                raise TimeoutError(msg)
            self.poll()
        return self.records

    def wait_for_progress(self, more: int, timeout_seconds: float = 60.0) -> int:
        """Waits until so many records more than now came out: a kill before that hits an idle worker.

        Returns the number of records so far.
        """
        goal = len(self.records) + more
        self.wait_for(lambda records: len(records) >= goal, timeout_seconds, f"{more} more output records")
        return len(self.records)


def read_outputs(
    bootstrap: str, prefix: str, topics: Sequence[str] = OUTPUTS, timeout_seconds: float = 60.0
) -> list[OutputRecord]:
    """All records of the output topics, from offset 0 to the last stable offset."""
    with Oracle(bootstrap, prefix, topics) as oracle:
        return oracle.read_to_end(timeout_seconds)


@dataclass
class Comparison:
    """What the ledger found. Each list has one line for each fault; empty lists are what is promised."""

    posts: int = 0
    actions: int = 0
    dead_letters: int = 0
    lost: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    repeats: int = 0
    """Copies of a record with its id and every byte; faults only where exactly-once is promised."""

    def __str__(self) -> str:
        return (
            f"{self.posts} posts, {self.actions} actions, {self.dead_letters} dead letters: {len(self.lost)} lost, "
            f"{len(self.extra)} extra, {len(self.differing)} differing, {self.repeats} repeats"
        )

    def assert_clean(self, *, repeats_allowed: bool = False) -> None:
        """Fails the test unless everything came out once (or, at least once, in equal copies)."""
        faults = [
            *(f"lost: {line}" for line in self.lost[:_SHOWN]),
            *(f"extra: {line}" for line in self.extra[:_SHOWN]),
            *(f"differing: {line}" for line in self.differing[:_SHOWN]),
        ]
        assert not faults, f"{self}\n  " + "\n  ".join(faults)
        assert repeats_allowed or not self.repeats, str(self)


class Ledger:
    """What was sent and what must follow: the other half of the oracle."""

    def __init__(self) -> None:
        self._kinds: dict[str, str | None] = {}
        self._dead: dict[tuple[str, int, int], str] = {}

    def __len__(self) -> int:
        return len(self._kinds) + len(self._dead)

    @property
    def expected_actions(self) -> int:
        """How many posts must have an action."""
        return sum(kind is not None for kind in self._kinds.values())

    def expect(self, posts: Iterable[SyntheticPost]) -> None:
        """Each of these posts must be acted on once as it says, or not at all."""
        for post in posts:
            self._kinds[post.post_id] = post.kind

    def expect_dead_letter(self, topic: str, partition: int, offset: int, reason: str) -> None:
        """This record must end as exactly one dead letter with this reason, and as nothing else."""
        self._dead[(topic, partition, offset)] = reason

    def compare(self, records: Iterable[OutputRecord], *, all_decisions: bool = False) -> Comparison:
        """Holds the outputs against what was expected.

        `all_decisions`: the workers ran with `--decisions all`, so every post has exactly one; else only
        those that were acted on do.
        """
        result = Comparison(posts=len(self._kinds))
        actions: Counter[tuple[str, str]] = Counter()
        decisions: Counter[str] = Counter()
        dead: Counter[tuple[str, int, int]] = Counter()
        for record in self._distinct(records, result):
            if record.topic.startswith("enforcement."):
                result.actions += 1
                self._count_action(record, actions, result)
            elif record.topic == "decisions" and record.body["record"]["topic"] == "posts":
                decisions[record.body["subject"]["id"]] += 1
            elif record.topic == "dead-letter":
                result.dead_letters += 1
                self._count_dead_letter(record, dead, result)
        for post_id, kind in self._kinds.items():
            if kind is not None and not actions[(post_id, kind)]:
                result.lost.append(f"post {post_id} has no {kind}")
            if (kind is not None or all_decisions) and decisions[post_id] != 1:
                wrong = result.extra if decisions[post_id] else result.lost
                wrong.append(f"post {post_id} has {decisions[post_id]} decisions")
        for place in self._dead.keys() - dead.keys():
            result.lost.append(f"no dead letter for {place}")
        return result

    def _distinct(self, records: Iterable[OutputRecord], result: Comparison) -> Iterable[OutputRecord]:
        """Each id once; copies and different payloads under one id are noted."""
        seen: dict[tuple[str, str, bool], bytes | None] = {}
        for record in records:
            id_field = _ID_FIELDS.get(record.topic)
            if id_field is None:
                yield record
                continue
            closed = record.body.get("closed_by") is not None  # a queue item comes again when it is closed
            identity = (record.topic, str(record.body[id_field]), closed)
            if identity not in seen:
                seen[identity] = record.value
                yield record
            elif seen[identity] == record.value:
                result.repeats += 1
            else:
                result.differing.append(f"{record.topic} {identity[1]}")

    def _count_action(
        self, record: OutputRecord, actions: Counter[tuple[str, str]], result: Comparison
    ) -> None:
        post_id, kind = str(record.body["post_id"]), str(record.body["kind"])
        actions[(post_id, kind)] += 1
        if self._kinds.get(post_id) != kind:
            result.extra.append(
                f"{kind} for post {post_id}, expected {self._kinds.get(post_id, 'no such post')}"
            )
        elif actions[(post_id, kind)] > 1:
            result.extra.append(f"a second {kind} for post {post_id}")

    def _count_dead_letter(
        self, record: OutputRecord, dead: Counter[tuple[str, int, int]], result: Comparison
    ) -> None:
        place = (str(record.body["topic"]), int(record.body["partition"]), int(record.body["offset"]))
        dead[place] += 1
        reason = record.body["reason"]
        if self._dead.get(place) != reason:
            expected = self._dead.get(place, "no dead letter")
            result.extra.append(f"dead letter {reason} for {place}, expected {expected}")
        elif dead[place] > 1:
            result.extra.append(f"a second dead letter for {place}")
