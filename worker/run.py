"""One worker process, from its first look at the broker to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import uvloop
from faust.types import TP

from worker import app as apps
from worker import endpoint as endpoints
from worker import heap, judges, logs, probe
from worker.adapters import kafka
from worker.admin import check_topics
from worker.agents import Ownership
from worker.cluster import BrokerUnreachable, ClusterError
from worker.drift import Drift
from worker.engine.records import Judged, Record
from worker.engine.store import StoreError
from worker.health import Health
from worker.http import Endpoint, PortError
from worker.metrics import Metrics, new_registry
from worker.packs import PackReader
from worker.partitions import Tools, utc_now
from worker.ports import FencedError, JudgeFactory, Publisher
from worker.settings import Guarantee, Settings, SettingsError
from worker.topics import JUDGED
from worker.transactions import AcknowledgedPublisher, TransactionalPublisher, begin_sooner
from worker.transport import never_create_topics
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from worker.app import ShellApp

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


def run_worker(settings: Settings) -> int:
    """Runs one worker until it is told to stop (SIGTERM, SIGINT) or must end.

    Returns:
        0 after a clean stop; 2 for settings, a policy pack or topics that cannot be used; 3 when no broker
        answers in time. What must not go on (another owner, a crash) ends the process at once with 1, and a
        batch that hangs with 70: a supervisor starts the next one.
    """
    logs.setup(settings.log_format, settings.log_level)  # type: ignore[arg-type]  # checked by Settings
    for name, level in _LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    never_create_topics()
    begin_sooner()
    # Until the event loop has its own handler: nothing is owned yet, so there is nothing to drain.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        # First, for it needs no broker: a fault of the pack is told whether or not one answers.
        make_judge = judges.load(settings)
        if settings.model_url and settings.model_token_file is not None:
            endpoints.read_token(settings.model_token_file)
        heap.settle()
        problems = check_topics(
            settings.broker,
            settings.topic_prefix,
            statements=settings.statements,
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
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(Worker(settings, make_judge, metrics, health).run())
    except BrokerUnreachable as error:
        log.error("%s", error)
        return EXIT_UNREACHABLE
    except (ClusterError, PortError, SettingsError, judges.JudgeError) as error:
        log.error("%s", error)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_OK
    except Exception as error:  # the last line of a worker that could not start
        log.critical("the worker cannot start: %s: %s", type(error).__name__, error, exc_info=error)
        return EXIT_CRASH


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


class Worker:
    """The running worker."""

    def __init__(
        self, settings: Settings, make_judge: JudgeFactory, metrics: Metrics, health: Health
    ) -> None:
        self._settings = settings
        self._make_judge = make_judge
        self._metrics = metrics
        self._health = health
        self._drift = Drift()
        self._stopping = asyncio.Event()
        self._exit = EXIT_OK
        self._ownership: Ownership | None = None
        self._released = False  # everything is committed and marked; nothing that fails now matters
        self._app: ShellApp | None = None

    async def run(self) -> int:
        """Starts everything, waits for a signal, stops everything; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        settings = self._settings
        partitions = await kafka.partition_count(settings, JUDGED[0])
        watchdog = Watchdog(settings.batch_limit)
        watchdog.start()
        # One thread: the second model keeps one core busy at most, and the loop has the other.
        thinking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moderator-models")
        tools = Tools(
            metrics=self._metrics,
            watchdog=watchdog,
            trial=partial(self._trial, partitions),
            epoch=lambda: app.batches.epoch,
            thinking=thinking,
            think_limit=settings.batch_limit,
            fail=self._fail,
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(thinking.shutdown, wait=False, cancel_futures=True)
            make_publisher = await self._publishers(stack)
            tools.endpoint = endpoint = await endpoints.connect(settings, self._metrics, stack)
            ownership = self._ownership = Ownership(
                settings,
                JUDGED,
                partitions,
                make_judge=self._make_judge,
                make_publisher=make_publisher,
                tools=tools,
            )
            app = self._app = apps.build(settings, ownership, self._fail)
            tasks = [
                asyncio.create_task(self._guarded(work))
                for work in (
                    self._beat(),
                    self._timers(ownership),
                    self._watch(ownership),
                    PackReader(settings, self._metrics).run(),
                    *([endpoint.run()] if endpoint is not None else []),
                )
            ]
            start = asyncio.create_task(self._guarded(app.start()))
            await self._stopping.wait()
            log.info("stopping")
            self._health.set_ready("partitions", False, "stopping")
            try:
                async with asyncio.timeout(settings.stop_timeout):
                    await ownership.release(closing=True)
                    self._released = True
                    for task in tasks:
                        task.cancel()
                    start.cancel()
                    await app.stop()
            except TimeoutError:
                # What was judged is committed and marked, so this is a clean end all the same.
                log.warning("leaving the group took too long; ending without")
                _end(self._exit)
        watchdog.stop()
        log.info("stopped")
        return self._exit

    async def _publishers(self, stack: contextlib.AsyncExitStack) -> Callable[[int], Publisher]:
        settings = self._settings

        def attempted(result: str) -> None:
            judged = Judged()
            judged.count("moderator_transactions_total", result)
            self._metrics.add(judged.tally)

        if settings.guarantee is Guarantee.EXACTLY_ONCE:
            return lambda number: TransactionalPublisher(settings, number, on_attempt=attempted)
        producer = kafka.producer(settings)
        await producer.start()
        stack.push_async_callback(producer.stop)

        def mark_done(topic: str, partition: int, offset: int) -> None:
            assert self._app is not None
            self._app.batches.mark_done(TP(settings.topic(topic), partition), offset)

        return lambda number: AcknowledgedPublisher(settings, number, producer, mark_done)

    async def _trial(self, partitions: int, record: Record) -> bool:
        log.warning("trying a record in a process of its own", extra={"topic": record.topic})
        survived = await probe.survives(self._settings, record, partitions)
        log.warning("the trial is over", extra={"topic": record.topic, "survived": survived})
        return survived

    # --- alongside

    async def _beat(self) -> None:
        due = time.monotonic()
        while True:
            self._health.beat()
            now = time.monotonic()
            self._metrics.set_loop_lag(max(0.0, now - due))
            due = now + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)

    async def _timers(self, ownership: Ownership) -> None:
        while True:
            await asyncio.sleep(self._settings.expire_interval)
            await ownership.expire(utc_now())

    async def _watch(self, ownership: Ownership) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await self._look(ownership)
            except Exception:  # a figure that cannot be shown is no reason to stop judging
                log.warning("cannot tell lag and state", exc_info=True)

    async def _look(self, ownership: Ownership) -> None:
        app = self._app
        assert app is not None
        if not ownership.settled:
            self._health.set_ready("partitions", False, "waiting for an assignment")
            return
        silence = await app.batches.silence()
        answers = silence < _SILENCE_SECONDS
        self._health.set_ready("broker", answers, "answers" if answers else f"silent for {silence:.0f} s")
        unfetched = await app.batches.unfetched()
        waiting = ownership.waiting()
        for tp, count in unfetched.items():
            topic = app.batched_topics[tp.topic]
            self._metrics.set_lag(topic, tp.partition, count + waiting.get(TP(topic, tp.partition), 0))
        self._health.set_ready("partitions", True, f"owns {ownership.count}")
        # Without its models the worker still judges: it says so, and stays ready.
        models = judges.report(ownership.judges(), self._metrics, self._drift)
        self._health.set_ready("models", True, models)

    async def _guarded(self, work: Awaitable[Any]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is, the worker cannot go on without this task
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Ends the process at once: going on would let Faust acknowledge what was not done."""
        if isinstance(error, asyncio.CancelledError):
            return
        if self._released:
            log.warning("while stopping: %s: %s", type(error).__name__, error)
            return
        if isinstance(error, StoreError) and self._ownership is not None and self._ownership.count:
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
        _end(EXIT_CRASH)


def _end(code: int) -> None:
    """Ends the process without asking its threads, which may be waiting for a broker that is away."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> int:
    """Runs a worker with the settings of the environment."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"moderator: {error}", file=sys.stderr)  # noqa: T201  # there is no log before there are settings
        return EXIT_USAGE
    return run_worker(settings)


if __name__ == "__main__":
    sys.exit(main())
