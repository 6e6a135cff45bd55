"""Records of `decisions`: the audit record of one input record."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from schemas.base import (
    Evidence,
    Id,
    Language,
    Many,
    PolicyId,
    Ratio,
    Record,
    RecordRef,
    Strikes,
    Subject,
    Time,
    Version,
    Wire,
    not_always,
)

DecisionOutcome = Literal["clear", "violation", "review", "duplicate", "refused"]
VerdictOutcome = Literal["clear", "violation", "abstain", "failed"]
PolicyStatus = Literal["draft", "shadow", "enforce", "retired"]


class VerdictItem(Wire):
    """What one policy's rule said."""

    policy: PolicyId
    """The policy."""
    version: Version
    """Its version."""
    outcome: VerdictOutcome
    """The rule's answer."""
    score: Ratio | None = None
    """The rule's score; null when it abstained or failed."""
    threshold: Ratio
    """Score from which it is a violation."""
    status: PolicyStatus
    """Whether the policy acts or only watches."""
    evidence: Evidence = ()
    """Where it was seen; at most 32 items."""


class Decision(Record):
    """What was decided about one input record, and by which verdicts."""

    model_config = ConfigDict(json_schema_extra=not_always("reason"))

    decision_id: Id
    """Id of the decision."""
    record: RecordRef
    """The record that was judged."""
    subject: Subject | None = None
    """What was judged."""
    account_id: Id
    """The account concerned; the record's key."""
    outcome: DecisionOutcome
    """What came out."""
    verdicts: Many[VerdictItem] = ()
    """The verdicts that are not plain clear, in the order of the policies."""
    strikes: Strikes | None = None
    """What it does to the account's record; null when nothing is counted."""
    actions: Many[Id] = ()
    """Ids of the actions that follow."""
    pack: str
    """Policy pack in force."""
    uncovered_language: Language | None = None
    """The text's language when a policy in force cannot judge it, else null."""
    decided_at: Time
    """Time of the judged record."""
    reason: Annotated[str | None, Field(exclude_if=lambda reason: reason is None)] = None
    """Why, in a word, where a report, an appeal or a review was refused or weighed; else left out."""
