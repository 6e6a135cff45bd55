"""Policies and verdicts in words: ladders, consequences, scores."""

from __future__ import annotations

from typing import Any

from worker.engine.contract import Evidence
from worker.engine.policy import Policy, PolicyAction, Rung

OUTCOME_STYLES = {
    "violation": "bold red",
    "review": "bold yellow",
    "at_risk": "bold cyan",
    "clear": "green",
    "abstain": "dim",
    "failed": "bold magenta",
}


def action(planned: PolicyAction) -> str:
    """One action of a ladder: `label limited-visibility`, `suspend read_only 12 h`."""
    words: list[str] = [planned.kind]
    words += [word for word in (planned.label, planned.mode) if word is not None]
    if planned.duration_hours is not None:
        words.append(f"{planned.duration_hours} h")
    return " ".join(words)


def rung(step: Rung) -> str:
    """One rung: `≥ 0.90, 2 strikes of its own or 3 in all: remove + suspend read_only 168 h`."""
    when = f"≥ {step.score:.2f}"
    if step.same_policy_strikes and step.active_strikes:
        when += f", {step.same_policy_strikes} strikes of its own or {step.active_strikes} in all"
    elif step.repeated:
        own = " of its own" if step.same_policy_strikes else ""
        when += f", {step.same_policy_strikes or step.active_strikes} strikes{own}"
    warned = "" if step.warn_below is None else f" (first < {step.warn_below:.2f}: warned)"
    return f"{when}: " + " + ".join(action(planned) for planned in step.actions) + warned


def ladder(policy: Policy) -> str:
    """Every rung on a line of its own, mildest first."""
    return "\n".join(rung(step) for step in policy.ladder)


def place(item: Evidence) -> str:
    """Where evidence was seen: its field, with the span when it has one."""
    return item.field if item.start is None else f"{item.field} {item.start}–{item.end}"


def evidence(item: Evidence) -> dict[str, Any]:
    """Evidence as JSON."""
    return {
        "signal": item.signal,
        "field": item.field,
        "start": item.start,
        "end": item.end,
        "score": round(item.score, 6),
        "detail": item.detail,
    }


def number(score: float | None) -> str:
    """A score as shown: two digits, a dash when there is none."""
    return "–" if score is None else f"{score:.2f}"
