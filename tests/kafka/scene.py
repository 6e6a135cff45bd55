"""The stage of a fault test: topics, a load, workers with a supervisor, and the judges of what came out."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient

from tests.kafka.oracle import Comparison, Ledger, Oracle
from tests.kafka.recomputed import Place, read_state, recompute
from tests.kafka.traffic import PACK, REMOVE_WORD, SyntheticPost, Traffic, make_posts
from tests.kafka.workers import WorkerProcess, Workers
from worker.admin import create_topics
from worker.topics import OUTPUTS

TOPICS = tuple(topic for topic in OUTPUTS if topic != "statements")
STOP_SECONDS = 10.0  # the longest that a clean stop may take
_PAUSE_SECONDS = 0.1
_NO_RESTART = (0, 2, 3)  # a clean stop that nobody asked for, bad settings, no broker


@dataclass(frozen=True, slots=True)
class Ending:
    """A worker that ended without being told to."""

    name: str
    code: int
    log: str


@dataclass
class Outcome:
    """What a scene ended with. Empty lists are what is promised."""

    by_ledger: Comparison
    by_engine: Comparison
    wrong_state: list[str]
    endings: list[Ending]
    seconds: float
    recoveries: list[tuple[str, float]] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Outputs that should be there and are not."""
        return max(len(self.by_ledger.lost), len(self.by_engine.lost))

    @property
    def extra(self) -> int:
        """Outputs that nobody expected, and second copies."""
        extra = max(len(self.by_ledger.extra), len(self.by_engine.extra))
        return extra + self.by_engine.repeats

    @property
    def differing(self) -> int:
        """Ids under which there is something else than the engine says, and accounts with a wrong state."""
        differing = max(len(self.by_ledger.differing), len(self.by_engine.differing))
        return differing + len(self.wrong_state)

    def assert_exactly_once(self) -> None:
        """Everything once, byte for byte, and the state as if nothing had happened."""
        self.by_ledger.assert_clean()
        self.by_engine.assert_clean()
        assert not self.wrong_state, self.wrong_state[:5]

    def assert_at_least_once(self) -> None:
        """Nothing lost, nothing surplus, repeats byte for byte."""
        self.by_ledger.assert_clean(repeats_allowed=True)
        self.by_engine.assert_clean(repeats_allowed=True)
        assert not self.wrong_state, self.wrong_state[:5]


class Scene:
    """A context manager; the workers publish all decisions, so that every input record shows.

    Workers that end without being told to are started again by `tend`, as a supervisor would; everything
    that waits here tends them.

    Args:
        broker: the broker's address.
        prefix: of this test's topics.
        folder: for logs.
        partitions: of every topic.
        topic_settings: of the topic `posts`.
        settings: further `MODERATOR_…` settings of the workers.
    """

    def __init__(
        self,
        broker: str,
        prefix: str,
        folder: Path,
        *,
        partitions: int = 3,
        topic_settings: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.broker = broker
        self.prefix = prefix
        self.partitions = partitions
        self.ledger = Ledger()
        self.given_up: dict[Place, str] = {}
        self.endings: list[Ending] = []
        self.fleet: list[WorkerProcess] = []
        self.sent = 0  # posts by `post`
        self._others = 0
        self._read = 0
        self._decisions = 0
        self.recoveries: list[tuple[str, float]] = []
        self.on_wait: Callable[[], None] = lambda: None  # called again and again by everything that waits
        self._began = time.monotonic()
        create_topics(broker, prefix, partitions)
        if topic_settings:
            _set_topic(broker, prefix + "posts", topic_settings)
        self.workers = Workers(broker, prefix, folder, {"decisions": "all", **(settings or {})})
        self.traffic = Traffic(broker, prefix)
        self.oracle = Oracle(broker, prefix, TOPICS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workers.__exit__(kind, error, trace)
        self.traffic.__exit__(kind, error, trace)
        self.oracle.__exit__(kind, error, trace)
        gc.collect()  # a socket that a client forgot is to be found here, not in another test

    # --- the load

    def post(self, count: int, *, accounts: int = 200) -> list[SyntheticPost]:
        """Sends so many more synthetic posts, which the ledger expects; one in ten must be removed."""
        posts = self.traffic.send(make_posts(count, first=self.sent, accounts=accounts))
        self.sent += count
        self.ledger.expect(posts)
        return posts

    def post_others(self, count: int) -> None:
        """Sends records of the other input topics; the accounts post nothing, so no order is open."""
        for number in range(self._others, self._others + count):
            account = f"profile-{number}"
            bio = f"I {REMOVE_WORD} things" if number % 5 == 0 else "likes gardens"
            at = "2026-11-22T09:00:00Z"
            records: dict[str, dict[str, Any]] = {
                "accounts": {"account_id": account, "updated_at": at, "profile": {"bio": bio}},
                "reports": {
                    "report_id": f"r{number}",
                    "reporter_id": "u9",
                    "subject": {"type": "account", "id": f"reported-{number}"},
                    "account_id": f"reported-{number}",
                    "reason": "violence",
                    "created_at": at,
                },
            }
            for topic, body in records.items():
                value = json.dumps({"schema_version": 1, **body}).encode()
                self.traffic.send_raw(value, topic=topic, key=body["account_id"].encode())
        self._others += count  # reports are only counted, they show no decision

    @property
    def decisions(self) -> int:
        """How many decisions have come out, repeats included."""
        records = self.oracle.records
        self._decisions += sum(record.topic == "decisions" for record in records[self._read :])
        self._read = len(records)
        return self._decisions

    @contextmanager
    def without_clients(self) -> Iterator[None]:
        """Has no clients of its own in the block: those that meet no broker leave sockets behind.

        What came out is read again from the beginning afterwards.
        """
        self.traffic.__exit__(None, None, None)
        self.oracle.__exit__(None, None, None)
        yield
        self.traffic = Traffic(self.broker, self.prefix)
        self.oracle = Oracle(self.broker, self.prefix, TOPICS)
        self._read = self._decisions = 0

    # --- the supervisor

    def start(self, count: int = 1, *options: str) -> list[WorkerProcess]:
        """Starts workers that are kept alive, and waits until they judge."""
        processes = [self.workers.start(*options) for _ in range(count)]
        self.fleet += processes
        self.wait(lambda: all(each.is_ready() for each in self.fleet), 60.0, "the workers to be ready")
        return processes

    def tend(self) -> None:
        """Replaces workers that ended."""
        for number, process in enumerate(self.fleet):
            code = process.exit_code
            if code is not None:
                assert code not in _NO_RESTART, f"{process.name} cannot run: {process.log()}"
                self.endings.append(Ending(process.name, code, process.log()))
                self.fleet[number] = self.workers.start()

    def dismiss(self, process: WorkerProcess) -> float:
        """SIGTERM; asserts that it ends cleanly in time. Returns after how many seconds it did."""
        self.fleet.remove(process)
        began = time.monotonic()
        process.terminate()
        self.wait(lambda: not process.is_running, STOP_SECONDS + 5, f"{process.name} to end")
        seconds = time.monotonic() - began
        assert process.exit_code == 0, f"exit code {process.exit_code}:\n{process.log()}"
        assert seconds <= STOP_SECONDS, f"took {seconds:.1f} s to end"
        return seconds

    def codes(self) -> list[int]:
        """The exit codes of the workers that ended without being told to, in order."""
        return [ending.code for ending in self.endings]

    def owned(self, process: WorkerProcess) -> float:
        """How many partition numbers a worker owns now."""
        return process.metric("moderator_partitions_assigned")

    # --- waiting

    def wait(self, condition: Callable[[], bool], timeout_seconds: float, what: str) -> None:
        """Tends the workers and reads what comes out until the condition holds.

        Raises:
            TimeoutError: it did not in time; the message ends with the workers' last words.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            self.tend()
            self.on_wait()
            self.oracle.poll(_PAUSE_SECONDS)
            if condition():
                return
            if time.monotonic() > deadline:
                logs = "\n".join(f"{each.name}: …{each.log()[-1500:]}" for each in self.fleet)
                msg = f"timed out after {timeout_seconds:g} s waiting for {what}; endings {self.codes()}\n{logs}"
                raise TimeoutError(msg)

    def progress(self, more: int, timeout_seconds: float = 60.0) -> None:
        """Waits until so many more records came out: a fault before that would hit idle workers."""
        goal = len(self.oracle.records) + more
        self.wait(lambda: len(self.oracle.records) >= goal, timeout_seconds, f"{more} more output records")

    def recover(self, fault: str, timeout_seconds: float = 90.0, since: float | None = None) -> float:
        """Waits until every partition has published something more; returns the seconds and notes them.

        Call it right after the fault (or say since when), with records waiting on every partition. When
        everything that was sent is decided, that is enough.
        """
        began = time.monotonic() if since is None else since
        self.work(timeout_seconds, f"after {fault}")
        seconds = time.monotonic() - began
        self.recoveries.append((fault, seconds))
        return seconds

    def work(self, timeout_seconds: float = 60.0, when: str = "") -> None:
        """Waits until every partition has published something more, or everything that was sent is decided."""
        self.oracle.read_to_end()
        before = len(self.oracle.records)
        published: set[int] = set()

        def all_published() -> bool:
            published.update(record.partition for record in self.oracle.records[before:])
            return len(published) == self.partitions or self.decisions >= self.sent + self._others

        self.wait(all_published, timeout_seconds, f"all partitions to publish {when}")

    # --- the end

    def finish(self, timeout_seconds: float = 120.0, pack: Path = PACK) -> Outcome:
        """Waits until everything expected has come out, stops the workers, reads to the end, compares.

        What never comes out is left to the comparison: it is lost.
        """
        expected = recompute(self.broker, self.prefix, pack, given_up=self.given_up)
        waiting: set[tuple[str, str]] = set(expected.outputs)
        looked = 0
        came = [len(self.oracle.records), time.monotonic()]
        deadline = time.monotonic() + timeout_seconds

        def done() -> bool:
            nonlocal looked
            from tests.kafka.recomputed import identity

            for record in self.oracle.records[looked:]:
                waiting.discard(identity(record))
            looked = len(self.oracle.records)
            if looked > came[0]:
                came[:] = looked, time.monotonic()
            # Thirty seconds after the last record nothing more will come: the rest is lost.
            return not waiting or time.monotonic() - came[1] > 30 or time.monotonic() > deadline

        self.wait(done, timeout_seconds + 5, "everything to come out")
        for process in tuple(self.fleet):
            self.dismiss(process)
        records = self.oracle.read_to_end()
        from_posts = [
            record
            for record in records
            if record.topic == "dead-letter" or record.body.get("record", {}).get("topic") == "posts"
        ]
        return Outcome(
            self.ledger.compare(from_posts, all_decisions=True),
            expected.compare(records),
            expected.compare_state(read_state(self.broker, self.prefix)),
            self.endings,
            time.monotonic() - self._began,
            self.recoveries,
        )


def _set_topic(broker: str, name: str, settings: Mapping[str, str]) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType

    admin = KafkaAdminClient(bootstrap_servers=broker)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(settings))])
    finally:
        admin.close()


def dead_letters(records: Sequence[Any]) -> list[dict[str, Any]]:
    """The bodies of the dead letters."""
    return [record.body for record in records if record.topic == "dead-letter"]
