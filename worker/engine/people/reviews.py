"""Reviews: what a moderator decided."""

from __future__ import annotations

from schemas.enforcement import Subject as SubjectRef
from schemas.reviews import Review
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record


class Reviews:
    """Judges the records of `reviews`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def judge(self, record: Record, review: Review, judged: Judged) -> None:
        """Judges one record."""
        desk, account_id = self._desk, review.account_id
        account = desk.accounts.get(account_id) if account_id in desk.accounts else None
        now = desk.now(account_id, review.created_at)
        desk.out.settle(
            record, SubjectRef(type="account", id=account_id), account_id, "clear", now, judged, account
        )
