"""From verdicts to one decision: the strictest rung wins, ties are broken by policy order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.engine.chain import Judgement
from worker.engine.policy import PolicyAction, Rung

_KIND = {"label": 1, "remove": 2, "suspend": 3}
_MODE = {"verify": 1, "edit_required": 2, "read_only": 3, "suspended": 4}
FOREVER = 1 << 40


def strength(action: PolicyAction) -> tuple[int, int, int]:
    """How strict an action is, for comparison: kind, then mode, then duration."""
    return (_KIND[action.kind], _MODE.get(action.mode or "", 0), action.duration_hours or FOREVER)


def mode_strength(mode: str | None) -> int:
    """How strict a suspension's mode is; 0 for no mode."""
    return _MODE.get(mode or "", 0)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the judgements of one subject add up to.

    `violations` are enforced ones with the rung each one reached, strictest first; `doubts`, `failures` and
    `at_risk` are enforced ones that a person must look at.
    """

    outcome: str  # clear | violation | review
    violations: tuple[tuple[Judgement, Rung], ...] = ()
    doubts: tuple[Judgement, ...] = ()
    failures: tuple[Judgement, ...] = ()
    at_risk: tuple[Judgement, ...] = ()


NOTHING = Ruling("clear")


def rung_of(judgement: Judgement, active_strikes: int, of_policy: int = 0) -> Rung:
    """The last rung of the policy's ladder that a violation's score and the account's strikes reach.

    `active_strikes` counts those before this violation under all policies, `of_policy` those under this one; a rung
    counts its own with them. A rung whose strictest action is not granted is left out.
    """
    granted = judgement.granted
    ladder = [r for r in judgement.loaded.policy.ladder if granted is None or r.strictest in granted]
    reached = ladder[0]
    for rung in ladder:
        if rung.reached(judgement.score, active_strikes, of_policy):
            reached = rung
    return reached


def decide(
    judgements: Sequence[Judgement], active_strikes: int, by_policy: Mapping[str, int] | None = None
) -> Ruling:
    """One ruling from all verdicts. Shadow verdicts do not count; a failed rule is never clear.

    `active_strikes` are the account's before this subject, `by_policy` the same for each policy that has some.
    Where somebody is at risk nothing is done automatically against them, save by policies that protect others
    (`despite_at_risk`): what the others found becomes a doubt.
    """
    at_risk = tuple(j for j in judgements if j.enforced and j.at_risk)
    found = [j for j in judgements if j.enforced and j.outcome == "violation"]
    acting = [j for j in found if not at_risk or j.loaded.policy.despite_at_risk]
    standing = by_policy or {}
    violations = [(j, rung_of(j, active_strikes, standing.get(j.loaded.policy.id, 0))) for j in acting]
    held = [j for j in found if j not in acting]
    doubts = (*held, *(j for j in judgements if j.enforced and j.doubtful and not j.at_risk))
    failures = tuple(j for j in judgements if j.enforced and j.outcome == "failed")
    if not (violations or doubts or failures or at_risk):
        return NOTHING
    # A stable sort keeps the policies' order between equals.
    violations.sort(key=lambda pair: (max(strength(a) for a in pair[1].actions), pair[0].score), reverse=True)
    outcome = "violation" if violations else "review"
    return Ruling(outcome, tuple(violations), doubts, failures, at_risk)
