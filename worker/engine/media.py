"""Judges `media.signals`: what was found in one media item after its post, or its profile, was judged, or before.

All rules judge the post or the profile once more, with what was found merged into the item. Only verdicts with
evidence in that item count: the rest was, or will be, judged with the record that brought it. In whatever order both
come, the same is in force in the end, and it counts one strike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from schemas.base import format_time
from schemas.enforcement import Subject as SubjectRef
from schemas.media_signals import MediaSignals
from schemas.posts import Post
from worker.engine import media_memory as memory
from worker.engine.chain import Judgement
from worker.engine.contract import Examined, Subject
from worker.engine.court import Court
from worker.engine.decide import Ruling
from worker.engine.desk import Desk
from worker.engine.enforce import Case
from worker.engine.erasures import Erasures
from worker.engine.ids import digest
from worker.engine.media_subjects import subject_alone, subject_in_account, subject_in_post
from worker.engine.precedents import content_of
from worker.engine.records import Judged, Record
from worker.engine.state import Account
from worker.engine.times import EPOCH
from worker.engine.traits import learn
from worker.signals.measured import MeasuredSignals
from worker.signals.observers.media import FLOOR

_MICROSECOND = timedelta(microseconds=1)


class MediaCourt:
    """Judges the media of a partition's accounts."""

    def __init__(self, desk: Desk, court: Court) -> None:
        self._desk = desk
        self._court = court

    def matters(self, signals: MediaSignals) -> bool:
        """Whether any signal could fire that did not with the post: of most media nothing is found, and that is quick."""
        if signals.field is not None or signals.matches or signals.ad_markers:
            return True
        if any(score >= FLOOR for score in signals.scores.values()):
            return True
        made = signals.provenance
        if made is not None and (made.ai_generated or made.c2pa or made.digital_source_type):
            return True
        if self._desk.pack.facts.banks and (signals.hashes is not None or signals.frames):
            return True
        if signals.kind is None:
            return False
        post = None if signals.context is None else signals.context.post
        kinds = [item.kind for item in post.media if item.media_id == signals.media_id] if post else [None]
        return None in kinds  # what it is was not known

    def judge(
        self,
        record: Record,
        signals: MediaSignals,
        measured: tuple[Subject, MeasuredSignals] | None,
        erasures: Erasures,
        judged: Judged,
    ) -> None:
        """Judges one record; `measured` is the subject that it brings along, None where it brings none.

        Its time is another's, so the account's clock stays where it is.
        """
        target = target_of(signals)
        now = self._desk.now(signals.account_id, signals.observed_at)
        outcome = "clear"
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        account = self._desk.accounts.get(signals.account_id)
        erased = signals.account_id not in self._desk.accounts and erasures.hold(signals.account_id, now_ms)
        deleted = signals.post_id is not None and account.has_deleted(signals.post_id)
        if not erased and not deleted and self.matters(signals):
            settled = self._rule(record, signals, measured, account, now, judged)
            if settled is None:
                return
            outcome = settled
        known = account if signals.account_id in self._desk.accounts else None
        self._desk.out.settle(record, target, signals.account_id, outcome, now, judged, known)

    def joined(
        self, post: Post, measured: tuple[Subject, MeasuredSignals], account: Account, now_ms: int
    ) -> tuple[Subject, MeasuredSignals]:
        """A post with what was found in its media before it came; what models said of its words stays."""
        subject, seen = measured
        for signals in memory.waiting_for(account, post.post_id, now_ms):
            subject = subject_in_post(signals, subject.post or post) or subject
        if subject is not measured[0]:
            seen.adopt(self._measure(subject))
        return subject, seen

    def _rule(
        self,
        record: Record,
        signals: MediaSignals,
        measured: tuple[Subject, MeasuredSignals] | None,
        account: Account,
        now: datetime,
        judged: Judged,
    ) -> str | None:
        """The outcome where nothing follows, None where the decision is published."""
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        given = None if measured is None else measured[0]
        subject = choose(signals, given, account, now_ms)
        if subject is None:
            return "clear"  # the post or the profile does not show it any more
        seen = measured[1] if measured is not None and subject is given else self._measure(subject)
        assert subject.examined is not None
        if self._desk.chain.silent(seen):
            return "clear"
        judgements = own(self._desk.chain.run(subject, seen, now), subject.examined)
        if not any(j.notable for j in judgements):
            return "clear"
        self._desk.accounts.touch(signals.account_id)
        cause = cause_of(subject)
        if memory.judged_before(account, _name(self._desk.pack.id, signals, subject), now_ms):
            return "duplicate"
        if self._is_ahead(subject, account):
            memory.note_ahead(account, cause, now_ms)
            if subject.examined.alone and subject.post is not None:
                memory.wait(account, signals, now_ms)
            elif _microseconds(subject) >= account.clock_us:
                learn(
                    account, subject, self._desk.pack.notices
                )  # whom the public knows, only a person suspends
        if subject.account is not None and not subject.examined.alone:
            memory.note_profile(account, subject.account, now_ms)
        case = self._court.case(record, subject, account, now, cause, again=True)
        ruling = self._ruling(case, judgements, account)
        judgements = tuple(_plain(j) if j.at_risk and j not in ruling.at_risk else j for j in judgements)
        if ruling.outcome == "clear" and not any(j.notable for j in judgements):
            return "clear"
        self._court.tally(judgements, 1, judged)
        for name in seen.failed:
            judged.count("moderator_signal_failures_total", name)
        self._court.conclude(record, case, ruling, judgements, account, judged, target_of(signals))
        return None

    def _measure(self, subject: Subject) -> MeasuredSignals:
        return self._desk.pack.signals.measure([subject])[0]

    def _is_ahead(self, subject: Subject, account: Account) -> bool:
        """Whether the post or the profile itself is still to be judged."""
        if subject.post is not None:
            edited = f"{subject.id}@{format_time(subject.post.created_at)}"
            return not (account.knows(subject.id) or account.knows(edited))
        return _microseconds(subject) > memory.profile_time(account)

    def _ruling(self, case: Case, judgements: Sequence[Judgement], account: Account) -> Ruling:
        """The ruling; of whom the words put at risk the post's own judgement tells, and nothing is done against them."""
        ruling = self._court.ruling(case, judgements, account)
        examined = case.subject.examined
        assert examined is not None
        at_risk = tuple(j for j in ruling.at_risk if any(examined.holds(item.field) for item in j.evidence))
        doubts, violations = ruling.doubts, ruling.violations
        if violations and self._is_endangered(case, account):
            held = tuple(j for j, _ in violations if not j.loaded.policy.despite_at_risk)
            violations = tuple(pair for pair in violations if pair[0].loaded.policy.despite_at_risk)
            doubts = (*held, *doubts)
        outcome = "violation" if violations else "clear"
        if outcome == "clear" and (doubts or ruling.failures or at_risk):
            outcome = "review"
        return replace(ruling, outcome=outcome, violations=violations, doubts=doubts, at_risk=at_risk)

    def _is_endangered(self, case: Case, account: Account) -> bool:
        """Whether a person looks at the post already because somebody may be at risk."""
        return case.post_id is not None and any(
            self._desk.ledger.open_reason(item_id) == "at_risk"
            for item_id, about in account.items.items()
            if about == case.post_id
        )


def choose(signals: MediaSignals, given: Subject | None, account: Account, now_ms: int) -> Subject | None:
    """What signals are judged with: what they bring along, what the account remembers, or the item alone.

    `given` is what they bring along (see `media_subject`). The account's memory goes before it where it is newer. None
    where the post, or the profile, is known to show the item no more.
    """
    context = signals.context
    if signals.post_id is not None:
        if context is not None and context.post is not None and context.post.deleted:
            return None
        post = memory.known_post(account, signals, now_ms)
        if post is not None and (
            given is None or given.post is None or post.created_at > given.post.created_at
        ):
            return subject_in_post(signals, post)
    else:
        profile = memory.known_profile(account, signals)
        if profile is not None and (given is None or given.account is None):
            return subject_in_account(signals, profile)
        known = None if given is None else given.account
        if (
            given is not None
            and profile is not None
            and known is not None
            and profile.updated_at > known.updated_at
        ):
            newer = subject_in_account(signals, profile)
            return newer if newer is not None and _shows_the_same(given, newer) else None
    return given if given is not None else subject_alone(signals)


def own(judgements: Sequence[Judgement], examined: Examined) -> tuple[Judgement, ...]:
    """The judgements that count of an examined item: those with evidence in it, and that somebody may be at risk."""
    return tuple(
        j
        if j.outcome == "failed" or j.at_risk or any(examined.holds(item.field) for item in j.evidence)
        else _plain(j)
        for j in judgements
    )


def target_of(signals: MediaSignals) -> SubjectRef:
    """What the decision about signals is about: the media item, or the field of the profile."""
    if signals.post_id is None:
        return SubjectRef(type="profile_field", id=f"{signals.account_id}/{signals.field}")
    return SubjectRef(type="media", id=f"{signals.post_id}/{signals.media_id}")


def cause_of(subject: Subject) -> str:
    """What goes into the ids of the actions: the same as when the post, or the profile, itself led to them."""
    if subject.account is not None:
        return f"{subject.account_id}@{format_time(subject.account.updated_at)}"
    return subject.id


def _name(pack_id: str, signals: MediaSignals, subject: Subject) -> str:
    """What the same findings about the same version of the same item have in common."""
    version = subject.post.created_at if subject.post is not None else cause_of(subject)
    found = signals.model_dump_json(exclude={"context", "observed_at"})
    return digest("media", pack_id, found, str(version))


def _microseconds(subject: Subject) -> int:
    """When the post or the profile was written."""
    if subject.post is not None:
        return (subject.post.created_at - EPOCH) // _MICROSECOND
    assert subject.account is not None
    return (subject.account.updated_at - EPOCH) // _MICROSECOND


def _shows_the_same(former: Subject, newer: Subject) -> bool:
    assert newer.examined is not None
    name = newer.examined.field.removeprefix("profile.")
    return content_of(former, name) == content_of(newer, name)


def _plain(judgement: Judgement) -> Judgement:
    """A judgement that says nothing here."""
    outcome = "abstain" if judgement.uncovered else "clear"
    return Judgement(judgement.loaded, outcome, uncovered=judgement.uncovered, asked=judgement.asked)
