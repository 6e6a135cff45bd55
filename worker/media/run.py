"""The worker that examines media: what it has beyond every worker's shell. It holds no state and judges nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.adapters.folders import claim
from worker.media.cache import FoundCache
from worker.media.confinement import hide
from worker.media.examining import Examiner, ExaminingError
from worker.media.item import Limits
from worker.media.lane import MediaOwner, MediaTools
from worker.settings import PREFIX, Settings
from worker.shell import Shell, StartError, serve

if TYPE_CHECKING:
    from worker.health import Health
    from worker.media.classifier import ClassifierChoice
    from worker.metrics import Metrics
    from worker.ports import MediaBankFolder, MediaLoader, MediaSandbox

log = logging.getLogger("moderator")

TOPICS = ("posts", "accounts")
# A video may keep all lanes busy for long. Batches are fetched again as soon as one is done; items have limits of
# their own, so the group need not have another.
_IDLE_SECONDS = 24 * 3600.0
_GRACE_SHARE = 0.25  # of the time that a stop may take, for what is nearly done


@dataclass(frozen=True, slots=True)
class Parts:
    """What a media worker examines with."""

    loader: MediaLoader
    sandbox: MediaSandbox
    banks: MediaBankFolder
    limits: Limits
    processes: int


def run_media_worker(settings: Settings) -> int:
    """Runs one media worker until it is told to stop or must end; its exit code as `worker.shell.serve` says."""
    media_settings = settings.for_media()

    def prepare() -> partial[MediaWorker]:
        check_sources(media_settings)
        parts = make_parts(media_settings)
        # Text goes first: on a machine that both share, this process and what it starts step back.
        with contextlib.suppress(OSError):
            os.nice(media_settings.media_nice)
        return partial(MediaWorker, media_settings, parts)

    return serve(media_settings, prepare)


def check_sources(settings: Settings) -> None:
    """Refuses settings with which nothing, or nothing of an allowed scheme, could ever be loaded.

    Raises:
        StartError: names the variable.
    """
    schemes = set(settings.media_schemes)
    if not schemes:
        raise StartError(
            f"{PREFIX}MEDIA_SCHEMES: nothing may be loaded until it says what: file, https, s3, gs or az"
        )
    if "file" in schemes and not settings.media_folders:
        raise StartError(f"{PREFIX}MEDIA_FOLDERS: must name the folders in which file: URIs may lie")
    buckets = {host.partition("://")[0] for host in settings.media_hosts if "://" in host}
    if missing := sorted((schemes & {"s3", "gs", "az"}) - buckets):
        raise StartError(f"{PREFIX}MEDIA_HOSTS: must name the buckets of {missing[0]}: {missing[0]}://…")
    if schemes & {"http", "https"} and all("://" in host for host in settings.media_hosts):
        raise StartError(f"{PREFIX}MEDIA_HOSTS: must name the hosts from which media may be loaded")
    if settings.media_banks is not None and not settings.media_banks.is_dir():
        raise StartError(f"{PREFIX}MEDIA_BANKS={str(settings.media_banks)!r}: there is no such folder")
    if settings.media_c2pa_trust is not None and not settings.media_c2pa_trust.is_file():
        raise StartError(
            f"{PREFIX}MEDIA_C2PA_TRUST={str(settings.media_c2pa_trust)!r}: there is no such file"
        )


def limits_of(settings: Settings) -> Limits:
    """What one file may cost, by the settings."""
    return Limits(
        file_bytes=settings.media_max_bytes,
        pixels=settings.media_max_pixels,
        side_pixels=settings.media_max_side,
        load_seconds=settings.media_load_timeout,
        examine_seconds=settings.media_examine_timeout,
        memory_bytes=settings.media_memory_bytes,
        frames=settings.media_max_frames,
        c2pa_trust=None if settings.media_c2pa_trust is None else str(settings.media_c2pa_trust.absolute()),
    )


def processes_of(settings: Settings) -> int:
    """How many files are examined at once: by default one for each core less one, and at least one."""
    return settings.media_processes or max(1, len(os.sched_getaffinity(0)) - 1)


def make_parts(settings: Settings) -> Parts:
    """The loader, the sandbox and the banks of the settings.

    Raises:
        StartError: the packages of the extra are missing, or the classifier or the banks cannot be used.
    """
    try:
        from worker.media.banks import BankFolder
        from worker.media.c2pa_manifest import check_trust
        from worker.media.loading import Loader, Sources
        from worker.media.sandbox import Sandbox
    except ImportError as error:
        raise StartError(
            f"the media worker needs more packages ({error}): pip install 'moderation-worker[media]'"
        ) from error
    limits, processes = limits_of(settings), processes_of(settings)
    if limits.c2pa_trust is not None:
        try:
            check_trust(limits.c2pa_trust)
        except ValueError as error:
            raise StartError(f"{PREFIX}MEDIA_C2PA_TRUST: {error}") from error
    return Parts(
        loader=Loader(Sources.from_settings(settings), limits),
        sandbox=Sandbox(limits, processes, _classifier(settings), folder=_work_folder(settings)),
        banks=BankFolder(settings.media_banks),
        limits=limits,
        processes=processes,
    )


class MediaWorker(Shell):
    """The worker that examines the media of posts and profiles and publishes `media.signals`."""

    topics = TOPICS
    idle_seconds = _IDLE_SECONDS

    def __init__(self, settings: Settings, parts: Parts, metrics: Metrics, health: Health) -> None:
        super().__init__(settings, metrics, health)
        self._parts = parts
        health.set_ready("banks", False, "not read yet")

    async def open(self, stack: contextlib.AsyncExitStack, partitions: int) -> MediaOwner:
        """As `Shell.open`: the banks are read before anything else."""
        settings, parts = self.settings, self._parts
        await self._read_banks()
        hide()  # the broker's password lies in this process's environment
        folder = stack.enter_context(claim(_work_folder(settings)))
        examiner = Examiner(
            parts.loader,
            parts.sandbox,
            parts.limits,
            processes=parts.processes,
            folder=folder,
            cache=FoundCache(settings.media_cache, settings.media_cache_seconds),
        )
        stack.callback(examiner.close)
        try:
            await examiner.check()
        except ExaminingError as error:
            raise StartError(f"files cannot be examined here: {error}") from error
        tools = MediaTools(
            metrics=self.metrics,
            examiner=examiner,
            banks=lambda: parts.banks.current,
            epoch=lambda: self.epoch,
            fail=self.fail,
            batch=settings.media_batch,
            grace_seconds=min(2.0, settings.stop_timeout * _GRACE_SHARE),
        )
        return MediaOwner(settings, TOPICS, make_publisher=await self.publishers(stack), tools=tools)

    def alongside(self) -> Iterable[Coroutine[Any, Any, Any]]:
        """As `Shell.alongside`: the banks are read again when they change."""
        yield self._follow_banks()

    def report(self) -> None:
        """As `Shell.report`: what the banks hold."""
        banks = self._parts.banks
        entries = banks.current.entries
        faults = len(banks.faults)
        self.metrics.set_media_banks(entries, faulty=faults)
        # With faulty files the worker goes on with what they held before: it says so, and stays ready.
        told = f"{sum(entries.values())} entries" + (f", {faults} files faulty" if faults else "")
        self.health.set_ready("banks", True, told)

    async def _follow_banks(self) -> None:
        while True:
            await asyncio.sleep(self.settings.media_bank_reload)
            await self._read_banks()

    async def _read_banks(self) -> None:
        banks = self._parts.banks
        before = tuple(banks.faults)
        try:
            changed = await asyncio.to_thread(banks.reload)
        except OSError as error:  # the folder is away; what was read from it stays
            log.warning("the hash banks cannot be read: %s", error.strerror or type(error).__name__)
            self.metrics.count("moderator_media_bank_reloads_total", "faulty")
            return
        faults = tuple(banks.faults)
        for fault in faults:
            if fault not in before:
                log.warning("a hash bank cannot be used as it is: %s", fault)
        result = "faulty" if faults else "changed" if changed else "unchanged"
        self.metrics.count("moderator_media_bank_reloads_total", result)
        self.metrics.set_media_bank_check(time.time())
        if changed:
            log.info("hash banks read", extra={"entries": sum(banks.current.entries.values())})


def _work_folder(settings: Settings) -> Path:
    if settings.media_work_dir is not None:
        return settings.media_work_dir
    # Of this user's own: what others could put there would be wiped, or would stand in the way.
    return Path(tempfile.gettempdir()) / f"moderator-media-{os.getuid()}"


def _classifier(settings: Settings) -> ClassifierChoice | None:
    """The image classifier of the settings, as plain data for the sandbox; None for none.

    Raises:
        StartError: there is no such model, or it cannot be used.
    """
    if settings.media_model is None:
        return None
    from worker.media.classifier import ClassifierError, choose

    try:
        return choose(settings.media_model)
    except ClassifierError as error:
        raise StartError(f"{PREFIX}MEDIA_MODEL={str(settings.media_model)!r}: {error}") from error
