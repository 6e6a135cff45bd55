"""Runs the benchmark's parts one after another and gathers what they measured."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from worker.admin import create_topics
from worker.bench import switching
from worker.cluster import connect
from worker.demo.stage import Stage, StageError, free_port, stop

PARTS = (
    "core",
    "lists",
    "bare",
    "noop",
    "full",
    "models",
    "state",
    "restore",
    "media",
    "switch",
    "examining",
    "recall",
)
NEED_NO_KAFKA = frozenset(("core", "lists", "examining", "recall"))
UNCERTAIN_SHARES = (0.01, 0.03, 0.10, 0.30)  # of the posts of which the fast model is unsure
_SAMPLE_SECONDS = 0.1
_STALL_SECONDS = 60.0
_CORE_POSTS = 100_000  # enough for the core, which gives the same figure for ever more
_LIST_ENTRIES = 200_000
_STATE_WORKERS = (
    ("full with state", "worker.judges:engine", True),
    ("full without state", "worker.bench.accounts:without_state", False),
)
_RESTORED_ACCOUNTS = 100_000
_RECALL_PICTURES = 330
_SMALL = 50_000  # posts; with fewer somebody tries the benchmark out
_CHILD_SECONDS = 600.0
# A figure of a core is one of a core, as in the sandbox.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure. `rate_share` is the load of the latency run, as a share of the throughput found."""

    posts: int = 300_000
    accounts: int = 10_000
    partitions: int = 4
    parts: tuple[str, ...] = PARTS
    latency_seconds: float = 10.0
    rate_share: float = 0.5
    batch: int = 2_000
    policies: Path | None = None
    cache_dir: Path | None = None


@dataclass(slots=True)
class Row:
    """One contender. Rates are posts a second; `cpu_us` is CPU microseconds a post of its own process."""

    name: str
    posts: int
    seconds: float
    cpu_us: float | None
    peak_bytes: int | None
    latency: dict[str, float | None] = field(default_factory=dict)
    stages_us: dict[str, float] = field(default_factory=dict)
    details: dict[str, float] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    """Each a title and rows, all of the same names."""

    @property
    def rate(self) -> float:
        """Posts a second."""
        return self.posts / self.seconds if self.seconds else 0.0

    def described(self, bare: Mapping[str, float]) -> dict[str, Any]:
        """For JSON, with its ratio to each bare loop of the same run."""
        return {
            "name": self.name,
            "posts": self.posts,
            "seconds": round(self.seconds, 3),
            "posts_per_second": round(self.rate),
            "ratio_to_bare": {name: round(self.rate / rate, 3) for name, rate in bare.items()},
            "cpu_us_per_post": self.cpu_us,
            "peak_bytes": self.peak_bytes,
            "latency": self.latency,
            "stages_us": self.stages_us,
            "details": self.details,
            "tables": self.tables,
        }


Say = Callable[[str], None]


def bare_rates(rows: list[Row]) -> dict[str, float]:
    """Posts a second of the bare loops that ran."""
    return {row.name: row.rate for row in rows if row.name.startswith("bare ")}


def run(plan: Plan, broker: str | None, folder: Path, say: Say) -> Iterator[Row]:
    """Runs the parts of the plan in order and gives each result as it is there.

    Raises:
        StageError: a part failed; the message says where to look.
        EmbeddedKafkaError, BrokerUnreachable, ClusterError: there is no Kafka to use.
    """
    if "core" in plan.parts:
        say("core: the engine without a broker, per stage")
        yield _core(plan)
    if "lists" in plan.parts:
        say(f"lists: the core with {_LIST_ENTRIES:,} further terms")
        answer = child("lists", **_core_arguments(plan), entries=_LIST_ENTRIES)
        yield _row("core, long lists", answer)
    for disk in (False, True) if "state" in plan.parts else ():
        say(f"state: the core with {plan.accounts:,} accounts {_where(disk)}, and with none")
        answer = child("accounts", **_core_arguments(plan), disk=disk)
        yield _row(f"core, {plan.accounts:,} accounts {_where(disk)}", answer)
    yield from _of_files(plan, say)
    if set(plan.parts) <= NEED_NO_KAFKA:
        return
    with _kafka(broker, say) as bootstrap:
        prefix = f"bench-{os.getpid()}."
        try:
            create_topics(bootstrap, prefix, plan.partitions)
            if {"bare", "noop", "full", "state"} & set(plan.parts):
                say(f"putting {plan.posts:,} posts of 300 bytes on the topic")
                child(
                    "fill", broker=bootstrap, topic=f"{prefix}posts", count=plan.posts, accounts=plan.accounts
                )
            if "bare" in plan.parts:
                yield from _bare(plan, bootstrap, prefix, say)
            for part, judge in (("noop", "worker.judges:forwarding"), ("full", "worker.judges:engine")):
                for guarantee in ("exactly-once", "at-least-once") if part in plan.parts else ():
                    say(f"{part} worker, {guarantee}")
                    yield _Worker(plan, bootstrap, prefix, folder, say).measure(
                        f"{part} {guarantee}", judge, guarantee
                    )
                    _forget_state(plan, bootstrap, prefix)
            where = {"broker": bootstrap, "prefix": prefix, "partitions": plan.partitions}
            pack = {name: _core_arguments(plan)[name] for name in ("policies", "cache_dir")}
            for name, judge, known in _STATE_WORKERS if "state" in plan.parts else ():
                say(f"full worker, exactly-once, {name}")
                if known:
                    # Without their actions: of those whose time is over by now, timers would write the ends.
                    child("written", **where, **pack, accounts=plan.accounts, actions=False)
                timeless = replace(plan, latency_seconds=0.0)
                yield _Worker(timeless, bootstrap, prefix, folder, say).measure(name, judge, "exactly-once")
                _forget_state(plan, bootstrap, prefix)
            for share in UNCERTAIN_SHARES if "models" in plan.parts else ():
                yield _with_uncertain(plan, bootstrap, f"{prefix}{share:g}.", share, folder, say)
            if "media" in plan.parts:
                yield from _beside_media(plan, bootstrap, prefix, folder, say)
            if "switch" in plan.parts:
                say("switch: a pack is published in the middle of an even load")
                yield _row(
                    "switch", switching.measure(bootstrap, prefix, plan.policies, plan.cache_dir, folder)
                )
            if "restore" in plan.parts:
                count = max(plan.accounts, _RESTORED_ACCOUNTS)
                say(f"restore of {count:,} accounts")
                child("written", **where, **pack, accounts=count)
                for disk in (False, True):
                    yield _row(f"restore {_where(disk)}", child("restored", **where, disk=disk))
        finally:
            with (
                contextlib.suppress(Exception),
                connect(bootstrap) as admin,
            ):  # tidying up must not hide what failed
                admin.delete_topics([name for name in admin.list_topics() if name.startswith(prefix)])


@contextmanager
def _kafka(broker: str | None, say: Say) -> Iterator[str]:
    if broker is not None:
        yield broker
        return
    from worker.embedded import EmbeddedKafka

    say("starting an embedded Apache Kafka")
    with EmbeddedKafka() as kafka:
        yield kafka.bootstrap


def child(name: str, **arguments: Any) -> dict[str, Any]:
    """Runs a part in a process of its own.

    Raises:
        StageError: it failed; with the last line of its complaint.
    """
    command = [sys.executable, "-m", "worker.bench.children", name, json.dumps(arguments)]
    done = subprocess.run(  # noqa: S603 - our own program
        command,
        capture_output=True,
        text=True,
        timeout=_CHILD_SECONDS,
        check=False,
        env={**os.environ, **_ONE_THREAD},
    )
    return _answer(name, done.returncode, done.stdout, done.stderr)


def _answer(name: str, code: int, out: str, err: str) -> dict[str, Any]:
    lines = out.strip().splitlines()
    if code != 0 or not lines:
        complaint = err.strip().splitlines()
        raise StageError(
            f"{name} ended with exit code {code}: {complaint[-1] if complaint else 'no message'}"
        )
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _row(name: str, answer: Mapping[str, Any]) -> Row:
    posts = answer["posts"]
    spent = answer.get("cpu_seconds")
    cpu = round(spent / posts * 1e6, 2) if posts and spent is not None else None
    row = Row(name, posts, answer["seconds"], cpu, answer.get("peak_bytes"))
    row.details = answer.get("details", {})
    row.tables = answer.get("tables", [])
    return row


def _of_files(plan: Plan, say: Say) -> Iterator[Row]:
    """What examining media files and looking their hashes up costs, and what the banks find."""
    parts = {"examining", "recall"} & set(plan.parts)
    if parts and importlib.util.find_spec("PIL") is None:
        say(f"{', '.join(sorted(parts))} left out: install the extra, pip install 'moderation-worker[media]'")
        return
    small = plan.posts < _SMALL
    if "examining" in parts:
        from worker.bench import media_speed

        say("examining: pictures by format and size, and hashes by how many there are")
        yield _row("examining", media_speed.measure(child, 0.2 if small else media_speed.SECONDS))
    if "recall" in parts:
        from worker.bench import media_recall

        say("recall: pictures of this project, changed in each way and looked up")
        yield _row("recall", media_recall.measure(33 if small else _RECALL_PICTURES, child))


def _where(disk: bool) -> str:
    return "on disk" if disk else "in memory"


def _core(plan: Plan) -> Row:
    answer = child("core", **_core_arguments(plan))
    row = _row("core", answer)
    row.stages_us = answer["stages_us"]
    return row


def _core_arguments(plan: Plan) -> dict[str, Any]:
    return {
        "count": min(plan.posts, _CORE_POSTS),
        "accounts": plan.accounts,
        "batch": plan.batch,
        "policies": None if plan.policies is None else str(plan.policies),
        "cache_dir": None if plan.cache_dir is None else str(plan.cache_dir),
    }


def _bare(plan: Plan, broker: str, prefix: str, say: Say) -> Iterator[Row]:
    loops = {"bare confluent-kafka": "bare_confluent", "bare aiokafka": "bare_aiokafka"}
    if importlib.util.find_spec("confluent_kafka") is None:
        say("bare confluent-kafka is left out: install the extra, pip install 'moderation-worker[bench]'")
        del loops["bare confluent-kafka"]
    for name, function in loops.items():
        say(name)
        yield _row(
            name,
            child(
                function,
                broker=broker,
                topic=f"{prefix}posts",
                target=f"{prefix}observations",
                count=plan.posts,
            ),
        )


def _with_uncertain(plan: Plan, broker: str, prefix: str, share: float, folder: Path, say: Say) -> Row:
    """The full worker where the second model has this share of the posts to read, on topics of its own."""
    say(f"full worker, exactly-once, {share:.0%} uncertain")
    create_topics(broker, prefix, plan.partitions)
    child(
        "fill",
        broker=broker,
        topic=f"{prefix}posts",
        count=plan.posts,
        accounts=plan.accounts,
        uncertain=share,
    )
    worker = _Worker(replace(plan, latency_seconds=0.0), broker, prefix, folder, say)
    row = worker.measure(f"full {share:.0%} uncertain", "worker.judges:engine", "exactly-once")
    row.details = worker.models(row.posts)
    return row


def _beside_media(plan: Plan, broker: str, prefix: str, folder: Path, say: Say) -> Iterator[Row]:
    """The full worker alone, beside a busy media worker, and alone again, each on the same posts anew."""
    if importlib.util.find_spec("PIL") is None:
        say("media is left out: install the extra, pip install 'moderation-worker[media]'")
        return
    with tempfile.TemporaryDirectory(prefix="moderator-pictures-") as pictures:
        child("media_files", folder=pictures)
        yield from _beside(plan, broker, prefix, folder, Path(pictures), say)


def _beside(plan: Plan, broker: str, prefix: str, folder: Path, pictures: Path, say: Say) -> list[Row]:
    from worker.bench.beside import media_worker

    timeless = replace(plan, latency_seconds=0.0)
    rows: list[Row] = []
    for run, name in enumerate(("alone", "beside media", "alone again")):
        own = f"{prefix}m{run}."
        create_topics(broker, own, plan.partitions)
        child(
            "fill_with_media",
            broker=broker,
            topic=f"{own}posts",
            count=plan.posts,
            accounts=plan.accounts,
            folder=str(pictures),
        )
        say(f"full worker, exactly-once, {name}")
        if name != "beside media":
            worker = _Worker(timeless, broker, own, folder, say)
            rows.append(worker.measure(f"full {name}", "worker.judges:engine", "exactly-once"))
            continue
        with media_worker(broker, own, pictures, folder / "media-worker.log") as media:
            before, began = media.items(), time.perf_counter()
            worker = _Worker(timeless, broker, own, folder, say)  # now: it looks for a free port
            row = worker.measure(f"full {name}", "worker.judges:engine", "exactly-once")
            media.check()
            items = media.items() - before
            seconds = time.perf_counter() - began
            waiting = media.metric("moderator_consumer_lag_records")
        row.details = {
            "media_items_a_second": round(items / seconds, 1),
            "posts_that_media_still_waits_for": waiting,
        }
        rows.append(row)
    first, beside, last = rows
    alone = (first.rate + last.rate) / 2
    beside.details["throughput_beside_alone"] = round(beside.rate / alone, 3)
    beside.details["alone_again_beside_alone"] = round(last.rate / first.rate, 3)
    if first.cpu_us and last.cpu_us and beside.cpu_us:
        beside.details["cpu_a_post_beside_alone"] = round(beside.cpu_us * 2 / (first.cpu_us + last.cpu_us), 3)
    return rows


def _forget_state(plan: Plan, broker: str, prefix: str) -> None:
    """The next worker must judge the same posts as news: what the last one remembered goes."""
    with connect(broker) as admin:
        admin.delete_topics([f"{prefix}state"])
        deadline = time.monotonic() + 10
        while f"{prefix}state" in admin.list_topics() and time.monotonic() < deadline:
            time.sleep(0.1)
    create_topics(broker, prefix, plan.partitions)


@dataclass(frozen=True, slots=True)
class _Sample:
    """A moment of a worker: records read so far, its CPU seconds."""

    at: float
    records: int
    cpu_seconds: float | None


class _Worker:
    """One worker process under measurement."""

    def __init__(self, plan: Plan, broker: str, prefix: str, folder: Path, say: Say) -> None:
        self._plan = plan
        self._broker = broker
        self._prefix = prefix
        self._folder = folder
        self._say = say
        self._port = free_port()
        self._scrape: dict[str, float] = {}

    def models(self, posts: int) -> dict[str, float]:
        """What the second model did during `measure`: shares of the posts, milliseconds."""
        seen = self._scrape
        read = seen.get('moderator_model_texts_total{model="second"}', 0.0)
        unread = seen.get('moderator_model_unsettled_total{reason="unread"}', 0.0)
        found = {
            "read_by_the_second_model": round(read / posts, 4),
            "to_review_for_want_of_its_share": round(unread / posts, 4),
        }
        for stage in ("queue", "read"):
            times = seen.get(f'moderator_model_seconds_count{{stage="{stage}"}}', 0.0)
            spent = seen.get(f'moderator_model_seconds_sum{{stage="{stage}"}}', 0.0)
            found[f"{stage}_ms_a_slice"] = round(spent / times * 1000, 2) if times else 0.0
            if stage == "read":
                found["ms_a_text"] = round(spent / read * 1000, 2) if read else 0.0
        return found

    def measure(self, name: str, judge: str, guarantee: str) -> Row:
        log = self._folder / f"{name.replace(' ', '-')}.log"
        backlog = self._backlog()
        with log.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own program
                self._command(name, guarantee),
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, "MODERATOR_JUDGE": judge},
            )
            stage = Stage(self._broker, self._prefix, None, process, log)
            try:
                first, last = self._drain(stage, backlog)
                rate = (last.records - first.records) / (last.at - first.at)
                latency = self._latency(rate * self._plan.rate_share)
                self._scrape = self._metrics()
                stage.check()
                peak = _peak_bytes(process.pid)
            finally:
                stop(process)
        done = last.records - first.records
        cpu = None
        if first.cpu_seconds is not None and last.cpu_seconds is not None:
            cpu = round((last.cpu_seconds - first.cpu_seconds) / done * 1e6, 2)
        return Row(name, done, last.at - first.at, cpu, peak, latency)

    def _command(self, name: str, guarantee: str) -> list[str]:
        command = [
            sys.executable, "-m", "worker.cli", "run", "--broker", self._broker, "--topic-prefix", self._prefix,
            "--group", f"{self._prefix}{name.replace(' ', '-')}", "--guarantee", guarantee,
            "--http-port", str(self._port), "--batch", str(self._plan.batch), "--log-level", "warning",
        ]  # fmt: skip
        if self._plan.policies is not None:
            command += ["--policies", str(self._plan.policies)]
        if self._plan.cache_dir is not None:
            command += ["--cache-dir", str(self._plan.cache_dir)]
        return command

    def _backlog(self) -> int:
        """How many posts lie on the topic."""
        from kafka import KafkaConsumer, TopicPartition

        consumer = KafkaConsumer(bootstrap_servers=self._broker.split(","), group_id=None)
        try:
            topic = f"{self._prefix}posts"
            partitions = [
                TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()
            ]
            return int(sum(consumer.end_offsets(partitions).values()))
        finally:
            consumer.close()

    def _drain(self, stage: Stage, backlog: int) -> tuple[_Sample, _Sample]:
        """Waits until all posts are done; the first moment with progress, and the last."""
        assert stage.worker is not None
        first: _Sample | None = None
        last, moved = None, time.monotonic()
        while True:
            stage.check()
            records = self._records()
            sample = _Sample(time.perf_counter(), records, _cpu_seconds(stage.worker.pid))
            if records and (last is None or records > last.records):
                moved = time.monotonic()
                first = first or sample
                last = sample
            if first is not None and last is not None and last.records >= backlog and last is not first:
                return first, last
            if first is not None and first.records >= backlog:
                raise StageError("too few posts to measure a worker by: give more with --posts")
            if time.monotonic() - moved > _STALL_SECONDS:
                raise StageError(
                    f"the worker did {records:,} of {backlog:,} posts and stopped; see {stage.worker_log}"
                )
            time.sleep(_SAMPLE_SECONDS)

    def _records(self) -> int:
        """Posts that the worker has done, by its own metrics; 0 while it does not answer."""
        return int(self._metrics().get('moderator_records_total{topic="posts"}', 0))

    def _metrics(self) -> dict[str, float]:
        """The worker's series with their values; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        lines = (line.rpartition(" ") for line in text.splitlines() if line and line[0] != "#")
        return {series: float(value) for series, _, value in lines}

    def _latency(self, rate: float) -> dict[str, float | None]:
        seconds = self._plan.latency_seconds
        if seconds <= 0:
            return {}
        self._say(f"  latency at {rate:,.0f} posts/s")
        topics = [f"{self._prefix}decisions"]
        arguments = json.dumps({"broker": self._broker, "topics": topics, "seconds": seconds + 3})
        watcher = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "worker.bench.children", "watch", arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert watcher.stdout is not None
            watcher.stdout.readline()
            child("pace", broker=self._broker, topic=f"{self._prefix}posts", rate=rate, seconds=seconds)
            out, err = watcher.communicate(timeout=_CHILD_SECONDS)
        finally:
            if watcher.poll() is None:
                watcher.send_signal(signal.SIGKILL)
                watcher.wait()
        answer = _answer("watch", watcher.returncode, out, err)
        return {"rate": round(rate), **{key: value for key, value in answer.items() if key != "peak_bytes"}}


def _cpu_seconds(pid: int) -> float | None:
    """User and system time of a process so far; None where the system does not say."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _peak_bytes(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
