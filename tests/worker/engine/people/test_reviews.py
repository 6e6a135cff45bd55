"""What a moderator decides is done at once, told, remembered, and undone by nothing automatic."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schemas.base import parse_time
from tests.worker.engine.helpers import START, at
from tests.worker.engine.people.helpers import Story, days
from worker.engine.ids import action_id
from worker.engine.registry import Pack

POST = {"type": "post", "id": "1"}
ACCOUNT = {"type": "account", "id": "u1"}
REMOVE = {"operation": "apply", "kind": "remove", "policy": "violence"}
SUSPEND = {"operation": "apply", "kind": "suspend", "mode": "suspended", "policy": "violence"}


def doubted(story: Story) -> str:
    """An item that waits for a person: a post that may be a violation."""
    (item,) = story.post("a blip").items
    return str(item["item_id"])


def test_upholding_an_item_applies_what_was_proposed(story: Story) -> None:
    item_id = doubted(story)
    proposed = story.items[0]["proposed"]
    story.review("uphold", item_id=item_id, when=at(3))
    (action,) = story.actions
    assert action["action_id"] == action_id("label", "apply", "post", "1", "violence", 3, "v1")
    assert (action["source"], action["decided_at"], action["operation"]) == ("human", at(3), "apply")
    assert action["record"] == {"topic": "reviews", "partition": 0, "offset": 0}
    for name in ("kind", "label", "subject", "clause", "policy_version", "evidence", "post_id", "score"):
        assert action[name] == proposed[name]
    (closed,) = story.items
    assert (closed["item_id"], closed["closed_by"]) == (item_id, "v1")
    assert story.notices == ["action"]
    assert story.outcome() == ("violation", None)
    assert story.tally["moderator_reviews_total", "uphold", "done"] == 1


def test_what_was_proposed_for_a_while_lasts_as_long_from_the_review_on(story: Story) -> None:
    for number in range(2):
        story.post("zap", str(number))
    account = story.judge.accounts.get("u1")
    assert account.active_strikes(0) == 2
    story.judge.breakers.allow = lambda *_: False  # type: ignore[method-assign]  # what comes now is held
    items = story.post("zap", "9").items
    (held,) = [item for item in items if item["proposed"]["kind"] == "suspend"]
    story.review("uphold", item_id=held["item_id"], when=at(30))
    (action,) = story.actions
    assert action["expires_at"] == at(42)
    assert story.pass_time(at(43)).actions[0]["operation"] == "reverse"


def test_a_dismissed_post_is_left_alone_by_everything_automatic(story: Story, pack: Pack) -> None:
    item_id = doubted(story)
    story.review("dismiss", item_id=item_id)
    assert story.actions == []
    assert story.items[0]["closed_by"] == "v1"
    assert story.notices == []
    assert story.outcome() == ("clear", None)
    # Two days later the post's id is forgotten and it comes again, now with a word that removes.
    story.restart().post("zap", when=days(2))
    assert story.actions == []
    assert story.post("zap", "2", when=days(2)).actions, "another post is judged as ever"


def test_an_item_without_a_proposal_is_upheld_without_an_action(story: Story) -> None:
    (item,) = story.report(reason="something upstream's form says").items
    assert item["proposed"] is None
    story.review("uphold", item_id=item["item_id"])
    assert story.actions == []
    assert story.outcome() == ("violation", "no_proposal")
    assert story.items[0]["closed_by"] == "v1"


def test_no_strike_is_counted_twice_for_a_review_that_comes_again(story: Story) -> None:
    story.review("act", subject=POST, action=REMOVE)
    assert story.strikes() == 1
    for _ in range(2):
        story.review("act", subject=POST, action=REMOVE)
        assert story.outcome() == ("duplicate", None)
        assert story.judged.outputs == []
    story.restart().review("act", subject=POST, action=REMOVE, when=days(5))
    assert story.outcome() == ("duplicate", None)
    assert story.strikes() == 1


def test_a_closed_item_is_refused(story: Story) -> None:
    item_id = doubted(story)
    story.review("dismiss", item_id=item_id)
    story.review("uphold", "v2", item_id=item_id)
    assert story.outcome() == ("refused", "unknown_item")
    assert story.actions == []


def test_an_item_of_a_deleted_post_is_refused(story: Story) -> None:
    item_id = doubted(story)
    story.post("", when=at(1), deleted=True)
    story.review("uphold", item_id=item_id, when=at(2))
    assert story.outcome() == ("refused", "unknown_item")
    assert story.actions == []
    assert story.notices == []


def test_an_item_of_an_erased_account_is_refused_and_nothing_is_remembered(story: Story) -> None:
    item_id = doubted(story)
    story.erase()
    story.review("uphold", item_id=item_id, when=at(2))
    assert story.outcome() == ("refused", "unknown_item")
    assert b"a:u1" not in story.state
    assert "u1" not in story.judge.accounts


def test_an_item_of_another_account_is_refused_and_stays_open(story: Story) -> None:
    item_id = doubted(story)
    story.review("uphold", item_id=item_id, account="u2")
    assert story.outcome() == ("refused", "wrong_account")
    assert story.items == []
    story.review("uphold", "v2", item_id=item_id)
    assert len(story.actions) == 1


@pytest.mark.parametrize(
    ("outcome", "fields", "reason"),
    [
        ("uphold", {}, "incomplete"),
        ("overturn", {"item_id": "nothing"}, "unknown_item"),
        ("act", {}, "incomplete"),
        ("act", {"subject": POST}, "incomplete"),
        ("act", {"subject": ACCOUNT, "action": REMOVE}, "incomplete"),
        ("act", {"subject": POST, "action": SUSPEND}, "incomplete"),
        ("act", {"subject": POST, "action": {**REMOVE, "label": "misleading"}}, "incomplete"),
        ("act", {"subject": POST, "action": {"kind": "label", "policy": "violence"}}, "incomplete"),
        ("act", {"subject": ACCOUNT, "action": {"kind": "suspend", "policy": "violence"}}, "incomplete"),
        ("act", {"subject": {"type": "account", "id": "u2"}, "action": SUSPEND}, "incomplete"),
        ("act", {"subject": {"type": "profile_field", "id": "u2/bio"}, "action": REMOVE}, "incomplete"),
        ("act", {"subject": POST, "action": {**REMOVE, "expires_at": at(1)}}, "incomplete"),
        ("act", {"subject": POST, "action": {**REMOVE, "policy": None}}, "unknown_policy"),
        ("act", {"subject": POST, "action": {**REMOVE, "policy": "copyright"}}, "unknown_policy"),
        ("act", {"subject": POST, "action": {**REMOVE, "operation": "reverse"}}, "nothing_to_reverse"),
        ("act", {"subject": POST, "action": REMOVE, "item_id": "nothing"}, "unknown_item"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    story: Story, outcome: str, fields: dict[str, Any], reason: str
) -> None:
    story.post("a fine day")
    story.review(outcome, **fields)
    assert story.outcome() == ("refused", reason)
    assert [output.topic for output in story.judged.outputs] == ["decisions"]
    assert story.strikes() == 0


def test_dismissing_an_appeal_is_refused(story: Story) -> None:
    (action,) = story.post("zap").actions
    (item,) = story.appeal(action["action_id"]).items
    story.review("dismiss", item_id=item["item_id"], when=at(3))
    assert story.outcome() == ("refused", "unfit")
    assert story.judge.ledger.item(item["item_id"]) is not None


def test_a_moderator_acts_on_their_own_initiative(story: Story) -> None:
    story.post("a fine day")
    story.review("act", subject=POST, action=REMOVE)
    (action,) = story.actions
    assert (action["kind"], action["source"], action["score"]) == ("remove", "human", 1.0)
    assert (action["policy"], action["policy_version"], action["clause"]) == (
        "violence",
        3,
        "You may not zap.",
    )
    assert action["evidence"] == [
        {
            "signal": "review", "field": "record", "start": None, "end": None, "score": 1.0,
            "detail": "decided by a moderator",
        }
    ]  # fmt: skip
    assert action["strikes"] == {"added": 1, "active": 1}
    assert action["post_id"] == "1"
    assert story.notices == ["action"]
    assert "mod:1" not in json.dumps([json.loads(o.value or b"{}") for o in story.judged.outputs])


def test_a_moderators_note_is_published_nowhere(story: Story) -> None:
    story.review("act", subject=POST, action=REMOVE, note="a secret remark")
    assert not any(b"secret" in (output.value or b"") for output in story.all)
    assert not any(b"secret" in value for value in story.state.values())


def test_an_account_that_nobody_heard_of_can_be_acted_on(story: Story) -> None:
    story.review("act", subject=ACCOUNT, action=SUSPEND)
    (action,) = story.actions
    assert action["kind"] == "suspend"
    story.review("act", subject=ACCOUNT, action=SUSPEND)
    assert story.outcome() == ("duplicate", None)


def test_a_policy_that_only_watches_stops_no_moderator(story: Story) -> None:
    story.review("act", subject=POST, action={**REMOVE, "policy": "illegal-goods"})
    (action,) = story.actions
    assert action["policy"] == "illegal-goods"


def test_no_breaker_stops_a_moderator(story: Story) -> None:
    for number in range(8):  # five a day are allowed
        subject = {"type": "post", "id": str(number)}
        story.review("act", f"v{number}", subject=subject, action=REMOVE)
        assert len(story.actions) == 1


def test_a_label_costs_what_the_ladder_says(story: Story) -> None:
    action = {"kind": "label", "label": "misleading", "policy": "violence"}
    story.review("act", subject=POST, action=action)
    assert story.actions[0]["strikes"] == {"added": 0, "active": 0}


def test_what_is_in_force_already_is_not_repeated(story: Story) -> None:
    story.post("zap")
    story.review("act", subject=POST, action=REMOVE)
    assert story.actions == []
    assert story.outcome() == ("violation", "in_force")
    assert story.strikes() == 1


def test_a_stricter_action_is_news(story: Story) -> None:
    limited = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    story.review("act", "v1", subject=ACCOUNT, action=limited)
    story.review("act", "v2", subject=ACCOUNT, action=SUSPEND)
    assert [action["mode"] for action in story.actions] == ["suspended"]


def test_a_suspension_by_a_moderator_ends_by_its_timer(story: Story) -> None:
    limited = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    (applied,) = story.review("act", subject=ACCOUNT, action=limited).actions
    story.restart().pass_time(at(21))
    (reverse,) = story.actions
    assert (reverse["reverses"], reverse["decided_at"]) == (applied["action_id"], at(20))


def test_a_moderator_takes_an_action_and_its_strike_back(story: Story) -> None:
    (removed,) = story.post("zap").actions
    story.review("act", subject=POST, action={**REMOVE, "operation": "reverse", "policy": None})
    (reverse,) = story.actions
    assert reverse["operation"] == "reverse"
    assert reverse["reverses"] == removed["action_id"]
    assert reverse["action_id"] == action_id(
        "remove", "reverse", "post", "1", "violence", 3, removed["action_id"]
    )
    for name in ("kind", "subject", "label", "mode", "policy", "policy_version", "pack", "clause"):
        assert reverse[name] == removed[name]
    assert reverse["strikes"] == {"added": 0, "active": 0, "taken_back": 1}
    assert reverse["source"] == "human"
    assert story.notices == ["reversal"]
    assert story.strikes() == 0
    assert story.balance() == 0
    story.review("act", "v2", subject=POST, action={**REMOVE, "operation": "reverse"}, when=at(2))
    assert story.outcome() == ("refused", "nothing_to_reverse")


def test_nothing_automatic_brings_back_what_a_moderator_took_back(story: Story) -> None:
    story.post("zap")
    story.review("act", subject=POST, action={**REMOVE, "operation": "reverse"})
    story.restart().post("zap", when=days(2))
    assert story.actions == []
    assert story.strikes() == 0


def test_one_action_can_be_named(story: Story) -> None:
    story.post("zap", "1")
    (second,) = story.post("zap", "2").actions
    action = {"operation": "reverse", "kind": "remove", "action_id": second["action_id"]}
    story.review("act", action=action)
    assert [reverse["reverses"] for reverse in story.actions] == [second["action_id"]]
    story.review("act", "v2", account="u2", action=action)
    assert story.outcome() == ("refused", "nothing_to_reverse")


def test_an_ended_action_is_not_reversed_twice(story: Story) -> None:
    limited = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    story.review("act", subject=ACCOUNT, action=limited)
    reversal = {"operation": "reverse", "kind": "suspend"}
    # The timer is late, but the time is over: what it will publish is enough.
    story.review("act", "v2", subject=ACCOUNT, action=reversal, when=at(21))
    assert story.outcome() == ("refused", "nothing_to_reverse")
    assert len(story.pass_time(at(22)).actions) == 1
    assert story.pass_time(at(23)).actions == []


def test_a_reversed_action_has_no_timer_any_more(story: Story) -> None:
    limited = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    story.review("act", subject=ACCOUNT, action=limited)
    story.review("act", "v2", subject=ACCOUNT, action={"operation": "reverse", "kind": "suspend"}, when=at(2))
    assert len(story.actions) == 1
    assert story.restart().pass_time(at(30)).actions == []


def test_an_item_can_be_decided_by_something_else_than_was_proposed(story: Story) -> None:
    item_id = doubted(story)
    story.review("act", item_id=item_id, subject=POST, action=REMOVE)
    assert [action["kind"] for action in story.actions] == ["remove"]
    assert story.items[0]["closed_by"] == "v1"


def test_an_item_is_upheld_under_a_pack_that_lost_the_policy(story: Story, pack: Pack) -> None:
    item_id = doubted(story)
    lost = tuple(loaded for loaded in pack.policies if loaded.policy.id != "violence")
    story.restart(replace(pack, policies=lost))
    story.review("uphold", item_id=item_id, when=at(2))
    (action,) = story.actions
    assert (action["policy"], action["clause"]) == ("violence", "You may not zap.")
    story.appeal(action["action_id"], when=at(3))
    story.review("overturn", "v2", by="mod:2", appeal_id="a1", when=at(4))
    assert [reverse["operation"] for reverse in story.actions] == ["reverse"]


def test_a_review_leaves_the_accounts_clock_alone(story: Story) -> None:
    story.post("a fine day")
    story.review("act", subject=POST, action=REMOVE, when=days(3))
    assert story.post("zap", "2", when=at(5)).actions[0]["decided_at"] == at(5)


def test_a_review_before_the_accounts_time_is_decided_at_that(story: Story) -> None:
    story.post("a fine day", when=at(5))
    story.review("act", subject=POST, action=REMOVE, when=at(1))
    assert parse_time(story.actions[0]["decided_at"]) == START + timedelta(hours=5)


def test_strikes_by_moderators_count_for_the_ladder(story: Story) -> None:
    for number in range(2):
        subject = {"type": "post", "id": f"old{number}"}
        story.review("act", f"v{number}", subject=subject, action=REMOVE)
    kinds = [action["kind"] for action in story.post("zap", "3", when=at(2)).actions]
    assert kinds == ["remove", "suspend"]


def test_one_post_is_counted_once_whoever_finds_it_in_how_many_ways(story: Story) -> None:
    reported = story.report(reason="illegal-goods").items[0]["item_id"]
    assert story.judge.ledger.item(reported).proposed.strikes.added == 1  # type: ignore[union-attr]  # it was made
    story.post("zap")
    label = {"operation": "apply", "kind": "label", "label": "misleading", "policy": "violence"}
    story.review("act", "v2", subject=POST, action=label, when=at(2))
    story.restart().review("act", "v3", subject={"type": "media", "id": "1/m"}, action=REMOVE, when=at(3))
    assert story.actions[0]["strikes"] == {"added": 0, "active": 1}
    story.post("zap", "2", when=at(4))
    assert story.strikes() == 2
    assert story.balance() == 2


def test_a_strike_of_a_report_is_counted_once_with_what_came_meanwhile(story: Story) -> None:
    (item,) = story.report(reason="illegal-goods").items
    story.review("act", subject=POST, action=REMOVE, when=at(2))
    assert story.actions[0]["strikes"]["added"] == 1
    story.restart().review("uphold", "v2", item_id=item["item_id"], when=at(3))
    assert story.strikes() == 1


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("media", "m1"),
        ("media", "/m1"),
        ("media", "1/"),
        ("media", f"{'9' * 513}/m"),
        ("post", "9" * 513),
        ("profile_field", "u1/"),
        ("profile_field", "u1/bio/x"),
    ],
)
def test_what_can_be_no_subject_is_refused(story: Story, kind: str, subject: str) -> None:
    story.review("act", subject={"type": kind, "id": subject}, action=REMOVE)
    assert story.outcome() == ("refused", "incomplete")
