"""What one partition's judge publishes: decisions, actions, review items and notices, and the end of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from schemas.base import encode
from schemas.enforcement import Enforcement, RecordRef
from schemas.enforcement import Subject as SubjectRef
from schemas.posts import Post
from worker.engine.chain import Judgement
from worker.engine.enforce import Case, Effects
from worker.engine.ledger import Ledger
from worker.engine.notices import action_notice, reversal_notice, support_notice
from worker.engine.outcomes import decision_record, reversal_of
from worker.engine.records import Judged, Output, Record
from worker.engine.state import Account, Accounts
from worker.engine.times import EPOCH


class Publishing:
    """Turns what was decided into outputs. `publish_all` publishes clear and duplicate decisions too."""

    def __init__(self, pack_id: str, accounts: Accounts, ledger: Ledger, publish_all: bool) -> None:
        self._pack_id = pack_id
        self._accounts = accounts
        self._ledger = ledger
        self._publish_all = publish_all

    def settle(
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
        if outcome in {"clear", "duplicate"} and not self._publish_all:
            return
        actions = effects.actions if effects is not None else []
        active = 0 if account is None else account.active_strikes(account.clock_us // 1000)
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        decision = decision_record(
            ref, subject, account_id, outcome, now, self._pack_id, judgements, actions, active, uncovered
        )
        judged.outputs.append(Output("decisions", account_id.encode(), encode(decision)))

    def publish(self, effects: Effects, judged: Judged) -> None:
        """Publishes actions, review items and notices, and notes them in the ledger."""
        order = {"label": 0, "remove": 1, "suspend": 2}
        for action in sorted(effects.actions, key=lambda a: order[a.kind]):
            value = encode(action)
            judged.outputs.append(Output(f"enforcement.{action.kind}", action.account_id.encode(), value))
            self._ledger.add_action(action, value, effects.preserved.get(action.action_id))
            judged.count(
                "moderator_actions_total", action.policy, action.kind, action.operation, action.source
            )
        for item in effects.items:
            value = encode(item)
            judged.outputs.append(Output("review.queue", item.account_id.encode(), value))
            self._ledger.add_item(item.item_id, value)
            judged.count("moderator_review_items_total", item.policy or "none", item.reason)
        for action in effects.actions:
            notice = action_notice(action)
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_notices_total", notice.kind)
        for item_id in effects.forgotten:
            self.close(item_id, "too-many-open-items", judged)
        for policy, kind in effects.held:
            judged.count("moderator_breaker_held_total", policy, kind)

    def support(self, case: Case, judgement: Judgement, judged: Judged) -> None:
        """Offers help to whom a judgement finds at risk."""
        notice = support_notice(case, judgement)
        judged.outputs.append(Output("notices", notice.account_id.encode(), encode(notice)))
        judged.count("moderator_notices_total", notice.kind)

    def close_items(self, post: Post, account: Account, judged: Judged) -> None:
        """The author deleted the post: what waits for a look at it is done."""
        closed = [item_id for item_id, post_id in account.items.items() if post_id == post.post_id]
        for item_id in closed:
            del account.items[item_id]
            self.close(item_id, "deleted-by-author", judged)

    def close(self, item_id: str, closed_by: str, judged: Judged) -> None:
        """Publishes a queue item once more, as done."""
        item = self._ledger.close_item(item_id, closed_by)
        if item is not None:
            judged.outputs.append(Output("review.queue", item.account_id.encode(), encode(item)))

    def expire(self, now: datetime) -> Judged:
        """Publishes a `reverse` for each action whose time is over, and drops what cannot be appealed any more.

        The account's record stays as it is: whether an action is in force is told by each record's own time,
        so a late record is judged the same whether or not this ran before it.
        """
        judged = Judged()
        now_ms = (now - EPOCH) // timedelta(milliseconds=1)
        for action in self._ledger.ended(now_ms):
            reverse = reversal_of(action)
            judged.outputs.append(
                Output(f"enforcement.{action.kind}", action.account_id.encode(), encode(reverse))
            )
            notice = reversal_notice(reverse, self._still_suspended(reverse))
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_actions_total", action.policy, action.kind, "reverse", reverse.source)
            judged.count("moderator_notices_total", "reversal")
        return judged

    def _still_suspended(self, reverse: Enforcement) -> bool:
        """Whether another suspension of the account stands when this one ends."""
        if reverse.account_id not in self._accounts:
            return False
        end = (reverse.decided_at - EPOCH) // timedelta(milliseconds=1)
        return any(
            known.kind == "suspend" and known.action_id != reverse.reverses and known.stands(end)
            for known in self._accounts.get(reverse.account_id).actions
        )
