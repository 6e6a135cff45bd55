"""The worker that judges: what it has beyond every worker's shell."""

from __future__ import annotations

import contextlib
import logging
import sys
import tempfile
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker import endpoint as endpoints
from worker import judges, probe
from worker.agents import Ownership
from worker.drift import Drift
from worker.packs import PackReader, Packs
from worker.partitions import Tools
from worker.settings import Settings, SettingsError
from worker.shell import EXIT_USAGE, Shell, StartError, serve
from worker.topics import JUDGED
from worker.watchdog import Watchdog

if TYPE_CHECKING:
    from worker.endpoint import ModelEndpoint
    from worker.engine.records import Record
    from worker.health import Health
    from worker.metrics import Metrics
    from worker.ports import JudgeFactory

log = logging.getLogger("moderator")


def run_worker(settings: Settings) -> int:
    """Runs one worker that judges, until it is told to stop or must end; its exit code as `worker.shell.serve` says."""

    def prepare() -> partial[Worker]:
        try:
            make_judge = judges.load(settings)
        except judges.JudgeError as error:
            raise StartError(str(error)) from error
        if settings.model_url and settings.model_token_file is not None:
            endpoints.read_token(settings.model_token_file)
        return partial(Worker, settings, make_judge)

    return serve(settings, prepare)


class Worker(Shell):
    """The worker that judges posts and everything about them."""

    topics = JUDGED

    def __init__(
        self, settings: Settings, make_judge: JudgeFactory, metrics: Metrics, health: Health
    ) -> None:
        super().__init__(settings, metrics, health)
        self._make_judge = make_judge
        self._drift = Drift()
        self._ownership: Ownership | None = None
        self._endpoint: ModelEndpoint | None = None
        self._packs = make_judge.packs if isinstance(make_judge, judges.Engine) else None
        self._reader: PackReader | None = None

    async def open(self, stack: contextlib.AsyncExitStack, partitions: int) -> Ownership:
        """As `Shell.open`."""
        settings = self.settings
        watchdog = Watchdog(settings.batch_limit)
        watchdog.start()
        stack.callback(watchdog.stop)
        # One thread: the second model keeps one core busy at most, and the loop has the other.
        thinking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moderator-models")
        stack.callback(thinking.shutdown, wait=False, cancel_futures=True)
        tools = Tools(
            metrics=self.metrics,
            watchdog=watchdog,
            trial=partial(self._trial, partitions),
            epoch=lambda: self.epoch,
            thinking=thinking,
            think_limit=settings.batch_limit,
            fail=self.fail,
        )
        make_publisher = await self.publishers(stack)
        packs = tools.packs = self._packs
        if packs is not None:
            self._reader = await self._published(packs, stack)
        tools.endpoint = self._endpoint = await endpoints.connect(settings, self.metrics, stack)
        self._ownership = Ownership(
            settings,
            JUDGED,
            partitions,
            make_judge=self._make_judge,
            make_publisher=make_publisher,
            tools=tools,
        )
        return self._ownership

    def alongside(self) -> Iterable[Coroutine[Any, Any, Any]]:
        """As `Shell.alongside`: published packs, and an operator's own model."""
        if self._reader is not None:
            yield self._reader.run()
        if self._endpoint is not None:
            yield self._endpoint.run()

    def report(self) -> None:
        """As `Shell.report`: what the judges hold."""
        assert self._ownership is not None
        # Without its models the worker still judges: it says so, and stays ready.
        models = judges.report(self._ownership.judges(), self.metrics, self._drift)
        self.health.set_ready("models", True, models)
        if self._packs is not None:
            # A pack that is refused is no reason to stop: the one before it serves.
            self.health.set_ready("packs", True, self._packs.detail())
            self.metrics.set_pack_refused(self._packs.refusal is not None)

    async def _published(self, packs: Packs, stack: contextlib.AsyncExitStack) -> PackReader:
        """Reads what is published now, before anything is judged."""
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="moderator-packs-")))
        pieces = own / "pieces"
        pieces.mkdir()
        cache = self.settings.cache_dir or own
        reader = PackReader(self.settings, self.metrics, packs, pieces=pieces, cache=cache)
        await reader.catch_up()
        return reader

    async def _trial(self, partitions: int, record: Record) -> bool:
        log.warning("trying a record in a process of its own", extra={"topic": record.topic})
        settings = self.settings
        if self._packs is not None:
            # By the pack that judges: the trial is about the record under it.
            settings = settings.replace(policies=self._packs.latest.pack.folder)
        survived = await probe.survives(settings, record, partitions)
        log.warning("the trial is over", extra={"topic": record.topic, "survived": survived})
        return survived


def main() -> int:
    """Runs a worker with the settings of the environment."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"moderator: {error}", file=sys.stderr)  # noqa: T201  # there is no log before there are settings
        return EXIT_USAGE
    if settings.media:
        from worker.media.run import run_media_worker

        return run_media_worker(settings)
    return run_worker(settings)


if __name__ == "__main__":
    sys.exit(main())
