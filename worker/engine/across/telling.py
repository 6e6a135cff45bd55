"""Which features of a record are told to their owners, as records of `observations`."""

from __future__ import annotations

from schemas.accounts import AccountRecord
from schemas.posts import Post
from worker.engine.contract import Subject
from worker.engine.desk import Desk
from worker.engine.enforce import Effects
from worker.engine.records import Judged
from worker.engine.state import Account
from worker.signals.measured import MeasuredSignals


class Telling:
    """Collects what the owners of features are to know; nothing else follows from it here."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def post(
        self,
        post: Post,
        subject: Subject,
        signals: MeasuredSignals,
        account: Account,
        now_ms: int,
        judged: Judged,
    ) -> None:
        """Tells of a post that is judged for the first time."""

    def profile(self, profile: AccountRecord, account: Account, now_ms: int, judged: Judged) -> None:
        """Tells of a new or changed account."""

    def enforced(self, effects: Effects, account: Account, now_ms: int, judged: Judged) -> None:
        """Tells of suspensions, so that who comes back is known."""
