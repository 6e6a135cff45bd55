"""A rule and the models together: the surer decides, and nobody at risk is punished."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from worker.engine.contract import ABSTAIN, CLEAR, Evidence, Outcome, Verdict
from worker.engine.learned import unread_of, with_models
from worker.engine.policy import Learned, Policy
from worker.engine.registry import Pack
from worker.signals.canonical import canonicalise
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Hit

SEEN = Evidence("made.up", "text", 5, 9, 0.8, "seen by the rule")
FIRES = Verdict(Outcome.VIOLATION, 0.8, (SEEN,))
AT_RISK = Verdict(Outcome.CLEAR, 0.8, (SEEN,), at_risk=True)


@pytest.fixture
def policy(pack: Pack) -> Policy:
    """Threshold 0.7, review from 0.4; a model may have posts removed."""
    return pack.policies[0].policy.model_copy(update={"learned": Learned(band=0.1, review=0.5, remove=0.9)})


def helped(policy: Policy) -> Policy:
    return policy.model_copy(update={"learned": Learned(band=0.1, review=0.5, at_risk=True)})


def signals(policy: Policy, *scores: float) -> MeasuredSignals:
    measured = MeasuredSignals("en", {"text": canonicalise("some text here")})
    for place, score in enumerate(scores):
        measured.learn(Hit(f"learned.{policy.id}", "text", place, place + 4, score, "second model"))
    return measured


def named(verdict: Verdict) -> Sequence[str]:
    return [item.signal for item in verdict.evidence]


def test_without_a_word_of_the_models_the_rule_stands(policy: Policy) -> None:
    for verdict in (FIRES, CLEAR, ABSTAIN, AT_RISK):
        assert with_models(policy, verdict, signals(policy)) is verdict


def test_a_policy_that_does_not_listen_hears_nothing(policy: Policy) -> None:
    deaf = policy.model_copy(update={"learned": None})
    assert with_models(deaf, CLEAR, signals(policy, 0.99)) is CLEAR


@pytest.mark.parametrize("verdict", [CLEAR, ABSTAIN])
def test_a_sure_model_is_a_violation_where_the_rule_saw_nothing(policy: Policy, verdict: Verdict) -> None:
    found = with_models(policy, verdict, signals(policy, 0.85))
    assert (found.outcome, found.score, found.at_risk) == (Outcome.VIOLATION, 0.85, False)
    assert named(found) == [f"learned.{policy.id}"]


def test_an_unsure_model_is_a_doubt(policy: Policy) -> None:
    found = with_models(policy, CLEAR, signals(policy, 0.5))
    assert (found.outcome, found.score) == (Outcome.CLEAR, 0.5)


def test_the_surer_of_both_decides_and_both_are_evidence_in_order(policy: Policy) -> None:
    for score, surer in ((0.95, 0.95), (0.5, 0.8)):
        found = with_models(policy, FIRES, signals(policy, score))
        assert (found.outcome, found.score) == (Outcome.VIOLATION, surer)
        assert named(found) == [f"learned.{policy.id}", "made.up"]


def test_the_highest_of_several_fields_counts(policy: Policy) -> None:
    assert with_models(policy, CLEAR, signals(policy, 0.45, 0.6)).score == 0.6


def test_who_the_rule_finds_at_risk_stays_at_risk(policy: Policy) -> None:
    found = with_models(policy, AT_RISK, signals(policy, 0.99))
    assert (found.outcome, found.at_risk) == (Outcome.CLEAR, True)


def test_a_model_of_people_at_risk_never_makes_a_violation(policy: Policy) -> None:
    for verdict in (CLEAR, ABSTAIN, AT_RISK):
        found = with_models(helped(policy), verdict, signals(policy, 0.99))
        assert (found.outcome, found.at_risk, found.score) == (Outcome.CLEAR, True, 0.99)


def test_a_model_of_people_at_risk_does_not_excuse_who_urges_them_on(policy: Policy) -> None:
    found = with_models(helped(policy), FIRES, signals(policy, 0.6))
    assert (found.outcome, found.at_risk, found.score) == (Outcome.VIOLATION, False, 0.8)


def test_what_nobody_read_is_a_doubt_and_no_reason_to_offer_help(policy: Policy) -> None:
    for listening in (policy, helped(policy)):
        measured = MeasuredSignals("en", {"text": canonicalise("some text here")})
        measured.learn(Hit(unread_of(policy), "text", None, None, policy.review.score, "not read"))
        found = with_models(listening, CLEAR, measured)
        assert (found.outcome, found.score, found.at_risk) == (Outcome.CLEAR, policy.review.score, False)


def test_what_a_rule_read_and_cleared_is_not_doubted_by_models_that_are_not_sure(policy: Policy) -> None:
    excused = Verdict(Outcome.CLEAR, 0.2, (SEEN,))
    assert with_models(policy, excused, signals(policy, 0.65), asked=True) is excused


def test_between_a_rule_that_cleared_and_models_that_are_sure_a_person_decides(policy: Policy) -> None:
    found = with_models(policy, Verdict(Outcome.CLEAR, 0.2, (SEEN,)), signals(policy, 0.95), asked=True)
    assert (found.outcome, found.score) == (Outcome.CLEAR, 0.95)
    assert named(found) == [f"learned.{policy.id}", "made.up"]


def test_a_rule_that_was_asked_and_found_nothing_to_weigh_has_cleared_nothing(policy: Policy) -> None:
    assert with_models(policy, CLEAR, signals(policy, 0.95), asked=True).outcome is Outcome.VIOLATION


def test_a_rule_that_abstains_has_cleared_nothing(policy: Policy) -> None:
    assert with_models(policy, ABSTAIN, signals(policy, 0.95), asked=True).outcome is Outcome.VIOLATION
