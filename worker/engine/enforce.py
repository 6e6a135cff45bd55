"""From a ruling to enforcement records and review items: ids, subjects, strikes, what stands already, breakers."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime

from schemas.enforcement import Enforcement, EvidenceItem, RecordRef, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from worker.engine.breakers import Breakers
from worker.engine.chain import Judgement
from worker.engine.contract import Evidence, Subject
from worker.engine.decide import Ruling, mode_strength, strength
from worker.engine.ids import action_id, digest
from worker.engine.policy import PolicyAction
from worker.engine.state import DAY, REMEMBERED_ITEMS, Account, InForce, Strike
from worker.engine.times import LAST_MS, later

MAX_DETAIL = 256
_FAILED_DUE_HOURS = 24
_OWN = frozenset({"handle", "display_name", "bio", "avatar", "header"})  # of a profile


@dataclass(frozen=True, slots=True)
class Case:
    """One subject on trial: where it came from, when, and under which pack."""

    subject: Subject
    record: RecordRef
    cause: str  # goes into action ids: the post id, or account_id@updated_at
    now: datetime
    now_ms: int
    pack_id: str

    @property
    def post_id(self) -> str | None:
        """The post that caused it, None for a profile."""
        return self.subject.id if self.subject.kind == "post" else None


@dataclass(slots=True)
class Effects:
    """What follows from one ruling."""

    actions: list[Enforcement] = field(default_factory=list)
    items: list[QueueItem] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)  # (policy, kind) stopped by a breaker
    preserved: dict[str, int] = field(default_factory=dict)  # action id: kept until, whatever is erased
    forgotten: list[str] = field(default_factory=list)  # items that the account's record has no room for


def enforce(
    case: Case, ruling: Ruling, account: Account, breakers: Breakers, applied: Set[str] = frozenset()
) -> Effects:
    """Makes the actions and review items of a ruling and notes them in the account's record.

    At most one action per kind and subject, by the strictest policy. What stands already is not repeated.
    Nor is an action whose id is among `applied`: a post that is judged anew causes the same actions.
    An action above its breaker's quota becomes a review item and adds no strike.
    """
    effects = Effects()
    chosen = _choose(case, ruling, account, applied)
    allowed: list[tuple[Judgement, PolicyAction, SubjectRef]] = []
    for judgement, action, target in chosen:
        policy = judgement.loaded.policy
        if breakers.allow(policy, action.kind, case.now_ms):
            allowed.append((judgement, action, target))
        else:
            effects.held.append((policy.id, action.kind))
            proposed = _record(
                case, judgement, action, target, Strikes(added=0, active=account.active_strikes(case.now_ms))
            )
            effects.items.append(_item(case, judgement, "breaker", proposed, policy.review.priority))
    if allowed:
        _apply(case, ruling, allowed, account, effects)
    removed = any(action.kind != "label" for action in effects.actions)
    if ruling.doubts and not removed:
        # One item a subject: the reviewer sees the worst doubt first, the others stand in the decision.
        doubt = max(ruling.doubts, key=lambda j: j.score)
        effects.items.append(_doubt_item(case, doubt, account))
    for judgement in ruling.at_risk:
        effects.items.append(_item(case, judgement, "at_risk", None, judgement.loaded.policy.review.priority))
    for judgement, rung in ruling.violations:
        if rung.queue is not None:
            priority = judgement.loaded.policy.review.priority
            effects.items.append(_item(case, judgement, rung.queue, None, priority))
    for judgement in ruling.failures:
        effects.items.append(_item(case, judgement, "rule_failed", None, 60, _FAILED_DUE_HOURS))
    for item in effects.items:
        account.items[item.item_id] = case.post_id
    while len(account.items) > REMEMBERED_ITEMS:
        effects.forgotten.append(oldest := next(iter(account.items)))
        del account.items[oldest]
    return effects


def _choose(
    case: Case, ruling: Ruling, account: Account, applied: Set[str]
) -> list[tuple[Judgement, PolicyAction, SubjectRef]]:
    """The strictest action for each kind and subject that does not stand already."""
    best: dict[tuple[str, str, str], tuple[Judgement, PolicyAction, SubjectRef]] = {}
    for judgement, rung in ruling.violations:  # strictest policy first, so the first of equals stays
        for action in rung.actions:
            for target in _targets(case, judgement, action):
                key = (action.kind, target.type, target.id)
                if key not in best or strength(action) > strength(best[key][1]):
                    best[key] = (judgement, action, target)
    return [
        (judgement, action, target)
        for judgement, action, target in best.values()
        if not _stands(case, judgement, action, target, account, applied)
    ]


def _targets(case: Case, judgement: Judgement, action: PolicyAction) -> list[SubjectRef]:
    """Whom or what an action is about: suspensions the account, the others the post or the profile's fields."""
    subject = case.subject
    if action.kind == "suspend":
        return [SubjectRef(type="account", id=subject.account_id)]
    if subject.kind == "post":
        return [SubjectRef(type="post", id=subject.id)]
    fields = dict.fromkeys(item.field.removeprefix("profile.") for item in judgement.evidence)
    # How old or how followed an account is may support a verdict, but only what its owner put there can be removed.
    return [
        SubjectRef(type="profile_field", id=f"{subject.account_id}/{name}") for name in fields if name in _OWN
    ]


def _stands(
    case: Case,
    judgement: Judgement,
    action: PolicyAction,
    target: SubjectRef,
    account: Account,
    applied: Set[str],
) -> bool:
    """Whether as much is in force already, or the same cause led to it before; a stricter or longer one is news."""
    name = _action_id(case, judgement, action, target)
    if name in applied or any(known.action_id == name for known in account.actions):
        return True
    expires, content = _expires_ms(case, action), _content(case, target)
    for known in account.actions:
        if (known.kind, known.subject_type, known.subject_id) != (action.kind, target.type, target.id):
            continue
        if not known.stands(case.now_ms) or known.content != content:
            continue
        if action.kind == "label" and known.detail != action.label:
            continue
        if mode_strength(action.mode) > mode_strength(known.detail):
            continue
        if known.expires is None or (expires is not None and expires <= known.expires):
            return True
    return False


def _content(case: Case, target: SubjectRef) -> str:
    """What a profile's field holds, as a digest; a field can be filled again after it was removed."""
    if target.type != "profile_field":
        return ""
    return digest("content", case.subject.fields.get("profile." + target.id.rpartition("/")[2], ""))


def _apply(
    case: Case,
    ruling: Ruling,
    allowed: list[tuple[Judgement, PolicyAction, SubjectRef]],
    account: Account,
    effects: Effects,
) -> None:
    # What a breaker held adds no strike: the strictest policy of which an action goes out counts.
    judgement, rung = next(
        pair for pair in ruling.violations if any(pair[0] is cause for cause, _, _ in allowed)
    )
    policy = judgement.loaded.policy
    # The strike is one, however many actions follow: it stands on the first.
    stands_on = _action_id(case, *allowed[0])
    expires = case.now_ms + policy.strike_days * DAY
    account.add_strike(Strike(policy.id, rung.strikes, expires, stands_on), case.now_ms)
    active = account.active_strikes(case.now_ms)
    added = rung.strikes
    for cause, action, target in allowed:
        record = _record(case, cause, action, target, Strikes(added=added, active=active))
        added = 0
        effects.actions.append(record)
        if days := cause.loaded.policy.preserve_days:
            effects.preserved[record.action_id] = case.now_ms + days * DAY
        account.remember(
            InForce(
                record.action_id,
                action.kind,
                target.type,
                target.id,
                action.label or action.mode or "",
                _expires_ms(case, action),
                _content(case, target),
            ),
            case.now_ms,
        )


def _action_id(case: Case, judgement: Judgement, action: PolicyAction, target: SubjectRef) -> str:
    policy = judgement.loaded.policy
    return action_id(action.kind, "apply", target.type, target.id, policy.id, policy.version, case.cause)


def _expires_ms(case: Case, action: PolicyAction) -> int | None:
    if action.duration_hours is None:
        return None
    return min(case.now_ms + action.duration_hours * 3_600_000, LAST_MS)


def _record(
    case: Case, judgement: Judgement, action: PolicyAction, target: SubjectRef, strikes: Strikes
) -> Enforcement:
    policy = judgement.loaded.policy
    hours = action.duration_hours
    return Enforcement(
        schema_version=1,
        action_id=_action_id(case, judgement, action, target),
        operation="apply",
        kind=action.kind,
        subject=target,
        account_id=case.subject.account_id,
        post_id=case.post_id,
        label=action.label,
        mode=action.mode,
        expires_at=None if hours is None else later(case.now, hours=hours),
        policy=policy.id,
        policy_version=policy.version,
        pack=case.pack_id,
        clause=policy.clause,
        score=round(judgement.score, 6),
        evidence=evidence_items(judgement.evidence),
        strikes=strikes,
        source="automated" if case.subject.report is None else "report",
        reverses=None,
        decided_at=case.now,
        record=case.record,
    )


def evidence_items(evidence: tuple[Evidence, ...]) -> tuple[EvidenceItem, ...]:
    """Evidence as it stands in records."""
    return tuple(
        EvidenceItem(
            signal=item.signal,
            field=item.field,
            start=item.start,
            end=item.end,
            score=round(item.score, 6),
            detail=item.detail[:MAX_DETAIL],
        )
        for item in evidence
    )


def _doubt_item(case: Case, judgement: Judgement, account: Account) -> QueueItem:
    policy = judgement.loaded.policy
    action = policy.ladder[0].actions[0]
    strikes = Strikes(added=policy.ladder[0].strikes, active=account.active_strikes(case.now_ms))
    targets = _targets(case, judgement, action)
    proposed = _record(case, judgement, action, targets[0], strikes) if targets else None
    spread = max(policy.threshold - policy.review.score, 1e-9)
    nearness = min(1.0, max(0.0, (judgement.score - policy.review.score) / spread))
    priority = min(100, policy.review.priority + round(30 * nearness))
    reason = "uncertain" if case.subject.report is None else "report"
    return _item(case, judgement, reason, proposed, priority)


def _item(
    case: Case,
    judgement: Judgement,
    reason: str,
    proposed: Enforcement | None,
    priority: int,
    due_hours: int | None = None,
) -> QueueItem:
    policy = judgement.loaded.policy
    subject = case.subject
    target = (
        SubjectRef(type="post", id=subject.id)
        if subject.kind == "post"
        else SubjectRef(type="account", id=subject.id)
    )
    kind = proposed.action_id if proposed is not None else ""
    return QueueItem(
        schema_version=1,
        item_id=digest("item", reason, target.type, target.id, policy.id, policy.version, case.cause, kind),
        reason=reason,
        subject=target,
        account_id=subject.account_id,
        post_id=case.post_id,
        policy=policy.id,
        proposed=proposed,
        evidence=evidence_items(judgement.evidence),
        priority=priority,
        due_at=later(case.now, hours=due_hours or policy.review.due_hours),
        appeal_id=None,
        created_at=case.now,
        record=case.record,
        closed_by=None,
    )
