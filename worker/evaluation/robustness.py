"""How much of what is caught in clean spelling is still caught in disguise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from schemas.posts import Post
from worker.engine.assess import Assessor
from worker.evaluation.evasions import DEFAULT_SHARE, EVASIONS
from worker.evaluation.figures import Ratio

FLAGGED = frozenset({"violation", "review", "at_risk"})  # acted on, or looked at by a person
_MISSED_LIMIT = 5  # texts kept of each kind


class Robustness:
    """Disguises posts that were caught and judges them again, each kind of `EVASIONS` once.

    `share` is how much of the content words is disguised; `seed` picks which, the same ones every time.
    """

    def __init__(self, assessor: Assessor, *, share: float = DEFAULT_SHARE, seed: int = 0) -> None:
        self._assessor = assessor
        self._share = share
        self._seed = seed
        self._kept: Counter[tuple[str, str]] = Counter()
        self._tried: Counter[tuple[str, str]] = Counter()
        self.missed: dict[str, list[str]] = {name: [] for name in EVASIONS}

    def add(self, caught: Sequence[tuple[Post, frozenset[str]]]) -> None:
        """Takes posts, each with the policies that caught it as it stands."""
        for name, evasion in EVASIONS.items():
            disguised = [
                (post.model_copy(update={"text": text}), policies)
                for post, policies in caught
                if (text := evasion.apply(post.text, self._seed, self._share)) != post.text
            ]
            assessments = self._assessor.assess([post for post, _ in disguised])
            for (post, policies), assessment in zip(disguised, assessments, strict=True):
                for policy in policies:
                    said = assessment.word(policy)
                    kept = said is not None and said[0] in FLAGGED
                    self._tried[name, policy] += 1
                    self._kept[name, policy] += kept
                    if not kept and len(self.missed[name]) < _MISSED_LIMIT:
                        self.missed[name].append(post.text)

    @property
    def policies(self) -> list[str]:
        """The policies that caught anything, by name."""
        return sorted({policy for _, policy in self._tried})

    def kept(self, kind: str, policy: str | None = None) -> Ratio:
        """Of what one policy (or any) caught in clean spelling, how much it still catches in this kind."""
        keys = [key for key in self._tried if key[0] == kind and policy in {None, key[1]}]
        return Ratio(sum(self._kept[key] for key in keys), sum(self._tried[key] for key in keys))
