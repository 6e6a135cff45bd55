"""Texts of which the pack holds a fingerprint."""

from __future__ import annotations

from worker.engine.contract import Subject
from worker.engine.facts import Facts
from worker.engine.policy import POLICY_IDS
from worker.signals.fingerprints import MIN_CHARACTERS
from worker.signals.observers import PlainObserver
from worker.signals.view import Hit

MEANINGS = {
    f"text-print.{policy}": f"The text was taken from one that {policy} keeps a fingerprint of."
    for policy in POLICY_IDS
}


class PrintObserver(PlainObserver):
    """Looks long texts up among the prints; the score is the share of the text, or of the print, that is found."""

    meanings = MEANINGS

    def ready(self, facts: Facts) -> bool:
        """Only with a print there is anything to find."""
        return bool(facts.prints)

    def applies(self, subject: Subject) -> bool:
        """Where a text is long enough to be recognised."""
        return any(len(text) >= MIN_CHARACTERS for text in subject.fields.values())

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """For each field the best print of each policy."""
        hits: dict[tuple[str, str], Hit] = {}
        for field, text in subject.fields.items():
            for match in facts.fingerprints.find(text):
                hit = Hit(
                    f"text-print.{match.policy}", field, None, None, match.score, f"print {match.print}"
                )
                hits.setdefault((hit.signal, field), hit)
        return list(hits.values())


OBSERVER = PrintObserver()
