"""Leaves out reports and media for which the account is authorised on the consent register."""

from __future__ import annotations

from collections.abc import Iterable

from worker.engine.contract import RuleContext, Subject
from worker.engine.policy import Finding
from worker.engine.scored import ScoredRule
from worker.policies.consent import in_force, item_of, licensed
from worker.signals.view import Hit, Signals

_SCOPES = frozenset({"trademark", "authorised-dealer"})


class Rule(ScoredRule):
    """Scores the policy's findings; an authorised dealer's posts and files are left alone.

    Authority is by file, or by scope "trademark" or "authorised-dealer" for the holder whom a report names. What an
    account says of its own goods ("1:1 replica") is judged all the same: no holder authorises that.
    """

    def hits_of(
        self, finding: Finding, subject: Subject, signals: Signals, context: RuleContext
    ) -> Iterable[Hit]:
        """The anchors' hits, less those that the register allows."""
        consents = in_force(subject, context)
        holder = _holder(subject)
        for hit in super().hits_of(finding, subject, signals, context):
            if hit.signal.startswith("rights.") and any(
                c.scope in _SCOPES and c.subject is not None and c.subject.lower() == holder for c in consents
            ):
                continue
            item = item_of(subject, hit.field) if hit.start is None else None
            if item is None or not licensed(consents, item, _SCOPES):
                yield hit


def _holder(subject: Subject) -> str | None:
    """Who reported the mark, in lower case; None without a report that names somebody."""
    rights = None if subject.report is None else subject.report.rights
    return None if rights is None or rights.owner is None else rights.owner.lower()
