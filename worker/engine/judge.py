"""Judges one partition's records in their order: bytes in, outputs and state out, nothing else touched.

The same code serves the worker on Kafka, `replay`, the tests and the benchmark. A batch is judged as a whole
and changes only memory; whoever calls publishes what came back and never judges the same batch twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.accounts import AccountRecord
from schemas.appeals import Appeal
from schemas.base import encode, format_time
from schemas.decode import DecodeError, decode
from schemas.enforcement import Enforcement, RecordRef
from schemas.enforcement import Subject as SubjectRef
from schemas.media_signals import MediaSignals
from schemas.posts import Post
from schemas.reports import Report
from schemas.reviews import Review
from worker.engine.breakers import Breakers
from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Subject
from worker.engine.dead_letters import dead_letter
from worker.engine.decide import decide, rung_of
from worker.engine.enforce import Case, Effects, enforce
from worker.engine.ids import partition_of
from worker.engine.ledger import Ledger
from worker.engine.notices import action_notice, reversal_notice, support_notice
from worker.engine.outcomes import decision_record, reversal_of, uncovered_language
from worker.engine.records import Judged, Output, Record
from worker.engine.registry import Pack
from worker.engine.state import Account, Accounts, encode_partition
from worker.engine.subjects import subject_of
from worker.engine.times import EPOCH
from worker.signals.view import Signals

_MICROSECOND = timedelta(microseconds=1)

ACCOUNT_OF = {
    "posts": "author_id",
    "accounts": "account_id",
    "reports": "account_id",
    "appeals": "account_id",
    "reviews": "account_id",
    "media.signals": "account_id",
    "findings": "account_id",
}


class _Rejected(NamedTuple):
    """What a record became that cannot be judged; its dead letter is published in the record's turn."""

    reason: str
    detail: str


class PartitionJudge:
    """Everything that one partition number's owner knows and does.

    `partitions` is the topics' partition count and turns the check of each key's partition on; None (replay)
    leaves it off. `publish_all` publishes clear and duplicate decisions too.
    """

    def __init__(
        self, pack: Pack, partition: int, partitions: int | None = None, publish_all: bool = False
    ) -> None:
        self.pack = pack
        self.partition = partition
        self.partitions = partitions
        self.publish_all = publish_all
        self.accounts = Accounts()
        self.ledger = Ledger()
        self.breakers = Breakers(loaded.policy for loaded in pack.policies)
        # What stands under "shell" is the streaming shell's own; everything else is the engine's.
        self.partition_record: dict[str, Any] = {"schema_version": 1, "shell": {}}
        self.failing: dict[str, bool] = {}  # whether each policy's rule failed when it was last asked
        self._chain = Chain(pack.policies, pack.facts)
        self._silences: dict[tuple[str, str | None, bool], int] = {}

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
        elif key == self.partition_key and value is not None:
            self.partition_record = json.loads(value)
            self.breakers.restore(self.partition_record.get("breakers", []))

    # -- judging -------------------------------------------------------------------------------------

    def judge(self, records: Sequence[Record]) -> Judged:
        """Judges one batch in order. Every record ends as one counted decision or one dead letter."""
        judged = Judged()
        for topic, times in Counter(record.topic for record in records).items():
            judged.count("moderator_records_total", topic, by=times)
        models = [self._decode(record, judged) for record in records]
        subjects = [subject_of(model) for model in models]
        asking = [subject for subject in subjects if subject is not None]
        signals = iter(self.pack.signals.measure(asking))
        for record, model, subject in zip(records, models, subjects, strict=True):
            measured = None if subject is None else (subject, next(signals))
            if isinstance(model, _Rejected):
                self._reject(record, model.reason, model.detail, judged)
            elif isinstance(model, Post):
                self._post(record, model, measured, judged)
            elif isinstance(model, AccountRecord):
                self._account(record, model, measured, judged)
            elif isinstance(model, Report) and measured is not None:
                self._rights(record, model, *measured, judged)
            else:
                self._later(record, model, judged)
        for (topic, lang, has_text), times in self._silences.items():
            self._tally(self._chain.quiet(lang, has_text), times, judged)
            if not self.publish_all:
                judged.count("moderator_decisions_total", topic, "clear", by=times)
        self._silences.clear()
        self._collect(judged)
        return judged

    def expire(self, now: datetime) -> Judged:
        """Publishes a `reverse` for each action whose time is over, and drops what cannot be appealed any more.

        The account's record stays as it is: whether an action is in force is told by each record's own time,
        so a late record is judged the same whether or not this ran before it.
        """
        judged = Judged()
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        for action in self.ledger.ended(now_ms):
            reverse = reversal_of(action)
            judged.outputs.append(
                Output(f"enforcement.{action.kind}", action.account_id.encode(), encode(reverse))
            )
            notice = reversal_notice(reverse, self._still_suspended(reverse))
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_actions_total", action.policy, action.kind, "reverse", reverse.source)
            judged.count("moderator_notices_total", "reversal")
        self._collect(judged)
        return judged

    def _still_suspended(self, reverse: Enforcement) -> bool:
        """Whether another suspension of the account stands when this one ends."""
        if reverse.account_id not in self.accounts:
            return False
        end = (reverse.decided_at - EPOCH) // timedelta(milliseconds=1)
        return any(
            known.kind == "suspend" and known.action_id != reverse.reverses and known.stands(end)
            for known in self.accounts.get(reverse.account_id).actions
        )

    def dead_letter(self, record: Record, reason: str, detail: str, attempts: int = 1) -> Judged:
        """What the shell publishes for a record that it must not judge (again)."""
        judged = Judged()
        self._reject(record, reason, detail, judged, attempts)
        return judged

    # -- one record ----------------------------------------------------------------------------------

    def _decode(self, record: Record, judged: Judged) -> Any:
        """The record's model, or why it becomes a dead letter."""
        if record.topic == "policies" and record.value is None:
            return record  # the tombstone of a pack's file
        try:
            decoded = decode(record.topic, record.value, record.key)
        except DecodeError as error:
            return _Rejected(error.reason, error.detail)
        if decoded.unknown_fields:
            judged.count("moderator_unknown_fields_total", record.topic, by=decoded.unknown_fields)
        owner = ACCOUNT_OF.get(record.topic)
        problem = None if owner is None else self._misrouted(record, getattr(decoded.model, owner))
        if problem is not None:
            return _Rejected("misrouted", problem)
        return decoded.model

    def _misrouted(self, record: Record, account_id: str) -> str | None:
        """Why a record cannot belong to its account's owner, None when it does."""
        key = account_id.encode()
        if record.key != key and (record.key is not None or self.partitions is not None):
            return "the key is not the id of the account that the record concerns"
        if self.partitions is None or account_id in self.accounts:
            return None
        expected = partition_of(key, self.partitions)
        if expected != record.partition:
            return (
                f"the key belongs to partition {expected} of {self.partitions} by murmur2, not {record.partition}: "
                "set the producer's partitioner to murmur2_random"
            )
        return None

    def _reject(self, record: Record, reason: str, detail: str, judged: Judged, attempts: int = 1) -> None:
        judged.outputs.append(dead_letter(record, reason, detail, attempts))
        judged.count("moderator_dead_letters_total", record.topic, reason)

    def _post(
        self, record: Record, post: Post, measured: tuple[Subject, Signals] | None, judged: Judged
    ) -> None:
        account, now = self._at(post.author_id, post.created_at)
        now_ms = account.clock_us // 1000
        if measured is None:
            self._close_items(post, account, judged)
            account.seen(post.post_id, now_ms)  # should the post itself come later, it is gone already
            self._settle(
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
            self._settle(
                record,
                SubjectRef(type="post", id=post.post_id),
                post.author_id,
                "duplicate",
                now,
                judged,
                account,
            )
            return
        self._rule(record, *measured, account, now, post.post_id, judged)

    def _account(
        self, record: Record, model: AccountRecord, measured: tuple[Subject, Signals] | None, judged: Judged
    ) -> None:
        if measured is None:
            # Also when it comes late: who asked to be forgotten is forgotten.
            now = self._now(model.account_id, model.updated_at)
            self._erase(model.account_id, (now - EPOCH) // timedelta(milliseconds=1), judged)
            subject = SubjectRef(type="account", id=model.account_id)
            self._settle(record, subject, model.account_id, "clear", now, judged)
            return
        account, now = self._at(model.account_id, model.updated_at)
        cause = f"{model.account_id}@{format_time(model.updated_at)}"
        self._rule(record, *measured, account, now, cause, judged)

    def _rights(
        self, record: Record, report: Report, subject: Subject, signals: Signals, judged: Judged
    ) -> None:
        """A rights-holder's report of a post; its time is another's, so the account's clock stays where it is."""
        now = self._now(report.account_id, report.created_at)
        account = self.accounts.get(report.account_id)
        self.accounts.touch(report.account_id)
        if report.trusted and subject.id not in account.recent:
            # Whose post it is nobody here can tell: a trusted report of it is looked at like any other.
            subject.report = report.model_copy(update={"trusted": False})
            signals = self.pack.signals.measure([subject])[0]
        self._rule(record, subject, signals, account, now, report.report_id, judged)

    def _at(self, account_id: str, time: datetime) -> tuple[Account, datetime]:
        """The account and the time of the decision: the record's own, but an account's clock never runs backwards."""
        account = self.accounts.get(account_id)
        self.accounts.touch(account_id)
        if account.advance((time - EPOCH) // _MICROSECOND):
            return account, time
        return account, EPOCH + timedelta(microseconds=account.clock_us)

    def _now(self, account_id: str, time: datetime) -> datetime:
        """The time of a decision that leaves the account's record as it is."""
        if account_id not in self.accounts:
            return time
        return max(time, EPOCH + timedelta(microseconds=self.accounts.get(account_id).clock_us))

    def _later(self, record: Record, model: Any, judged: Judged) -> None:
        """Reports, appeals, reviews and media signals: nothing follows from them yet but a decision.

        Packs, observations and findings concern no post or account by themselves: they are counted.
        """
        match model:
            case Report():
                subject, time = model.subject, model.created_at
            case Appeal() | Review():
                subject, time = SubjectRef(type="account", id=model.account_id), model.created_at
            case MediaSignals():
                subject = SubjectRef(type="media", id=f"{model.post_id}/{model.media_id}")
                time = model.observed_at
            case _:
                judged.count("moderator_decisions_total", record.topic, "clear")
                return
        now = self._now(model.account_id, time)
        account = self.accounts.get(model.account_id) if model.account_id in self.accounts else None
        self._settle(record, subject, model.account_id, "clear", now, judged, account)

    def _rule(
        self,
        record: Record,
        subject: Subject,
        signals: Signals,
        account: Account,
        now: datetime,
        cause: str,
        judged: Judged,
    ) -> None:
        if self._chain.silent(signals):
            # Nearly every post ends here: silences are counted by kind, and told apart once per batch.
            silence = (record.topic, subject.lang, bool(subject.fields))
            self._silences[silence] = self._silences.get(silence, 0) + 1
            if not self.publish_all:
                return
            judgements = self._chain.quiet(subject.lang, bool(subject.fields))
            notable = False
        else:
            judgements = self._chain.run(subject, signals, now)
            notable = any(j.notable for j in judgements)
            self._tally(judgements, 1, judged)
            for name in signals.failed:
                judged.count("moderator_signal_failures_total", name)
        if not notable:
            target = SubjectRef(type=subject.kind, id=subject.id)
            uncovered = uncovered_language(subject, judgements)
            self._settle(
                record, target, subject.account_id, "clear", now, judged, account, uncovered=uncovered
            )
            return
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        ruling = decide(judgements, account.active_strikes(now_ms))
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        case = Case(subject, ref, cause, now, now_ms, self.pack.id)
        effects = enforce(case, ruling, account, self.breakers, self.ledger.applied)
        target = SubjectRef(type=subject.kind, id=subject.id)
        self._settle(
            record, target, subject.account_id, ruling.outcome, now, judged, account,
            judgements=judgements, effects=effects, uncovered=uncovered_language(subject, judgements),
        )  # fmt: skip
        if effects.actions:
            judged.acted.append(record.timestamp)
        self._publish(effects, judged)
        if ruling.at_risk and account.may_support(now_ms):
            self._support(case, ruling.at_risk[0], judged)

    # -- what follows --------------------------------------------------------------------------------

    def _publish(self, effects: Effects, judged: Judged) -> None:
        order = {"label": 0, "remove": 1, "suspend": 2}
        for action in sorted(effects.actions, key=lambda a: order[a.kind]):
            value = encode(action)
            judged.outputs.append(Output(f"enforcement.{action.kind}", action.account_id.encode(), value))
            self.ledger.add_action(action, value, effects.preserved.get(action.action_id))
            judged.count(
                "moderator_actions_total", action.policy, action.kind, action.operation, action.source
            )
        for item in effects.items:
            value = encode(item)
            judged.outputs.append(Output("review.queue", item.account_id.encode(), value))
            self.ledger.add_item(item.item_id, value)
            judged.count("moderator_review_items_total", item.policy or "none", item.reason)
        for action in effects.actions:
            notice = action_notice(action)
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_notices_total", notice.kind)
        for item_id in effects.forgotten:
            self._close(item_id, "too-many-open-items", judged)
        for policy, kind in effects.held:
            judged.count("moderator_breaker_held_total", policy, kind)

    def _support(self, case: Case, judgement: Judgement, judged: Judged) -> None:
        notice = support_notice(case, judgement)
        judged.outputs.append(Output("notices", notice.account_id.encode(), encode(notice)))
        judged.count("moderator_notices_total", notice.kind)

    def _close_items(self, post: Post, account: Account, judged: Judged) -> None:
        """The author deleted the post: what waits for a look at it is done."""
        closed = [item_id for item_id, post_id in account.items.items() if post_id == post.post_id]
        for item_id in closed:
            del account.items[item_id]
            self._close(item_id, "deleted-by-author", judged)

    def _close(self, item_id: str, closed_by: str, judged: Judged) -> None:
        item = self.ledger.close_item(item_id, closed_by)
        if item is not None:
            judged.outputs.append(Output("review.queue", item.account_id.encode(), encode(item)))

    def _erase(self, account_id: str, now_ms: int, judged: Judged) -> None:
        for item_id in self.accounts.get(account_id).items:
            self._close(item_id, "account-deleted", judged)
        self.ledger.erase(account_id, now_ms)
        self.accounts.erase(account_id)

    def _settle(
        self,
        record: Record,
        subject: SubjectRef,
        account_id: str,
        outcome: str,
        now: datetime,
        judged: Judged,
        account: Account | None = None,
        *,
        judgements: Sequence[Judgement] = (),
        effects: Effects | None = None,
        uncovered: str | None = None,
    ) -> None:
        """Counts a record's decision and publishes it when it is to be."""
        judged.count("moderator_decisions_total", record.topic, outcome)
        if outcome in {"clear", "duplicate"} and not self.publish_all:
            return
        actions = effects.actions if effects is not None else []
        active = 0 if account is None else account.active_strikes(account.clock_us // 1000)
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        decision = decision_record(
            ref, subject, account_id, outcome, now, self.pack.id, judgements, actions, active, uncovered
        )
        judged.outputs.append(Output("decisions", account_id.encode(), encode(decision)))

    def _tally(self, judgements: Sequence[Judgement], times: int, judged: Judged) -> None:
        for judgement in judgements:
            policy = judgement.loaded.policy
            judged.count("moderator_verdicts_total", policy.id, policy.status, judgement.outcome, by=times)
            if judgement.outcome == "failed":
                judged.count("moderator_rule_failures_total", policy.id, by=times)
                self.failing[policy.id] = True
            elif judgement.asked:
                self.failing[policy.id] = False
            if judgement.uncovered:
                judged.count("moderator_uncovered_language_total", policy.id, by=times)
            if policy.status == "shadow" and judgement.outcome == "violation":
                for action in rung_of(judgement, 0).actions:
                    judged.count("moderator_shadow_actions_total", policy.id, action.kind, by=times)

    def _collect(self, judged: Judged) -> None:
        judged.state.update(self.accounts.flush())
        judged.state.update(self.ledger.flush())
        engine = {"pack": self.pack.id, "pack_sha256": self.pack.sha256, "breakers": self.breakers.to_json()}
        if any(self.partition_record.get(key) != value for key, value in engine.items()):
            self.partition_record.update(engine)
            judged.state.update(self.partition_state())
