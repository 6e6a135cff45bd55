"""From what was measured on a subject to what is published about it: rules, ruling, enforcement, decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from schemas.enforcement import Enforcement, RecordRef
from schemas.enforcement import Subject as SubjectRef
from worker.engine.across.telling import Telling
from worker.engine.chain import Judgement
from worker.engine.contract import Subject
from worker.engine.decide import Ruling, decide, rung_of
from worker.engine.desk import Desk
from worker.engine.enforce import Case, enforce, own_strikes
from worker.engine.ids import action_id
from worker.engine.outcomes import uncovered_language
from worker.engine.records import Judged, Record
from worker.engine.state import Account
from worker.engine.statements import matter_of_subject
from worker.engine.times import EPOCH
from worker.engine.watching import ask_once
from worker.signals.view import Signals


class Court:
    """Judges subjects by the rules of a pack. `publish_all` publishes clear decisions too.

    `role` is what the pack is while another is tried: its verdicts are then counted by it as well.

    `failing` says whether each policy's rule failed when it was last asked.
    """

    def __init__(self, desk: Desk, telling: Telling, publish_all: bool, role: str | None = None) -> None:
        self.failing: dict[str, bool] = {}
        self._desk = desk
        self._telling = telling
        self._publish_all = publish_all
        self._role = role
        self._silences: dict[tuple[str, str | None, bool], int] = {}

    def rule(
        self,
        record: Record,
        subject: Subject,
        signals: Signals,
        account: Account,
        now: datetime,
        cause: str,
        judged: Judged,
        ahead: bool = False,
    ) -> None:
        """Has the rules judge a subject; `cause` goes into the ids of what follows.

        `ahead`: part of it was judged before, by what was found in its media.
        """
        if self._desk.chain.silent(signals):
            # Nearly every post ends here: silences are counted by kind, and told apart once per batch.
            silence = (record.topic, subject.lang, bool(subject.fields))
            self._silences[silence] = self._silences.get(silence, 0) + 1
            if not self._publish_all:
                return
            judgements = self._desk.chain.quiet(subject.lang, bool(subject.fields))
            notable = False
        else:
            judgements = self._desk.chain.run(subject, signals, now)
            notable = any(j.notable for j in judgements)
            self.tally(judgements, 1, judged)
            for name in signals.failed:
                judged.count("moderator_signal_failures_total", name)
        if not notable:
            target = SubjectRef(type=subject.kind, id=subject.id)
            uncovered = uncovered_language(subject, judgements)
            self._desk.out.settle(
                record, target, subject.account_id, "clear", now, judged, account, uncovered=uncovered
            )
            return
        case = self.case(record, subject, account, now, cause, again=ahead)
        ruling = self.ruling(case, judgements, account)
        ruling = ask_once(ruling, account.behaviour, case.now_ms // 60_000)
        self.conclude(record, case, ruling, judgements, account, judged)

    def case(
        self, record: Record, subject: Subject, account: Account, now: datetime, cause: str, *, again: bool
    ) -> Case:
        """A case; `again`: part of it was judged before, so that what followed from that counts once."""
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        case = Case(subject, ref, cause, now, now_ms, self._desk.pack.id)
        return replace(case, same=tuple(self._caused(case, account))) if again else case

    def _caused(self, case: Case, account: Account) -> Iterator[Enforcement]:
        """The account's known actions that the case's cause led to."""
        for known in account.actions:
            kept = self._desk.ledger.action(known.action_id)
            if kept is None:
                continue
            action = kept.action
            if case.post_id is not None:
                if action.post_id == case.post_id:
                    yield action
            elif action.action_id == action_id(
                action.kind, "apply", action.subject.type, action.subject.id,
                action.policy, action.policy_version, case.cause,
            ):  # fmt: skip
                yield action

    def ruling(self, case: Case, judgements: Sequence[Judgement], account: Account) -> Ruling:
        """The ruling, by the strikes that stood before anything followed from the case's cause.

        What is removed already leaves no doubt behind, save by policies of zero tolerance: a person sees those.
        """
        active, by_policy = account.active_strikes(case.now_ms), account.strikes_by_policy(case.now_ms)
        for strike in own_strikes(account, case):
            active -= strike.weight
            by_policy[strike.policy] -= strike.weight
        ruling = decide(judgements, active, by_policy)
        removals = {(a.kind, a.subject.type) for a in case.same or ()}
        if ruling.doubts and ("remove", "post") in removals:
            doubts = tuple(j for j in ruling.doubts if any(rung.queue for rung in j.loaded.policy.ladder))
            outcome = ruling.outcome
            if outcome == "review" and not (doubts or ruling.failures or ruling.at_risk):
                outcome = "clear"
            ruling = replace(ruling, outcome=outcome, doubts=doubts)
        return ruling

    def conclude(
        self,
        record: Record,
        case: Case,
        ruling: Ruling,
        judgements: Sequence[Judgement],
        account: Account,
        judged: Judged,
        about: SubjectRef | None = None,
    ) -> None:
        """Enforces a ruling, and publishes the decision, on the subject or `about`, with all that follows from it."""
        subject = case.subject
        protected = self._desk.pack.facts.protected_accounts
        effects = enforce(case, ruling, account, self._desk.breakers, self._desk.ledger.applied, protected)
        if case.same is not None:
            # What waits for a person already is not asked again.
            effects.items = [i for i in effects.items if self._desk.ledger.open_reason(i.item_id) is None]
        target = about or SubjectRef(type=subject.kind, id=subject.id)
        self._desk.out.settle(
            record, target, subject.account_id, effects.outcome, case.now, judged, account,
            judgements=judgements, effects=effects, uncovered=uncovered_language(subject, judgements),
        )  # fmt: skip
        if effects.actions:
            judged.acted.append(record.timestamp)
        self._desk.out.publish(effects, judged, matter_of_subject(subject))
        for action in effects.actions:
            if action.kind == "remove":
                self._settle_doubts(action, account, judged)
        self._telling.enforced(effects, account, case.now_ms, judged)
        if ruling.at_risk and account.may_support(case.now_ms):
            self._desk.out.support(case, ruling.at_risk[0], judged)

    def tally(self, judgements: Sequence[Judgement], times: int, judged: Judged) -> None:
        """Counts verdicts, and notes which rules fail."""
        for judgement in judgements:
            policy = judgement.loaded.policy
            judged.count("moderator_verdicts_total", policy.id, policy.status, judgement.outcome, by=times)
            if self._role is not None:
                judged.count(
                    "moderator_rollout_verdicts_total", self._role, policy.id, judgement.outcome, by=times
                )
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

    def end_batch(self, judged: Judged) -> None:
        """Counts what was silent in this batch."""
        for (topic, lang, has_text), times in self._silences.items():
            self.tally(self._desk.chain.quiet(lang, has_text), times, judged)
            if not self._publish_all:
                judged.count("moderator_decisions_total", topic, "clear", by=times)
        self._silences.clear()

    def _settle_doubts(self, removal: Enforcement, account: Account, judged: Judged) -> None:
        """Closes what waits for a person because of the same policy's doubt about what is now removed."""
        ledger = self._desk.ledger
        for item_id in [name for name, about in account.items.items() if about == removal.subject.id]:
            item = ledger.item(item_id)
            if item is None or (item.reason, item.policy) != ("uncertain", removal.policy):
                continue
            # The account's suspension, where it is a person's decision, is another matter than the post.
            if item.subject == removal.subject:
                del account.items[item_id]
                self._desk.out.close(item_id, removal.action_id, judged)
