"""What a rights-holder's report claims about the subject."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

MEANINGS = {
    "rights.copyright": "A rights-holder states in good faith that it infringes a copyright.",
    "rights.trademark": "A rights-holder states in good faith that it infringes a trademark.",
    "rights.trusted": "The rights-holder's report comes from a trusted flagger and names owner and work.",
}


class RightsObserver(PlainObserver):
    """Reports the right that a report stands on; without the statement of good faith it stands on none."""

    meanings = MEANINGS
    on_plain_posts = False

    def applies(self, subject: Subject) -> bool:
        """Subjects that a report of a right brought here."""
        return subject.report is not None

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """At most the right and that the reporter is trusted."""
        report = subject.report
        if report is None or report.rights is None or not report.rights.good_faith:
            return []
        hits = []
        if report.rights.basis is not None:
            hits.append(Hit(f"rights.{report.rights.basis}", "report.rights", None, None))
        named = all((text or "").strip() for text in (report.rights.owner, report.rights.work))
        # Trust is in who reports; what is claimed must be said, and nobody is trusted about themselves.
        if report.trusted and named and report.reporter_id != report.account_id:
            hits.append(Hit("rights.trusted", "report.trusted", None, None))
        return hits


OBSERVER = RightsObserver()
