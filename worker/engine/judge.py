"""Judges one partition's records in their order: bytes in, outputs and state out, nothing else touched.

The same code serves the worker on Kafka, `replay`, the tests and the benchmark. A batch is judged as a whole
and changes only memory; whoever calls publishes what came back and never judges the same batch twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from schemas.accounts import AccountRecord
from schemas.appeals import Appeal
from schemas.base import format_time
from schemas.coordination import Finding, Observation
from schemas.enforcement import Subject as SubjectRef
from schemas.media_signals import MediaSignals
from schemas.posts import Post
from schemas.reports import Report
from schemas.reviews import Review
from worker.engine.across.features import Features
from worker.engine.across.findings import Findings
from worker.engine.across.telling import Telling
from worker.engine.breakers import Breakers, is_grant
from worker.engine.chain import Chain
from worker.engine.contract import Subject
from worker.engine.court import Court
from worker.engine.dead_letters import dead_letter
from worker.engine.desk import Desk
from worker.engine.erasures import Erasures
from worker.engine.intake import ACCOUNT_OF, Intake, Rejected
from worker.engine.ledger import Ledger
from worker.engine.media import MediaCourt
from worker.engine.media_memory import forget_post, is_ahead, note_post, note_profile
from worker.engine.media_subjects import media_subject
from worker.engine.model_findings import Opinions, Settled, is_opinion
from worker.engine.people.appeals import Appeals
from worker.engine.people.reports import Reports
from worker.engine.people.reviews import Reviews
from worker.engine.precedents import note_edit
from worker.engine.publishing import Publishing
from worker.engine.records import Begun, Judged, Record
from worker.engine.registry import Pack
from worker.engine.state import LIVE_ACCOUNTS, Accounts, encode_partition
from worker.engine.statements import Statements
from worker.engine.store import MemoryStore, Store
from worker.engine.subjects import subject_of
from worker.engine.times import EPOCH
from worker.engine.traits import learn
from worker.engine.watching import Watching
from worker.learned.cascade import Asked, Cascade
from worker.signals.measured import MeasuredSignals
from worker.signals.sameness import print_texts
from worker.signals.view import Signals


@dataclass(slots=True)
class _Begun(Begun):
    """A batch between its two halves: what was read of each record, and what is measured on each subject."""

    judged: Judged
    models: list[Any]
    subjects: list[Subject | None]
    signals: list[MeasuredSignals]
    asked: Asked | None = None
    read: list[Subject] = field(default_factory=list)  # the subjects that models read


class PartitionJudge:
    """Everything that one partition number's owner knows and does.

    `partitions` is the topics' partition count and turns the check of each key's partition on; None (replay)
    leaves it off. `publish_all` publishes clear and duplicate decisions too. `ask` collects what an operator's own
    model is to be asked. `statements` makes a statement of reasons of each action.
    `sharing` is how many partitions share the caps of breakers where that is not `partitions`.
    `store` holds the bytes of what is not in use, in memory if None; `live_accounts` are kept decoded.
    """

    def __init__(
        self,
        pack: Pack,
        partition: int,
        partitions: int | None = None,
        publish_all: bool = False,
        ask: bool = False,
        statements: bool = False,
        store: Store | None = None,
        live_accounts: int = LIVE_ACCOUNTS,
        sharing: int | None = None,
    ) -> None:
        self.pack = pack
        self.partition = partition
        self.publish_all = publish_all
        self.store: Store = MemoryStore() if store is None else store
        self.accounts = Accounts(self.store, live_accounts)
        self.ledger = Ledger(self.store)
        self.breakers = Breakers(
            (loaded.policy for loaded in pack.policies), partition, sharing or partitions
        )
        # What stands under "shell" is the streaming shell's own; everything else is the engine's.
        self.partition_record: dict[str, Any] = {"schema_version": 1, "shell": {}}
        self._chain = Chain(pack.policies, pack.facts)
        self._out = Publishing(
            pack.id,
            self.accounts,
            self.ledger,
            publish_all,
            Statements(pack) if statements else None,
            pack.notices,
        )
        desk = Desk(
            pack, self._chain, partition, partitions, self.accounts, self.ledger, self.breakers, self._out
        )
        self._desk = desk
        self._telling = Telling(desk)
        self._court = Court(desk, self._telling, publish_all)
        self._media = MediaCourt(desk, self._court)
        self._erasures = Erasures()
        self._reports = Reports(desk)
        self._appeals = Appeals(desk)
        self._reviews = Reviews(desk, self._appeals, self._reports, self._telling)
        self._features = Features(desk)
        self._findings = Findings(desk)
        self._watching = Watching(desk)
        self._intake = Intake(partitions, self.accounts)
        self._opinions = Opinions(self._chain, pack.id, ask)
        # One for each topic: only within a topic is the order of records the same in a replay.
        cascade = pack.models.cascade
        self._allowances = {} if cascade is None else {topic: cascade.allowance() for topic in ACCOUNT_OF}

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
            self._features.restore(name.decode(), value)
        elif key == self.partition_key and value is not None:
            self.partition_record = json.loads(value)
            self.breakers.restore(self.partition_record.get("breakers", []))
            self._erasures.restore(self.partition_record.get("erased", {}))
            for topic, left in self.partition_record.get("second_model", {}).items():
                if topic in self._allowances:
                    self._allowances[topic].restore(int(left))

    @property
    def failing(self) -> Mapping[str, bool]:
        """Whether each policy's rule failed when it was last asked."""
        return self._court.failing

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
        subjects = [self._subject(model) for model in models]
        signals = self.pack.signals.measure([subject for subject in subjects if subject is not None])
        print_texts(signals)
        begun = _Begun(records, judged, models, subjects, signals)
        cascade = self.pack.models.cascade
        if cascade is not None:
            begun.asked = asked = self._ask_models(cascade, begun)
            if asked.questions:
                begun.think = partial(cascade.second, asked)
        return begun

    def _subject(self, model: object) -> Subject | None:
        if isinstance(model, MediaSignals):
            return media_subject(model) if self._media.matters(model) else None
        return subject_of(model)

    def _ask_models(self, cascade: Cascade, begun: _Begun) -> Asked:
        """What the fast model says; the words around media that were examined later it read with the post."""
        measured = iter(begun.signals)
        read = [
            (subject, next(measured), self._allowances[record.topic])
            for record, subject in zip(begun.records, begun.subjects, strict=True)
            if subject is not None
        ]
        read = [one for one in read if one[0].examined is None]
        begun.read = [subject for subject, _, _ in read]
        return cascade.first(begun.read, [seen for _, seen, _ in read], [allowed for *_, allowed in read])

    def finish(self, begun: Begun, each: Callable[[Judged], None] | None = None) -> Judged:
        """Judges a batch that was begun, once `think` was called where it is not None."""
        assert isinstance(begun, _Begun)
        judged = begun.judged
        if begun.asked is not None:
            self._learn(begun.asked, judged)
            self._opinions.notice(self.pack.models.cascade, begun.asked, begun.read)
        signals = iter(begun.signals)
        for record, model, subject in zip(begun.records, begun.models, begun.subjects, strict=True):
            measured = None if subject is None else (subject, next(signals))
            if isinstance(model, Rejected):
                self._reject(record, model.reason, model.detail, judged)
            elif isinstance(model, Post):
                self._post(record, model, measured, judged)
            elif isinstance(model, AccountRecord):
                self._account(record, model, measured, judged)
            elif isinstance(model, MediaSignals):
                self._media.judge(record, model, measured, self._erasures, judged)
            elif isinstance(model, Report) and measured is not None:
                self._rights(record, model, *measured, judged)
            else:
                self._later(record, model, judged)
            judged.outputs += self.breakers.asks()
            if each is not None:
                each(judged)
        self._court.end_batch(judged)
        self._collect(judged)
        return judged

    def _learn(self, asked: Asked, judged: Judged) -> None:
        """Puts what the models found onto the measurements, and counts it."""
        cascade = self.pack.models.cascade
        assert cascade is not None
        cascade.settle(asked)
        judged.count("moderator_model_texts_total", "fast", by=len(asked.texts))
        judged.count("moderator_model_texts_total", "second", by=len(asked.readings))
        for outcome, rows in (("unread", asked.unread), ("failed", asked.failed)):
            if rows:
                judged.count("moderator_model_unsettled_total", outcome, by=len(rows))
        for model, policy, score, times in cascade.counts(asked):
            judged.count("moderator_model_scores_total", model, policy, score, by=times)

    def expire(self, now: datetime) -> Judged:
        """Publishes what timers owe: a `reverse` for each action whose time is over."""
        judged = self._out.expire(now)
        self._collect(judged)
        return judged

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        """What the shell publishes for a record that it must not judge (again)."""
        judged = Judged()
        self._reject(record, reason, detail, judged, attempts)
        return judged

    # -- one record ----------------------------------------------------------------------------------

    def _reject(self, record: Record, reason: str, detail: str, judged: Judged, attempts: int = 1) -> None:
        judged.outputs.append(dead_letter(record, reason, detail, attempts))
        judged.count("moderator_dead_letters_total", record.topic, reason)

    def _post(
        self, record: Record, post: Post, measured: tuple[Subject, MeasuredSignals] | None, judged: Judged
    ) -> None:
        account, now = self._desk.at(post.author_id, post.created_at)
        now_ms = account.clock_us // 1000
        if measured is None:
            self._out.close_items(post, account, judged)
            account.seen(post.post_id, now_ms)  # should the post itself come later, it is gone already
            account.delete(post.post_id, now_ms)
            forget_post(account, post.post_id)
            self._out.settle(
                record,
                SubjectRef(type="post", id=post.post_id),
                post.author_id,
                "clear",
                now,
                judged,
                account,
            )
            return
        # An edit that keeps its post's id is news, once for each time of editing.
        key = post.post_id
        if post.edit_of == post.post_id:
            key = f"{post.post_id}@{format_time(post.created_at)}"
        if account.seen(key, now_ms):
            self._out.settle(
                record,
                SubjectRef(type="post", id=post.post_id),
                post.author_id,
                "duplicate",
                now,
                judged,
                account,
            )
            return
        if post.edit_of == post.post_id:
            note_edit(account, post.post_id, post.created_at)
        read = measured[0]
        ahead = is_ahead(account, post.post_id) and post.edit_of != post.post_id
        if ahead:
            measured = self._media.joined(post, measured, account, now_ms)
        note_post(account, post, now_ms)
        learn(account, measured[0], self.pack.notices)
        self._watching.post(post, *measured, account, now_ms)
        self._telling.post(post, *measured, account, now_ms, judged)
        self._court.rule(record, *measured, account, now, post.post_id, judged, ahead)
        self._opinions.ask(read, key, account, now_ms, judged)

    def _account(
        self, record: Record, model: AccountRecord, measured: tuple[Subject, Signals] | None, judged: Judged
    ) -> None:
        if measured is None:
            # Also when it comes late: who asked to be forgotten is forgotten.
            now = self._desk.now(model.account_id, model.updated_at)
            self._erase(model.account_id, (now - EPOCH) // timedelta(milliseconds=1), judged)
            subject = SubjectRef(type="account", id=model.account_id)
            self._out.settle(record, subject, model.account_id, "clear", now, judged)
            return
        account, now = self._desk.at(model.account_id, model.updated_at)
        cause = f"{model.account_id}@{format_time(model.updated_at)}"
        learn(account, measured[0], self.pack.notices)
        self._telling.profile(model, account, account.clock_us // 1000, judged)
        note_profile(account, model, account.clock_us // 1000)
        self._court.rule(record, *measured, account, now, cause, judged, is_ahead(account, cause))

    def _rights(
        self, record: Record, report: Report, subject: Subject, signals: Signals, judged: Judged
    ) -> None:
        """A rights-holder's report of a post; its time is another's, so the account's clock stays where it is."""
        now = self._desk.now(report.account_id, report.created_at)
        account = self.accounts.get(report.account_id)
        self.accounts.touch(report.account_id)
        if report.trusted and subject.id not in account.recent:
            # Whose post it is nobody here can tell: a trusted report of it is looked at like any other.
            subject.report = report.model_copy(update={"trusted": False})
            signals = self.pack.signals.measure([subject])[0]
        self._court.rule(record, subject, signals, account, now, report.report_id, judged)

    def _later(self, record: Record, model: Any, judged: Judged) -> None:
        """What is no post and no profile: what people say, what is seen across accounts, what others found."""
        match model:
            case Report():
                self._reports.judge(record, model, judged)
            case Appeal():
                self._appeals.judge(record, model, judged)
            case Review():
                self._reviews.judge(record, model, judged)
            case Observation():
                self._features.judge(record, model, judged)
            case Finding() if is_grant(model):
                self.breakers.grant(model)
                judged.count("moderator_decisions_total", record.topic, "clear")
            case Finding() if model.feature.startswith("reporter:"):
                self._reports.weigh(record, model, judged)
            case Finding():
                self._finding(record, model, judged)
            case _:
                judged.count("moderator_decisions_total", record.topic, "clear")

    def _finding(self, record: Record, finding: Finding, judged: Judged) -> None:
        """What an operator's own model said of a post, or the owner of a feature of an account."""
        now = self._desk.now(finding.account_id, finding.observed_at)
        if finding.post_id is None:
            subject = SubjectRef(type="account", id=finding.account_id)
        else:
            subject = SubjectRef(type="post", id=finding.post_id)
        account, outcome = None, "clear"
        if finding.account_id in self.accounts:
            account = self.accounts.get(finding.account_id)
            self.accounts.touch(finding.account_id)
            if is_opinion(finding):
                opinion = self._opinions.judge(record, finding, account, self.ledger, now)
            else:
                opinion = self._findings.judge(record, finding, account, now)
            if not isinstance(opinion, Settled):
                self._court.tally(opinion.judgements, 1, judged)
                self._court.conclude(record, *opinion, account, judged)
                return
            outcome = opinion.outcome
        self._out.settle(record, subject, finding.account_id, outcome, now, judged, account)

    def _erase(self, account_id: str, now_ms: int, judged: Judged) -> None:
        for item_id in (*self.accounts.get(account_id).items, *self._appeals.open_items(account_id)):
            self._out.close(item_id, "account-deleted", judged)
        self.ledger.erase(account_id, now_ms)
        self.accounts.erase(account_id)
        self._erasures.add(account_id, now_ms)

    def _collect(self, judged: Judged) -> None:
        judged.state.update(self.accounts.flush())
        judged.state.update(self.ledger.flush())
        judged.state.update(self._features.flush())
        engine: dict[str, Any] = {
            "pack": self.pack.id,
            "pack_sha256": self.pack.sha256,
            "breakers": self.breakers.to_json(),
        }
        if (erased := self._erasures.to_json()) or "erased" in self.partition_record:
            engine["erased"] = erased
        if self._allowances:
            engine["second_model"] = {topic: left.to_json() for topic, left in self._allowances.items()}
        if any(self.partition_record.get(key) != value for key, value in engine.items()):
            self.partition_record.update(engine)
            judged.state.update(self.partition_state())
