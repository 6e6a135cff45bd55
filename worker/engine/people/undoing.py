"""Undoes actions because a person said so: exactly what was applied, with the strikes that stood on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes
from schemas.queue import QueueItem
from worker.engine.desk import Desk
from worker.engine.enforce import take_back_warning
from worker.engine.ids import digest
from worker.engine.ledger import Kept
from worker.engine.outcomes import overturned
from worker.engine.policy import Policy
from worker.engine.state import Account
from worker.engine.times import EPOCH, later

SHAKEN_PRIORITY = 85
SHAKEN_DUE_HOURS = 24


@dataclass(slots=True)
class Undone:
    """What was undone: the records to publish, and the weight of the strikes that do not count any more."""

    reverses: list[Enforcement] = field(default_factory=list)
    taken_back: int = 0


class Undoing:
    """Changes the records of an account and of its actions; what is to be published is handed back."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._policies = {loaded.policy.id: loaded.policy for loaded in desk.pack.policies}

    def fallen_with(self, kept: Kept) -> list[Kept]:
        """The contested action, and all that falls with it when it was wrong.

        Where it is about a post or a part of the profile, what was found there was wrong: all else that followed from
        the same record by the same policy falls, too. Whoever contests a suspension alone says that it was too hard.
        """
        action = kept.action
        if action.subject.type == "account":
            return [kept]
        others = [
            other
            for other in self._desk.ledger.actions_of(action.account_id)
            if other.action.action_id != action.action_id
            and (other.action.record, other.action.policy) == (action.record, action.policy)
            and not other.reversed
        ]
        return [kept, *others]

    def undo(self, fallen: Iterable[Kept], account: Account, ref: RecordRef, now: datetime) -> Undone:
        """Takes actions and their strikes back. What has ended already is not reversed again, only its strike counts."""
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        undone = Undone()
        for kept in fallen:
            action = kept.action
            taken = account.take_back(action.action_id, now_ms)
            take_back_warning(account, action)
            undone.taken_back += taken
            account.forget(action.action_id)
            if not kept.stands(now_ms):
                continue
            strikes = Strikes(added=0, active=account.active_strikes(now_ms), taken_back=taken)
            undone.reverses.append(overturned(action, ref, max(now, action.decided_at), strikes))
        return undone

    def shaken(
        self, cause: Enforcement, undone: Undone, account: Account, ref: RecordRef, now: datetime
    ) -> Iterator[QueueItem]:
        """The suspensions that stand, but would not have come without the strikes that were taken back.

        They are not lifted by themselves: a person decides, as about an appeal.
        """
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        if not undone.taken_back:
            return
        gone = {reverse.reverses for reverse in undone.reverses}
        waiting = {
            item.proposed.reverses
            for item in map(self._desk.ledger.item, account.items)
            if item is not None and item.proposed is not None
        }
        for kept in list(self._desk.ledger.actions_of(cause.account_id)):
            action = kept.action
            if action.kind != "suspend" or action.source == "human" or action.action_id in gone:
                continue
            if not kept.stands(now_ms) or action.decided_at < cause.decided_at:
                continue
            taken = kept.taken + undone.taken_back
            self._desk.ledger.note(action.action_id, taken=taken)
            appealed = (kept.appeal or {}).get("open")
            left = action.strikes.active - taken
            if appealed or action.action_id in waiting or not self._stood_on(action, left):
                continue
            yield self._item(action, cause, account, ref, now)

    def _stood_on(self, action: Enforcement, left: int) -> bool:
        """Whether a suspension needed more strikes than the account would have had."""
        policy = self._policies.get(action.policy)
        if policy is None or policy.version != action.policy_version:
            return action.strikes.active > action.strikes.added
        return not _reached_with(policy, action, left)

    def _item(
        self, action: Enforcement, cause: Enforcement, account: Account, ref: RecordRef, now: datetime
    ) -> QueueItem:
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        proposed = overturned(action, ref, now, Strikes(added=0, active=account.active_strikes(now_ms)))
        detail = "strikes that this suspension stood on were taken back"
        evidence = EvidenceItem(signal="appeal", field="record", score=1.0, detail=detail)
        return QueueItem(
            schema_version=1,
            item_id=digest("item", "shaken", action.action_id, cause.action_id),
            reason="appeal",
            subject=action.subject,
            account_id=action.account_id,
            post_id=None,
            policy=action.policy,
            proposed=proposed,
            evidence=(evidence, *action.evidence)[:32],
            priority=SHAKEN_PRIORITY,
            due_at=later(now, hours=SHAKEN_DUE_HOURS),
            appeal_id=None,
            created_at=now,
            record=ref,
            closed_by=None,
        )


def _reached_with(policy: Policy, action: Enforcement, strikes: int) -> bool:
    """Whether the same score would have led to a suspension of this mode with so many strikes, its own included.

    How many of them were under the policy itself nobody remembers: a rung for repeated offences under one policy
    counts as reached by as many strikes under any, so that a person is asked rather too seldom than for everything.
    """
    for rung in policy.ladder:
        if action.score < rung.score or action.mode not in {one.mode for one in rung.actions}:
            continue
        needed = [count for count in (rung.active_strikes, rung.same_policy_strikes) if count]
        if not needed or strikes >= min(needed):
            return True
    return False
