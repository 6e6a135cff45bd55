from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.accounts import AccountRecord
from schemas.base import encode
from schemas.enforcement import RecordRef
from schemas.posts import Post
from schemas.reports import Report
from tests.worker.engine.helpers import START
from worker.engine.breakers import Breakers
from worker.engine.chain import Judgement
from worker.engine.contract import Evidence, Subject
from worker.engine.decide import decide
from worker.engine.enforce import Case, Effects, enforce, take_back_warning
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
        rung = Rung(
            score=0.7,
            actions=actions or (REMOVE,),
            strikes=more.get("strikes", 1),
            warn_below=more.get("warn_below"),
            queue=more.get("queue"),
        )
        policy = pack.policies[0].policy.model_copy(
            update={
                "id": policy_id,
                "breaker": more.get("breaker", Breaker()),
                "ladder": more.get("ladder", (rung,)),
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
    protected: frozenset[str] = frozenset()

    def decided(self, key: str, outcome: str = "dismiss", hours: float = 0.5) -> None:
        """A person decided about something."""
        self.account.human[key] = [outcome, "mod:1", int((START + timedelta(hours=hours)).timestamp() * 1000)]

    def rule(
        self, *judgements: Judgement, post: str = "1", hours: float = 0.0, about: Subject | None = None,
        now: datetime | None = None,
    ) -> Effects:  # fmt: skip
        now = now or START + timedelta(hours=hours)
        subject = about or Subject("post", post, "u1", {"text": "zap"})
        now_ms = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        ref = RecordRef(topic="posts", partition=0, offset=7)
        case = Case(subject, ref, subject.id, now, now_ms, "made-1")
        ruling = decide(
            judgements, self.account.active_strikes(now_ms), self.account.strikes_by_policy(now_ms)
        )
        return enforce(case, ruling, self.account, self.breakers, protected=self.protected)


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
    # What a person does with it counts then, as it would have counted now.
    assert (item.proposed.kind, item.proposed.strikes.added) == ("remove", 1)
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


# -- warnings and strikes --------------------------------------------------------------------------------


def test_the_first_offence_is_warned_of_and_the_second_counts(make: Make) -> None:
    court = Court()
    first = court.rule(make(REMOVE, warn_below=0.95))
    (action,) = first.actions
    assert (action.kind, action.strikes.added, action.strikes.active) == ("remove", 0, 0)
    assert first.warnings == {action.action_id}
    second = court.rule(make(REMOVE, warn_below=0.95), post="2", hours=1)
    assert second.warnings == set()
    assert second.actions[0].strikes.added == 1


def test_what_scores_as_high_as_stated_is_not_only_warned_of(make: Make) -> None:
    effects = Court().rule(make(REMOVE, warn_below=0.9))
    assert (effects.warnings, effects.actions[0].strikes.added) == (set(), 1)


def test_a_warning_and_a_strike_count_for_their_own_policy_and_their_time(make: Make) -> None:
    court = Court()
    court.rule(make(warn_below=0.95))
    other = court.rule(make(warn_below=0.95, policy_id="copyright"), post="2", hours=1)
    assert len(other.warnings) == 1
    # The made policy remembers for 30 days.
    late = court.rule(make(warn_below=0.95), post="3", hours=30 * 24)
    assert len(late.warnings) == 1
    court.rule(make(warn_below=0.95), post="4", hours=31 * 24)
    assert court.account.strikes_by_policy(0) == {"violence": 1}
    # The warning is over, but not the strike.
    assert court.rule(make(warn_below=0.95), post="5", hours=60 * 24 + 1).warnings == set()


def test_a_warning_that_was_wrong_is_no_warning(make: Make) -> None:
    court = Court()
    (action,) = court.rule(make(warn_below=0.95)).actions
    take_back_warning(court.account, action)
    assert court.account.warned == {}
    assert len(court.rule(make(warn_below=0.95), post="2", hours=1).warnings) == 1
    take_back_warning(court.account, action)  # it is the later one that counts now
    assert court.account.warned != {}


def test_two_policies_in_one_post_never_count_two_strikes(make: Make) -> None:
    court = Court()
    effects = court.rule(
        make(MISLEADING, policy_id="copyright", strikes=4),
        make(REMOVE, strikes=2),
        make(policy_id="trademark"),
    )
    assert kinds(effects) == [("remove", "violence"), ("label", "copyright")]
    assert [(s.policy, s.weight, s.action_id) for s in court.account.strikes] == [
        ("violence", 2, effects.actions[0].action_id)
    ]
    assert [action.strikes.added for action in effects.actions] == [2, 0]


def test_what_is_held_of_a_first_offence_that_is_warned_of_brings_no_strike(make: Make) -> None:
    effects = Court().rule(make(MISLEADING, REMOVE, warn_below=0.95, breaker=Breaker(remove=0)))
    assert len(effects.warnings) == 1
    assert effects.items[0].proposed is not None
    assert (effects.items[0].reason, effects.items[0].proposed.strikes.added) == ("breaker", 0)


def test_beside_a_warning_the_strike_of_another_policy_counts(make: Make) -> None:
    court = Court()
    effects = court.rule(make(REMOVE, warn_below=0.95), make(MISLEADING, policy_id="copyright"))
    removal, label = effects.actions
    assert effects.warnings == {removal.action_id}
    assert (removal.strikes.added, label.strikes.added) == (0, 1)
    assert [(s.policy, s.action_id) for s in court.account.strikes] == [("copyright", label.action_id)]


def test_what_is_found_in_a_post_later_adds_only_the_difference(make: Make) -> None:
    court = Court()
    court.rule(make(MISLEADING))
    (removal,) = court.rule(make(REMOVE, policy_id="copyright", strikes=3), hours=1).actions
    assert (removal.strikes.added, removal.strikes.active) == (2, 3)
    assert sum(strike.weight for strike in court.account.strikes) == 3


LADDER = (
    Rung(score=0.7, actions=(REMOVE,)),
    Rung(score=0.7, same_policy_strikes=2, active_strikes=4, actions=(REMOVE, suspend("read_only", 12))),
)


@pytest.mark.parametrize(
    ("before", "paused"),
    [(["violence"], True), (["copyright"], False), (["copyright"] * 2, False), (["copyright"] * 3, True)],
)
def test_repeated_offences_under_one_policy_weigh_more(make: Make, before: list[str], paused: bool) -> None:
    court = Court()
    for number, policy_id in enumerate(before):
        court.rule(make(policy_id=policy_id), post=f"before{number}")
    effects = court.rule(make(ladder=LADDER), hours=1)
    assert ("suspend" in {action.kind for action in effects.actions}) is paused


# -- whom the public knows -------------------------------------------------------------------------------

KNOWN = {"verified": True, "public_interest": True}


@pytest.mark.parametrize("court", [Court(Account(traits=dict(KNOWN))), Court(protected=frozenset({"u1"}))])
def test_suspending_somebody_whom_the_public_knows_is_a_persons_decision(make: Make, court: Court) -> None:
    effects = court.rule(make(REMOVE, suspend("read_only", 12), strikes=2))
    assert kinds(effects) == [("remove", "violence")]
    assert effects.actions[0].strikes.added == 2
    (item,) = effects.items
    assert (item.reason, item.subject.type, item.subject.id) == ("uncertain", "account", "u1")
    assert item.priority >= 90
    assert item.proposed is not None
    # The strike was counted with the removal: to uphold this adds none.
    assert (item.proposed.kind, item.proposed.mode, item.proposed.strikes.added) == (
        "suspend",
        "read_only",
        0,
    )
    assert effects.outcome == "violation"
    assert effects.held == []


def test_where_only_the_suspension_is_proposed_it_brings_the_strike(make: Make) -> None:
    court = Court(protected=frozenset({"u1"}))
    effects = court.rule(make(suspend("verify")))
    assert effects.actions == []
    assert court.account.strikes == []
    assert effects.items[0].proposed is not None
    assert effects.items[0].proposed.strikes.added == 1


@pytest.mark.parametrize("traits", [{}, {"verified": True}, {"public_interest": True}])
def test_everybody_else_is_suspended(make: Make, traits: dict[str, Any]) -> None:
    effects = Court(Account(traits=traits), protected=frozenset({"u2"})).rule(make(suspend("suspended")))
    assert kinds(effects) == [("suspend", "violence")]


def test_zero_tolerance_knows_no_protected_account(make: Make) -> None:
    court = Court(Account(traits=dict(KNOWN)), protected=frozenset({"u1"}))
    effects = court.rule(make(REMOVE, suspend("suspended"), queue="zero_tolerance"))
    assert [kind for kind, _ in kinds(effects)] == ["remove", "suspend"]
    assert [item.reason for item in effects.items] == ["zero_tolerance"]


# -- what people decided ---------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["dismiss", "overturn", "act", "uphold"])
def test_a_post_that_a_person_decided_about_is_left_alone(make: Make, outcome: str) -> None:
    court = Court()
    court.decided("post:1", outcome)
    doubt = make(outcome="clear", score=0.5, doubtful=True, policy_id="copyright")
    failure = make(outcome="failed", score=0.0, policy_id="trademark")
    effects = court.rule(make(REMOVE, suspend("verify")), doubt, failure, hours=1)
    assert (effects.actions, effects.items, effects.outcome) == ([], [], "clear")
    assert court.account.strikes == []
    assert kinds(court.rule(make(REMOVE), post="2", hours=1)) == [("remove", "violence")]


def edited(hours: float) -> Subject:
    created_at = START + timedelta(hours=hours)
    post = Post(schema_version=1, post_id="1", author_id="u1", created_at=created_at, text="zap", edit_of="1")
    return Subject("post", "1", "u1", {"text": "zap"}, post=post)


def test_an_edit_after_the_decision_is_judged_afresh(make: Make) -> None:
    for hours, judged in ((0.4, False), (0.6, True)):
        court = Court()
        court.decided("post:1")
        assert bool(court.rule(make(REMOVE), hours=1, about=edited(hours)).actions) is judged


def test_what_zero_tolerance_finds_is_still_shown_to_a_person(make: Make) -> None:
    court = Court()
    court.decided("post:1")
    effects = court.rule(make(REMOVE, suspend("suspended"), queue="zero_tolerance"), hours=1)
    assert effects.actions == []
    assert [item.reason for item in effects.items] == ["zero_tolerance"]
    assert effects.outcome == "review"


def test_what_a_rights_holder_reports_of_a_decided_post_is_for_a_person(make: Make) -> None:
    court = Court()
    court.decided("post:1")
    report = Report.model_validate(
        {
            "schema_version": 1, "report_id": "r1", "reporter_id": "u9", "subject": {"type": "post", "id": "1"},
            "account_id": "u1", "reason": "copyright", "created_at": START + timedelta(hours=1),
        }
    )  # fmt: skip
    about = Subject("post", "1", "u1", {}, report=report)
    effects = court.rule(make(REMOVE, policy_id="copyright"), hours=1, about=about)
    assert effects.actions == []
    assert [(item.reason, item.policy) for item in effects.items] == [("report", "copyright")]


def test_an_account_is_suspended_again_only_for_what_came_after_the_decision(make: Make) -> None:
    court = Court()
    court.decided("account:u1", "overturn")
    before = court.rule(make(REMOVE, suspend("read_only", 12)), hours=1, about=edited(0.4))
    assert kinds(before) == [("remove", "violence")]
    assert before.outcome == "violation"
    only = court.rule(make(suspend("verify"), policy_id="copyright"), hours=1, about=edited(0.4))
    assert (only.actions, only.outcome) == ([], "clear")
    later = court.rule(make(suspend("read_only", 12)), post="2", hours=1)
    assert kinds(later) == [("suspend", "violence")]


def profile(hours: float, bio: str = "zap", avatar: str | None = None) -> Subject:
    account = AccountRecord.model_validate(
        {
            "schema_version": 1, "account_id": "u1", "updated_at": START + timedelta(hours=hours),
            "profile": {"bio": bio}, "avatar": avatar and {"media_id": "m", "sha256": avatar * 64},
        }
    )  # fmt: skip
    return Subject("account", "u1", "u1", {"profile.bio": bio}, account=account)


BIO = (Evidence("made.word", "profile.bio", 0, 3, 0.9, "a word"),)


@pytest.mark.parametrize("key", ["profile_field:u1/bio", "account:u1"])
def test_a_profile_is_left_alone_until_it_says_something_else(make: Make, key: str) -> None:
    court = Court()
    doubt = make(outcome="clear", score=0.5, doubtful=True, evidence=BIO)
    assert len(court.rule(doubt, about=profile(0)).items) == 1
    court.decided(key)
    for judgement in (doubt, make(REMOVE, suspend("verify"), evidence=BIO)):
        again = court.rule(judgement, hours=1, about=profile(1))
        assert (again.actions, again.items, again.outcome) == ([], [], "clear")
    other = court.rule(make(REMOVE, suspend("verify"), evidence=BIO), hours=2, about=profile(2, "zap zap"))
    assert [kind for kind, _ in kinds(other)] == ["remove", "suspend"]


def test_another_picture_is_other_content(make: Make) -> None:
    """A picture has no text: what it is tells its hash, so that the next bad one is removed as well."""
    court = Court()
    evidence = (Evidence("made.picture", "profile.avatar", None, None, 0.9),)
    assert len(court.rule(make(REMOVE, evidence=evidence), about=profile(0, avatar="a")).actions) == 1
    same = court.rule(
        make(REMOVE, evidence=evidence, policy_id="copyright"), hours=1, about=profile(1, avatar="a")
    )
    assert same.actions == []
    other = court.rule(
        make(REMOVE, evidence=evidence, policy_id="trademark"), hours=2, about=profile(2, avatar="b")
    )
    assert [action.subject.id for action in other.actions] == ["u1/avatar"]
