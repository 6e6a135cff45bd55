"""Reviews: what a moderator decided is done at once, and nothing automatic undoes it.

No breaker and no status of a policy holds a person's decision up, and it stands where the pack in force has lost the
policy. What cannot be done is a decision with outcome `refused` and says why in a word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.enforcement import Enforcement, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from schemas.reviews import Review, ReviewAction
from worker.engine.across.telling import Telling
from worker.engine.desk import Desk
from worker.engine.enforce import Effects, strikes_about
from worker.engine.ids import action_id
from worker.engine.ledger import Kept
from worker.engine.people.appeals import Appeals, appeal_item
from worker.engine.people.initiative import is_complete, is_in_force, is_meant, wanted_action
from worker.engine.people.reports import Decided, Reports
from worker.engine.people.undoing import Undoing
from worker.engine.policy import Policy
from worker.engine.precedents import key_of
from worker.engine.records import Judged, Record
from worker.engine.state import DAY, Account, InForce, Strike
from worker.engine.statements import matter_of_item
from worker.engine.times import EPOCH, LAST

STRIKE_DAYS = 90  # of a policy that the pack has lost: what `policy.toml` means when it says nothing


class _Case(NamedTuple):
    """One review that is decided."""

    record: Record
    ref: RecordRef
    review: Review
    account: Account
    now: datetime
    now_ms: int
    judged: Judged


class Reviews:
    """Judges the records of `reviews`."""

    def __init__(self, desk: Desk, appeals: Appeals, reports: Reports, telling: Telling) -> None:
        self._desk = desk
        self._appeals = appeals
        self._reports = reports
        self._telling = telling
        self._undoing = Undoing(desk)
        self._policies: dict[str, Policy] = {loaded.policy.id: loaded.policy for loaded in desk.pack.policies}

    def judge(self, record: Record, review: Review, judged: Judged) -> None:
        """Judges one record. Its time is the moderator's, so the account's clock stays where it is."""
        desk, account_id = self._desk, review.account_id
        now = desk.now(account_id, review.created_at)
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        known = account_id in desk.accounts
        # Whom nobody has heard of can be acted on, but to refuse something is no reason to remember an account.
        account = desk.accounts.get(account_id) if known else Account()
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        case = _Case(record, ref, review, account, now, now_ms, judged)
        if known:
            desk.accounts.touch(account_id)
            if account.hears(f"review:{review.review_id}", now_ms):
                self._settle(case, self._about(review), "duplicate", "duplicate")
                return
        if review.outcome == "act":
            self._act(case)
        elif review.item_id is None and review.appeal_id is None:
            self._refuse(case, "incomplete")
        else:
            self._item(case)

    # -- what waits in the queue -------------------------------------------------------------------

    def _item(self, case: _Case) -> None:
        review = case.review
        item_id = review.item_id
        if review.appeal_id is not None:
            item_id = appeal_item(review.account_id, review.appeal_id)
        item = None if item_id is None else self._desk.ledger.item(item_id)
        if item is None or (review.item_id is not None and review.item_id != item_id):
            self._refuse(case, "unknown_item")
        elif item.account_id != review.account_id:
            self._refuse(case, "wrong_account")
        elif item.reason == "appeal":
            self._appeal(case, item)
        elif review.outcome == "uphold":
            self._uphold(case, item)
        elif review.outcome == "dismiss":
            self._remember(case, item.subject, "dismiss")
            if item.proposed is not None and item.proposed.subject != item.subject:
                self._remember(case, item.proposed.subject, "dismiss")
            self._settle(case, item.subject, "clear", "done")
            self._close(case, item, "dismissed")
        else:
            self._refuse(case, "unfit", item.subject)

    def _uphold(self, case: _Case, item: QueueItem) -> None:
        """Applies what was proposed; without a proposal the item is upheld and nothing else follows."""
        effects = Effects()
        reason = "done"
        if item.proposed is None:
            reason = "no_proposal"
        elif is_in_force(case.account, item.proposed, case.now_ms):
            reason = "in_force"
        else:
            proposed = self._proposed(case, item.proposed)
            # What was held back is proposed with what is left of its record's strike; of all else nobody knew what came.
            whole = item.reason in {"report", "uncertain"} and proposed.kind != "suspend"
            self._apply(case, _net(case, proposed) if whole else proposed, effects)
        self._remember(case, item.subject, "uphold")
        if item.proposed is not None and item.proposed.subject != item.subject:
            self._remember(case, item.proposed.subject, "uphold")
        self._settle(case, item.subject, "violation", reason, effects)
        self._desk.out.publish(effects, case.judged, matter_of_item(item), case.review.reviewer_id)
        self._telling.enforced(effects, case.account, case.now_ms, case.judged)
        self._close(case, item, "upheld")

    def _proposed(self, case: _Case, proposed: Enforcement) -> Enforcement:
        """The action as it was proposed, from the moment on at which a person says so: it lasts as long as it would have."""
        cause = case.review.review_id
        subject = proposed.subject
        expires = proposed.expires_at
        if expires is not None:
            expires = min(case.now + (expires - proposed.decided_at), LAST)
        return proposed.model_copy(
            update={
                "action_id": action_id(
                    proposed.kind, "apply", subject.type, subject.id,
                    proposed.policy, proposed.policy_version, cause,
                ),
                "expires_at": expires,
                "source": "human",
                "decided_at": case.now,
                "record": case.ref,
            }
        )  # fmt: skip

    def _appeal(self, case: _Case, item: QueueItem) -> None:
        """Decides an appeal, or what a person is to look at because of one."""
        review, ledger = case.review, self._desk.ledger
        contested = None if item.proposed is None else ledger.action(item.proposed.reverses or "")
        if review.outcome not in {"uphold", "overturn"}:
            self._refuse(case, "unfit", item.subject)
            return
        if contested is None or contested.reversed:
            # A person undid it meanwhile: what was asked for is done.
            self._settle(case, item.subject, "review", "settled")
            self._close(case, item)
            if contested is not None:
                self._appeals.decided(item, contested, review, case.now, case.judged)
            return
        if contested.by == review.reviewer_id:
            self._refuse(case, "first_decider", item.subject)
            self._appeals.kept_from(item, contested, review, case.now, case.judged)
            return
        if review.outcome == "uphold":
            self._remember(case, item.subject, "uphold")
            self._settle(case, item.subject, "violation", "done")
            self._close(case, item)
            self._appeals.decided(item, contested, review, case.now, case.judged)
            return
        fallen = self._undoing.fallen_with(contested)
        self._undo(case, item.subject, contested, fallen, "overturn", item)

    def _close(self, case: _Case, item: QueueItem, outcome: Decided | None = None) -> None:
        """Closes an item; whoever reported what it is about is known by the outcome from now on."""
        extra = self._desk.ledger.item_extra(item.item_id)
        case.account.items.pop(item.item_id, None)
        self._desk.out.close(item.item_id, case.review.review_id, case.judged)
        if item.reason == "report" and outcome is not None and extra:
            self._reports.decided(item, extra, outcome, case.now, case.judged)

    # -- on a moderator's own initiative -----------------------------------------------------------

    def _act(self, case: _Case) -> None:
        review, action = case.review, case.review.action
        subject = review.subject
        if action is None or (subject is None and action.action_id is None):
            self._refuse(case, "incomplete")
            return
        if action.operation == "reverse":
            self._reverse(case, action)
            return
        if subject is None or not is_complete(review, action, subject, case.now):
            self._refuse(case, "incomplete", subject)
            return
        policy = self._policies.get(action.policy or "")
        if policy is None:
            self._refuse(case, "unknown_policy", subject)
            return
        item = None if review.item_id is None else self._desk.ledger.item(review.item_id)
        if review.item_id is not None and (item is None or item.account_id != review.account_id):
            self._refuse(case, "unknown_item", subject)
            return
        wanted = wanted_action(review, action, subject, policy, self._desk.pack.id, case.now, case.ref)
        if wanted.action_id in self._desk.ledger.applied:
            self._settle(case, subject, "duplicate", "duplicate")
            return
        if review.account_id not in self._desk.accounts:
            case = self._introduced(case)
        effects = Effects()
        reason = "in_force"
        if not is_in_force(case.account, wanted, case.now_ms):
            self._apply(case, _net(case, wanted), effects)
            reason = "done"
        self._remember(case, subject, "act")
        self._settle(case, subject, "violation", reason, effects)
        self._desk.out.publish(effects, case.judged, None, review.reviewer_id)
        self._telling.enforced(effects, case.account, case.now_ms, case.judged)
        if item is not None and item.reason != "appeal":
            # Something else than what was proposed: the item is done all the same.
            self._close(case, item, "upheld")

    def _introduced(self, case: _Case) -> _Case:
        """The case of an account that was never heard of before, with a record of its own from now on."""
        account_id = case.review.account_id
        account = self._desk.accounts.get(account_id)
        self._desk.accounts.touch(account_id)
        account.hears(f"review:{case.review.review_id}", case.now_ms)
        return case._replace(account=account)

    def _reverse(self, case: _Case, action: ReviewAction) -> None:
        """Undoes the one action that is named, or all of the kind that stand on the subject."""
        ledger, review = self._desk.ledger, case.review
        found: list[Kept] = []
        if action.action_id is not None:
            kept = ledger.action(action.action_id)
            found = [] if kept is None or kept.action.account_id != review.account_id else [kept]
        else:
            found = list(ledger.actions_of(review.account_id))
        found = [kept for kept in found if kept.stands(case.now_ms) and is_meant(kept.action, action, review)]
        if not found:
            self._refuse(case, "nothing_to_reverse", review.subject)
            return
        self._undo(case, found[0].action.subject, found[0], found, "act")

    # -- what follows ------------------------------------------------------------------------------

    def _apply(self, case: _Case, action: Enforcement, effects: Effects) -> None:
        """Counts the strike, notes the action as in force and adds its record to the effects."""
        account, policy = case.account, self._policies.get(action.policy)
        days = STRIKE_DAYS if policy is None else policy.strike_days
        strike = Strike(action.policy, action.strikes.added, case.now_ms + days * DAY, action.action_id)
        account.add_strike(strike, case.now_ms)
        strikes = Strikes(added=strike.weight, active=account.active_strikes(case.now_ms))
        effects.actions.append(action.model_copy(update={"strikes": strikes}))
        if policy is not None and policy.preserve_days:
            effects.preserved[action.action_id] = case.now_ms + policy.preserve_days * DAY
        contents = account.traits.get("contents", {})
        content = ""
        if action.subject.type == "profile_field":
            content = contents.get(action.subject.id.rpartition("/")[2], [""])[0]
        account.remember(
            InForce(
                action.action_id,
                action.kind,
                action.subject.type,
                action.subject.id,
                action.label or action.mode or "",
                _milliseconds(action.expires_at),
                content,
            ),
            case.now_ms,
        )

    def _undo(
        self,
        case: _Case,
        subject: SubjectRef,
        first: Kept,
        fallen: list[Kept],
        outcome: str,
        item: QueueItem | None = None,
    ) -> None:
        undone = self._undoing.undo(fallen, case.account, case.ref, case.now)
        shaken = list(self._undoing.shaken(first.action, undone, case.account, case.ref, case.now))
        for kept in fallen:
            self._remember(case, kept.action.subject, outcome)
        self._settle(case, subject, "review", "done", Effects(undone.reverses), undone.taken_back)
        self._desk.out.reverse(undone.reverses, case.judged)
        self._telling.enforced(Effects(undone.reverses), case.account, case.now_ms, case.judged)
        for kept in fallen:
            # Whoever appealed against what falls has what they asked for.
            self._appeals.granted(kept, item, case.review, case.now, case.judged)
        if item is not None:
            self._close(case, item)
            self._appeals.decided(item, first, case.review, case.now, case.judged, undone)
        for other in shaken:
            case.account.items[other.item_id] = None
            self._desk.out.queue(other, case.judged)

    def _remember(self, case: _Case, subject: SubjectRef, outcome: str) -> None:
        case.account.decide(key_of(subject.type, subject.id), outcome, case.review.reviewer_id, case.now_ms)

    def _settle(
        self,
        case: _Case,
        subject: SubjectRef,
        outcome: str,
        reason: str,
        effects: Effects | None = None,
        taken_back: int = 0,
    ) -> None:
        review = case.review
        case.judged.count("moderator_reviews_total", review.outcome, reason)
        self._desk.out.settle(
            case.record, subject, review.account_id, outcome, case.now, case.judged, case.account,
            effects=effects, taken_back=taken_back, reason=None if reason == "done" else reason,
        )  # fmt: skip
        if effects is not None and effects.actions:
            case.judged.acted.append(case.record.timestamp)

    def _refuse(self, case: _Case, reason: str, subject: SubjectRef | None = None) -> None:
        self._settle(case, subject or self._about(case.review), "refused", reason)

    def _about(self, review: Review) -> SubjectRef:
        return review.subject or SubjectRef(type="account", id=review.account_id)


def _net(case: _Case, action: Enforcement) -> Enforcement:
    """The action with what its strike weighs beyond those that count for the post already: no post is counted twice."""
    weight = max(0, action.strikes.added - strikes_about(case.account, action.post_id, case.now_ms))
    return action.model_copy(update={"strikes": action.strikes.model_copy(update={"added": weight})})


def _milliseconds(time: datetime | None) -> int | None:
    return None if time is None else (time - EPOCH) // timedelta(milliseconds=1)
