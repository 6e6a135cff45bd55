"""From a record's bytes to its model: what cannot be read, or came to the wrong owner, is told apart here."""

from __future__ import annotations

from typing import Any, NamedTuple

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
        owner = ACCOUNT_OF.get(record.topic)
        problem = None if owner is None else self._misrouted(record, getattr(decoded.model, owner))
        if problem is not None:
            return Rejected("misrouted", problem)
        return decoded.model

    def _misrouted(self, record: Record, account_id: str) -> str | None:
        """Why a record cannot belong to its account's owner, None when it does."""
        key = account_id.encode()
        if record.key != key and (record.key is not None or self._partitions is not None):
            return "the key is not the id of the account that the record concerns"
        if self._partitions is None or account_id in self._accounts:
            return None
        expected = partition_of(key, self._partitions)
        if expected != record.partition:
            return (
                f"the key belongs to partition {expected} of {self._partitions} by murmur2, not {record.partition}: "
                "set the producer's partitioner to murmur2_random"
            )
        return None
