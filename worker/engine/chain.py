"""Runs the rules over one subject in order, contains each failure, returns all verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.engine.contract import ABSTAIN, CLEAR, Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.facts import Facts
from worker.engine.learned import names_of, with_models
from worker.engine.registry import LoadedPolicy
from worker.signals.view import Signals

MAX_EVIDENCE = 32


@dataclass(frozen=True, slots=True)
class Judgement:
    """One policy's verdict on one subject.

    `outcome` is the verdict's, or `failed` when the rule or a signal that it needs did not work.
    `uncovered` says that the policy does not cover the subject's language; `doubtful` that a person must
    look: the score lies in the review band, or something fired in a language that the policy cannot read.
    `at_risk` says that a person may be in danger. `asked` is False where the rule did not have to run. `granted`
    holds the kinds of action that may follow where not all may: what only a model found.
    """

    loaded: LoadedPolicy
    outcome: str
    score: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    uncovered: bool = False
    doubtful: bool = False
    asked: bool = True
    at_risk: bool = False
    granted: frozenset[str] | None = None

    @property
    def enforced(self) -> bool:
        """Whether this verdict counts; shadow verdicts are recorded only."""
        return self.loaded.policy.status == "enforce"

    @property
    def word(self) -> str:
        """The outcome as people call it: a clear one that a person must look at is `review` or `at_risk`."""
        if self.at_risk:
            return "at_risk"
        return "review" if self.doubtful and self.outcome != "violation" else self.outcome

    @property
    def notable(self) -> bool:
        """Whether it says anything beyond "clear" or a plain abstention."""
        return self.outcome in {"violation", "failed"} or self.score > 0.0


class Chain:
    """The rules of a pack in the contract's order; drafts and retired policies do not run."""

    def __init__(
        self, policies: Sequence[LoadedPolicy], facts: Facts | None = None, *, drafts: bool = False
    ) -> None:
        statuses = {"enforce", "shadow", "draft"} if drafts else {"enforce", "shadow"}
        self._facts = facts if facts is not None else Facts()
        self.policies = tuple(loaded for loaded in policies if loaded.policy.status in statuses)
        self._quiet: dict[tuple[str | None, bool], tuple[Judgement, ...]] = {}
        # What makes a policy look: a signal that its rule waits for, or the models' word.
        self._wakes = tuple(loaded.gate | names_of(loaded.policy) for loaded in self.policies)
        self._gates = frozenset().union(*self._wakes)

    def run(self, subject: Subject, signals: Signals, now: datetime) -> tuple[Judgement, ...]:
        """Judges a subject; one judgement a policy, in order. The same inputs give the same answer."""
        if self.silent(signals):
            return self.quiet(subject.lang, bool(subject.fields))
        context = self.context(now)
        failed, fired = signals.failed, signals.fired
        # Also in a post in which something fired nearly all policies have nothing to say.
        return tuple(
            silent
            if not failed and fired.isdisjoint(wakes)
            else self.judge(loaded, subject, signals, context)
            for loaded, wakes, silent in zip(
                self.policies, self._wakes, self.quiet(subject.lang, bool(subject.fields)), strict=True
            )
        )

    def silent(self, signals: Signals) -> bool:
        """Whether nothing that any rule waits for fired, and nothing failed, so that `quiet` is the answer."""
        return not signals.failed and signals.fired.isdisjoint(self._gates)

    def quiet(self, lang: str | None, has_text: bool) -> tuple[Judgement, ...]:
        """The judgements of a subject in which nothing fired, shared between all such subjects."""
        key = (lang, has_text)
        known = self._quiet.get(key)
        if known is None:
            known = tuple(_unfired(loaded, lang, has_text) for loaded in self.policies)
            if len(self._quiet) < 1_000:  # languages come from outside: bound what they can fill
                self._quiet[key] = known
        return known

    def context(self, now: datetime) -> RuleContext:
        """What the rules may know beyond a subject at this time."""
        return RuleContext(now, self._facts)

    def judge(
        self, loaded: LoadedPolicy, subject: Subject, signals: Signals, context: RuleContext
    ) -> Judgement:
        """One policy's judgement; whatever its rule raises becomes a failure."""
        rule, policy = loaded.rule, loaded.policy
        learned = names_of(policy)
        broken = signals.failed & rule.needs
        if broken:
            return _failed(loaded, f"the signal {min(broken)} could not be measured")
        if signals.failed & learned:
            return self._without_models(loaded, subject, signals, context)
        asked = not signals.fired.isdisjoint(loaded.gate)
        if not asked and signals.fired.isdisjoint(learned):
            return _unfired(loaded, subject.lang, bool(subject.fields))
        try:
            verdict = rule.evaluate(subject, signals, context) if asked else CLEAR
            verdict = with_models(policy, verdict, signals, asked)
            _check(verdict, subject)
        except Exception as error:  # noqa: BLE001  # one rule's fault must not silence the others; it is counted and reviewed
            return _failed(loaded, f"the rule raised {type(error).__name__}")
        score, evidence = verdict.score, verdict.evidence[:MAX_EVIDENCE]
        if verdict.outcome is Outcome.ABSTAIN:
            return Judgement(loaded, "abstain", uncovered=not policy.covers(subject.lang))
        if verdict.at_risk:
            # Whatever the language, and whether or not the rule can read all of it: a person looks, nobody is punished.
            uncovered = not policy.covers(subject.lang)
            return Judgement(loaded, "clear", score, evidence, uncovered, doubtful=True, at_risk=True)
        # Both must say so: a rule that clears what scores high leaves a doubt, and a person decides.
        violation = verdict.outcome is Outcome.VIOLATION and score >= policy.threshold
        outcome = "violation" if violation else "clear"
        if not policy.covers(subject.lang):
            trusted = any(item.signal not in signals.uncovered for item in evidence)
            if outcome == "clear" or not trusted:
                # The rule cannot read this language: it neither clears nor convicts, a person does.
                return Judgement(
                    loaded, "abstain", score, evidence, uncovered=True, doubtful=score >= policy.review.score
                )
        doubtful = outcome == "clear" and score >= policy.review.score
        return Judgement(loaded, outcome, score, evidence, doubtful=doubtful, granted=verdict.granted)

    def _without_models(
        self, loaded: LoadedPolicy, subject: Subject, signals: Signals, context: RuleContext
    ) -> Judgement:
        """What a model failed on: what the rule is sure of stands, whatever else it says is not known to be clear."""
        deaf = replace(loaded, policy=loaded.policy.model_copy(update={"learned": None}))
        found = self.judge(deaf, subject, signals, context)
        if found.outcome in {"violation", "failed"} or found.at_risk:
            return replace(found, loaded=loaded)
        return _failed(loaded, "a trained model failed on it")


def _failed(loaded: LoadedPolicy, detail: str) -> Judgement:
    """A failure, which says what failed to whoever reviews the subject and mends the rule."""
    return Judgement(
        loaded, "failed", evidence=(Evidence("engine.rule-failed", "record", None, None, 0.0, detail),)
    )


def _unfired(loaded: LoadedPolicy, lang: str | None, has_text: bool) -> Judgement:
    if not loaded.policy.covers(lang):
        return Judgement(loaded, ABSTAIN.outcome.value, uncovered=True, asked=False)
    return Judgement(loaded, CLEAR.outcome.value if has_text else ABSTAIN.outcome.value, asked=False)


def _check(verdict: Verdict, subject: Subject) -> None:
    """Refuses nonsense from a rule, so that it counts as failed and not as a verdict."""
    if not isinstance(verdict, Verdict) or not isinstance(verdict.outcome, Outcome):
        raise TypeError("a rule returns a Verdict")
    if not 0.0 <= verdict.score <= 1.0:
        raise ValueError("a score lies in 0..1")
    if verdict.outcome is Outcome.VIOLATION and (verdict.at_risk or not verdict.evidence):
        raise ValueError("a violation carries evidence, and nobody at risk is in violation")
    for item in verdict.evidence:
        # What the records' models would refuse must fail here, where it is this rule's failure alone.
        if not isinstance(item, Evidence) or not 0.0 <= item.score <= 1.0:
            raise ValueError("evidence scores in 0..1")
        span = (item.start, item.end)
        if span == (None, None):
            continue
        if item.start is None or item.end is None or not 0 <= item.start <= item.end:
            raise ValueError("evidence has a span or none")
        text = subject.fields.get(item.field)
        if text is not None and item.end > len(text):
            raise ValueError("evidence lies inside its field")
