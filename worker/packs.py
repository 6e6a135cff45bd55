"""The packs that are published on the `policies` topic: every worker reads all of it, without a group.

It has one partition, so the group that shares the other topics cannot read it. The record `current` names the
pack in force; its files come before it. A pack is checked in a process of its own while the one before it serves; what
may be used is loaded beside, and the partitions then switch one by one (see `worker.engine.rollout`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from schemas.coordination import PackSwitch
from schemas.decode import DecodeError, decode
from schemas.policies import CURRENT_KEY, PolicyCurrent, PolicyFile, Release
from worker import __version__, pack_trial
from worker.adapters import kafka
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack, load_pack
from worker.engine.rollout import Roll
from worker.engine.times import EPOCH
from worker.engine.tomlfile import PackError
from worker.pack_files import PackFilesError, PieceStore, pack_sha256, version_of
from worker.pack_trial import Fault

if TYPE_CHECKING:
    from worker.ports import ShellMetrics
    from worker.settings import Settings

log = logging.getLogger(__name__)

TOPIC = "policies"
_RETRY_SECONDS = 5.0
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A published pack that this worker does not use. `kind` is a value of the metric's label `reason`."""

    version: int
    pack: str
    sha256: str
    kind: str
    reason: str


class RefusedPackError(ValueError):
    """A pointer or a pack that cannot be used."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason[:_LONGEST_REASON]


class PackBehindError(RuntimeError):
    """A partition was judged by a newer pack than this worker has; it must not go back, so the process must end."""


class Checker(Protocol):
    """Checks a pack's folder, `worker.pack_trial.hold` in a worker."""

    async def __call__(self, folder: Path, cache: Path, seconds: float) -> Sequence[Fault]: ...


class Packs:
    """The packs of this process: `latest` are those that new partitions judge by.

    Args:
        roll: what is judged by until a pack is published: that of a folder.
    """

    def __init__(self, roll: Roll) -> None:
        self.latest = roll
        self.refusal: Refusal | None = None
        self._loaded: dict[str, Pack] = {roll.pack.sha256: roll.pack}
        self._changed = asyncio.Event()

    def find(self, sha256: str) -> Pack | None:
        """A loaded pack by its SHA-256."""
        return self._loaded.get(sha256.lower())

    def take(self, roll: Roll) -> None:
        """Makes a roll the latest; packs of the roll before it stay at hand."""
        kept = [self.latest.pack, self.latest.candidate, roll.pack, roll.candidate]
        self._loaded = {pack.sha256: pack for pack in kept if pack is not None}
        self.latest, self.refusal = roll, None
        self._notify()

    def refuse(self, refusal: Refusal) -> None:
        """Notes that what was published last is not used."""
        self.refusal = refusal
        self._notify()

    @property
    def wanted(self) -> PackSwitch | None:
        """What partitions are to be told: the latest packs, or that newer ones were refused; None: nothing."""
        if self.refusal is not None:
            return PackSwitch(
                version=self.refusal.version,
                pack=self.refusal.pack,
                sha256=self.refusal.sha256,
                refused=self.refusal.reason,
            )
        return self.latest.switch if self.latest.version else None

    async def reach(self, version: int, seconds: float) -> None:
        """Waits until the latest packs are at least of a version.

        Raises:
            PackBehindError: they are not, and will not be.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.latest.version < version and (
                    self.refusal is None or self.refusal.version < version
                ):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        if self.latest.version < version:
            why = f"it was refused: {self.refusal.reason}" if self.refusal else "the topic does not hold it"
            raise PackBehindError(
                f"a partition was judged by a pack published at {EPOCH + timedelta(milliseconds=version):%Y-%m-%dT%H:%M:%SZ}, "
                f"newer than this worker's; {why}. Publish a pack that this version of the worker can use"
            )

    def detail(self) -> str:
        """A short line for operators."""
        roll = self.latest
        line = roll.pack.id if roll.version else f"{roll.pack.id}, from the folder"
        if roll.candidate is not None:
            how = "as a shadow on" if roll.shadow else "on"
            line += f"; {roll.candidate.id} {how} {roll.share:.0%} of accounts"
        if self.refusal is not None:
            line += f"; refused {self.refusal.pack}: {self.refusal.reason}"
        return line

    def _notify(self) -> None:
        self._changed.set()


class PackReader:
    """Reads published packs from the first record on, for as long as the worker runs.

    Each record is answered with a counted decision.

    Args:
        settings: what the operator set.
        metrics: the worker's figures.
        packs: gets what may be used.
        pieces: an empty folder for what is read.
        cache: a folder for packs and compiled patterns, which other workers of the machine may share.
        check: tries a pack.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: ShellMetrics,
        packs: Packs,
        *,
        pieces: Path,
        cache: Path,
        check: Checker = pack_trial.hold,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._packs = packs
        self._pieces = PieceStore(pieces)
        self._cache = cache
        self._check = check
        self._position = 0
        self._current: PolicyCurrent | None = None  # read and not looked at yet
        self._seen = 0  # version of the pointer that was looked at last

    async def catch_up(self) -> None:
        """Takes what is published now; a worker that starts judges by it from the first record on.

        Raises:
            KafkaError: the topic cannot be read.
        """
        await self._read(until_end=True)
        await self._look()

    async def run(self) -> None:
        """Reads until it is cancelled; a broker that is away is waited for."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("cannot read published packs", extra={"error": type(error).__name__})
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, *, until_end: bool = False) -> None:
        partition = TopicPartition(self._settings.topic(TOPIC), 0)
        consumer = kafka.reader(self._settings)
        try:
            await consumer.start()
            consumer.assign([partition])
            if self._position:
                consumer.seek(partition, self._position)
            else:
                await consumer.seek_to_beginning(partition)
            end = (await consumer.end_offsets([partition]))[partition] if until_end else None
            while end is None or await consumer.position(partition) < end:
                found = await consumer.getmany(timeout_ms=1000)
                for each in found.get(partition, ()):
                    record = Record(TOPIC, 0, each.offset, each.timestamp, each.key, each.value, each.headers)
                    self._metrics.add(self.take(record).tally)
                    self._position = each.offset + 1
                if end is None:
                    await self._look()
        finally:
            await consumer.stop()

    def take(self, record: Record) -> Judged:
        """Takes one record of the topic; the decision about it is counted, never published."""
        judged = Judged()
        judged.count("moderator_records_total", TOPIC)
        outcome = "clear"
        try:
            if record.value is None:
                self._pieces.remove(record.key or b"")
            else:
                model = decode(TOPIC, record.value, record.key).model
                if isinstance(model, PolicyCurrent):
                    self._current = model
                elif isinstance(model, PolicyFile):
                    self._pieces.put(record.key or b"", model)
        except (DecodeError, PackFilesError) as error:
            outcome = "refused"
            log.error("a record of published packs cannot be used: %s", error)
            if record.key == CURRENT_KEY:
                self._refuse(
                    Refusal(self._packs.latest.version, "unreadable", "0" * 64, "malformed", str(error))
                )
        judged.count("moderator_decisions_total", TOPIC, outcome)
        return judged

    async def _look(self) -> None:
        """Loads what the last pointer names, if it is a new one."""
        current, self._current = self._current, None
        if current is None:
            return
        version = version_of(current)
        try:
            if version <= self._seen:
                raise RefusedPackError("stale", "the pointer is not newer than the one before it")
            self._seen = version
            candidate = None if current.rollout is None else await self._pack(current.rollout)
            pack = await self._pack(current)
        except RefusedPackError as error:
            self._refuse(Refusal(version, current.pack, current.sha256.lower(), error.kind, error.reason))
            return
        rollout = current.rollout
        roll = Roll(
            version,
            pack,
            candidate,
            0.0 if rollout is None else rollout.share,
            rollout is not None and rollout.shadow,
        )
        self._packs.take(roll)
        log.info(
            "a published pack is loaded",
            extra={"pack": pack.id, "candidate": candidate.id if candidate else "none"},
        )

    def _refuse(self, refusal: Refusal) -> None:
        log.error("refused the published pack %s: %s", refusal.pack, refusal.reason)
        self._metrics.count("moderator_pack_refusals_total", refusal.kind)
        self._packs.refuse(refusal)

    async def _pack(self, release: Release | PolicyCurrent) -> Pack:
        """The pack of a pointer, checked and loaded.

        Raises:
            RefusedPackError: it cannot be used.
        """
        sha256 = release.sha256.lower()
        known = self._packs.find(sha256)
        if known is not None:
            return known
        if pack_sha256(release.files) != sha256:
            raise RefusedPackError("malformed", "the pack's SHA-256 is not that of its files")
        folder = self._cache / "packs" / sha256
        tested = self._cache / "packs" / f"{sha256}.tested-{__version__}"
        try:
            if not (tested.exists() and folder.is_dir()):
                await asyncio.to_thread(self._pieces.unpack, release.pack, release.files, folder)
                faults = list(await self._check(folder, self._cache, self._settings.pack_check_limit))
                if faults:
                    raise RefusedPackError(faults[0].kind, pack_trial.in_words(faults))
                tested.touch()
            # On a thread of its own, from the compiled patterns of the check: the loop goes on.
            pack = await asyncio.to_thread(load_pack, folder, cache_dir=self._cache)
        except PackFilesError as error:
            raise RefusedPackError("incomplete", str(error)) from error
        except PackError as error:
            raise RefusedPackError("faults", str(error)) from error
        except OSError as error:
            raise RefusedPackError("failed", f"cannot be unpacked: {error.strerror}") from error
        if (pack.sha256, pack.id) != (sha256, release.pack):
            tested.unlink(missing_ok=True)  # the folder was changed: it is unpacked afresh the next time
            raise RefusedPackError("malformed", "the files are another pack than the pointer names")
        gc.freeze()  # it stays: the collector need not walk it again and again
        return pack
