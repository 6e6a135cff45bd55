"""Reports: what people say about others' posts and accounts."""

from __future__ import annotations

from schemas.reports import Report
from worker.engine.desk import Desk
from worker.engine.records import Judged, Record


class Reports:
    """Judges the records of `reports`, save those of rights-holders about a post, which the rules judge."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def judge(self, record: Record, report: Report, judged: Judged) -> None:
        """Judges one record."""
        desk, account_id = self._desk, report.account_id
        account = desk.accounts.get(account_id) if account_id in desk.accounts else None
        now = desk.now(account_id, report.created_at)
        desk.out.settle(record, report.subject, account_id, "clear", now, judged, account)
