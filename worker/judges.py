"""Where a worker's judges come from: the engine, or for the benchmark one that only forwards."""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import Pack, load_pack
from worker.engine.rollout import Roll
from worker.engine.store import StoreError
from worker.engine.tomlfile import PackError
from worker.packs import Packs
from worker.ports import PlainJudge
from worker.settings import Decisions, SettingsError

if TYPE_CHECKING:
    from worker.adapters.spill import Spill
    from worker.drift import Drift
    from worker.metrics import Metrics
    from worker.ports import Judge, JudgeFactory
    from worker.settings import Settings

log = logging.getLogger(__name__)

_FORWARDED = 10  # one record in so many


class JudgeError(ValueError):
    """No judge can be made; the message says what is wrong with the policy pack, and where."""


def load(settings: Settings) -> JudgeFactory:
    """The factory that `settings.judge` names: `module:function`, called with the settings.

    Raises:
        SettingsError: there is no such function.
        JudgeError: the policy pack cannot be used.
    """
    module, _, name = settings.judge.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"MODERATOR_JUDGE={settings.judge!r}: {error}") from None
    factory: JudgeFactory = make(settings)
    return factory


class Engine:
    """Makes judges by the packs of this process: that of the settings' folder, until one is published.

    Raises:
        JudgeError: the folder's pack cannot be used.
        SettingsError: the state folder cannot.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._spill = _spill(settings)
        self.packs = Packs(Roll(0, _folder_pack(settings)))

    def __call__(self, partition: int, partitions: int) -> Judge:
        """As `JudgeFactory`."""
        settings = self._settings
        return PartitionJudge(
            self.packs.latest,
            partition,
            partitions,
            publish_all=settings.decisions is Decisions.ALL,
            ask=bool(settings.model_url),
            statements=settings.statements,
            store=None if self._spill is None else self._spill.open(partition),
            live_accounts=settings.state_accounts_in_memory,
            pack_of=self.packs.find,
        )


def engine(settings: Settings) -> JudgeFactory:
    """Judges by policy packs, compiled once for all partitions."""
    return Engine(settings)


def _folder_pack(settings: Settings) -> Pack:
    try:
        pack = load_pack(settings.policies, cache_dir=settings.cache_dir)
    except PackError as error:
        raise JudgeError(str(error)) from error
    if pack.models.warning is not None:
        log.warning(pack.models.warning)
    return pack


def _spill(settings: Settings) -> Spill | None:
    """This process's part of the state folder; None where all stays in memory.

    Raises:
        SettingsError: the folder cannot be used.
    """
    if settings.state_dir is None:
        return None
    # A library of 11 MB, which a worker without the folder never loads.
    from worker.adapters.spill import Spill

    try:
        return Spill(settings.state_dir)
    except StoreError as error:
        raise SettingsError(f"MODERATOR_STATE_DIR={str(settings.state_dir)!r}: {error}") from None


def report(
    judges: Iterable[Judge], metrics: Metrics, drift: Drift, now: Callable[[], float] = time.time
) -> str:
    """Shows what the engine's judges of this process hold: accounts, actions in force, breakers, the pack, its models.

    Returns:
        How its models are, in a few words.
    """
    accounts = actions = live = disk = 0
    breakers: dict[tuple[str, str, str], bool] = {}
    now_ms = int(now() * 1000)
    failing: dict[str, bool] = {}
    roll: Roll | None = None
    for judge in judges:
        if isinstance(judge, PartitionJudge):
            accounts += len(judge.accounts)
            actions += judge.ledger.ending
            live += judge.accounts.live
            disk += judge.store.disk_bytes or 0
            if roll is None or judge.version > roll.version:
                roll = judge.roll  # while partitions switch one by one, the newest that is in force
            for key, is_open in judge.breakers.open(now_ms).items():
                breakers[key] = breakers.get(key, False) or is_open
            for policy, fails in judge.failing.items():
                failing[policy] = failing.get(policy, False) or fails
    metrics.set_state(accounts, actions, live, disk)
    for (policy, kind, window), is_open in breakers.items():
        metrics.set_breaker(policy, kind, window, is_open)
    for policy, fails in failing.items():
        metrics.set_degraded(policy, fails)
    if roll is not None:
        pack = roll.pack
        metrics.set_rollout(roll)
        status = {str(each.policy.id): str(each.policy.status) for each in pack.policies}
        names = (
            pack.signals.names
            if pack.models.cascade is None
            else pack.signals.names | pack.models.cascade.names
        )
        metrics.set_pack(pack.id, pack.sha256, policies=status, signals=names)
        metrics.set_models(pack.models.degraded)
        if pack.models.cascade is not None:
            drift.report(pack.models.cascade, metrics)
        if pack.models.sha256:
            return pack.models.warning or "loaded"
    return "none in this pack"


def forwarding(settings: Settings) -> JudgeFactory:
    """Judges that look at nothing and forward one record in ten: what the shell alone costs."""

    def make(partition: int, partitions: int) -> Judge:
        return _Forwarder(partition)

    return make


class _Forwarder(PlainJudge):
    def __init__(self, partition: int) -> None:
        self.partition_record: dict[str, Any] = {}
        self._key = b"p:%d" % partition

    def restore(self, key: bytes, value: bytes | None) -> None:
        if key == self._key and value is not None:
            self.partition_record = json.loads(value)

    def judge(self, records: Sequence[Record]) -> Judged:
        judged = Judged()
        for record in records:
            if record.offset % _FORWARDED == 0:
                judged.outputs.append(Output("decisions", record.key or b"", record.value))
        judged.count("moderator_records_total", records[0].topic, by=len(records))
        return judged

    def expire(self, now: datetime) -> Judged:
        return Judged()

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        judged = Judged([Output("dead-letter", record.key or b"", record.value)])
        judged.count("moderator_dead_letters_total", record.topic, reason)
        return judged
