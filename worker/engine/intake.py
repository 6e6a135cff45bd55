"""From a record's bytes to its model: what cannot be read, or came to the wrong owner, is told apart here."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas.coordination import Finding
from schemas.decode import DecodeError, decode
from worker.engine.ids import partition_of
from worker.engine.records import Judged, Record
from worker.engine.state import Accounts

ACCOUNT_OF = {
    "posts": "author_id",
    "accounts": "account_id",
    "reports": "account_id",
    "appeals": "account_id",
    "reviews": "account_id",
    "media.signals": "account_id",
    "findings": "account_id",
}
OF_PARTITION = ("cap:", "pack:")
"""Features of which what follows is told to a partition, by its number, and to no account."""


class Rejected(NamedTuple):
    """What a record became that cannot be judged; its dead letter is published in the record's turn."""

    reason: str
    detail: str


class Intake:
    """Reads the records of one partition number's owner.

    `partitions` is the topics' partition count and turns the check of each key's partition on; None leaves it off.
    """

    def __init__(self, partitions: int | None, accounts: Accounts) -> None:
        self._partitions = partitions
        self._accounts = accounts

    def read(self, record: Record, judged: Judged) -> Any:
        """The record's model, or why it becomes a dead letter."""
        if record.topic == "policies" and record.value is None:
            return record  # the tombstone of a pack's file
        try:
            decoded = decode(record.topic, record.value, record.key)
        except DecodeError as error:
            return Rejected(error.reason, error.detail)
        if decoded.unknown_fields:
            judged.count("moderator_unknown_fields_total", record.topic, by=decoded.unknown_fields)
        problem = self._problem(record, decoded.model)
        if problem is not None:
            return Rejected("misrouted", problem)
        return decoded.model

    def _problem(self, record: Record, model: Any) -> str | None:
        """Why a record cannot belong to the owner of this partition number, None when it does."""
        if record.topic == "observations":
            return self._misplaced(record, model.feature, "feature that was seen")
        if isinstance(model, Finding) and model.feature.startswith(OF_PARTITION):
            # Without a broker there may be one judge for all partitions.
            if model.account_id == f"partition:{record.partition}" or self._partitions is None:
                return None
            return "the finding is about another partition than the one that it came to"
        owner = ACCOUNT_OF.get(record.topic)
        if owner is None:
            return None
        account_id = getattr(model, owner)
        known = self._partitions is not None and account_id in self._accounts
        return self._misplaced(record, account_id, "id of the account that the record concerns", known)

    def _misplaced(self, record: Record, name: str, what: str, known: bool = False) -> str | None:
        """Why the owner of a name is not here; `known`: whatever the key says, it is."""
        key = name.encode()
        if record.key != key and (record.key is not None or self._partitions is not None):
            return f"the key is not the {what}"
        if self._partitions is None or known:
            return None
        expected = partition_of(key, self._partitions)
        if expected != record.partition:
            return (
                f"the key belongs to partition {expected} of {self._partitions} by murmur2, not {record.partition}: "
                "set the producer's partitioner to murmur2_random"
            )
        return None
