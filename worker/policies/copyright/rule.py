"""Leaves out media and reports for which the account holds a licence on the consent register."""

from __future__ import annotations

from collections.abc import Iterable

from worker.engine.contract import RuleContext, Subject
from worker.engine.policy import Finding
from worker.engine.scored import ScoredRule
from worker.policies.consent import in_force, item_of, licensed
from worker.signals.view import Hit, Signals

_SCOPES = frozenset({"copyright", "all-works"})
_RIGHTS = frozenset({"rights-report", "trusted-report"})


class Rule(ScoredRule):
    """Scores the policy's findings; a licence covers a file, or with the scope "copyright" the owner's works."""

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The anchors' hits, less the licensed ones."""
        consents = in_force(subject, context)
        for hit in super().hits_of(finding, subject, signals, context):
            if consents:
                if finding.name in _RIGHTS:
                    owner = _owner(subject)
                    if any(
                        c.scope in _SCOPES and c.subject is not None and c.subject.lower() == owner
                        for c in consents
                    ):
                        continue
                item = item_of(subject, hit.field)
                if item is not None and licensed(consents, item, _SCOPES):
                    continue
            yield hit


def _owner(subject: Subject) -> str | None:
    """Who reported the work, in lower case; None without a report that names somebody."""
    rights = None if subject.report is None else subject.report.rights
    return None if rights is None or rights.owner is None else rights.owner.lower()
