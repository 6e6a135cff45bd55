"""What the streaming shell needs from outside, as protocols; `adapters/` has the implementations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from worker.engine.records import Begun, Judged, Output, Question, Record

if TYPE_CHECKING:
    from schemas.coordination import PackSwitch
    from schemas.media_signals import BankMatch
    from worker.engine.rollout import Roll
    from worker.media.item import Asked, Found


class Judge(Protocol):
    """What judges one partition's records; `worker.engine.judge.PartitionJudge` is the real one.

    It keeps its partition's state in memory. The caller publishes what comes back, `outputs` and `state` at
    once; when publishing fails it publishes the same again, and never judges twice.
    """

    partition_record: dict[str, Any]  # of the state topic's key `p:<partition>`; key "shell" is the shell's

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Takes one record of the `state` topic, in the order of the topic."""
        ...

    def judge(self, records: Sequence[Record]) -> Judged:
        """Judges one batch of one topic, in order. Raises nothing that a record can provoke."""
        ...

    def begin(self, records: Sequence[Record]) -> Begun:
        """The first half of `judge`. Where `think` of what comes back is set, call it before the other half."""
        ...

    def finish(self, begun: Begun) -> Judged:
        """The second half of `judge`, in the order in which batches were begun."""
        ...

    def expire(self, now: datetime) -> Judged:
        """What timers owe until `now` (aware, UTC)."""
        ...

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        """A dead letter for a record that cannot be judged at all."""
        ...

    def close(self) -> None:
        """Lets go of what its state takes on disk; never raises. Nothing else is called afterwards."""
        ...

    @property
    def version(self) -> int:
        """The version of the packs that it judges by; 0 for a pack that nobody published."""
        ...

    @property
    def judged_version(self) -> int:
        """The version that the partition was last judged by, as the restored state says."""
        ...

    def adopt(self, roll: Roll) -> None:
        """Judges by other packs from now on, if they are newer."""
        ...

    def switch(self, wanted: PackSwitch) -> Judged:
        """The record that has it switch when it is read, or that says that its owner refused to."""
        ...


class PlainJudge:
    """The two halves of a judge that has no second thoughts: all is done in `judge`."""

    def judge(self, records: Sequence[Record]) -> Judged:
        """As `Judge.judge`."""
        raise NotImplementedError

    def begin(self, records: Sequence[Record]) -> Begun:
        """As `Judge.begin`; does nothing."""
        return Begun(records)

    def finish(self, begun: Begun) -> Judged:
        """As `Judge.finish`; does everything."""
        return self.judge(begun.records)

    def close(self) -> None:
        """As `Judge.close`; there is nothing on disk."""

    @property
    def version(self) -> int:
        """As `Judge.version`; it knows no packs."""
        return 0

    @property
    def judged_version(self) -> int:
        """As `Judge.judged_version`; it knows no packs."""
        return 0

    def adopt(self, roll: Roll) -> None:
        """As `Judge.adopt`; it knows no packs."""

    def switch(self, wanted: PackSwitch) -> Judged:
        """As `Judge.switch`; it knows no packs."""
        return Judged()


class JudgeFactory(Protocol):
    """Makes the judge of one partition number, empty, to be restored."""

    def __call__(self, partition: int, partitions: int) -> Judge: ...


class PublishedPacks(Protocol):
    """The packs of this process; `worker.packs.Packs` is the real one."""

    @property
    def latest(self) -> Roll:
        """What new partitions judge by."""
        ...

    @property
    def wanted(self) -> PackSwitch | None:
        """What partitions are to be told; None: nothing."""
        ...

    async def reach(self, version: int, seconds: float) -> None:
        """Waits until `latest` is at least of a version.

        Raises:
            PackBehindError: it is not, and will not be.
        """
        ...


class Publisher(Protocol):
    """Publishes what one partition's batches lead to. One call at a time."""

    atomic: bool  # whether outputs, state and offsets of one call are published all or none

    async def start(self) -> None:
        """Gets ready; afterwards no earlier owner of the partition can publish any more.

        Raises:
            PublishError: the broker refuses.
        """
        ...

    async def publish(
        self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
    ) -> int | None:
        """Publishes everything, and commits the offsets (input topic's contract name to next offset).

        Returns:
            Where the partition of `state` ends if nobody else has written to it since; None when nothing was
            written to it.

        Raises:
            FencedError: another worker owns the partition now; nothing was published.
            PublishError: it cannot be published; nothing was, as far as a transaction can promise it.
        """
        ...

    async def stop(self) -> None:
        """Lets go of connections; never raises."""
        ...


class SecondOpinion(Protocol):
    """Somebody outside who reads the texts of which the pack's models are unsure."""

    def ask(self, partition: int, questions: Sequence[Question]) -> None:
        """Takes questions that follow from a published batch, as far as there is room; returns at once.

        Answers come back as records on `findings`, on this partition number.
        """
        ...


class Loaded(Protocol):
    """A copy of a media file, which belongs to who asked for it. Hashes are hex digits in lower case."""

    @property
    def path(self) -> Path: ...
    @property
    def bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...
    @property
    def md5(self) -> str: ...


class MediaLoader(Protocol):
    """Fetches media files; `worker.media.loading.Loader` is the real one. Blocks; any number of threads may use one."""

    def load(self, uri: str, folder: Path) -> Loaded:
        """A copy of the file in the folder.

        Raises:
            RefusedError: it may not be loaded, is not there, or is larger or slower than allowed.
            OSError: the copy cannot be written, which is no fault of the file.
        """
        ...


class MediaSandbox(Protocol):
    """Examines media files in processes of their own; `worker.media.sandbox.Sandbox` is the real one.

    Blocks; any number of threads may use one.
    """

    def examine(self, path: Path, asked: Asked) -> Found:
        """What is in the file.

        Raises:
            RefusedError: it cannot be examined.
        """
        ...

    def close(self) -> None:
        """Ends what is being examined, and the processes."""
        ...


class MediaBanks(Protocol):
    """Hash banks as they were at one moment; `worker.media.banks.Banks` is the real one."""

    def match(self, found: Found) -> tuple[BankMatch, ...]:
        """The entries that a media item matches, by whatever hashes it has."""
        ...

    @property
    def entries(self) -> Mapping[tuple[str, str], int]:
        """How many entries there are, by policy and kind of hash."""
        ...


class MediaBankFolder(Protocol):
    """A folder of hash banks that may change; `worker.media.banks.BankFolder` is the real one."""

    @property
    def current(self) -> MediaBanks:
        """The banks as they were read last."""
        ...

    @property
    def faults(self) -> Sequence[str]:
        """What is wrong in the folder, a line for each file of which the contents of before are kept."""
        ...

    def reload(self) -> bool:
        """Reads what has changed since; whether anything has. Blocks, and raises nothing for what a file holds."""
        ...


class PublishError(RuntimeError):
    """What was to be published cannot be; the process must end without acknowledging the batch."""


class FencedError(PublishError):
    """Another worker owns the partition now; the process must end at once."""


class ShellMetrics(Protocol):
    """The part of `worker.metrics.Metrics` that the shell writes."""

    def add(self, tally: Mapping[tuple[str, ...], int]) -> None: ...
    def observe(self, values: Sequence[tuple[tuple[str, ...], float]]) -> None: ...
    def observe_batch(
        self, topic: str, partition: int, records: int, judge_seconds: float, publish_seconds: float
    ) -> None: ...
    def observe_model(self, queue_seconds: float, read_seconds: float) -> None: ...
    def observe_end_to_end(self, seconds: float, count: int = 1) -> None: ...
    def observe_restore(self, seconds: float, records: int) -> None: ...
    def set_lag(self, topic: str, partition: int, records: int) -> None: ...
    def drop_partition(self, partition: int) -> None: ...
    def set_last_commit(self, timestamp: float) -> None: ...
    def set_partitions(self, count: int) -> None: ...
    def set_loop_lag(self, seconds: float) -> None: ...
    def count(self, metric: str, *labels: str, by: int = 1) -> None: ...
    def observe_endpoint(self, result: str, seconds: float) -> None: ...
    def set_endpoint_open(self, is_open: bool) -> None: ...
    def set_media_banks(self, entries: Mapping[tuple[str, str], int], faulty: int) -> None: ...
    def set_media_bank_check(self, timestamp: float) -> None: ...
