"""Several partitions' judges side by side without a broker: what one tells, the owner judges at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from worker.engine.ids import partition_of
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record

LOOPED = frozenset(("observations", "findings"))
"""The topics that workers write for each other."""


class Exchange:
    """Routes records to the judges of `partitions` partitions, and what they tell each other, until all is quiet.

    `records` holds what was judged, in order, each with its partition and offset: the recording of a run. `outputs`
    holds what came out with its partition number, `state` the last value of each key of each partition.
    `keep` False keeps neither records nor outputs, for runs that are too long to remember.

    Args:
        make: makes the judge of a partition number; the partition count is the second argument.
        partitions: how many there are.
    """

    def __init__(
        self, make: Callable[[int, int], PartitionJudge], partitions: int, *, keep: bool = True
    ) -> None:
        self.judges = [make(number, partitions) for number in range(partitions)]
        self.records: list[Record] = []
        self.outputs: list[tuple[int, Output]] = []
        self.state: list[dict[bytes, bytes]] = [{} for _ in range(partitions)]
        self.told = dict.fromkeys(sorted(LOOPED), 0)
        self._make = make
        self._keep = keep
        self._offsets: dict[tuple[str, int], int] = {}
        self._queue: deque[Record] = deque()

    def partition_of(self, key: str) -> int:
        """The partition that owns a key."""
        return partition_of(key.encode(), len(self.judges))

    def numbered(self, topic: str, key: str, value: bytes, timestamp: int = 0) -> Record:
        """A record from outside, on the partition that owns its key, with its topic's next offset."""
        return self._numbered(topic, self.partition_of(key), key.encode(), value, timestamp)

    def send(self, topic: str, key: str, value: bytes, timestamp: int = 0) -> Judged:
        """Judges one record from outside, and all that follows from it; everything that came out, in order."""
        return self.run([self._numbered(topic, self.partition_of(key), key.encode(), value, timestamp)])

    def run(self, records: Sequence[Record]) -> Judged:
        """Judges records in their order, what they make the judges tell each other after each one."""
        total = Judged()
        for record in records:
            self._queue.append(record)
            self._drain(total)
        return total

    def run_together(self, records: Sequence[Record]) -> Judged:
        """As `run`, but in batches, as workers do: what each partition has waiting at once, then, in rounds, what
        they told each other by it."""
        total = Judged()
        self._queue.extend(records)
        while self._queue:
            waiting = list(self._queue)
            self._queue.clear()
            if self._keep:
                self.records += waiting
            for number, judge in enumerate(self.judges):
                batch = [record for record in waiting if record.partition == number]
                if batch:
                    judged = judge.judge(batch)
                    self._take(number, judged, batch[-1].timestamp)
                    total.add(judged)
        return total

    def expire(self, now: datetime) -> Judged:
        """What the timers of all partitions owe until a time."""
        total = Judged()
        for number, judge in enumerate(self.judges):
            judged = judge.expire(now)
            self._take(number, judged, 0)
            total.add(judged)
        self._drain(total)
        return total

    def restart(self, partition: int) -> None:
        """Replaces a judge by a new one that is restored from the state, as after a crash."""
        judge = self._make(partition, len(self.judges))
        for key, value in self.state[partition].items():
            judge.restore(key, value)
        self.judges[partition] = judge

    def _drain(self, total: Judged) -> None:
        while self._queue:
            record = self._queue.popleft()
            if self._keep:
                self.records.append(record)
            judged = self.judges[record.partition].judge([record])
            self._take(record.partition, judged, record.timestamp)
            total.add(judged)

    def _take(self, partition: int, judged: Judged, timestamp: int) -> None:
        state = self.state[partition]
        for key, value in judged.state.items():
            # What is written last stands last, as in a compacted topic.
            state.pop(key, None)
            if value is not None:
                state[key] = value
        for output in judged.outputs:
            number = partition if output.partition is None else output.partition
            if self._keep:
                self.outputs.append((number, output))
            if output.topic in LOOPED:
                self.told[output.topic] += 1
                self._queue.append(self._numbered(output.topic, number, output.key, output.value, timestamp))

    def _numbered(
        self, topic: str, partition: int, key: bytes, value: bytes | None, timestamp: int
    ) -> Record:
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        return Record(topic, partition, offset, timestamp, key, value)
