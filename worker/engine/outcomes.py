"""The records that say what was decided, and what has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from schemas.decisions import Decision, VerdictItem
from schemas.enforcement import Enforcement, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from worker.engine.chain import Judgement
from worker.engine.contract import Subject
from worker.engine.enforce import evidence_items
from worker.engine.ids import action_id, digest


def decision_record(
    record: RecordRef,
    subject: SubjectRef,
    account_id: str,
    outcome: str,
    now: datetime,
    pack: str,
    judgements: Sequence[Judgement],
    actions: Sequence[Enforcement],
    active_strikes: int,
    uncovered: str | None,
    taken_back: int = 0,
    reason: str | None = None,
) -> Decision:
    """The audit record of one input record; verdicts that say no more than "clear" are left out."""
    return Decision(
        schema_version=1,
        decision_id=digest("decision", record.topic, record.partition, record.offset),
        record=record,
        subject=subject,
        account_id=account_id,
        outcome=outcome,
        verdicts=tuple(
            VerdictItem(
                policy=j.loaded.policy.id,
                version=j.loaded.policy.version,
                outcome=j.outcome,
                score=None if j.outcome in {"abstain", "failed"} and not j.score else round(j.score, 6),
                threshold=j.loaded.policy.threshold,
                status=j.loaded.policy.status,
                evidence=evidence_items(j.evidence),
            )
            for j in judgements
            if j.notable
        ),
        strikes=Strikes(
            added=sum(a.strikes.added for a in actions), active=active_strikes, taken_back=taken_back
        ),
        actions=tuple(a.action_id for a in actions),
        pack=pack,
        uncovered_language=uncovered,
        decided_at=now,
        reason=reason,
    )


def uncovered_language(subject: Subject, judgements: Sequence[Judgement]) -> str | None:
    """The subject's language when a policy in force cannot read it."""
    return subject.lang if any(j.uncovered and j.enforced for j in judgements) else None


def reversal_of(action: Enforcement) -> Enforcement:
    """The record that ends an action at the time when it expires."""
    assert action.expires_at is not None
    strikes = Strikes(added=0, active=action.strikes.active)
    return _reversal(action, action.expires_at, strikes)


def overturned(action: Enforcement, record: RecordRef, now: datetime, strikes: Strikes) -> Enforcement:
    """The record by which a person undoes an action; `record` is the review, `strikes` what it does to the account's."""
    return _reversal(action, now, strikes).model_copy(update={"source": "human", "record": record})


def _reversal(action: Enforcement, now: datetime, strikes: Strikes) -> Enforcement:
    ids = (action.kind, "reverse", action.subject.type, action.subject.id, action.policy)
    return action.model_copy(
        update={
            "action_id": action_id(*ids, action.policy_version, action.action_id),
            "operation": "reverse",
            "reverses": action.action_id,
            "decided_at": now,
            "strikes": strikes,
        }
    )
