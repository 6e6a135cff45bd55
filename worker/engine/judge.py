"""Judges one partition's records in their order: bytes in, outputs and state out, nothing else touched.

The same code serves the worker on Kafka, `replay`, the tests and the benchmark. A batch is judged as a whole
and changes only memory; whoever calls publishes what came back and never judges the same batch twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from schemas.coordination import Finding, PackSwitch
from schemas.media_signals import MediaSignals
from worker.engine.breakers import Breakers
from worker.engine.contract import Subject
from worker.engine.dead_letters import dead_letter
from worker.engine.desk import Memory
from worker.engine.erasures import Erasures
from worker.engine.intake import ACCOUNT_OF, Intake, Rejected
from worker.engine.ledger import Ledger
from worker.engine.media_subjects import media_subject
from worker.engine.panel import Panel
from worker.engine.records import Begun, Judged, Record
from worker.engine.registry import Pack
from worker.engine.rollout import PackOf, Roll, roll_of, switch_record
from worker.engine.shadowing import compare
from worker.engine.state import LIVE_ACCOUNTS, Accounts, encode_partition
from worker.engine.store import MemoryStore, Store
from worker.engine.subjects import subject_of
from worker.learned.cascade import Asked
from worker.signals.measured import MeasuredSignals
from worker.signals.sameness import print_texts


@dataclass(slots=True)
class _Part:
    """The records of a batch that one panel measures. `rows` are their places in the batch."""

    panel: Panel
    rows: list[int]
    signals: list[MeasuredSignals] = field(default_factory=list)
    asked: Asked | None = None
    read: list[Subject] = field(default_factory=list)  # the subjects that models read


@dataclass(slots=True)
class _Begun(Begun):
    """A batch between its two halves: what was read of each record, and what is measured on each subject."""

    judged: Judged
    models: list[Any]
    subjects: list[Subject | None]
    parts: list[_Part]
    shadow: _Part | None = None


class PartitionJudge:
    """Everything that one partition number's owner knows and does.

    `partitions` is the topics' partition count and turns the check of each key's partition on; None (replay)
    leaves it off. `publish_all` publishes clear and duplicate decisions too. `ask` collects what an operator's own
    model is to be asked. `statements` makes a statement of reasons of each action.
    `sharing` is how many partitions share the caps of breakers where that is not `partitions`.
    `store` holds the bytes of what is not in use, in memory if None; `live_accounts` are kept decoded.
    `pack` is what is judged by until a record says otherwise, a published roll of packs or a pack that nobody
    published; `pack_of` finds the packs that records name.
    """

    def __init__(
        self,
        pack: Pack | Roll,
        partition: int,
        partitions: int | None = None,
        publish_all: bool = False,
        ask: bool = False,
        statements: bool = False,
        store: Store | None = None,
        live_accounts: int = LIVE_ACCOUNTS,
        sharing: int | None = None,
        pack_of: PackOf = lambda sha256: None,
    ) -> None:
        roll = pack if isinstance(pack, Roll) else Roll(0, pack)
        self.partition = partition
        self.publish_all = publish_all
        self.store: Store = MemoryStore() if store is None else store
        self.accounts = Accounts(self.store, live_accounts)
        self.ledger = Ledger(self.store)
        self.breakers = Breakers((), partition, sharing or partitions)
        # What stands under "shell" is the streaming shell's own; everything else is the engine's.
        self.partition_record: dict[str, Any] = {"schema_version": 1, "shell": {}}
        self._erasures = Erasures()
        self._memory = Memory(
            partition, partitions, self.accounts, self.ledger, self.breakers, self._erasures
        )
        self._intake = Intake(partitions, self.accounts)
        self._pack_of = pack_of
        self._make_panel = partial(
            Panel, memory=self._memory, publish_all=publish_all, ask=ask, statements=statements
        )
        self.roll = roll
        self._base = self._make_panel(roll.pack, role="base" if roll.grades else None)
        self._candidate: Panel | None = None
        self._complete(roll)

    # -- packs ---------------------------------------------------------------------------------------

    @property
    def pack(self) -> Pack:
        """The pack in force; another may be tried beside it."""
        return self.roll.pack

    @property
    def version(self) -> int:
        """The version of the packs that it judges by; 0 for a pack that nobody published."""
        return self.roll.version

    def adopt(self, roll: Roll) -> None:
        """Judges by other packs from the next record on; what the partition remembers stays.

        Never goes back: a roll that is not newer than the present one changes nothing.
        """
        if roll.version <= self.roll.version:
            return
        self.roll = roll
        left = self._base.allowances()
        features = self._base.features
        self._base = self._make_panel(roll.pack, features=features, role="base" if roll.grades else None)
        self._base.restore_allowances(left)
        features.adopt(self._base.desk)
        self._complete(roll)

    def _complete(self, roll: Roll) -> None:
        """Makes the candidate's panel, and counts actions for the policies of both packs."""
        self._candidate = None
        policies = {loaded.policy.id: loaded.policy for loaded in roll.pack.policies}
        if roll.candidate is not None:
            self._candidate = self._make_panel(roll.candidate, features=self._base.features, role="candidate")
            policies = {loaded.policy.id: loaded.policy for loaded in roll.candidate.policies} | policies
        self.breakers.adopt(policies.values())

    def switch(self, wanted: PackSwitch) -> Judged:
        """What has this partition switch, or says that its owner refused to, once it is read."""
        return Judged([switch_record(self.partition, wanted)])

    def _panel(self, account_id: str) -> Panel:
        if self._candidate is not None and self.roll.judges(account_id):
            return self._candidate
        return self._base

    def _panel_of(self, record: Record, model: Any) -> Panel:
        """Who judges a record, by the account that it is about."""
        owner = ACCOUNT_OF.get(record.topic)
        if self._candidate is None or owner is None or isinstance(model, Rejected):
            return self._base
        return self._panel(getattr(model, owner, ""))

    def _panels(self) -> Iterator[Panel]:
        yield self._base
        if self._candidate is not None:
            yield self._candidate

    # -- state ---------------------------------------------------------------------------------------

    @property
    def partition_key(self) -> bytes:
        """The key of this partition's own record in the `state` topic."""
        return b"p:%d" % self.partition

    def partition_state(self) -> dict[bytes, bytes]:
        """The partition's own record as it is to be written now."""
        return {self.partition_key: encode_partition(self.partition_record)}

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Takes one record of the `state` topic, in the topic's order."""
        kind, _, name = key.partition(b":")
        if kind == b"a":
            self.accounts.restore(name.decode(), value)
        elif kind == b"x":
            self.ledger.restore(name.decode(), value)
        elif kind == b"f":
            self._base.features.restore(name.decode(), value)
        elif key == self.partition_key and value is not None:
            self.partition_record = json.loads(value)
            self.breakers.restore(self.partition_record.get("breakers", []))
            self._erasures.restore(self.partition_record.get("erased", {}))
            self._base.restore_allowances(self.partition_record.get("second_model", {}))
            if self._candidate is not None:
                self._candidate.restore_allowances(self.partition_record.get("second_model_candidate", {}))

    @property
    def failing(self) -> Mapping[str, bool]:
        """Whether each policy's rule failed when it was last asked."""
        failing: dict[str, bool] = {}
        for panel in self._panels():
            for policy, fails in panel.court.failing.items():
                failing[policy] = failing.get(policy, False) or fails
        return failing

    @property
    def judged_version(self) -> int:
        """The version of the packs that the partition was last judged by, as its own record says; 0 for none published."""
        return int(self.partition_record.get("pack_version", 0))

    def close(self) -> None:
        """Lets go of the partition's store; nothing can be judged any more."""
        self.store.close()

    # -- judging -------------------------------------------------------------------------------------

    def judge(self, records: Sequence[Record], each: Callable[[Judged], None] | None = None) -> Judged:
        """Judges one batch in order. Every record ends as one counted decision or one dead letter.

        `each` is called after every record with what came of the batch so far; it may judge others meanwhile.
        """
        begun = self.begin(records)
        if begun.think is not None:
            begun.think()
        return self.finish(begun, each)

    def begin(self, records: Sequence[Record]) -> Begun:
        """Reads and measures a batch; only the second model has not read yet what it is to read.

        Batches are begun and finished in their order; several may be begun before the first is finished.
        """
        judged = Judged()
        for topic, times in Counter(record.topic for record in records).items():
            judged.count("moderator_records_total", topic, by=times)
        models = [self._intake.read(record, judged) for record in records]
        panels = [self._panel_of(record, model) for record, model in zip(records, models, strict=True)]
        subjects = [self._subject(panel, model) for panel, model in zip(panels, models, strict=True)]
        parts = [
            _Part(
                panel,
                [row for row, subject in enumerate(subjects) if subject is not None and panels[row] is panel],
            )
            for panel in self._panels()
        ]
        begun = _Begun(records, judged, models, subjects, [part for part in parts if part.rows])
        for part in begun.parts:
            self._measure(part, begun)
            print_texts(part.signals)
        if self._candidate is not None and self.roll.shadow:
            rows = [
                row for part in begun.parts for row in part.rows if self._shadowed(records[row], models[row])
            ]
            if rows:
                begun.shadow = _Part(self._candidate, rows)
                self._measure(begun.shadow, begun)
        thoughts = [
            partial(cascade.second, part.asked)
            for part in (*begun.parts, *filter(None, (begun.shadow,)))
            if (cascade := part.panel.pack.models.cascade) is not None
            and part.asked is not None
            and part.asked.questions
        ]
        if thoughts:
            begun.think = partial(_each, thoughts)
        return begun

    def _shadowed(self, record: Record, model: Any) -> bool:
        owner = ACCOUNT_OF.get(record.topic)
        return owner is not None and self.roll.shadows(getattr(model, owner, ""))

    def _subject(self, panel: Panel, model: object) -> Subject | None:
        if isinstance(model, MediaSignals):
            return media_subject(model) if panel.media.matters(model) else None
        return subject_of(model)

    def _measure(self, part: _Part, begun: _Begun) -> None:
        """Measures the subjects of a part; the fast model reads them too."""
        subjects = [subject for row in part.rows if (subject := begun.subjects[row]) is not None]
        part.signals = part.panel.pack.signals.measure(subjects)
        cascade = part.panel.pack.models.cascade
        if cascade is not None:
            records = [begun.records[row] for row in part.rows]
            part.asked, part.read = part.panel.ask_models(cascade, records, subjects, part.signals)

    def finish(self, begun: Begun, each: Callable[[Judged], None] | None = None) -> Judged:
        """Judges a batch that was begun, once `think` was called where it is not None."""
        assert isinstance(begun, _Begun)
        judged = begun.judged
        measured: dict[int, tuple[Panel, MeasuredSignals]] = {}
        for part in begun.parts:
            if part.asked is not None:
                part.panel.learn(part.asked, judged)
                part.panel.opinions.notice(part.panel.pack.models.cascade, part.asked, part.read)
            for row, signals in zip(part.rows, part.signals, strict=True):
                measured[row] = (part.panel, signals)
        if begun.shadow is not None:
            self._compare(begun, begun.shadow, measured)
        for row, (record, model, subject) in enumerate(
            zip(begun.records, begun.models, begun.subjects, strict=True)
        ):
            if isinstance(model, Rejected):
                self._reject(record, model.reason, model.detail, judged)
            elif isinstance(model, Finding) and model.switch is not None:
                self._switch(record, model.switch, judged)
            elif subject is not None:
                panel, signals = measured[row]
                panel.handle(record, model, (subject, signals), judged)
            else:
                # Not before its turn: a record before it in the batch may have switched packs.
                self._panel_of(record, model).handle(record, model, None, judged)
            judged.outputs += self.breakers.asks()
            if each is not None:
                each(judged)
        # Also of panels that were replaced in this batch: they may have counted what is not told yet.
        for panel in dict.fromkeys((*(part.panel for part in begun.parts), *self._panels())):
            panel.court.end_batch(judged)
        self._collect(judged)
        return judged

    def _switch(self, record: Record, wanted: PackSwitch, judged: Judged) -> None:
        """Judges by other packs from here on; a pack that is not at hand, or refused, changes nothing."""
        outcome = "clear"
        if wanted.refused is None and wanted.version > self.roll.version:
            roll = roll_of(wanted, self._pack_of)
            if roll is None:
                outcome = "refused"
            else:
                self.adopt(roll)
        judged.count("moderator_decisions_total", record.topic, outcome)

    def _compare(
        self, begun: _Begun, shadow: _Part, measured: Mapping[int, tuple[Panel, MeasuredSignals]]
    ) -> None:
        """Counts what the candidate would have found."""
        if shadow.asked is not None:
            shadow.panel.learn(shadow.asked, Judged())  # counted once, for the pack in force
        compare(
            self._base.chain,
            shadow.panel.chain,
            [subject for row in shadow.rows if (subject := begun.subjects[row]) is not None],
            [measured[row][1] for row in shadow.rows],
            shadow.signals,
            [_time_of(begun.models[row]) for row in shadow.rows],
            begun.judged,
        )

    def expire(self, now: datetime) -> Judged:
        """Publishes what timers owe: a `reverse` for each action whose time is over."""
        judged = self._base.out.expire(now)
        self._collect(judged)
        return judged

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        """What the shell publishes for a record that it must not judge (again)."""
        judged = Judged()
        self._reject(record, reason, detail, judged, attempts)
        return judged

    def _reject(self, record: Record, reason: str, detail: str, judged: Judged, attempts: int = 1) -> None:
        judged.outputs.append(dead_letter(record, reason, detail, attempts))
        judged.count("moderator_dead_letters_total", record.topic, reason)

    def _collect(self, judged: Judged) -> None:
        judged.state.update(self.accounts.flush())
        judged.state.update(self.ledger.flush())
        judged.state.update(self._base.features.flush())
        engine: dict[str, Any] = {
            "pack": self.pack.id,
            "pack_sha256": self.pack.sha256,
            "breakers": self.breakers.to_json(),
        }
        if (erased := self._erasures.to_json()) or "erased" in self.partition_record:
            engine["erased"] = erased
        if allowances := self._base.allowances():
            engine["second_model"] = allowances
        if self.roll.version:
            engine["pack_version"] = self.roll.version
        if self._candidate is not None or "candidate" in self.partition_record:
            engine["candidate"] = self._candidate and self.roll.switch.model_dump(
                include={"candidate", "share", "shadow"}
            )
            engine["second_model_candidate"] = {} if self._candidate is None else self._candidate.allowances()
        if any(self.partition_record.get(key) != value for key, value in engine.items()):
            self.partition_record.update(engine)
            judged.state.update(self.partition_state())


def _each(thoughts: Sequence[Callable[[], None]]) -> None:
    for think in thoughts:
        think()


def _time_of(model: Any) -> datetime:
    """The own time of a record that has a subject."""
    for name in ("created_at", "updated_at", "observed_at"):
        time: datetime | None = getattr(model, name, None)
        if time is not None:
            return time
    raise AssertionError("a record with a subject has a time")
