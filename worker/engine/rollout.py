"""Which packs a partition judges under: one in force, and beside it at most one that is tried on a share of accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from schemas.base import encode
from schemas.coordination import Finding, PackSwitch
from worker.engine.breakers import account_of
from worker.engine.ids import digest
from worker.engine.records import Output
from worker.engine.registry import Pack
from worker.engine.times import EPOCH

PackOf = Callable[[str], Pack | None]
"""A loaded pack by its SHA-256, None where it is not at hand."""


@dataclass(frozen=True, slots=True)
class Roll:
    """The packs of one published pointer.

    `version` is the pointer's `published_at` in milliseconds, 0 for a pack of a folder that nobody published.
    `candidate` is tried on `share` (0..1) of the accounts; with `shadow` it is only asked and counted.
    """

    version: int
    pack: Pack
    candidate: Pack | None = None
    share: float = 0.0
    shadow: bool = False

    @property
    def grades(self) -> bool:
        """Whether the candidate judges a part of the accounts."""
        return self.candidate is not None and not self.shadow

    def picks(self, account_id: str) -> bool:
        """Whether the candidate is tried on an account.

        The hash is of candidate and account: a larger share holds all accounts of a smaller one, and not every
        pack is tried on the same people first.
        """
        if self.candidate is None:
            return False
        if self.share >= 1.0:
            return True
        seed = f"{self.candidate.sha256}\0{account_id}".encode()
        return int.from_bytes(hashlib.sha256(seed).digest()[:8]) < self.share * 2**64

    def judges(self, account_id: str) -> bool:
        """Whether the candidate judges an account: it is tried on it, and not as a shadow."""
        return not self.shadow and self.picks(account_id)

    def shadows(self, account_id: str) -> bool:
        """Whether the candidate is asked about an account, and nothing follows."""
        return self.shadow and self.picks(account_id)

    @property
    def switch(self) -> PackSwitch:
        """As it stands in a partition's records."""
        return PackSwitch(
            version=self.version,
            pack=self.pack.id,
            sha256=self.pack.sha256,
            candidate=None if self.candidate is None else self.candidate.sha256,
            share=self.share,
            shadow=self.shadow,
        )


def roll_of(switch: PackSwitch, pack_of: PackOf) -> Roll | None:
    """What a partition switches to; None where a pack of it is not at hand."""
    pack = pack_of(switch.sha256)
    if pack is None:
        return None
    candidate = None if switch.candidate is None else pack_of(switch.candidate)
    if switch.candidate is not None and candidate is None:
        return None
    return Roll(switch.version, pack, candidate, switch.share, switch.shadow)


def switch_record(partition: int, switch: PackSwitch) -> Output:
    """The record of `findings` that has a partition switch when it is read, or says that its owner refused to."""
    finding = Finding(
        schema_version=1,
        finding_id=digest("pack", partition, switch.version, switch.sha256, switch.refused or ""),
        feature=f"pack:{switch.pack}",
        account_id=account_of(partition),
        observed_at=EPOCH + timedelta(milliseconds=switch.version),
        switch=switch,
    )
    return Output("findings", finding.account_id.encode(), encode(finding), partition)
