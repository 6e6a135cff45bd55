"""Threats of violence, calls for it and its glorification, in English and in the five other languages of the pack.

English hangs an act on an intent that may stand far away ("gonna come over there and kill you"): `english.py` reads
that. Spanish, Portuguese, French, German and Arabic say both in one verb group ("te voy a matar", "ich bring dich
um"), so there the findings of `policy.toml` suffice. The stronger of both decides.
"""

from __future__ import annotations

from worker.engine.contract import Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.engine.scored import ScoredRule
from worker.policies.crowding import doubted
from worker.policies.violence.english import EnglishRule
from worker.signals.view import Signals

_BELOW = 0.01  # under the threshold


class Rule(ScoredRule):
    """Asks the grammar of English and the findings of the policy file; the stronger verdict, the evidence of both.

    In a post that is said to be in another language the English grammar alone leaves a doubt, never a violation: people
    do switch languages, but words look alike across them.
    """

    def __init__(self, policy: Policy) -> None:
        """Reads both halves from the policy.

        Raises:
          KeyError: the policy file lacks a parameter or an expression that the English half reads.
          ValueError: the policy has no finding.
        """
        super().__init__(policy)
        self._english = EnglishRule(policy)
        self.gate = self.gate | EnglishRule.gate
        self.needs = self.needs | EnglishRule.needs

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        """See `worker.engine.contract.RuleProcessor`."""
        found = super().evaluate(subject, signals, context)
        english = self._english.evaluate(subject, signals, context)
        english = doubted(english, signals, EnglishRule.gate, self.policy.review.score)
        if subject.lang not in (None, "und", "en") and self.policy.covers(subject.lang):
            english = Verdict(
                Outcome.CLEAR, min(english.score, self.policy.threshold - _BELOW), english.evidence
            )
        if english.score == 0.0 or found.score == 0.0:
            return max(found, english, key=lambda verdict: verdict.score)
        stronger = max(found, english, key=lambda verdict: verdict.score)
        evidence = dict.fromkeys((*found.evidence, *english.evidence))
        return Verdict(stronger.outcome, stronger.score, tuple(sorted(evidence, key=_place)))


def _place(item: Evidence) -> tuple[str, int, int, str]:
    return item.field, item.start or 0, item.end or 0, item.signal
