from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from worker.engine.chain import Judgement
from worker.engine.contract import Evidence
from worker.engine.decide import NOTHING, decide, rung_of, strength
from worker.engine.policy import PolicyAction, Rung
from worker.engine.registry import Pack

LABEL = PolicyAction(kind="label", label="misleading")
REMOVE = PolicyAction(kind="remove")
SUSPENSIONS = [
    PolicyAction(kind="suspend", mode="verify"),
    PolicyAction(kind="suspend", mode="edit_required"),
    PolicyAction(kind="suspend", mode="read_only", duration_hours=12),
    PolicyAction(kind="suspend", mode="read_only", duration_hours=24),
    PolicyAction(kind="suspend", mode="read_only"),
    PolicyAction(kind="suspend", mode="suspended", duration_hours=1),
    PolicyAction(kind="suspend", mode="suspended"),
]

Make = Callable[..., Judgement]


@pytest.fixture
def make(pack: Pack) -> Make:
    """A judgement by a policy like the plain one, with some of its parts changed."""

    def judgement(
        outcome: str = "violation",
        score: float = 0.9,
        *,
        policy_id: str = "violence",
        ladder: tuple[Rung, ...] | None = None,
        status: str = "enforce",
        doubtful: bool = False,
    ) -> Judgement:
        changes: dict[str, Any] = {"id": policy_id, "status": status}
        if ladder is not None:
            changes["ladder"] = ladder
        policy = pack.policies[0].policy.model_copy(update=changes)
        evidence = (Evidence("made.word", "text", 0, 1, score),)
        return Judgement(
            replace(pack.policies[0], policy=policy), outcome, score, evidence, doubtful=doubtful
        )

    return judgement


def ladder(*actions: PolicyAction) -> tuple[Rung, ...]:
    return (Rung(score=0.7, actions=actions),)


def test_actions_are_ordered_by_kind_then_mode_then_time() -> None:
    ordered = [LABEL, REMOVE, *SUSPENSIONS]
    ranks = [strength(action) for action in ordered]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize(
    ("score", "strikes", "rung"),
    [
        (0.7, 0, 0),
        (0.79, 9, 0),
        (0.8, 0, 1),
        (0.8, 1, 1),
        (0.8, 2, 2),
        (0.949, 2, 2),
        (0.95, 0, 3),
        (1, 9, 3),
    ],
)
def test_the_last_rung_that_score_and_strikes_reach_decides(
    make: Make, score: float, strikes: int, rung: int
) -> None:
    judgement = make(score=score)
    assert rung_of(judgement, strikes) is judgement.loaded.policy.ladder[rung]


def test_nothing_to_say_is_clear(make: Make) -> None:
    quiet = [make("clear", 0.0), make("abstain", 0.0), make("clear", 0.3)]
    assert decide(quiet, 0) is NOTHING
    assert decide([], 0).outcome == "clear"


def test_shadow_and_draft_verdicts_do_not_count(make: Make) -> None:
    for status in ("shadow", "draft"):
        ignored = [
            make(status=status),
            make("failed", 0.0, status=status),
            make("clear", 0.5, status=status, doubtful=True),
        ]
        assert decide(ignored, 0) is NOTHING


def test_a_doubt_or_a_failure_is_for_review(make: Make) -> None:
    doubt, failure = make("clear", 0.5, doubtful=True), make("failed", 0.0)
    assert (decide([doubt], 0).outcome, decide([doubt], 0).doubts) == ("review", (doubt,))
    assert (decide([failure], 0).outcome, decide([failure], 0).failures) == ("review", (failure,))
    both = decide([failure, make(), doubt], 0)
    assert (both.outcome, both.doubts, both.failures) == ("violation", (doubt,), (failure,))


def test_the_strictest_action_stands_first_whatever_the_order(make: Make) -> None:
    judgements = [
        make(policy_id="violence", ladder=ladder(LABEL), score=1.0),
        make(policy_id="copyright", ladder=ladder(REMOVE), score=0.7),
        make(policy_id="illegal-goods", ladder=ladder(LABEL, SUSPENSIONS[0]), score=0.71),
    ]
    for order in permutations(judgements):
        ruling = decide(order, 0)
        assert [j.loaded.policy.id for j, _ in ruling.violations] == [
            "illegal-goods",
            "copyright",
            "violence",
        ]


def test_between_equal_actions_the_higher_score_and_then_the_policies_order_decide(make: Make) -> None:
    first, second = make(policy_id="violence", score=0.8), make(policy_id="copyright", score=0.8)
    assert [j for j, _ in decide([first, second], 0).violations] == [first, second]
    assert [j for j, _ in decide([second, first], 0).violations] == [second, first]
    higher = make(policy_id="trademark", score=0.81)
    assert [j for j, _ in decide([first, second, higher], 0).violations] == [higher, first, second]


@pytest.mark.parametrize(
    ("active", "of_policy", "reached"),
    [(0, 0, 0), (1, 1, 1), (2, 0, 0), (3, 0, 1), (3, 3, 1), (9, 4, 2), (9, 0, 1)],
)
def test_strikes_under_the_policy_itself_weigh_more(
    make: Make, active: int, of_policy: int, reached: int
) -> None:
    rungs = (
        Rung(score=0.7, actions=(REMOVE,)),
        Rung(score=0.7, active_strikes=4, same_policy_strikes=2, actions=(REMOVE, SUSPENSIONS[2])),
        Rung(score=0.7, same_policy_strikes=5, actions=(REMOVE, SUSPENSIONS[-1])),
    )
    judgement = make(ladder=rungs)
    assert rung_of(judgement, active, of_policy) is rungs[reached]
    ((_, rung),) = decide([judgement], active, {"violence": of_policy, "copyright": 9}).violations
    assert rung is rungs[reached]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"actions": [{"kind": "suspend", "mode": "verify"}]}, "a rung that suspends"),
        ({"queue": "zero_tolerance"}, "a rung that suspends, or that a person looks at"),
        ({"active_strikes": 2}, "repeated offences"),
        ({"same_policy_strikes": 2}, "repeated offences"),
        ({"strikes": 0}, "without strikes"),
        ({"warn_below": 0.7}, "must be above the rung's score"),
    ],
)
def test_only_a_mild_rung_for_first_offences_can_warn(changes: dict[str, Any], reason: str) -> None:
    mild = {"score": 0.7, "warn_below": 0.8, "actions": [{"kind": "remove"}]}
    assert Rung.model_validate(mild).warn_below == 0.8
    with pytest.raises(ValueError, match=reason):
        Rung.model_validate({**mild, **changes})
