from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.base import encode
from schemas.enforcement import RecordRef
from tests.worker.engine.helpers import START
from worker.engine.breakers import Breakers
from worker.engine.chain import Judgement
from worker.engine.contract import Evidence, Subject
from worker.engine.decide import decide
from worker.engine.enforce import Case, Effects, enforce
from worker.engine.ids import action_id
from worker.engine.policy import Breaker, PolicyAction, Rung
from worker.engine.registry import Pack
from worker.engine.state import REMEMBERED_ITEMS, Account
from worker.engine.times import LAST

MISLEADING = PolicyAction(kind="label", label="misleading")
GRAPHIC = PolicyAction(kind="label", label="graphic-media")
REMOVE = PolicyAction(kind="remove")


def suspend(mode: str, hours: int | None = None) -> PolicyAction:
    return PolicyAction.model_validate({"kind": "suspend", "mode": mode, "duration_hours": hours})


Make = Callable[..., Judgement]


@pytest.fixture
def make(pack: Pack) -> Make:
    """A violation (or what is said) by a policy with these actions."""

    def judgement(*actions: PolicyAction, policy_id: str = "violence", **more: Any) -> Judgement:
        policy = pack.policies[0].policy.model_copy(
            update={
                "id": policy_id,
                "breaker": more.get("breaker", Breaker()),
                "ladder": (Rung(score=0.7, actions=actions or (REMOVE,), strikes=more.get("strikes", 1)),),
            }
        )
        evidence = more.get("evidence", (Evidence("made.word", "text", 0, 3, 0.9, "a word"),))
        return Judgement(
            replace(pack.policies[0], policy=policy),
            more.get("outcome", "violation"),
            more.get("score", 0.9),
            evidence,
            doubtful=more.get("doubtful", False),
        )

    return judgement


@dataclass
class Court:
    """One account before one partition's breakers."""

    account: Account = field(default_factory=Account)
    breakers: Breakers = field(default_factory=Breakers)

    def rule(
        self, *judgements: Judgement, post: str = "1", hours: float = 0.0, about: Subject | None = None,
        now: datetime | None = None,
    ) -> Effects:  # fmt: skip
        now = now or START + timedelta(hours=hours)
        subject = about or Subject("post", post, "u1", {"text": "zap"})
        now_ms = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        ref = RecordRef(topic="posts", partition=0, offset=7)
        case = Case(subject, ref, subject.id, now, now_ms, "made-1")
        ruling = decide(judgements, self.account.active_strikes(now_ms))
        return enforce(case, ruling, self.account, self.breakers)


def kinds(effects: Effects) -> list[tuple[str, str]]:
    return [(action.kind, action.policy) for action in effects.actions]


def test_an_action_carries_all_that_the_contract_promises(make: Make) -> None:
    (action,) = Court().rule(make(REMOVE)).actions
    assert action.action_id == action_id("remove", "apply", "post", "1", "violence", 3, "1")
    assert (action.policy, action.policy_version, action.clause) == ("violence", 3, "You may not zap.")
    assert (action.pack, action.source, action.operation) == ("made-1", "automated", "apply")
    assert (action.decided_at, action.expires_at, action.post_id) == (START, None, "1")
    assert [(e.signal, e.start, e.end) for e in action.evidence] == [("made.word", 0, 3)]


def test_one_action_a_kind_and_subject_by_the_strictest_policy(make: Make) -> None:
    effects = Court().rule(
        make(MISLEADING, REMOVE),
        make(REMOVE, suspend("read_only", 12), policy_id="copyright"),
        make(suspend("suspended"), policy_id="trademark"),
    )
    assert sorted(kinds(effects)) == [
        ("label", "violence"),
        ("remove", "copyright"),
        ("suspend", "trademark"),
    ]


def test_a_suspension_is_about_the_account_and_the_rest_about_the_post(make: Make) -> None:
    effects = Court().rule(make(MISLEADING, REMOVE, suspend("verify")))
    assert {action.kind: (action.subject.type, action.subject.id) for action in effects.actions} == {
        "label": ("post", "1"),
        "remove": ("post", "1"),
        "suspend": ("account", "u1"),
    }


def test_a_profile_is_acted_on_field_by_field(make: Make) -> None:
    evidence = tuple(
        Evidence("made.word", f, 0, 1, 0.9) for f in ("profile.bio", "profile.handle", "profile.bio")
    )
    about = Subject("account", "u1", "u1", {"profile.bio": "zap", "profile.handle": "zap"})
    effects = Court().rule(make(REMOVE, evidence=evidence), about=about)
    assert [action.subject.id for action in effects.actions] == ["u1/bio", "u1/handle"]
    assert {action.post_id for action in effects.actions} == {None}


@pytest.mark.parametrize(
    ("standing", "wanted", "again"),
    [
        (REMOVE, REMOVE, False),
        (MISLEADING, MISLEADING, False),
        (MISLEADING, GRAPHIC, False),  # of one policy, kind and cause: by the contract the same action id
        (suspend("read_only", 12), suspend("read_only", 12), True),  # an hour later, so it ends later
        (suspend("read_only", 12), suspend("read_only", 11), False),
        (suspend("read_only", 12), suspend("read_only"), True),
        (suspend("read_only"), suspend("read_only", 12), False),
        (suspend("read_only"), suspend("suspended", 12), True),  # stricter counts, whatever its end
        (suspend("suspended", 12), suspend("read_only", 6), False),
        (suspend("read_only", 12), suspend("suspended", 24), True),
        (suspend("suspended"), suspend("suspended"), False),
    ],
)  # fmt: skip
def test_what_is_in_force_is_only_followed_by_what_is_stricter_or_longer(
    make: Make, standing: PolicyAction, wanted: PolicyAction, again: bool
) -> None:
    court = Court()
    court.rule(make(standing))
    # Suspensions come from another post: the same cause gives the same action id, which is never given twice.
    effects = court.rule(make(wanted), hours=1, post="2" if wanted.kind == "suspend" else "1")
    assert bool(effects.actions) is again


def test_what_stands_already_adds_no_strike(make: Make) -> None:
    court = Court()
    assert [a.strikes.active for a in court.rule(make(REMOVE)).actions] == [1]
    court.rule(make(REMOVE), hours=1)
    (action,) = court.rule(make(REMOVE), post="2", hours=2).actions
    assert (action.strikes.added, action.strikes.active) == (1, 2)


def test_the_strike_of_a_record_stands_on_its_first_action_only(make: Make) -> None:
    effects = Court().rule(make(REMOVE, suspend("verify"), strikes=2))
    assert [action.strikes.added for action in effects.actions] == [2, 0]
    assert {action.strikes.active for action in effects.actions} == {2}


def test_an_action_above_the_quota_is_held_for_review_and_adds_no_strike(make: Make) -> None:
    court = Court()
    held = court.rule(make(REMOVE, breaker=Breaker(remove=0)))
    assert held.actions == []
    assert held.held == [("violence", "remove")]
    (item,) = held.items
    assert item.reason == "breaker"
    assert item.proposed is not None
    assert (item.proposed.kind, item.proposed.strikes.added) == ("remove", 0)
    assert court.account.strikes == []


def test_a_held_policy_adds_no_strike_through_another_policys_action(make: Make) -> None:
    court = Court()
    effects = court.rule(
        make(REMOVE, breaker=Breaker(remove=0), strikes=5),
        make(MISLEADING, policy_id="copyright", strikes=0),
    )
    assert kinds(effects) == [("label", "copyright")]
    assert court.account.strikes == []
    assert effects.actions[0].strikes.added == 0


def test_a_policy_whose_action_stands_already_adds_no_second_strike(make: Make) -> None:
    court = Court()
    court.rule(make(REMOVE))
    effects = court.rule(make(REMOVE), make(MISLEADING, policy_id="copyright", strikes=0), hours=1)
    assert kinds(effects) == [("label", "copyright")]
    assert [(strike.policy, strike.weight) for strike in court.account.strikes] == [("violence", 1)]


def test_each_breaker_counts_its_own_policy_and_kind(make: Make) -> None:
    effects = Court().rule(make(REMOVE, suspend("verify"), breaker=Breaker(suspend=0)))
    assert kinds(effects) == [("remove", "violence")]
    assert effects.held == [("violence", "suspend")]


def test_the_worst_doubt_is_queued_with_what_its_first_rung_would_do(make: Make) -> None:
    doubts = [
        make(MISLEADING, outcome="clear", score=score, doubtful=True, policy_id=policy_id)
        for score, policy_id in ((0.41, "violence"), (0.69, "copyright"))
    ]
    (item,) = Court().rule(*doubts).items
    assert (item.reason, item.policy) == ("uncertain", "copyright")
    assert item.proposed is not None
    assert item.proposed.label == "misleading"
    assert item.due_at == START + timedelta(hours=12)
    assert 50 < item.priority <= 100


def test_a_doubt_is_not_queued_for_what_is_gone_anyway(make: Make) -> None:
    doubt = make(outcome="clear", score=0.5, doubtful=True, policy_id="copyright")
    assert Court().rule(make(REMOVE), doubt).items == []
    assert len(Court().rule(make(MISLEADING), doubt).items) == 1


def test_a_doubt_about_nothing_in_particular_proposes_nothing(make: Make) -> None:
    doubt = make(outcome="clear", score=0.5, doubtful=True, evidence=())
    (item,) = Court().rule(doubt, about=Subject("account", "u1", "u1", {})).items
    assert item.proposed is None
    assert (item.subject.type, item.subject.id, item.post_id) == ("account", "u1", None)


def test_every_failed_rule_is_queued_without_a_proposal(make: Make) -> None:
    failures = [make(outcome="failed", score=0.0, policy_id=p) for p in ("violence", "copyright")]
    effects = Court().rule(make(REMOVE, policy_id="trademark"), *failures)
    assert [(i.reason, i.policy, i.proposed) for i in effects.items] == [
        ("rule_failed", "violence", None),
        ("rule_failed", "copyright", None),
    ]
    assert len({item.item_id for item in effects.items}) == 2


def test_open_items_are_bounded_and_the_oldest_are_let_go(make: Make) -> None:
    court = Court()
    doubt = make(outcome="clear", score=0.5, doubtful=True)
    first = court.rule(doubt, post="first").items[0].item_id
    for number in range(REMEMBERED_ITEMS - 1):
        assert court.rule(doubt, post=str(number)).forgotten == []
    assert court.rule(doubt, post="last").forgotten == [first]
    assert len(court.account.items) == REMEMBERED_ITEMS


def test_a_record_at_the_end_of_time_is_still_judged(make: Make) -> None:
    """What is added to a record's time must fit our own records, whatever its producer claims."""
    doubt = make(outcome="clear", score=0.5, doubtful=True, policy_id="copyright")
    effects = Court().rule(make(suspend("read_only", 12), MISLEADING), now=LAST)
    assert {action.expires_at for action in effects.actions} == {None, LAST}
    (item,) = Court().rule(doubt, now=LAST).items
    assert item.due_at == LAST
    assert all(encode(record) for record in (*effects.actions, item))
    century = Court().rule(make(suspend("read_only", 10**12)))
    assert century.actions[0].expires_at == LAST


def test_the_same_ruling_gives_the_same_bytes(make: Make) -> None:
    runs = [Court().rule(make(REMOVE, suspend("verify")), make(policy_id="copyright")) for _ in range(2)]
    assert [encode(a) for a in runs[0].actions] == [encode(a) for a in runs[1].actions]
