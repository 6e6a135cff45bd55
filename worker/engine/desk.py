"""What all share who judge the records of one partition: its memory, its rules, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.engine.breakers import Breakers
from worker.engine.chain import Chain
from worker.engine.erasures import Erasures
from worker.engine.ids import partition_of
from worker.engine.ledger import Ledger
from worker.engine.publishing import Publishing
from worker.engine.registry import Pack
from worker.engine.state import Account, Accounts
from worker.engine.times import EPOCH

_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Memory:
    """What one partition remembers, whatever pack judges. `partitions` is as in `Desk`."""

    partition: int
    partitions: int | None
    accounts: Accounts
    ledger: Ledger
    breakers: Breakers
    erasures: Erasures


@dataclass(slots=True)
class Desk:
    """One partition's memory and tools. `partitions` is the topics' partition count, None where there is no broker."""

    pack: Pack
    chain: Chain
    partition: int
    partitions: int | None
    accounts: Accounts
    ledger: Ledger
    breakers: Breakers
    out: Publishing

    def partition_of(self, key: str) -> int:
        """The partition number of a key; without a broker all is one partition."""
        return self.partition if self.partitions is None else partition_of(key.encode(), self.partitions)

    def at(self, account_id: str, time: datetime) -> tuple[Account, datetime]:
        """The account and the time of the decision: the record's own, but an account's clock never runs backwards."""
        account = self.accounts.get(account_id)
        self.accounts.touch(account_id)
        if account.advance((time - EPOCH) // _MICROSECOND):
            return account, time
        return account, EPOCH + timedelta(microseconds=account.clock_us)

    def now(self, account_id: str, time: datetime) -> datetime:
        """The time of a decision that leaves the account's record as it is."""
        if account_id not in self.accounts:
            return time
        return max(time, EPOCH + timedelta(microseconds=self.accounts.get(account_id).clock_us))
