"""A pack that is only asked: what it would have found beside what the pack in force found, and nothing follows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from worker.engine.chain import Chain
from worker.engine.contract import Subject
from worker.engine.records import Judged
from worker.signals.measured import MeasuredSignals


def compare(
    base: Chain,
    candidate: Chain,
    subjects: Sequence[Subject],
    before: Sequence[MeasuredSignals],
    after: Sequence[MeasuredSignals],
    times: Sequence[datetime],
    judged: Judged,
) -> None:
    """Counts the verdicts of two packs on the same subjects, and where one finds a violation that the other does not.

    What an account did before (strikes, behaviour, memory of media) is the pack in force's alone: the rules of both
    are compared on the subject as it is.

    Args:
        base: the rules in force.
        candidate: those that are tried.
        subjects: whom both are asked about.
        before: what the base's pack measured on each of them.
        after: what the candidate's pack measured.
        times: of their records.
        judged: where it is counted.
    """
    for subject, was, now, time in zip(subjects, before, after, times, strict=True):
        found = {
            "base": _notable(base, subject, was, time),
            "candidate": _notable(candidate, subject, now, time),
        }
        for role, verdicts in found.items():
            for policy, outcome in verdicts.items():
                judged.count("moderator_rollout_verdicts_total", role, policy, outcome)
        violated = [
            {policy for policy, outcome in found[role].items() if outcome == "violation"}
            for role in ("base", "candidate")
        ]
        for policy in violated[1] - violated[0]:
            judged.count("moderator_rollout_changes_total", policy, "appears")
        for policy in violated[0] - violated[1]:
            judged.count("moderator_rollout_changes_total", policy, "vanishes")


def _notable(chain: Chain, subject: Subject, signals: MeasuredSignals, time: datetime) -> dict[str, str]:
    """The outcome of each policy that says more than clear, by its id."""
    if chain.silent(signals):
        return {}
    return {
        judgement.loaded.policy.id: judgement.outcome
        for judgement in chain.run(subject, signals, time)
        if judgement.notable
    }
