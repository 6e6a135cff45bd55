"""What the trained models' signal does to a rule's verdict."""

from __future__ import annotations

from dataclasses import replace

from worker.engine.contract import CLEAR, Outcome, Verdict
from worker.engine.policy import Policy
from worker.signals.view import Signals


def signal_of(policy: Policy) -> str:
    """The name of the signal that says how likely the models think that a text breaks a policy."""
    return f"learned.{policy.id}"


def unread_of(policy: Policy) -> str:
    """The name of the signal that says that the second model should have read a text, and did not."""
    return f"learned.{policy.id}.unread"


def names_of(policy: Policy) -> frozenset[str]:
    """The signals of the models that a policy listens to; none where it listens to no model."""
    return frozenset() if policy.learned is None else frozenset({signal_of(policy), unread_of(policy)})


def with_models(policy: Policy, verdict: Verdict, signals: Signals, asked: bool = False) -> Verdict:
    """The verdict of a rule and of the models together: the surer of both decides, both are evidence.

    A rule that was `asked` and has a score has weighed the very words that tell, and what excuses them. Where it clears
    them, models that are not sure are not heard, and with those that are it leaves a doubt: a person decides.
    What a rule says of a person at risk stands. A model that finds people at risk (`at_risk`) never turns a
    violation that a rule found into one: it cannot tell who urges from who despairs. What nobody read is a doubt.
    """
    learned = policy.learned
    hits = signals.hits(signal_of(policy), unread_of(policy)) if learned is not None else ()
    if learned is None or not hits:
        return verdict
    helps = learned.at_risk and signal_of(policy) in signals.fired
    score = max(hit.score for hit in hits)
    evidence = tuple(
        sorted(
            (*verdict.evidence, *map(signals.evidence, hits)),
            key=lambda item: (item.field, item.start or 0, item.end or 0, item.signal),
        )
    )
    if verdict.outcome is Outcome.ABSTAIN:
        verdict, asked = CLEAR, False
    if verdict.at_risk or (helps and verdict.outcome is not Outcome.VIOLATION):
        return Verdict(Outcome.CLEAR, max(score, verdict.score), evidence, at_risk=True)
    if asked and verdict.outcome is Outcome.CLEAR and verdict.score > 0.0:
        return (
            replace(verdict, score=max(score, verdict.score), evidence=evidence)
            if score >= policy.threshold
            else verdict
        )
    if score >= policy.threshold and not learned.at_risk:
        # What the policy does not grant to models, strikes must not reach on their word either.
        granted = (
            None if verdict.outcome is Outcome.VIOLATION else frozenset(kind for kind, _ in learned.steps)
        )
        return Verdict(Outcome.VIOLATION, max(score, verdict.score), evidence, granted=granted)
    return replace(verdict, score=max(score, verdict.score), evidence=evidence)
