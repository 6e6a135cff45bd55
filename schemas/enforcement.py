"""Records of `enforcement.label`, `enforcement.remove` and `enforcement.suspend`: actions applied and reversed."""

from __future__ import annotations

from typing import Literal

from schemas.base import (
    ActionKind,
    Evidence,
    EvidenceItem,
    Id,
    LabelName,
    Operation,
    PolicyId,
    Ratio,
    Record,
    RecordRef,
    Strikes,
    Subject,
    SuspendMode,
    Time,
    Version,
)

__all__ = ["Enforcement", "Evidence", "EvidenceItem", "RecordRef", "Strikes", "Subject"]


class Enforcement(Record):
    """One action, applied or reversed."""

    action_id: Id
    """First 32 hex digits of a SHA-256 over what was done to what, why and because of what."""
    operation: Operation
    """Apply or reverse."""
    kind: ActionKind
    """What is done."""
    subject: Subject
    """What it is done to."""
    account_id: Id
    """The account concerned; the record's key."""
    post_id: Id | None = None
    """The post that caused it, or null."""
    label: LabelName | None = None
    """The label, for kind `label`."""
    mode: SuspendMode | None = None
    """The mode, for kind `suspend`."""
    expires_at: Time | None = None
    """When it ends; null is indefinite."""
    policy: PolicyId
    """The policy that was violated."""
    policy_version: Version
    """Version of that policy."""
    pack: str
    """Policy pack in force."""
    clause: str
    """The sentence of the rules, as published."""
    score: Ratio
    """The rule's score, comparable only within one version of the policy."""
    evidence: Evidence
    """Where it was seen; at most 32 items."""
    strikes: Strikes
    """What it does to the account's record."""
    source: Literal["automated", "human", "report"]
    """Who decided."""
    reverses: Id | None = None
    """For a reverse: the action that it undoes."""
    decided_at: Time
    """Time of the record that it follows from; for a reverse by timer, the action's end."""
    record: RecordRef
    """The record that it follows from."""
