"""What one partition's judge publishes: decisions, actions, review items and notices, and the end of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from schemas.base import encode
from schemas.enforcement import Enforcement, RecordRef
from schemas.enforcement import Subject as SubjectRef
from schemas.notices import Notice
from schemas.posts import Post
from schemas.queue import QueueItem
from worker.engine.chain import Judgement
from worker.engine.enforce import Case, Effects
from worker.engine.ledger import Ledger
from worker.engine.notice_texts import Texts
from worker.engine.notices import (
    AppealKind,
    AppealReason,
    action_notice,
    appeal_notice,
    language_of,
    reversal_notice,
    shipped_texts,
    support_notice,
)
from worker.engine.outcomes import decision_record, reversal_of
from worker.engine.records import Judged, Output, Record
from worker.engine.state import Account, Accounts
from worker.engine.statements import Matter, Statements
from worker.engine.times import EPOCH


class Publishing:
    """Turns what was decided into outputs. `publish_all` publishes clear and duplicate decisions too.

    `statements` makes the statements of reasons; None where they are off. `texts` are those of notices, the shipped
    ones where there are none.
    """

    def __init__(
        self,
        pack_id: str,
        accounts: Accounts,
        ledger: Ledger,
        publish_all: bool,
        statements: Statements | None = None,
        texts: Texts | None = None,
    ) -> None:
        self._pack_id = pack_id
        self._texts = texts if texts is not None and texts.languages else shipped_texts()
        self._statements = statements
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
        taken_back: int = 0,
        reason: str | None = None,
    ) -> None:
        """Counts a record's decision and publishes it when it is to be.

        `taken_back` is the weight of the strikes that it takes back, `reason` a word on why it came out so.
        """
        judged.count("moderator_decisions_total", record.topic, outcome)
        if outcome in {"clear", "duplicate"} and not self._publish_all:
            return
        actions = effects.actions if effects is not None else []
        active = 0 if account is None else account.active_strikes((now - EPOCH) // timedelta(milliseconds=1))
        ref = RecordRef(topic=record.topic, partition=record.partition, offset=record.offset)
        decision = decision_record(
            ref, subject, account_id, outcome, now, self._pack_id, judgements, actions, active, uncovered,
            taken_back, reason,
        )  # fmt: skip
        judged.outputs.append(Output("decisions", account_id.encode(), encode(decision)))

    def publish(
        self, effects: Effects, judged: Judged, matter: Matter | None = None, by: str | None = None
    ) -> None:
        """Publishes actions, review items, notices and statements, and notes them in the ledger.

        `matter` is what the statements tell of the case; None for what a person does on their own initiative.
        `by` is the moderator who decided the actions, None when nobody did.
        """
        order = {"label": 0, "remove": 1, "suspend": 2}
        for action in sorted(effects.actions, key=lambda a: order[a.kind]):
            value = encode(action)
            judged.outputs.append(Output(f"enforcement.{action.kind}", action.account_id.encode(), value))
            self._ledger.add_action(action, value, effects.preserved.get(action.action_id), by)
            judged.count(
                "moderator_actions_total", action.policy, action.kind, action.operation, action.source
            )
        for item in effects.items:
            value = encode(item)
            judged.outputs.append(Output("review.queue", item.account_id.encode(), value))
            self._ledger.add_item(item.item_id, value)
            judged.count("moderator_review_items_total", item.policy or "none", item.reason)
        for action in effects.actions:
            lang = self.language(action.account_id, effects.lang)
            warning = action.action_id in effects.warnings
            notice = action_notice(action, lang, warning=warning, texts=self._texts)
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_notices_total", notice.kind)
        for item_id in effects.forgotten:
            self.close(item_id, "too-many-open-items", judged)
        for policy, kind in effects.held:
            judged.count("moderator_breaker_held_total", policy, kind)
        if self._statements is not None:
            self._give_reasons(self._statements, effects.actions, matter, judged)

    def _give_reasons(
        self, statements: Statements, actions: Sequence[Enforcement], matter: Matter | None, judged: Judged
    ) -> None:
        for action in actions:
            if matter is None and action.post_id is not None and action.account_id in self._accounts:
                posted = self._accounts.get(action.account_id).posted(action.post_id)
                statement = statements.of(action, None, posted)
            else:
                statement = statements.of(action, matter)
            if statement is not None:
                judged.outputs.append(Output("statements", action.account_id.encode(), encode(statement)))
                judged.count("moderator_statements_total", action.policy)

    def reverse(self, reverses: Sequence[Enforcement], judged: Judged) -> None:
        """Publishes what a person undid, with its notices, and notes it in the ledger."""
        for reverse in reverses:
            account_id = reverse.account_id
            judged.outputs.append(Output(f"enforcement.{reverse.kind}", account_id.encode(), encode(reverse)))
            judged.count(
                "moderator_actions_total", reverse.policy, reverse.kind, reverse.operation, reverse.source
            )
            assert reverse.reverses is not None
            ended = (reverse.decided_at - EPOCH) // timedelta(milliseconds=1)
            self._ledger.note(reverse.reverses, reversed_at=ended)
        for reverse in reverses:
            lang = self.language(reverse.account_id)
            self.tell(reversal_notice(reverse, self.still(reverse), lang, texts=self._texts), judged)

    def appeal(
        self,
        kind: AppealKind,
        appeal_id: str,
        account_id: str,
        now: datetime,
        judged: Judged,
        action: Enforcement | None = None,
        *,
        reason: AppealReason | None = None,
        still: bool = False,
        counts: bool = False,
        review_id: str | None = None,
    ) -> None:
        """Tells an account what became of its appeal, as `appeal_notice` does, in its language."""
        lang = self.language(account_id)
        self.tell(
            appeal_notice(
                kind, appeal_id, account_id, now, action, lang,
                reason=reason, still=still, counts=counts, review_id=review_id, texts=self._texts,
            ),
            judged,
        )  # fmt: skip

    def tell(self, notice: Notice, judged: Judged) -> None:
        """Publishes a notice."""
        judged.outputs.append(Output("notices", notice.account_id.encode(), encode(notice)))
        judged.count("moderator_notices_total", notice.kind)

    def queue(self, item: QueueItem, judged: Judged, extra: Mapping[str, Any] | None = None) -> None:
        """Publishes a new item of the queue; `extra` is what else is remembered of it."""
        value = encode(item)
        judged.outputs.append(Output("review.queue", item.account_id.encode(), value))
        self._ledger.add_item(item.item_id, value, extra)
        judged.count("moderator_review_items_total", item.policy or "none", item.reason)

    def requeue(
        self, item: QueueItem, judged: Judged, extra: Mapping[str, Any], *, publish: bool = True
    ) -> None:
        """Notes an open item that has changed, and publishes it again unless only `extra` has."""
        value = encode(item)
        if publish:
            judged.outputs.append(Output("review.queue", item.account_id.encode(), value))
        self._ledger.replace_item(item.item_id, value, extra)

    def support(self, case: Case, judgement: Judgement, judged: Judged) -> None:
        """Offers help to whom a judgement finds at risk."""
        lang = self.language(case.subject.account_id)
        notice = support_notice(case, judgement, lang, texts=self._texts)
        place = len(judged.outputs)
        while place and judged.outputs[place - 1].topic == "statements":
            place -= 1  # of one record the notices come before the statements
        judged.outputs.insert(place, Output("notices", notice.account_id.encode(), encode(notice)))
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
            lang = self.language(action.account_id)
            notice = reversal_notice(reverse, self.still(reverse), lang, texts=self._texts)
            judged.outputs.append(Output("notices", action.account_id.encode(), encode(notice)))
            judged.count("moderator_actions_total", action.policy, action.kind, "reverse", reverse.source)
            judged.count("moderator_notices_total", "reversal")
        return judged

    def language(self, account_id: str, wanted: str | None = None) -> str:
        """The language of a notice: the one wanted where it has texts, else the account's last known, else English."""
        known = self._accounts.get(account_id) if account_id in self._accounts else None
        return self._texts.language(wanted, language_of(known))

    def still(self, reverse: Enforcement) -> bool:
        """Whether another action of the same kind on the same subject stands when this one ends."""
        if reverse.account_id not in self._accounts:
            return False
        end = (reverse.decided_at - EPOCH) // timedelta(milliseconds=1)
        subject = (reverse.kind, reverse.subject.type, reverse.subject.id)
        return any(
            (known.kind, known.subject_type, known.subject_id) == subject
            and known.action_id != reverse.reverses
            and (reverse.kind != "label" or known.detail == reverse.label)
            and known.stands(end)
            for known in self._accounts.get(reverse.account_id).actions
        )
