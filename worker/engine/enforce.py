"""From a ruling to enforcement records and review items: ids, subjects, strikes, what stands already, breakers."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from schemas.enforcement import Enforcement, Strikes
from schemas.enforcement import Subject as SubjectRef
from schemas.queue import QueueItem
from worker.engine.breakers import Breakers
from worker.engine.casework import (
    Case,
    action_id_of,
    content_in,
    doubt_item,
    evidence_items,
    expires_ms,
    item_of,
    record_of,
    targets_of,
)
from worker.engine.chain import Judgement
from worker.engine.decide import Ruling, mode_strength, strength
from worker.engine.policy import PolicyAction, Rung
from worker.engine.precedents import is_settled, is_suspension_settled, key_of, note_contents
from worker.engine.state import DAY, REMEMBERED_ITEMS, Account, InForce, Strike
from worker.engine.times import EPOCH
from worker.engine.traits import is_guarded

__all__ = ["Case", "Effects", "enforce", "evidence_items", "strikes_about", "take_back_warning"]

_FAILED_DUE_HOURS = 24
_GUARDED_PRIORITY = 90  # of the suspension of somebody whom the public knows


@dataclass(slots=True)
class Effects:
    """What follows from one ruling.

    `outcome` is the decision's: the ruling's, unless people had decided about all of it. `warnings` holds the ids of
    those actions that warn of a first offence, `lang` the language of what they are about.
    """

    actions: list[Enforcement] = field(default_factory=list)
    items: list[QueueItem] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)  # (policy, kind) stopped by a breaker
    preserved: dict[str, int] = field(default_factory=dict)  # action id: kept until, whatever is erased
    forgotten: list[str] = field(default_factory=list)  # items that the account's record has no room for
    outcome: str = "clear"
    warnings: set[str] = field(default_factory=set)
    lang: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One action that a rung calls for."""

    judgement: Judgement
    rung: Rung
    action: PolicyAction
    target: SubjectRef


def enforce(
    case: Case,
    ruling: Ruling,
    account: Account,
    breakers: Breakers,
    applied: Set[str] = frozenset(),
    protected: Set[str] = frozenset(),
) -> Effects:
    """Makes the actions and review items of a ruling and notes them in the account's record.

    At most one action per kind and subject, by the strictest policy. What stands already is not repeated.
    Nor is an action whose id is among `applied`: a post that is judged anew causes the same actions.
    An action above its breaker's quota becomes a review item and adds no strike, and so does the suspension of an
    account that is among `protected`, or verified and of public interest, unless the rung is one of zero tolerance.
    What people decided is left as it is.
    """
    effects = Effects(outcome=ruling.outcome, lang=case.subject.lang)
    for judgement in (*(judgement for judgement, _ in ruling.violations), *ruling.doubts):
        note_contents(case.subject, judgement.evidence, account, case.now_ms)
    unsettled, settled = _divide(case, ruling, account)
    allowed: list[_Step] = []
    held: list[tuple[_Step, str]] = []
    for step in _choose(case, unsettled, account, applied):
        policy, kind = step.judgement.loaded.policy, step.action.kind
        if _is_taken_back(case, step, account, applied):
            held.append((step, "uncertain"))
        elif kind == "suspend" and is_suspension_settled(
            case.subject, step.judgement.evidence, account, case.now_ms
        ):
            settled = True
        elif kind == "suspend" and _needs_a_person(case, step, account, protected):
            held.append((step, "uncertain"))
        elif breakers.allow(policy, kind, case.now_ms):
            allowed.append(step)
        else:
            effects.held.append((policy.id, kind))
            held.append((step, "breaker"))
    warned = [j for j, rung in unsettled.violations if _is_warned(case, j, rung, account)]
    added = _apply(case, unsettled, allowed, warned, account, effects) if allowed else 0
    added += sum(strike.weight for strike in own_strikes(account, case)) if not added else 0
    effects.items += _proposals(case, held, warned, account, added)
    removed = any(action.kind != "label" for action in effects.actions)
    if unsettled.doubts and not removed:
        # One item a subject: the reviewer sees the worst doubt first, the others stand in the decision.
        doubt = max(unsettled.doubts, key=lambda j: j.score)
        effects.items.append(doubt_item(case, doubt, account))
    for judgement in unsettled.at_risk:
        effects.items.append(
            item_of(case, judgement, "at_risk", None, judgement.loaded.policy.review.priority)
        )
    for judgement, rung in ruling.violations:
        if rung.queue is not None:
            priority = judgement.loaded.policy.review.priority
            effects.items.append(item_of(case, judgement, rung.queue, None, priority))
    for judgement in unsettled.failures:
        effects.items.append(item_of(case, judgement, "rule_failed", None, 60, _FAILED_DUE_HOURS))
    if settled and not effects.actions:
        effects.outcome = "review" if effects.items else "clear"
    for item in effects.items:
        account.items[item.item_id] = case.post_id
    while len(account.items) > REMEMBERED_ITEMS:
        effects.forgotten.append(oldest := next(iter(account.items)))
        del account.items[oldest]
    return effects


def _divide(case: Case, ruling: Ruling, account: Account) -> tuple[Ruling, bool]:
    """What of a ruling people have not decided about yet, and whether they have about any of it.

    What zero tolerance finds is shown to a person all the same (see `enforce`), and so is what a rights-holder reports:
    whoever decided may not have known of it.
    """
    if not account.human:
        return ruling, False

    def is_open(judgement: Judgement) -> bool:
        return not is_settled(case.subject, judgement.evidence, account)

    violations = tuple(pair for pair in ruling.violations if is_open(pair[0]))
    reported: tuple[Judgement, ...] = ()
    if case.subject.report is not None:
        reported = tuple(j for j, _ in ruling.violations if not is_open(j))
    doubts = tuple(j for j in ruling.doubts if is_open(j) or case.subject.report is not None)
    failures = tuple(j for j in ruling.failures if is_open(j))
    at_risk = tuple(j for j in ruling.at_risk if is_open(j))
    unsettled = replace(
        ruling, violations=violations, doubts=(*reported, *doubts), failures=failures, at_risk=at_risk
    )
    return unsettled, unsettled != ruling


def _needs_a_person(case: Case, step: _Step, account: Account, protected: Set[str]) -> bool:
    """Whether a suspension is a person's decision, because of whose account it is."""
    return step.rung.queue != "zero_tolerance" and is_guarded(account, case.subject.account_id, protected)


def _choose(case: Case, ruling: Ruling, account: Account, applied: Set[str]) -> list[_Step]:
    """The strictest action for each kind and subject that does not stand already."""
    best: dict[tuple[str, str, str], _Step] = {}
    for judgement, rung in ruling.violations:  # strictest policy first, so the first of equals stays
        for action in rung.actions:
            for target in targets_of(case, judgement, action, account):
                key = (action.kind, target.type, target.id)
                if key not in best or strength(action) > strength(best[key].action):
                    best[key] = _Step(judgement, rung, action, target)
    return [step for step in best.values() if not _stands(case, step, account, applied)]


def _stands(case: Case, step: _Step, account: Account, applied: Set[str]) -> bool:
    """Whether as much is in force already, or the same cause led to it before; a stricter or longer one is news."""
    action, target = step.action, step.target
    name = action_id_of(case, step.judgement, action, target)
    was_applied = name in applied or any(known.action_id == name for known in account.actions)
    if was_applied and not _is_taken_back(case, step, account, applied):
        return True
    content = content_in(case, target)
    begun = {one.action_id: one.decided_at for one in case.same or ()}
    for known in account.actions:
        if (known.kind, known.subject_type, known.subject_id) != (action.kind, target.type, target.id):
            continue
        if not known.stands(case.now_ms) or known.content != content:
            continue
        if action.kind == "label" and known.detail != action.label:
            continue
        if mode_strength(action.mode) > mode_strength(known.detail):
            continue
        # Of the same cause's, both began when the first one did.
        expires = expires_ms(case, action, begun.get(known.action_id))
        if known.expires is None or (expires is not None and expires <= known.expires):
            return True
    return False


def _is_taken_back(case: Case, step: _Step, account: Account, applied: Set[str]) -> bool:
    """Whether a person took this very action back, and the post was edited since.

    An action has one id for a post, and cannot be applied by itself again: a person looks at what the edit made of it.
    """
    post = case.subject.post
    if post is None or post.edit_of != post.post_id or key_of("post", post.post_id) not in account.human:
        return False
    name = action_id_of(case, step.judgement, step.action, step.target)
    return name in applied and all(known.action_id != name for known in account.actions)


def _is_warned(case: Case, judgement: Judgement, rung: Rung, account: Account) -> bool:
    """Whether a violation is a first offence under its policy that scores low enough to be warned of."""
    policy = judgement.loaded.policy
    if rung.warn_below is None or judgement.score >= rung.warn_below:
        return False
    before = account.warned.get(policy.id)
    if any(one.policy == policy.id and _milliseconds(one.decided_at) == before for one in case.same or ()):
        before = None  # it was warned of this very thing
    strikes = account.strikes_by_policy(case.now_ms).get(policy.id, 0)
    own = sum(s.weight for s in own_strikes(account, case) if s.policy == policy.id)
    return strikes <= own and (before is None or before + policy.strike_days * DAY <= case.now_ms)


def _apply(
    case: Case,
    ruling: Ruling,
    allowed: list[_Step],
    warned: list[Judgement],
    account: Account,
    effects: Effects,
) -> int:
    """Makes the records of what goes out and counts the strike, however many actions and policies there are.

    The strike is that of the strictest policy of which an action goes out and that does not merely warn; what a
    breaker held adds none. It stands on that policy's first action. Returns its weight.
    """
    acting = [pair for pair in ruling.violations if any(pair[0] is step.judgement for step in allowed)]
    counting = next((pair for pair in acting if not _among(pair[0], warned)), None)
    stands_on, weight = "", 0
    if counting is not None:
        judgement, rung = counting
        policy = judgement.loaded.policy
        first = next(step for step in allowed if step.judgement is judgement)
        stands_on = action_id_of(case, judgement, first.action, first.target)
        about = strikes_about(account, case.post_id, case.now_ms)
        if case.same is not None:
            about = sum(strike.weight for strike in own_strikes(account, case))
        weight = max(0, rung.strikes - about)
        expires = case.now_ms + policy.strike_days * DAY
        account.add_strike(Strike(policy.id, weight, expires, stands_on), case.now_ms)
    for judgement, _ in acting:
        if _among(judgement, warned):
            account.warned[judgement.loaded.policy.id] = case.now_ms
    active = account.active_strikes(case.now_ms)
    for step in allowed:
        cause, action, target = step.judgement, step.action, step.target
        added = weight if action_id_of(case, cause, action, target) == stands_on else 0
        record = record_of(case, cause, action, target, Strikes(added=added, active=active))
        effects.actions.append(record)
        if _among(cause, warned):
            effects.warnings.add(record.action_id)
        if days := cause.loaded.policy.preserve_days:
            effects.preserved[record.action_id] = case.now_ms + days * DAY
        account.remember(
            InForce(
                record.action_id,
                action.kind,
                target.type,
                target.id,
                action.label or action.mode or "",
                expires_ms(case, action),
                content_in(case, target),
            ),
            case.now_ms,
        )
    return weight


def strikes_about(account: Account, post_id: str | None, now_ms: int) -> int:
    """The strikes that count for a post already, when it is judged anew or by something else; of no post none."""
    if post_id is None:
        return 0
    about = {
        known.action_id
        for known in account.actions
        if known.subject_type == "post" and known.subject_id == post_id
    }
    return sum(s.weight for s in account.strikes if s.action_id in about and s.expires > now_ms)


def own_strikes(account: Account, case: Case) -> list[Strike]:
    """The strikes in force that the same cause led to before."""
    if not case.same:
        return []
    names = {action.action_id for action in case.same}
    return [s for s in account.strikes if s.action_id in names and s.expires > case.now_ms]


def take_back_warning(account: Account, action: Enforcement) -> None:
    """Forgets the warning that an action gave, where it gave one: whoever was wronged has not been warned."""
    if account.warned.get(action.policy) == _milliseconds(action.decided_at):
        del account.warned[action.policy]


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def _among(judgement: Judgement, others: list[Judgement]) -> bool:
    return any(judgement is other for other in others)


def _proposals(
    case: Case, held: list[tuple[_Step, str]], warned: list[Judgement], account: Account, added: int
) -> Iterator[QueueItem]:
    """An item for each action that waits for a person. Together with what went out they are worth one strike."""
    for step, reason in held:
        judgement, policy = step.judgement, step.judgement.loaded.policy
        worth = 0 if _among(judgement, warned) else max(0, step.rung.strikes - added)
        added += worth
        strikes = Strikes(added=worth, active=account.active_strikes(case.now_ms))
        proposed = record_of(case, judgement, step.action, step.target, strikes)
        if reason == "breaker":
            yield item_of(case, judgement, reason, proposed, policy.review.priority)
        else:
            priority = max(_GUARDED_PRIORITY, policy.review.priority)
            yield item_of(case, judgement, reason, proposed, priority, about=step.target)
