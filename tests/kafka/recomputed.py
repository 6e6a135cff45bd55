"""What must have come out, worked out again from what lies in the input topics.

An independent client reads every input partition, committed records only, and a fresh engine judges them in
the order of their offsets, in one go, without a shell, a crash or a rebalance. What the workers published
must be that, byte for byte: each id once, on the account's partition, under the account's key. The state
topic must say what the engine remembers at the end.

An account's records must stand on one topic only: between two topics there is no order to follow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.kafka.oracle import Comparison, OutputRecord
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import load_pack
from worker.topics import JUDGED

ID_FIELDS = {
    "enforcement.label": "action_id",
    "enforcement.remove": "action_id",
    "enforcement.suspend": "action_id",
    "review.queue": "item_id",
    "notices": "notice_id",
    "decisions": "decision_id",
    "dead-letter": "dead_letter_id",
}
_BATCH = 1000
_READ_SECONDS = 120.0

Identity = tuple[str, str]
"""A record's topic and the id in it."""

Place = tuple[str, int, int]
"""An input record's topic, partition and offset."""


@dataclass
class Expected:
    """What must come out. `outputs` has partition, key and value of each id, None where only the id is known.

    `state` is what each key of the state topic must hold at the end, the shell's own records left out.
    """

    records: int = 0
    outputs: dict[Identity, tuple[int, bytes, bytes] | None] = field(default_factory=dict)
    state: dict[bytes, bytes | None] = field(default_factory=dict)

    def missing(self, records: Iterable[OutputRecord]) -> int:
        """How many ids have not come out yet."""
        return len(self.outputs.keys() - {identity(record) for record in records})

    def compare(self, records: Iterable[OutputRecord]) -> Comparison:
        """Holds what came out against it; repeats are copies of the first, byte for byte."""
        result = Comparison(posts=self.records)
        seen: dict[Identity, tuple[int, bytes | None, bytes | None]] = {}
        for record in records:
            this = identity(record)
            content = (record.partition, record.key, record.value)
            if record.topic.startswith("enforcement."):
                result.actions += 1
            if record.topic == "dead-letter":
                result.dead_letters += 1
            if this in seen:
                if seen[this] == content:
                    result.repeats += 1
                else:
                    result.differing.append(f"{this} came out twice, with other bytes")
                continue
            seen[this] = content
            if this not in self.outputs:
                result.extra.append(f"{this} of {record.body.get('record') or record.body.get('offset')}")
            elif self.outputs[this] not in (None, content):
                result.differing.append(f"{this} is not what the engine says")
        result.lost += [str(this) for this in self.outputs.keys() - seen.keys()]
        return result

    def compare_state(self, found: Mapping[bytes, bytes | None]) -> list[str]:
        """The keys of the state topic that hold something else than they must.

        What a feature's owner keeps (`f:`) is left out: it follows from records that workers write for each other,
        which arrive after the inputs are decided, in an order that nobody promises.
        """
        keys = {key for key in self.state.keys() | found.keys() if key[:2] not in {b"p:", b"f:"}}
        return [key.decode() for key in sorted(keys) if found.get(key) != self.state.get(key)]


def identity(record: OutputRecord) -> Identity:
    """The topic and the id by which a consumer would drop repeats."""
    return record.topic, str(record.body[ID_FIELDS[record.topic]])


def recompute(
    bootstrap: str, prefix: str, pack_folder: Path, *, given_up: Mapping[Place, str] | None = None
) -> Expected:
    """Judges everything that the input topics hold.

    Args:
        bootstrap: the broker.
        prefix: of the topics.
        pack_folder: the policy pack that the workers used.
        given_up: records that the workers cannot judge (they kill the process), with the reason of the
            dead letter that each must become.
    """
    pack = load_pack(pack_folder)
    given_up = given_up or {}
    expected = Expected()
    inputs = read_topics(bootstrap, prefix, JUDGED)
    partitions = 1 + max(number for _, number in inputs)
    for number in range(partitions):
        judge = PartitionJudge(pack, number, partitions, publish_all=True)
        for topic in JUDGED:
            records = inputs[topic, number]
            expected.records += len(records)
            for batch in _batches(records, given_up):
                place = (topic, number, batch[0].offset)
                if place in given_up:
                    # Attempts and detail are the shell's: only the id is known here.
                    judged = judge.dead_letter(batch[0], given_up[place], "")
                    expected.outputs.update(dict.fromkeys(map(_identity, judged.outputs)))
                else:
                    _take(judge.judge(batch), number, expected)
    return expected


def read_topics(
    bootstrap: str, prefix: str, topics: Sequence[str], timeout_seconds: float = _READ_SECONDS
) -> dict[tuple[str, int], list[Record]]:
    """All committed records of these topics, by topic and partition, in order."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        max_partition_fetch_bytes=8 << 20,
        max_poll_records=10_000,
    )
    try:
        partitions = [
            TopicPartition(prefix + topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(prefix + topic) or ())
        ]
        found: dict[tuple[str, int], list[Record]] = {
            (tp.topic.removeprefix(prefix), tp.partition): [] for tp in partitions
        }
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        remaining = timeout_seconds / 0.5
        while any(consumer.position(tp) < ends[tp] for tp in partitions):
            polled: dict[Any, list[Any]] = consumer.poll(timeout_ms=500)
            for tp, messages in polled.items():
                topic = tp.topic.removeprefix(prefix)
                found[topic, tp.partition] += [
                    Record(topic, m.partition, m.offset, m.timestamp, m.key, m.value, tuple(m.headers or ()))
                    for m in messages
                ]
            remaining -= not polled
            if remaining <= 0:
                msg = f"could not read the topics of {prefix} to their ends"
                raise TimeoutError(msg)
        return found
    finally:
        consumer.close()


def read_state(bootstrap: str, prefix: str) -> dict[bytes, bytes | None]:
    """What the state topic holds: the last value of every key."""
    found: dict[bytes, bytes | None] = {}
    for records in read_topics(bootstrap, prefix, ["state"]).values():
        for record in records:
            assert record.key is not None
            found[record.key] = record.value
    return found


def count_by_reason(records: Iterable[OutputRecord]) -> Counter[str]:
    """Dead letters by their reasons."""
    return Counter(record.body["reason"] for record in records if record.topic == "dead-letter")


def _batches(records: Sequence[Record], given_up: Mapping[Place, str]) -> Iterable[Sequence[Record]]:
    batch: list[Record] = []
    for record in records:
        if (record.topic, record.partition, record.offset) in given_up:
            if batch:
                yield batch
            yield [record]
            batch = []
            continue
        batch.append(record)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _take(judged: Judged, number: int, expected: Expected) -> None:
    for output in judged.outputs:
        if output.topic not in ID_FIELDS:
            continue  # what workers tell each other: it is read back as an input
        this = _identity(output)
        assert this not in expected.outputs, f"the engine itself gave {this} twice"
        assert output.value is not None
        expected.outputs[this] = (number, output.key, output.value)
    expected.state.update({key: value for key, value in judged.state.items() if not key.startswith(b"p:")})


def _identity(output: Output) -> Identity:
    return identity(OutputRecord(output.topic, 0, 0, output.key, output.value))
