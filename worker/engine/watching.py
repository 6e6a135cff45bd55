"""Notes what an account does, and says which of the policies' limits it passed."""

from __future__ import annotations

from schemas.posts import Post
from worker.engine.contract import Subject
from worker.engine.desk import Desk
from worker.engine.state import Account
from worker.signals.measured import MeasuredSignals


class Watching:
    """Counts what accounts do, and adds the signals `behaviour.*` to what is measured on a post."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def post(
        self, post: Post, subject: Subject, signals: MeasuredSignals, account: Account, now_ms: int
    ) -> None:
        """Counts a post that was not seen before; what passes a limit is learnt by `signals`."""
