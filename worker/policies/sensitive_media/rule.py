"""Grades what classifiers and authors say of media: sure, doubtful or nothing; the rest is the policy file's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from worker.engine.contract import RuleContext, Subject
from worker.engine.policy import Finding, Policy
from worker.engine.scored import ScoredRule
from worker.signals.view import Hit, Signals

_UNMARKED = "-in-words"  # findings of this ending read words and ask for media that nobody marked


class Rule(ScoredRule):
    """Adds steps to the scores of classifiers, and words that only count beside unmarked media.

    A finding with `<name>-sure` and `<name>-doubt` in the parameters takes its anchors' scores in two steps: what
    reaches the first counts in full, what reaches the second by `doubtful`, what is below does not count. So a label
    does not become a removal because a classifier is very sure of what only needs a label.

    Raises:
      ValueError: a finding has one of the two parameters alone, or needs `doubtful` and there is none.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self._steps: dict[str, tuple[float, float]] = {}
        values = policy.parameters
        for finding in policy.findings:
            sure, doubt = values.get(f"{finding.name}-sure"), values.get(f"{finding.name}-doubt")
            if (sure is None) != (doubt is None):
                raise ValueError(f"{finding.name} needs both {finding.name}-sure and {finding.name}-doubt")
            if sure is not None and doubt is not None:
                self._steps[finding.name] = (sure, doubt)
        self._doubtful = values.get("doubtful", -1.0)
        if self._steps and self._doubtful < 0.0:
            raise ValueError("the parameter doubtful is missing")

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The anchors' hits, graded where the finding has steps, or those that stand beside unmarked media."""
        steps = self._steps.get(finding.name)
        if steps is not None:
            return self._graded(signals.hits(*finding.anchor), *steps)
        if finding.name.endswith(_UNMARKED):
            return [hit for hit in signals.hits(*finding.anchor) if _is_unmarked(subject, hit.field)]
        return super().hits_of(finding, subject, signals, context)

    def _graded(self, hits: Iterable[Hit], sure: float, doubt: float) -> Iterator[Hit]:
        for hit in hits:
            if hit.score >= doubt:
                grade = 1.0 if hit.score >= sure else self._doubtful
                yield replace(hit, score=grade, detail=f"{hit.detail or 'classifier'}: {hit.score:.2f}")


def _is_unmarked(subject: Subject, field: str) -> bool:
    """Whether the words of a field speak of media that the author did not mark.

    An item's own words (alternative text, transcript) speak of that item, the post's text of all items.
    """
    post = subject.post
    if post is None or (subject.author is not None and subject.author.sensitive_by_default):
        return False
    if field.startswith("media["):
        index = int(field.removeprefix("media[").partition("]")[0])
        return not post.media[index].marked_sensitive
    return any(not item.marked_sensitive for item in post.media)
