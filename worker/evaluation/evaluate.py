"""Judges labelled posts and counts: for each policy, each slice, and for posts presumed to be harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.posts import Post
from worker.engine.assess import Assessment, Assessor
from worker.engine.policy import POLICY_IDS
from worker.engine.registry import Pack
from worker.evaluation.figures import Area, Point, Ratio, area, curve
from worker.evaluation.robustness import FLAGGED, Robustness
from worker.evaluation.rows import BadRowError, Row, read_row

WORST = 20  # errors kept for each policy and kind
_AUTOMATIC = frozenset({"remove", "suspend"})


@dataclass(slots=True)
class Counts:
    """What was decided about rows whose truth is known.

    `acted` counts violations, `flagged` violations and what a person looks at (people at risk among them);
    each by `true` (the row breaks the policy) and `false`.
    """

    positives: int = 0
    negatives: int = 0
    acted_true: int = 0
    acted_false: int = 0
    flagged_true: int = 0
    flagged_false: int = 0

    def add(self, truth: bool, acted: bool, flagged: bool) -> None:
        """Counts one row."""
        if truth:
            self.positives += 1
            self.acted_true += acted
            self.flagged_true += flagged
        else:
            self.negatives += 1
            self.acted_false += acted
            self.flagged_false += flagged

    @property
    def precision(self) -> Ratio:
        """Of what it acted on, how much broke the policy."""
        return Ratio(self.acted_true, self.acted_true + self.acted_false)

    @property
    def recall(self) -> Ratio:
        """Of what broke the policy, how much it acted on."""
        return Ratio(self.acted_true, self.positives)

    @property
    def flagged_precision(self) -> Ratio:
        """The same of what it acted on or sent to a person."""
        return Ratio(self.flagged_true, self.flagged_true + self.flagged_false)

    @property
    def flagged_recall(self) -> Ratio:
        """The same of what it acted on or sent to a person."""
        return Ratio(self.flagged_true, self.positives)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One row that was decided otherwise than it is labelled."""

    row_id: str
    text: str
    score: float
    source: str


@dataclass(slots=True)
class PolicyFigures:
    """One policy's figures. `scored` holds (score, is positive) of all rows whose truth is known."""

    counts: Counts = field(default_factory=Counts)
    scored: list[tuple[float, bool]] = field(default_factory=list)
    slices: dict[tuple[str, str], Counts] = field(default_factory=dict)
    abstained: int = 0
    weak_positives: Counts = field(default_factory=Counts)
    false_alarms: list[Mistake] = field(default_factory=list)
    misses: list[Mistake] = field(default_factory=list)

    @property
    def area(self) -> Area:
        """The area under its precision-recall curve."""
        return area(self.scored)

    @property
    def curve(self) -> list[Point]:
        """Its precision-recall curve."""
        return curve(self.scored)


@dataclass(slots=True)
class BenignFigures:
    """Posts presumed to be harmless: how many were decided against, all policies together."""

    posts: int = 0
    violations: int = 0
    reviews: int = 0
    automatic: int = 0  # removed, or the account suspended, without a person
    by_policy: Counter[str] = field(default_factory=Counter)


class Evaluation:
    """Takes labelled rows in batches and keeps the figures.

    With `evasions`, what was caught is judged again in each kind of disguise: some twenty times the work.
    """

    def __init__(self, pack: Pack, *, evasions: bool = False) -> None:
        self.pack = pack
        self._assessor = Assessor(pack)
        self.robustness = Robustness(self._assessor) if evasions else None
        self.running = [j.policy.id for j in pack.policies if j.policy.status == "enforce"]
        self.policies = {name: PolicyFigures() for name in POLICY_IDS}
        self.benign: dict[str, BenignFigures] = {}
        # (label, what was decided): how often a row that breaks one policy was held against another.
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.rows = 0
        self.bad: list[tuple[int, str]] = []

    def add_lines(self, lines: Sequence[bytes], first: int = 1) -> None:
        """Judges lines of a labelled file; `first` is the number of the first one. Bad ones are noted in `bad`."""
        rows = []
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                rows.append(read_row(line))
            except BadRowError as error:
                self.bad.append((number, str(error)))
        self.add(rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Judges rows and counts what came out."""
        caught: list[tuple[Post, frozenset[str]]] = []
        for row, assessment in zip(rows, self._assessor.assess([row.post for row in rows]), strict=True):
            self.rows += 1
            flagged = self._count(row, assessment)
            if flagged & row.labels:
                caught.append((row.post, flagged & row.labels))
        if self.robustness is not None and caught:
            self.robustness.add(caught)

    def _count(self, row: Row, assessment: Assessment) -> frozenset[str]:
        """Counts one row; returns the policies that it was acted on or sent to a person for."""
        words: dict[str, tuple[str, float]] = {
            j.loaded.policy.id: (j.word, j.score) for j in assessment.judgements if j.enforced
        }
        # An uncovered language is an abstention also where something fired in it and a person looks.
        abstained = {j.loaded.policy.id for j in assessment.judgements if j.outcome == "abstain"}
        flagged = frozenset(name for name, (word, _) in words.items() if word in FLAGGED)
        for name, (word, score) in words.items():
            figures = self.policies[name]
            truth = row.truth(name)
            acted = word == "violation"
            if truth is None:
                if name in row.weak and name in row.labels:
                    figures.weak_positives.add(True, acted, name in flagged)
                continue
            figures.abstained += name in abstained
            figures.counts.add(truth, acted, name in flagged)
            figures.scored.append((score, truth))
            for kind in row.slices.items():
                figures.slices.setdefault(kind, Counts()).add(truth, acted, name in flagged)
            self._note(figures, row, truth, score, acted)
        for label in row.labels:
            for name in flagged - row.labels:
                self.confusion[label, name] += 1
            self.confusion[label, label if label in flagged else "nothing"] += 1
        if row.presumed_benign:
            self._count_benign(row, assessment, words)
        return flagged

    def _count_benign(self, row: Row, assessment: Assessment, words: Mapping[str, tuple[str, float]]) -> None:
        figures = self.benign.setdefault(row.slices.get("source", "unnamed"), BenignFigures())
        figures.posts += 1
        figures.violations += assessment.outcome == "violation"
        figures.reviews += assessment.outcome == "review"
        figures.automatic += any(kind in _AUTOMATIC for kind, _ in assessment.actions)
        figures.by_policy.update(name for name, (word, _) in words.items() if word == "violation")

    def _note(self, figures: PolicyFigures, row: Row, truth: bool, score: float, acted: bool) -> None:
        if truth == acted:
            return
        mistake = Mistake(row.id, row.post.text, score, row.slices.get("source", ""))
        mistakes = figures.misses if truth else figures.false_alarms
        mistakes.append(mistake)
        if len(mistakes) > 50 * WORST:
            worst_first(mistakes, missed=truth)
            del mistakes[WORST:]

    @property
    def all_benign(self) -> BenignFigures:
        """The presumed-benign posts of all sources together."""
        total = BenignFigures()
        for figures in self.benign.values():
            total.posts += figures.posts
            total.violations += figures.violations
            total.reviews += figures.reviews
            total.automatic += figures.automatic
            total.by_policy.update(figures.by_policy)
        return total


def worst_first(mistakes: list[Mistake], *, missed: bool) -> None:
    """Sorts false alarms by the highest score, misses by the lowest, each then by id."""
    mistakes.sort(key=lambda one: (one.score if missed else -one.score, one.row_id))
