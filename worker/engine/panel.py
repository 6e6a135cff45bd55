"""Everything that judges a partition's records by one pack, over memory that all packs share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

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
from worker.engine.breakers import is_grant
from worker.engine.chain import Chain
from worker.engine.contract import Subject
from worker.engine.court import Court
from worker.engine.desk import Desk, Memory
from worker.engine.intake import ACCOUNT_OF
from worker.engine.media import MediaCourt
from worker.engine.media_memory import forget_post, is_ahead, note_post, note_profile
from worker.engine.model_findings import Opinions, Settled, is_opinion
from worker.engine.people.appeals import Appeals
from worker.engine.people.reports import Reports
from worker.engine.people.reviews import Reviews
from worker.engine.precedents import note_edit
from worker.engine.publishing import Publishing
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack
from worker.engine.statements import Statements
from worker.engine.times import EPOCH
from worker.engine.traits import learn
from worker.engine.watching import Watching
from worker.learned.cascade import Asked, Cascade
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Signals

Role = Literal["base", "candidate"]
"""What a pack is while another is tried: in force, or tried."""


class Panel:
    """The rules of one pack and all who apply them.

    Args:
        pack: the pack.
        memory: what the partition remembers.
        features: who judges what is seen across accounts, the same for all packs of a partition; None: its own, new.
        publish_all: whether clear and duplicate decisions are published too.
        ask: whether questions for an operator's own model are collected.
        statements: whether a statement of reasons is made of each action.
        role: what the pack is while another is tried, None when none is.
    """

    def __init__(
        self,
        pack: Pack,
        memory: Memory,
        features: Features | None = None,
        *,
        publish_all: bool = False,
        ask: bool = False,
        statements: bool = False,
        role: Role | None = None,
    ) -> None:
        self.pack = pack
        self.role: Role | None = role
        self._memory = memory
        self.chain = Chain(pack.policies, pack.facts)
        self.out = Publishing(
            pack.id,
            memory.accounts,
            memory.ledger,
            publish_all,
            Statements(pack) if statements else None,
            pack.notices,
        )
        self.desk = Desk(
            pack,
            self.chain,
            memory.partition,
            memory.partitions,
            memory.accounts,
            memory.ledger,
            memory.breakers,
            self.out,
        )
        self.telling = Telling(self.desk)
        self.court = Court(self.desk, self.telling, publish_all, role)
        self.media = MediaCourt(self.desk, self.court)
        self.reports = Reports(self.desk)
        self.appeals = Appeals(self.desk)
        self.reviews = Reviews(self.desk, self.appeals, self.reports, self.telling)
        self.features = Features(self.desk) if features is None else features
        self.findings = Findings(self.desk)
        self.watching = Watching(self.desk)
        self.opinions = Opinions(self.chain, pack.id, ask)
        cascade = pack.models.cascade
        # One for each topic: only within a topic is the order of records the same in a replay.
        self._allowances = {} if cascade is None else {topic: cascade.allowance() for topic in ACCOUNT_OF}

    # -- what of the second model's share is used

    def restore_allowances(self, left: Mapping[str, int]) -> None:
        """Takes back what `allowances` gave, also another pack's."""
        for topic, rest in left.items():
            if topic in self._allowances:
                self._allowances[topic].restore(int(rest))

    def allowances(self) -> dict[str, int]:
        """What is left of the second model's share, by topic; empty where there is no model."""
        return {topic: left.to_json() for topic, left in self._allowances.items()}

    # -- measuring

    def ask_models(
        self,
        cascade: Cascade,
        records: Sequence[Record],
        subjects: Sequence[Subject],
        signals: Sequence[MeasuredSignals],
    ) -> tuple[Asked, list[Subject]]:
        """What the fast model says, and of whom; the words around media that were examined later it read with the post."""
        read = [
            (subject, seen, self._allowances[record.topic])
            for record, subject, seen in zip(records, subjects, signals, strict=True)
            if subject.examined is None
        ]
        asked = cascade.first(
            [subject for subject, *_ in read],
            [seen for _, seen, _ in read],
            [allowed for *_, allowed in read],
        )
        return asked, [subject for subject, *_ in read]

    def learn(self, asked: Asked, judged: Judged) -> None:
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

    # -- one record ----------------------------------------------------------------------------------

    def handle(
        self, record: Record, model: Any, measured: tuple[Subject, MeasuredSignals] | None, judged: Judged
    ) -> None:
        """Judges one record; `measured` is what is measured on its subject, None where it has none."""
        if isinstance(model, Post):
            self._post(record, model, measured, judged)
        elif isinstance(model, AccountRecord):
            self._account(record, model, measured, judged)
        elif isinstance(model, MediaSignals):
            self.media.judge(record, model, measured, self._memory.erasures, judged)
        elif isinstance(model, Report) and measured is not None:
            self._rights(record, model, *measured, judged)
        else:
            self._later(record, model, judged)

    def _post(
        self, record: Record, post: Post, measured: tuple[Subject, MeasuredSignals] | None, judged: Judged
    ) -> None:
        account, now = self.desk.at(post.author_id, post.created_at)
        now_ms = account.clock_us // 1000
        if measured is None:
            self.out.close_items(post, account, judged)
            account.seen(post.post_id, now_ms)  # should the post itself come later, it is gone already
            account.delete(post.post_id, now_ms)
            forget_post(account, post.post_id)
            self.out.settle(
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
            self.out.settle(
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
            measured = self.media.joined(post, measured, account, now_ms)
        note_post(account, post, now_ms)
        learn(account, measured[0], self.pack.notices)
        self.watching.post(post, *measured, account, now_ms)
        self.telling.post(post, *measured, account, now_ms, judged)
        self.court.rule(record, *measured, account, now, post.post_id, judged, ahead)
        self.opinions.ask(read, key, account, now_ms, judged)

    def _account(
        self, record: Record, model: AccountRecord, measured: tuple[Subject, Signals] | None, judged: Judged
    ) -> None:
        if measured is None:
            # Also when it comes late: who asked to be forgotten is forgotten.
            now = self.desk.now(model.account_id, model.updated_at)
            self._erase(model.account_id, (now - EPOCH) // timedelta(milliseconds=1), judged)
            subject = SubjectRef(type="account", id=model.account_id)
            self.out.settle(record, subject, model.account_id, "clear", now, judged)
            return
        account, now = self.desk.at(model.account_id, model.updated_at)
        cause = f"{model.account_id}@{format_time(model.updated_at)}"
        learn(account, measured[0], self.pack.notices)
        self.telling.profile(model, account, account.clock_us // 1000, judged)
        note_profile(account, model, account.clock_us // 1000)
        self.court.rule(record, *measured, account, now, cause, judged, is_ahead(account, cause))

    def _rights(
        self, record: Record, report: Report, subject: Subject, signals: Signals, judged: Judged
    ) -> None:
        """A rights-holder's report of a post; its time is another's, so the account's clock stays where it is."""
        now = self.desk.now(report.account_id, report.created_at)
        account = self._memory.accounts.get(report.account_id)
        self._memory.accounts.touch(report.account_id)
        if report.trusted and subject.id not in account.recent:
            # Whose post it is nobody here can tell: a trusted report of it is looked at like any other.
            subject.report = report.model_copy(update={"trusted": False})
            signals = self.pack.signals.measure([subject])[0]
        self.court.rule(record, subject, signals, account, now, report.report_id, judged)

    def _later(self, record: Record, model: Any, judged: Judged) -> None:
        """What is no post and no profile: what people say, what is seen across accounts, what others found."""
        match model:
            case Report():
                self.reports.judge(record, model, judged)
            case Appeal():
                self.appeals.judge(record, model, judged)
            case Review():
                self.reviews.judge(record, model, judged)
            case Observation():
                self.features.judge(record, model, judged)
            case Finding() if is_grant(model):
                self._memory.breakers.grant(model)
                judged.count("moderator_decisions_total", record.topic, "clear")
            case Finding() if model.feature.startswith("reporter:"):
                self.reports.weigh(record, model, judged)
            case Finding():
                self._finding(record, model, judged)
            case _:
                judged.count("moderator_decisions_total", record.topic, "clear")

    def _finding(self, record: Record, finding: Finding, judged: Judged) -> None:
        """What an operator's own model said of a post, or the owner of a feature of an account."""
        now = self.desk.now(finding.account_id, finding.observed_at)
        if finding.post_id is None:
            subject = SubjectRef(type="account", id=finding.account_id)
        else:
            subject = SubjectRef(type="post", id=finding.post_id)
        account, outcome = None, "clear"
        if finding.account_id in self._memory.accounts:
            account = self._memory.accounts.get(finding.account_id)
            self._memory.accounts.touch(finding.account_id)
            if is_opinion(finding):
                opinion = self.opinions.judge(record, finding, account, self._memory.ledger, now)
            else:
                opinion = self.findings.judge(record, finding, account, now)
            if not isinstance(opinion, Settled):
                self.court.tally(opinion.judgements, 1, judged)
                self.court.conclude(record, *opinion, account, judged)
                return
            outcome = opinion.outcome
        self.out.settle(record, subject, finding.account_id, outcome, now, judged, account)

    def _erase(self, account_id: str, now_ms: int, judged: Judged) -> None:
        for item_id in (*self._memory.accounts.get(account_id).items, *self.appeals.open_items(account_id)):
            self.out.close(item_id, "account-deleted", judged)
        self._memory.ledger.erase(account_id, now_ms)
        self._memory.accounts.erase(account_id)
        self._memory.erasures.add(account_id, now_ms)
