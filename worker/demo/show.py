"""The demonstration from beginning to end: prepare, stream, watch, sum up."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from worker.admin import create_topics
from worker.demo.people import People
from worker.demo.source import TOPICS, Sample, samples
from worker.demo.stage import Stage, StageError, worker
from worker.demo.tally import OutputFiles, Shown, Tally
from worker.demo.view import Frame, View
from worker.engine.records import Record
from worker.reading import TopicReader, reader
from worker.topics import OUTPUTS

PARTITIONS = 3
_GROUP = "moderator-demo"
_PATIENCE_SECONDS = 30.0  # without a single answer while some are due
_TICK_SECONDS = 0.05
_RATE_WINDOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show. `broker` None starts an embedded Kafka; `rate` is records a second, 0 as fast as it goes."""

    broker: str | None
    prefix: str
    out: Path
    rate: float
    policies: Path | None = None
    client_options: Mapping[str, Any] = field(default_factory=dict)  # of TLS and SASL


@dataclass(frozen=True, slots=True)
class Finding:
    """How it went. `seconds` are those of the stream alone."""

    tally: Tally
    files: OutputFiles
    seconds: float
    metrics_url: str | None


def show(plan: Plan, view: View) -> Finding:
    """Runs the whole demonstration; everything that it starts is gone when it returns or raises.

    Raises:
        StageError: the worker failed, or not every record was answered.
        EmbeddedKafkaError, BrokerUnreachable, ClusterError: there is no Kafka to use.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    with _kafka(plan, view) as bootstrap:
        view.step(f"Making the topics on {bootstrap}")
        report = create_topics(bootstrap, plan.prefix, PARTITIONS, client_options=plan.client_options)
        if report.problems:
            raise StageError("the topics are not as they must be:\n" + "\n".join(map(str, report.problems)))
        view.step("Starting a worker, exactly-once (the first time compiles its policies' expressions)")
        with worker(
            bootstrap=bootstrap,
            prefix=plan.prefix,
            group=_GROUP,
            policies=plan.policies,
            log=plan.out / "worker.log",
        ) as stage:
            view.step(f"The worker is ready; metrics at {stage.metrics_url}")
            with (
                reader(
                    bootstrap, OUTPUTS, plan.prefix, from_end=True, client_options=plan.client_options
                ) as topics,
                OutputFiles(plan.out) as files,
            ):
                return _stream(plan, stage, topics, files, view)


@contextmanager
def _kafka(plan: Plan, view: View) -> Iterator[str]:
    if plan.broker is not None:
        yield plan.broker
        return
    # An optional extra: only a demonstration without a broker of one's own needs it.
    from worker.embedded import EmbeddedKafka

    view.step("Starting an embedded Apache Kafka (the first time fetches it, 45 MB)")
    with EmbeddedKafka() as kafka:
        yield kafka.bootstrap


def _stream(plan: Plan, stage: Stage, topics: TopicReader, files: OutputFiles, view: View) -> Finding:
    suffix = "" if plan.broker is None else f"-{int(time.time())}"
    people = People()
    everything = samples()
    started = time.monotonic()
    with _producer(stage.bootstrap, plan.client_options) as producer:
        scene = _Scene(plan, stage, topics, files, view, producer, people)
        scene.play(everything, lambda sample: sample.value(datetime.now(UTC), suffix), suffix)
        for what, make in (
            ("Some of them appeal", people.appeals),
            ("Moderators decide what waits for them", people.reviews),
        ):
            if made := make(datetime.now(UTC)):
                view.step(f"{what}: {len(made)} records")
                scene.play(made, lambda sample: sample.raw)
    return Finding(scene.tally, files, time.monotonic() - started, stage.metrics_url)


class _Scene:
    """Sends records and watches until each has its answer."""

    def __init__(
        self,
        plan: Plan,
        stage: Stage,
        topics: TopicReader,
        files: OutputFiles,
        view: View,
        producer: Any,
        people: People,
    ) -> None:
        self.tally = Tally()
        self._plan = plan
        self._stage = stage
        self._topics = topics
        self._files = files
        self._view = view
        self._producer = producer
        self._people = people
        self._offered = 0
        self._pace = _Pace()

    def play(
        self, queue: Sequence[Sample], value: Callable[[Sample], bytes | None], suffix: str = ""
    ) -> None:
        """Sends some records at the plan's rate; returns when all of them are answered and nothing more comes.

        Raises:
            StageError: an answer is missing, or the worker ended.
        """
        tally, rate = self.tally, self._plan.rate
        waiting, first = iter(queue), self._offered
        total = first + len(queue)
        started = last_answer = time.monotonic()
        done = False
        while not done:
            now = time.monotonic()
            due = total if rate <= 0 else min(total, first + int((now - started) * rate) + 1)
            due = min(due, self._offered + 200)  # keep looking at the outputs however fast it goes
            for sample in itertools.islice(waiting, due - self._offered):
                _send(self._producer, self._stage.prefix, sample, value(sample), suffix, tally)
            self._offered = due
            self._producer.flush()
            before = len(tally.answered)
            new = self._look(_TICK_SECONDS)
            now = time.monotonic()
            if len(tally.answered) > before or not tally.waiting:
                last_answer = now
            pace = self._pace.rate(now, len(tally.answered))
            self._view.update(tally, Frame(total, pace, now - started, self._stage.metrics_url), new)
            self._stage.check()
            if now - last_answer > _PATIENCE_SECONDS:
                raise StageError(
                    f"{tally.waiting} of {self._offered} records had no decision and no dead letter after "
                    f"{_PATIENCE_SECONDS:g} s; see {self._stage.worker_log}"
                )
            done = self._offered >= total and not tally.waiting
        seconds = time.monotonic() - started
        # Outputs of one transaction arrive together, but of several topics in any order: read on until it is quiet.
        tail: list[Shown] = []
        while records := self._topics.poll(0.5):
            tail += self._take(records)
        self._view.update(tally, Frame(total, len(queue) / seconds, seconds, self._stage.metrics_url), tail)

    def _look(self, seconds: float) -> list[Shown]:
        return self._take(self._topics.poll(seconds))

    def _take(self, records: list[Record]) -> list[Shown]:
        self._files.write(records)
        self._people.see(records)
        return self.tally.add(records)


class _Pace:
    """Records a second over the last moments."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def rate(self, now: float, answered: int) -> float:
        self._seen.append((now, answered))
        while len(self._seen) > 2 and self._seen[0][0] < now - _RATE_WINDOW_SECONDS:
            self._seen.pop(0)
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else 0.0


@contextmanager
def _producer(bootstrap: str, client_options: Mapping[str, Any]) -> Iterator[Any]:
    from kafka import KafkaProducer

    # kafka-python's own partitioner is murmur2, as the contract wants it.
    producer = KafkaProducer(
        bootstrap_servers=bootstrap.split(","), linger_ms=5, acks="all", **client_options
    )
    try:
        yield producer
    finally:
        with contextlib.suppress(
            Exception
        ):  # closing waits for the broker, which may be gone: nothing is left to lose
            producer.close(timeout=2)


def _send(producer: Any, prefix: str, sample: Sample, value: bytes | None, suffix: str, tally: Tally) -> None:
    subject = sample.subject_as(suffix)
    if subject is not None:
        tally.texts[subject] = sample.fields

    def noted(metadata: Any) -> None:
        tally.sent.add((sample.topic, metadata.partition, metadata.offset))

    producer.send(prefix + sample.topic, key=sample.key, value=value).add_callback(noted)


def stream_only(
    broker: str,
    prefix: str,
    rate: float,
    rounds: int | None,
    view: View,
    client_options: Mapping[str, Any],
) -> int:
    """Sends the bundled records again and again (or so many rounds), under new ids; returns how many were sent.

    For a worker that runs elsewhere. Ends with KeyboardInterrupt when there is no number of rounds.

    Raises:
        BrokerUnreachable, ClusterError: the broker or its topics cannot be used.
    """
    with reader(broker, TOPICS, prefix, client_options=client_options):
        pass  # says in words when the broker or a topic is not there
    everything = samples()
    sent = 0
    with _producer(broker, client_options) as producer:
        started = time.monotonic()
        for number in itertools.count(1) if rounds is None else range(1, rounds + 1):
            suffix = f"-{int(time.time())}"
            view.step(f"Round {number}: {len(everything):,} records at {rate:g}/s to {broker}")
            for sample in everything:
                value = sample.value(datetime.now(UTC), suffix)
                producer.send(prefix + sample.topic, key=sample.key, value=value)
                sent += 1
                ahead = started + sent / rate - time.monotonic() if rate > 0 else 0.0
                if ahead > 0:
                    time.sleep(ahead)
            producer.flush()
    return sent
