"""Every policy's ladder, walked by an account: what each offence leads to, against tables written by hand."""

from __future__ import annotations

import tomllib
from collections.abc import Set
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.enforcement import RecordRef
from tests.worker.engine.helpers import START
from worker.engine.breakers import Breakers
from worker.engine.chain import Judgement
from worker.engine.contract import CLEAR, Evidence, RuleContext, Subject, Verdict
from worker.engine.decide import decide
from worker.engine.enforce import Case, enforce
from worker.engine.policy import POLICY_IDS, Breaker, Policy
from worker.engine.registry import DEFAULT_PACK, LoadedPolicy
from worker.engine.state import DAY, Account, Strike
from worker.engine.times import EPOCH
from worker.policy_pages import ladders
from worker.signals.view import Signals


class Silent:
    """A rule that is never asked: the walks bring their verdicts along."""

    needs: Set[str] = frozenset({"made.word"})

    def __init__(self, policy: Policy) -> None:
        pass

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        return CLEAR


def load(policy_id: str) -> LoadedPolicy:
    folder = DEFAULT_PACK / policy_id.replace("-", "_")
    policy = Policy.model_validate(tomllib.loads((folder / "policy.toml").read_text("utf-8")))
    policy = policy.model_copy(update={"breaker": Breaker()})
    return LoadedPolicy(policy, Silent(policy), Path(folder), frozenset({"made.word"}))


def offend(loaded: LoadedPolicy, account: Account, score: float, number: int, day: float) -> str:
    """One more offence, and what follows: "warned: label misleading", "remove, read_only 12 h, +1", "nothing"."""
    now = START + timedelta(days=day)
    now_ms = (now - EPOCH) // timedelta(milliseconds=1)
    judgement = Judgement(loaded, "violation", score, (Evidence("made.word", "text", 0, 1, score),))
    ruling = decide([judgement], account.active_strikes(now_ms), account.strikes_by_policy(now_ms))
    subject = Subject("post", f"p{number}", "u1", {"text": "x"})
    ref = RecordRef(topic="posts", partition=0, offset=number)
    effects = enforce(Case(subject, ref, subject.id, now, now_ms, "made-1"), ruling, account, Breakers())
    words = []
    for action in effects.actions:
        name = action.label or action.mode or action.kind
        hours = "" if action.expires_at is None else f" {(action.expires_at - now) // timedelta(hours=1)} h"
        words.append(name + hours)
    assert len({action.action_id in effects.warnings for action in effects.actions}) <= 1
    words += [f"+{added}"] if (added := sum(a.strikes.added for a in effects.actions)) else []
    words += [item.reason for item in effects.items]
    return ("warned: " if effects.warnings else "") + (", ".join(words) or "nothing")


LIMITED, PAUSE, WEEK, CLOSED = "limited-visibility", "read_only 12 h", "read_only 168 h", "suspended"

# (policy, score): what the first, the second … offence leads to, two days apart.
WALKS: dict[tuple[str, float], list[str]] = {
    ("violence", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("violence", 0.88): ["remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("violence", 0.96): [f"remove, {CLOSED}, +3"],
    ("violent-extremism", 0.80): [f"{LIMITED}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("violent-extremism", 0.88): ["remove, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("violent-extremism", 0.95): [f"remove, {CLOSED}, +3, zero_tolerance"],
    ("child-sexual-exploitation", 0.95): [f"remove, {CLOSED}, zero_tolerance"],
    ("abuse-harassment", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1",
        f"remove, {WEEK}, +1", f"remove, {WEEK}, +1", f"remove, {WEEK}, +1",
    ],
    ("abuse-harassment", 0.85): [
        "warned: remove", "remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("abuse-harassment", 0.92): ["remove, +1", "remove, +1", f"remove, {PAUSE}, +1"],
    ("hateful-conduct", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {WEEK}, +1",
    ],
    ("hateful-conduct", 0.85): ["remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("hateful-conduct", 0.95): [f"remove, {WEEK}, +2", f"remove, {CLOSED}, +2"],
    ("perpetrators-of-attacks", 0.80): ["remove, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("perpetrators-of-attacks", 0.95): [f"remove, {CLOSED}, +3, zero_tolerance"],
    ("suicide-self-harm", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("suicide-self-harm", 0.90): ["remove, +1", f"remove, {PAUSE}, +1"],
    ("suicide-self-harm", 0.96): [f"remove, {WEEK}, +2", f"remove, {WEEK}, +2", f"remove, {CLOSED}, +1"],
    ("sensitive-media", 0.76): ["sensitive-media", "sensitive-media", "sensitive-media"],
    ("sensitive-media", 0.80): ["graphic-media", "graphic-media"],
    ("sensitive-media", 0.86): [
        "warned: remove", "remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("sensitive-media", 0.93): [f"remove, {WEEK}, +2", f"remove, {CLOSED}, +2"],
    ("illegal-goods", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("illegal-goods", 0.86): [
        "warned: remove", "remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("illegal-goods", 0.98): [f"remove, {WEEK}, +2", f"remove, {WEEK}, +2", f"remove, {CLOSED}, +1"],
    ("private-information", 0.75): [LIMITED, LIMITED, LIMITED],
    ("private-information", 0.85): ["remove, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("private-information", 0.96): [f"remove, {WEEK}, +2", f"remove, {CLOSED}, +2"],
    ("non-consensual-nudity", 0.77): [f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1"],
    ("non-consensual-nudity", 0.85): ["remove, +2", f"remove, {CLOSED}, +2"],
    ("non-consensual-nudity", 0.92): [f"remove, {WEEK}, +2", f"remove, {CLOSED}, +2"],
    ("non-consensual-nudity", 0.97): [f"remove, {CLOSED}, +3"],
    ("platform-manipulation", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", "remove, verify, +1", "remove, +1", f"remove, {WEEK}, +1",
        f"remove, {WEEK}, +1",
    ],
    ("platform-manipulation", 0.88): [
        "warned: remove", "remove, +1", "remove, +1", "remove, verify, +1", "remove, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("platform-manipulation", 0.95): ["remove, +1"],
    ("civic-integrity", 0.80): [
        "warned: misleading", "misleading, +1", f"misleading, {PAUSE}, +1", f"misleading, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("civic-integrity", 0.88): ["remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    # An account that has not proved who it is cannot be told so twice.
    ("misleading-identities", 0.80): ["verify, +1", "nothing"],
    ("misleading-identities", 0.88): ["remove, edit_required, +2", f"remove, {CLOSED}, +2"],
    ("synthetic-media", 0.80): ["manipulated-media", "manipulated-media"],
    ("synthetic-media", 0.86): [
        "warned: remove", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("synthetic-media", 0.93): ["remove, +1", f"remove, {PAUSE}, +1"],
    ("copyright", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("copyright", 0.88): [
        "remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("trademark", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {CLOSED}, +1",
    ],
    ("trademark", 0.88): ["remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1"],
    ("third-party-ads", 0.80): [
        f"warned: {LIMITED}", f"{LIMITED}, +1", f"{LIMITED}, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {WEEK}, +1", f"remove, {WEEK}, +1", f"remove, {WEEK}, +1",
    ],
    ("third-party-ads", 0.92): [
        "warned: remove", "remove, +1", "remove, +1", f"remove, {PAUSE}, +1", f"remove, {PAUSE}, +1", f"remove, {WEEK}, +1",
        f"remove, {WEEK}, +1", f"remove, {WEEK}, +1", f"remove, {CLOSED}, +1",
    ],
    ("third-party-ads", 0.97): ["remove, +1"],
    ("enforcement-circumvention", 0.80): [f"{LIMITED}, +1", "verify, +1", "nothing"],
    ("enforcement-circumvention", 0.88): ["verify, +1", "nothing"],
    ("enforcement-circumvention", 0.96): [f"{CLOSED}, +2"],
}  # fmt: skip

# (policy, score): what a first offence leads to after so many strikes under other policies.
MIXED: dict[tuple[str, float], dict[int, str]] = {
    ("violence", 0.80): {2: f"warned: {LIMITED}", 3: f"remove, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("violent-extremism", 0.80): {1: f"{LIMITED}, +1", 2: f"remove, {WEEK}, +1", 4: f"remove, {CLOSED}, +1"},
    ("child-sexual-exploitation", 0.95): {9: f"remove, {CLOSED}, zero_tolerance"},
    ("abuse-harassment", 0.85): {
        2: "warned: remove", 3: f"remove, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 6: f"remove, {WEEK}, +1", 7: f"remove, {CLOSED}, +1",
    },
    ("hateful-conduct", 0.85): {1: "remove, +1", 2: f"remove, {PAUSE}, +1", 4: f"remove, {WEEK}, +1", 5: f"remove, {CLOSED}, +1"},
    ("perpetrators-of-attacks", 0.80): {1: "remove, +1", 2: f"remove, {WEEK}, +1", 3: f"remove, {CLOSED}, +1"},
    ("suicide-self-harm", 0.90): {1: "remove, +1", 2: f"remove, {PAUSE}, +1", 4: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("sensitive-media", 0.86): {2: "warned: remove", 3: f"remove, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 7: f"remove, {CLOSED}, +1"},
    ("illegal-goods", 0.80): {2: f"warned: {LIMITED}", 3: f"remove, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("private-information", 0.85): {1: "remove, +1", 2: f"remove, {PAUSE}, +1", 4: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("non-consensual-nudity", 0.77): {2: f"{LIMITED}, +1", 3: f"remove, {PAUSE}, +1", 9: f"remove, {PAUSE}, +1"},
    ("non-consensual-nudity", 0.85): {1: "remove, +2", 2: f"remove, {PAUSE}, +2", 4: f"remove, {CLOSED}, +2"},
    ("platform-manipulation", 0.80): {2: f"warned: {LIMITED}", 3: "remove, verify, +1", 5: f"remove, {WEEK}, +1", 9: f"remove, {WEEK}, +1"},
    ("platform-manipulation", 0.95): {2: "remove, +1", 7: f"remove, {CLOSED}, +1"},
    ("civic-integrity", 0.80): {
        2: "warned: misleading", 3: f"misleading, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 7: f"remove, {CLOSED}, +1",
    },
    ("civic-integrity", 0.88): {1: "remove, +1", 2: f"remove, {PAUSE}, +1"},
    ("misleading-identities", 0.80): {3: "verify, +1", 4: f"remove, {CLOSED}, +2"},
    ("synthetic-media", 0.86): {1: "warned: remove", 2: f"remove, {PAUSE}, +1", 4: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("copyright", 0.88): {3: "remove, +1", 4: f"remove, {PAUSE}, +1", 5: f"remove, {WEEK}, +1", 7: f"remove, {CLOSED}, +1"},
    ("trademark", 0.88): {2: "remove, +1", 3: f"remove, {PAUSE}, +1", 4: f"remove, {WEEK}, +1", 6: f"remove, {CLOSED}, +1"},
    ("third-party-ads", 0.92): {3: "warned: remove", 4: f"remove, {PAUSE}, +1", 6: f"remove, {WEEK}, +1", 9: f"remove, {CLOSED}, +1"},
    ("enforcement-circumvention", 0.80): {1: f"{LIMITED}, +1", 2: "verify, +1", 9: "verify, +1"},
    ("enforcement-circumvention", 0.88): {3: "verify, +1", 4: f"{CLOSED}, +1"},
}  # fmt: skip

# Days for which a strike counts.
STRIKE_DAYS = {
    "violence": 180, "violent-extremism": 365, "child-sexual-exploitation": 90, "abuse-harassment": 90, "hateful-conduct": 180,
    "perpetrators-of-attacks": 365, "suicide-self-harm": 180, "sensitive-media": 90, "illegal-goods": 180,
    "private-information": 180, "non-consensual-nudity": 365, "platform-manipulation": 30, "civic-integrity": 365,
    "misleading-identities": 180, "synthetic-media": 180, "copyright": 180, "trademark": 180, "third-party-ads": 90,
    "enforcement-circumvention": 365,
}  # fmt: skip


def test_the_tables_hold_every_policy() -> None:
    for table in ({policy for policy, _ in WALKS}, {policy for policy, _ in MIXED}, set(STRIKE_DAYS)):
        assert table == set(POLICY_IDS)


@pytest.mark.parametrize(("policy_id", "score"), WALKS, ids=str)
def test_an_account_climbs_the_ladder_as_the_table_says(policy_id: str, score: float) -> None:
    loaded, account = load(policy_id), Account()
    steps = [
        offend(loaded, account, score, number, 2.0 * number) for number in range(len(WALKS[policy_id, score]))
    ]
    assert steps == WALKS[policy_id, score]


@pytest.mark.parametrize(("policy_id", "score"), MIXED, ids=str)
def test_strikes_under_other_policies_count_but_less(policy_id: str, score: float) -> None:
    loaded, start = load(policy_id), (START - EPOCH) // timedelta(milliseconds=1)
    other = "violence" if policy_id != "violence" else "trademark"
    steps = {}
    for strikes in MIXED[policy_id, score]:
        account = Account(strikes=[Strike(other, 1, start + 99 * DAY, f"a{n}") for n in range(strikes)])
        steps[strikes] = offend(loaded, account, score, 0, 0.0)
    assert steps == MIXED[policy_id, score]


@pytest.mark.parametrize("policy_id", POLICY_IDS)
def test_strikes_and_warnings_expire_when_the_table_says(policy_id: str) -> None:
    loaded = load(policy_id)
    days = STRIKE_DAYS[policy_id]
    assert loaded.policy.strike_days == days
    start = (START - EPOCH) // timedelta(milliseconds=1)
    walks = {score: steps for (policy, score), steps in WALKS.items() if policy == policy_id}
    for score, steps in walks.items():
        account = Account()
        first = offend(loaded, account, score, 0, 0.0)
        assert first == steps[0]
        assert account.active_strikes(start + days * DAY - 1) == account.active_strikes(start)
        assert account.active_strikes(start + days * DAY) == 0
        account.actions.clear()  # what has no end was lifted by a person
        assert offend(loaded, account, score, 1, float(days)) == first
        account = Account()
        offend(loaded, account, score, 0, 0.0)
        if first.startswith("warned"):
            assert not offend(loaded, account, score, 1, days - 0.01).startswith("warned")


def test_only_the_published_read_only_modes_are_used() -> None:
    hours = {
        action.duration_hours
        for policy_id in POLICY_IDS
        for rung in load(policy_id).policy.ladder
        for action in rung.actions
        if action.kind == "suspend" and action.mode == "read_only"
    }
    assert hours == {12, 168}


def test_nothing_of_zero_tolerance_and_no_suspension_is_only_warned_of() -> None:
    for policy_id in POLICY_IDS:
        for rung in load(policy_id).policy.ladder:
            if rung.warn_below is not None:
                assert rung.strictest != "suspend"
                assert rung.queue is None
    for severe in (
        "child-sexual-exploitation",
        "violent-extremism",
        "perpetrators-of-attacks",
        "non-consensual-nudity",
    ):
        assert all(rung.warn_below is None for rung in load(severe).policy.ladder)
    for policy_id, score in (("violence", 0.96), ("hateful-conduct", 0.95), ("sensitive-media", 0.93)):
        assert not WALKS[policy_id, score][0].startswith("warned")


def test_the_table_in_the_documentation_is_current() -> None:
    page = Path(__file__).parents[3] / "docs" / "enforcement.md"
    shown = page.read_text("utf-8").partition("<!-- ladders -->\n")[2].partition("<!-- /ladders -->")[0]
    assert shown == ladders([load(policy_id).policy for policy_id in POLICY_IDS])
