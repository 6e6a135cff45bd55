"""Appeals: an account contests an action."""

from __future__ import annotations

from schemas.appeals import Appeal
from schemas.enforcement import Subject as SubjectRef
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record


class Appeals:
    """Judges the records of `appeals`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def judge(self, record: Record, appeal: Appeal, judged: Judged) -> None:
        """Judges one record."""
        desk, account_id = self._desk, appeal.account_id
        account = desk.accounts.get(account_id) if account_id in desk.accounts else None
        now = desk.now(account_id, appeal.created_at)
        desk.out.settle(
            record, SubjectRef(type="account", id=account_id), account_id, "clear", now, judged, account
        )
