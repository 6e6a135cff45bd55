"""What every kind of worker process has around its work: signals, health, figures, its tasks, its exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faust.types import TP

from worker import app as apps
from worker import heap, logs, security
from worker.adapters import kafka
from worker.admin import check_topics
from worker.cluster import BrokerUnreachable, ClusterError
from worker.engine.records import Judged
from worker.engine.store import StoreError
from worker.health import Health
from worker.http import Endpoint, PortError
from worker.loop import Loop
from worker.metrics import Metrics, new_registry
from worker.ports import FencedError, Publisher
from worker.settings import Guarantee, Settings, SettingsError
from worker.tls import CredentialError
from worker.transactions import AcknowledgedPublisher, TransactionalPublisher, begin_sooner
from worker.transport import never_create_topics

if TYPE_CHECKING:
    from worker.app import ShellApp
    from worker.owning import Owner

log = logging.getLogger("moderator")

EXIT_OK = 0
EXIT_CRASH = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

# The libraries announce each of their services; what they warn of goes through the flood filter.
_LOG_LEVELS = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "mode.timers": logging.ERROR,  # "overlapping" only says that a batch took longer than a timer's interval
    "aiokafka": logging.WARNING,
    "kafka": logging.WARNING,
    "worker.app": logging.ERROR,  # warns of sensors, of which there are none
    "worker.transport": logging.WARNING,
}
_SILENCE_SECONDS = 10.0  # a fetch is answered at least every 1.5 s, with nothing if there is nothing
_BEAT_SECONDS = 0.5
_WATCH_SECONDS = 1.0


class StartError(ValueError):
    """A worker cannot be made from what it was given; the message says what is wrong, and where."""


def serve(settings: Settings, prepare: Callable[[], Callable[[Metrics, Health], Shell]]) -> int:
    """Runs one worker until it is told to stop (SIGTERM, SIGINT) or must end.

    Args:
        settings: what the operator set.
        prepare: does what needs no broker, and returns what makes the worker. May raise StartError and
            SettingsError.

    Returns:
        0 after a clean stop; 2 for settings, topics or other things that cannot be used; 3 when no broker
        answers in time. What must not go on (another owner, a crash) ends the process at once with 1, and what
        hangs with 70: a supervisor starts the next one.
    """
    logs.setup(settings.log_format, settings.log_level)  # type: ignore[arg-type]  # checked by Settings
    for name, level in _LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    never_create_topics()
    begin_sooner()
    # Until the event loop has its own handler: nothing is owned yet, so there is nothing to drain.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # First, for it needs no broker: a fault is told whether or not one answers.
        make_shell = prepare()
        heap.settle()
        problems = check_topics(
            settings.broker,
            settings.topic_prefix,
            statements=settings.statements,
            client_options=security.for_kafka_python(settings),
            timeout_seconds=settings.connect_timeout,
        )
        if problems:
            for problem in problems:
                log.error("%s", problem)
            log.error("the topics are not as they must be; `moderator topics create` makes what is missing")
            return EXIT_USAGE
        health = Health(("broker", "partitions"), stall_seconds=settings.batch_limit + 5)
        registry = new_registry()
        metrics = Metrics(registry)
        metrics.watch(health)
        with Endpoint(registry, health, host=settings.http_host, port=settings.http_port) as endpoint:
            log.info("metrics and health", extra={"url": endpoint.url})
            with asyncio.Runner(loop_factory=Loop) as runner:
                return runner.run(make_shell(metrics, health).run())
    except BrokerUnreachable as error:
        log.error("%s", error)
        return EXIT_UNREACHABLE
    except (ClusterError, CredentialError, PortError, SettingsError, StartError) as error:
        log.error("%s", error)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_OK
    except Exception as error:  # the last line of a worker that could not start
        log.critical("the worker cannot start: %s: %s", type(error).__name__, error, exc_info=error)
        return EXIT_CRASH


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


class Shell(ABC):
    """A running worker, whatever it does with the records that it reads.

    Args:
        settings: what the operator set.
        metrics: its figures.
        health: what orchestrators ask.
    """

    topics: tuple[str, ...]
    """The topics that it reads, by the contract's names."""
    idle_seconds: float | None = None
    """How long a batch may keep everything else from being fetched; None as `worker.app.build` has it."""

    def __init__(self, settings: Settings, metrics: Metrics, health: Health) -> None:
        self.settings = settings
        self.metrics = metrics
        self.health = health
        self._stopping = asyncio.Event()
        self._exit = EXIT_OK
        self._owner: Owner[Any] | None = None
        self._released = False  # everything is committed and marked; nothing that fails now matters
        self._app: ShellApp | None = None

    # --- what each kind of worker does in its own way

    @abstractmethod
    async def open(self, stack: contextlib.AsyncExitStack, partitions: int) -> Owner[Any]:
        """Makes the owner of the partition numbers; what it needs is closed by the stack.

        Args:
            stack: exited last, when everything was given away.
            partitions: how many each topic has.
        """

    def alongside(self) -> Iterable[Coroutine[Any, Any, Any]]:
        """What runs beside, until the worker stops; called once, after `open`."""
        return ()

    @abstractmethod
    def report(self) -> None:
        """Shows what is peculiar to this kind of worker, about once a second."""

    # --- running

    async def run(self) -> int:
        """Starts everything, waits for a signal, stops everything; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        settings = self.settings
        partitions = await kafka.partition_count(settings, self.topics[0])
        async with contextlib.AsyncExitStack() as stack:
            owner = self._owner = await self.open(stack, partitions)
            app = self._app = apps.build(
                settings, owner, self.fail, topics=self.topics, idle_seconds=self.idle_seconds
            )
            tasks = [
                asyncio.create_task(self._guarded(work))
                for work in (self._beat(), self._timers(owner), self._watch(owner), *self.alongside())
            ]
            start = asyncio.create_task(self._guarded(app.start()))
            await self._stopping.wait()
            log.info("stopping")
            self.health.set_ready("partitions", False, "stopping")
            try:
                async with asyncio.timeout(settings.stop_timeout):
                    await owner.release(closing=True)
                    self._released = True
                    for task in tasks:
                        task.cancel()
                    start.cancel()
                    await app.stop()
            except TimeoutError:
                # What was done is committed and marked, so this is a clean end all the same.
                log.warning("leaving the group took too long; ending without")
                end_process(self._exit)
        log.info("stopped")
        return self._exit

    @property
    def epoch(self) -> int:
        """How often the consumer went back to the committed offsets."""
        assert self._app is not None
        return self._app.batches.epoch

    async def publishers(self, stack: contextlib.AsyncExitStack) -> Callable[[int], Publisher]:
        """Makes the publisher of a partition number, by the guarantee of the settings."""
        settings = self.settings

        def attempted(result: str) -> None:
            judged = Judged()
            judged.count("moderator_transactions_total", result)
            self.metrics.add(judged.tally)

        if settings.guarantee is Guarantee.EXACTLY_ONCE:
            return lambda number: TransactionalPublisher(settings, number, on_attempt=attempted)
        producer = kafka.producer(settings)
        await producer.start()
        stack.push_async_callback(producer.stop)

        def mark_done(topic: str, partition: int, offset: int) -> None:
            assert self._app is not None
            self._app.batches.mark_done(TP(settings.topic(topic), partition), offset)

        return lambda number: AcknowledgedPublisher(settings, number, producer, mark_done)

    # --- alongside

    async def _beat(self) -> None:
        due = time.monotonic()
        while True:
            self.health.beat()
            now = time.monotonic()
            self.metrics.set_loop_lag(max(0.0, now - due))
            due = now + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)

    async def _timers(self, owner: Owner[Any]) -> None:
        while True:
            await asyncio.sleep(self.settings.expire_interval)
            await owner.expire(utc_now())

    async def _watch(self, owner: Owner[Any]) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await self._look(owner)
            except Exception:  # a figure that cannot be shown is no reason to stop
                log.warning("cannot tell lag and state", exc_info=True)

    async def _look(self, owner: Owner[Any]) -> None:
        app = self._app
        assert app is not None
        if not owner.settled:
            self.health.set_ready("partitions", False, "waiting for an assignment")
            return
        silence = await app.batches.silence()
        answers = silence < _SILENCE_SECONDS
        self.health.set_ready("broker", answers, "answers" if answers else f"silent for {silence:.0f} s")
        unfetched = await app.batches.unfetched()
        waiting = owner.waiting()
        for tp, count in unfetched.items():
            topic = app.batched_topics[tp.topic]
            self.metrics.set_lag(topic, tp.partition, count + waiting.get(TP(topic, tp.partition), 0))
        self.health.set_ready("partitions", True, f"owns {owner.count}")
        self.report()

    async def _guarded(self, work: Awaitable[Any]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is, the worker cannot go on without this task
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Ends the process at once: going on would let Faust acknowledge what was not done."""
        if isinstance(error, asyncio.CancelledError):
            return
        if self._released:
            log.warning("while stopping: %s: %s", type(error).__name__, error)
            return
        if isinstance(error, StoreError) and self._owner is not None and self._owner.count:
            # No fault of any record: everything is given away in good order, so that none is suspected of it.
            if not self._stopping.is_set():
                log.critical("%s; ending, so that a supervisor starts a fresh worker", error)
                self._exit = EXIT_CRASH
                self._stopping.set()
            return
        if isinstance(error, FencedError | StoreError):
            log.error("%s; ending, so that a supervisor starts a fresh worker", error)
        else:
            log.critical("the worker cannot go on: %s: %s", type(error).__name__, error, exc_info=error)
        end_process(EXIT_CRASH)


def utc_now() -> datetime:
    """The wall clock, for timers; no judgement of a record sees it."""
    return datetime.now(UTC)


def end_process(code: int) -> None:
    """Ends the process without asking its threads, which may be waiting for a broker that is away."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
