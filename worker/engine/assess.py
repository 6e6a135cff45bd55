"""Judges posts without state: what `check`, `score` and `evaluate` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.posts import Post
from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Subject
from worker.engine.decide import Ruling, decide, strength
from worker.engine.policy import POLICY_IDS, PolicyAction
from worker.engine.registry import Pack
from worker.engine.subjects import post_subject


@dataclass(frozen=True, slots=True)
class Assessment:
    """What would be decided about one post by an account without a record.

    `judgements` holds one entry for each policy that runs, shadow ones included, in the contract's order.
    `learned` holds the trained models' scores by policy, also those too low to matter.
    """

    subject: Subject
    judgements: tuple[Judgement, ...]
    ruling: Ruling
    learned: Mapping[str, float]

    @property
    def outcome(self) -> str:
        """`clear`, `violation` or `review`; shadow policies do not count."""
        return self.ruling.outcome

    def word(self, policy: str) -> tuple[str, float] | None:
        """What one policy said, with its score; None where it did not run."""
        found = next((j for j in self.judgements if j.loaded.policy.id == policy), None)
        return None if found is None else (found.word, found.score)

    @property
    def scores(self) -> dict[str, float | None]:
        """The score of all nineteen policies; None where a policy abstained, failed or is not in force.

        Below what any rule says, a score is what the trained models think of the text.
        """
        scores: dict[str, float | None] = dict.fromkeys(POLICY_IDS)
        for judgement in self.judgements:
            if judgement.enforced and judgement.outcome in {"clear", "violation"}:
                policy = judgement.loaded.policy.id
                scores[policy] = round(max(judgement.score, self.learned.get(policy, 0.0)), 6)
        return scores

    @property
    def actions(self) -> tuple[tuple[str, str], ...]:
        """`(kind, policy)` of the actions, at most one a kind, label before remove before suspend."""
        return tuple((action.kind, policy) for action, policy in self.strictest)

    @property
    def strictest(self) -> tuple[tuple[PolicyAction, str], ...]:
        """The actions as the ladders have them, each with its policy; at most one a kind, in the same order."""
        chosen: dict[str, tuple[PolicyAction, str]] = {}
        for judgement, rung in self.ruling.violations:
            for action in rung.actions:
                if action.kind not in chosen or strength(action) > strength(chosen[action.kind][0]):
                    chosen[action.kind] = (action, judgement.loaded.policy.id)
        return tuple(chosen[kind] for kind in ("label", "remove", "suspend") if kind in chosen)


class Assessor:
    """Assesses batches of posts with one pack; `drafts` lets draft policies run too (they never count)."""

    def __init__(self, pack: Pack, *, drafts: bool = False) -> None:
        self._pack = pack
        self._chain = Chain(pack.policies, pack.facts, drafts=drafts)

    def assess(self, posts: Sequence[Post]) -> list[Assessment]:
        """One assessment a post, in order."""
        return self.assess_subjects(
            [post_subject(post) for post in posts], [post.created_at for post in posts]
        )

    def assess_subjects(self, subjects: Sequence[Subject], times: Sequence[datetime]) -> list[Assessment]:
        """The same for subjects already made (profiles too), each with the time of its record."""
        measured = self._pack.measure(subjects)
        results = []
        for subject, signals, time in zip(subjects, measured, times, strict=True):
            judgements = self._chain.run(subject, signals, time)
            results.append(Assessment(subject, judgements, decide(judgements, 0), signals.learned or {}))
        return results


def assess(pack: Pack, posts: Sequence[Post]) -> list[Assessment]:
    """One assessment a post, in order; for many batches keep an `Assessor`."""
    return Assessor(pack).assess(posts)
