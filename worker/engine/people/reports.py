"""Reports: what people say about others' posts and accounts.

A report removes nothing by itself: it puts its subject before a person, the sooner the more it weighs. One subject has
one open item, however many report it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from schemas.base import MAX_ID, PolicyId
from schemas.coordination import Finding
from schemas.enforcement import Enforcement, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from schemas.reports import Report
from worker.engine.across.reporters import reporter_name, reporter_observation
from worker.engine.desk import Desk
from worker.engine.ids import action_id, digest
from worker.engine.people.filed import Filed
from worker.engine.policy import Policy, PolicyAction, Rung
from worker.engine.precedents import is_edited_since, key_of
from worker.engine.records import Judged, Record
from worker.engine.state import DAY, REMEMBERED_ITEMS, Account
from worker.engine.times import EPOCH, later

MINUTE = 60_000
REMEMBERED_REPORTERS = 64  # of one item, by digest
REMEMBERED_REPORTS = 64  # about one account, to recognise a brigade by

# A brigade: so many people within so long about one subject, or about one account. Ten strangers who find the same post
# within an hour have mostly been sent; a post that ten people find by themselves has been seen by far more, and those
# of them whose reports were upheld before count beside the brigade. A guess until an operator's own figures say better.
BRIGADE_MINUTES = 60
BRIGADE_SUBJECT = 10
BRIGADE_ACCOUNT = 20

BASE_PRIORITY = 50  # of a report that names no policy of the pack, which has one of its own
DUE_HOURS = 24
TRUSTED_DUE_HOURS = 6

DECIDED_DAYS = 30  # for how long a moderator's decision about an account or its profile answers reports of it

Decided = Literal["upheld", "dismissed"]
_POLICIES = frozenset(get_args(PolicyId))


class Reports:
    """Judges the records of `reports`, save those of rights-holders about a post, which the rules judge."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._policies: dict[str, Policy] = {loaded.policy.id: loaded.policy for loaded in desk.pack.policies}

    def judge(self, record: Record, report: Report, judged: Judged) -> None:
        """Judges one record. Its time is the reporter's, so the account's clock stays where it is."""
        desk, account_id = self._desk, report.account_id
        now = desk.now(account_id, report.created_at)
        now_ms = _milliseconds(now)
        account = desk.accounts.get(account_id) if account_id in desk.accounts else Account()
        told = self._told(report, account, now_ms)
        if told is not None:
            self._settle(record, report, "clear", told, now, account, judged)
            return
        account = desk.accounts.get(account_id)
        desk.accounts.touch(account_id)
        reporter = reporter_name(report.reporter_id)
        brigade = _note(account, reporter, report, _milliseconds(report.created_at))
        item = self._open(account, report.subject)
        filed = Filed() if item is None else Filed.of(desk.ledger.item_extra(item.item_id) or {})
        if reporter in filed.weights:
            self._settle(record, report, "duplicate", "duplicate", now, account, judged)
            return
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        if len(filed.weights) < REMEMBERED_REPORTERS:
            filed.weights[reporter] = None
        else:
            filed.more += 1
        filed.trusted = filed.trusted or report.trusted
        filed.brigade = filed.brigade or brigade
        outcome = "brigade" if filed.brigade else "queued" if item is None else "raised"
        self._settle(record, report, "review", outcome, now, account, judged)
        if item is None:
            item = self._item(report, filed, account, ref, now)
            account.items[item.item_id] = item.post_id
            desk.out.queue(item, judged, filed.extra())
            while len(account.items) > REMEMBERED_ITEMS:
                oldest = next(iter(account.items))
                del account.items[oldest]
                desk.out.close(oldest, "too-many-open-items", judged)
        else:
            self._again(item, report, filed, account, now, judged)
        if reporter in filed.weights:
            judged.outputs.append(
                reporter_observation(desk, reporter, "filed", item.item_id, account_id, now, item.policy)
            )

    def weigh(self, record: Record, finding: Finding, judged: Judged) -> None:
        """Learns what a reporter's record says, and moves the item up or down for it."""
        desk = self._desk
        now = desk.now(finding.account_id, finding.observed_at)
        subject = SubjectRef(type="account", id=finding.account_id)
        item = None if finding.item_id is None else desk.ledger.item(finding.item_id)
        reporter = finding.feature.partition(":")[2]
        if item is not None and item.account_id == finding.account_id and item.reason == "report":
            subject = item.subject
            filed = Filed.of(desk.ledger.item_extra(item.item_id) or {})
            if filed.weights.get(reporter, finding.score) != finding.score:
                filed.weights[reporter] = finding.score
                priority = filed.priority(self._base(item.policy))
                moved = priority != item.priority
                item = item.model_copy(update={"priority": priority, "evidence": filed.evidence()})
                desk.out.requeue(item, judged, filed.extra(), publish=moved)
        desk.out.settle(record, subject, finding.account_id, "clear", now, judged)

    def decided(
        self, item: QueueItem, extra: Mapping[str, Any], outcome: Decided, now: datetime, judged: Judged
    ) -> None:
        """A moderator decided about what was reported: it goes into the record of everybody who reported it."""
        for reporter in Filed.of(extra).weights:
            judged.outputs.append(
                reporter_observation(
                    self._desk, reporter, outcome, item.item_id, item.account_id, now, item.policy
                )
            )

    # -- what is looked at -------------------------------------------------------------------------

    def _told(self, report: Report, account: Account, now_ms: int) -> str | None:
        """Why nobody needs to look at what is reported, None when somebody does."""
        subject = report.subject
        if report.reporter_id == report.account_id:
            # Else an account could have a person bless its post before the rules are asked again.
            return "self"
        post_id = _post_of(subject)
        if post_id is not None and account.has_deleted(post_id):
            return "deleted"
        if any(_covers(known, subject, post_id) for known in account.actions if known.stands(now_ms)):
            return "removed"
        decision = account.human.get(key_of(subject.type, subject.id))
        if decision is None or report.trusted:
            return None
        if post_id is not None and is_edited_since(account, post_id, decision[2]):
            return None
        # A post stays what it is until it is edited; an account and its profile do not.
        lasting = subject.type in {"post", "media"} or now_ms < decision[2] + DECIDED_DAYS * DAY
        return "decided" if lasting else None

    def _open(self, account: Account, subject: SubjectRef) -> QueueItem | None:
        """The open item of the subject's reports."""
        about = _post_of(subject)
        for item_id, post_id in account.items.items():
            if post_id == about and self._desk.ledger.open_reason(item_id) == "report":
                item = self._desk.ledger.item(item_id)
                if item is not None and item.subject == subject and self._desk.ledger.item_extra(item_id):
                    return item
        return None

    def _item(
        self, report: Report, filed: Filed, account: Account, ref: RecordRef, now: datetime
    ) -> QueueItem:
        policy = self._named(report)
        hours = DUE_HOURS if policy is None else policy.review.due_hours
        due = later(now, hours=min(hours, TRUSTED_DUE_HOURS) if filed.trusted else hours)
        return QueueItem(
            schema_version=1,
            item_id=digest("item", "report", report.subject.type, report.subject.id, report.report_id),
            reason="report",
            subject=report.subject,
            account_id=report.account_id,
            post_id=_post_of(report.subject),
            policy=_policy_id(report),
            proposed=self._proposed(report, policy, filed, account, ref, now),
            evidence=filed.evidence(),
            priority=filed.priority(self._base(_policy_id(report))),
            due_at=due,
            appeal_id=None,
            created_at=now,
            record=ref,
            closed_by=None,
        )

    def _again(
        self,
        item: QueueItem,
        report: Report,
        filed: Filed,
        account: Account,
        now: datetime,
        judged: Judged,
    ) -> None:
        """One more report of what waits already: the item is published again when that changes where it stands."""
        changes: dict[str, Any] = {"evidence": filed.evidence()}
        policy = self._named(report)
        if item.proposed is None and policy is not None and not self._helps(item.policy):
            changes["policy"] = policy.id
            changes["proposed"] = self._proposed(report, policy, filed, account, item.record, now)
        changes["priority"] = filed.priority(self._base(changes.get("policy", item.policy)))
        if report.trusted:
            changes["due_at"] = min(item.due_at, later(now, hours=TRUSTED_DUE_HOURS))
        told = [name for name in changes if name != "evidence" and changes[name] != getattr(item, name)]
        said = [one.detail for one in changes["evidence"][1:]] != [one.detail for one in item.evidence[1:]]
        changed = item.model_copy(update=changes)
        self._desk.out.requeue(changed, judged, filed.extra(), publish=bool(told) or said)

    def _proposed(
        self,
        report: Report,
        policy: Policy | None,
        filed: Filed,
        account: Account,
        ref: RecordRef,
        now: datetime,
    ) -> Enforcement | None:
        """What the policy does first to a subject of this kind; None without a policy, or where it does nothing.

        Nothing is proposed against whom a report may mean to help, or of whom it is known that they are at risk.
        """
        if policy is None or self._helps(policy.id):
            return None
        if not policy.despite_at_risk and self._is_at_risk(report.subject, account):
            return None
        found = _first(policy, report.subject.type)
        if found is None:
            return None
        rung, action = found
        subject = report.subject
        if action.kind == "suspend":
            subject = SubjectRef(type="account", id=report.account_id)
        ids = (action.kind, "apply", subject.type, subject.id, policy.id, policy.version)
        expires = None if action.duration_hours is None else later(now, hours=action.duration_hours)
        active = account.active_strikes(_milliseconds(now))
        return Enforcement(
            schema_version=1,
            action_id=action_id(*ids, report.report_id),
            operation="apply",
            kind=action.kind,
            subject=subject,
            account_id=report.account_id,
            post_id=_post_of(report.subject),
            label=action.label,
            mode=action.mode,
            expires_at=expires,
            policy=policy.id,
            policy_version=policy.version,
            pack=self._desk.pack.id,
            clause=policy.clause,
            score=1.0,
            evidence=filed.evidence(),
            strikes=Strikes(added=rung.strikes, active=active),
            source="report",
            reverses=None,
            decided_at=now,
            record=ref,
        )

    def _helps(self, policy_id: str | None) -> bool:
        """Whether a policy knows of people at risk: whoever names it is as likely afraid for somebody as of somebody."""
        policy = self._policies.get(policy_id or "")
        if policy is None:
            return False
        return any(finding.at_risk for finding in policy.findings) or bool(
            policy.learned is not None and policy.learned.at_risk
        )

    def _is_at_risk(self, subject: SubjectRef, account: Account) -> bool:
        """Whether a person is to look at the subject, or at any post of a reported account, because of a danger."""
        about = _post_of(subject)
        return any(
            (about is None or post_id == about) and self._desk.ledger.open_reason(item_id) == "at_risk"
            for item_id, post_id in account.items.items()
        )

    def _named(self, report: Report) -> Policy | None:
        return self._policies.get(report.reason or "")

    def _base(self, policy_id: str | None) -> int:
        policy = self._policies.get(policy_id or "")
        return BASE_PRIORITY if policy is None else policy.review.priority

    def _settle(
        self,
        record: Record,
        report: Report,
        outcome: str,
        counted: str,
        now: datetime,
        account: Account,
        judged: Judged,
    ) -> None:
        judged.count("moderator_reports_total", counted)
        self._desk.out.settle(
            record, report.subject, report.account_id, outcome, now, judged, account,
            reason=counted if outcome == "clear" or counted == "brigade" else None,
        )  # fmt: skip


def _note(account: Account, reporter: str, report: Report, time: int) -> bool:
    """Remembers a report of the account; whether it is one of a brigade's, by the reports' own times."""
    name, about = reporter[:12], digest(report.subject.type, report.subject.id)[:12]
    recent = [row for row in account.reported if abs(time - row[0]) < BRIGADE_MINUTES * MINUTE]
    account.reported = [row for row in account.reported if row[1:] != [name, about]]
    account.reported.append([time, name, about])
    account.reported = account.reported[-REMEMBERED_REPORTS:]
    if report.trusted:
        return False
    reporters = {row[1] for row in recent} | {name}
    of_subject = {row[1] for row in recent if row[2] == about} | {name}
    return len(of_subject) >= BRIGADE_SUBJECT or len(reporters) >= BRIGADE_ACCOUNT


def _post_of(subject: SubjectRef) -> str | None:
    """The post that a subject is or belongs to; None where its id can be no post's."""
    if subject.type not in {"post", "media"}:
        return None
    post_id = subject.id if subject.type == "post" else subject.id.rpartition("/")[0]
    return post_id if 0 < len(post_id) <= MAX_ID else None


def _covers(known: Any, subject: SubjectRef, post_id: str | None) -> bool:
    """Whether an action that stands leaves nothing of a subject to be looked at."""
    if known.kind == "suspend":
        return bool(subject.type == "account" and known.detail == "suspended")
    if known.kind != "remove":
        return False
    return (known.subject_type, known.subject_id) in {
        (subject.type, subject.id),
        ("post", post_id),
    } and subject.type != "profile_field"


def _first(policy: Policy, subject_type: str) -> tuple[Rung, PolicyAction] | None:
    """The first thing that a ladder does, for an account without strikes, to a subject of a kind."""
    fitting = {"suspend"} if subject_type == "account" else {"label", "remove"}
    for rung in policy.ladder:
        if rung.repeated:
            continue
        for action in rung.actions:
            if action.kind in fitting:
                return rung, action
    return None


def _policy_id(report: Report) -> Any:
    """The policy that a report names, also one that the pack does not hold."""
    return report.reason if report.reason in _POLICIES else None


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)
