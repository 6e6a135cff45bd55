"""An account contests an action: once, in time, its own; somebody else decides, and what was wrong is undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.worker.engine.helpers import at
from tests.worker.engine.people.helpers import Story, days
from worker.engine.registry import Pack
from worker.metrics import Metrics, new_registry

POST = {"type": "post", "id": "1"}
ACCOUNT = {"type": "account", "id": "u1"}
SUSPEND = {"operation": "apply", "kind": "suspend", "mode": "suspended", "policy": "violence"}


def removed(story: Story, post_id: str = "1", when: str | None = None) -> str:
    (action,) = story.post("zap", post_id, when=when).actions
    return str(action["action_id"])


def test_an_appeal_becomes_an_item_that_proposes_the_reverse(story: Story) -> None:
    (action,) = story.post("zap").actions
    story.appeal(action["action_id"])
    assert story.outcome() == ("review", None)
    (item,) = story.items
    assert (item["reason"], item["appeal_id"], item["subject"]) == ("appeal", "a1", POST)
    assert item["proposed"]["operation"] == "reverse"
    assert item["proposed"]["reverses"] == action["action_id"]
    assert item["evidence"][1:] == action["evidence"]
    assert story.notices == ["appeal_received"]
    assert story.actions == []
    assert story.tally["moderator_appeals_total", "violence", "received"] == 1


def test_an_overturned_appeal_restores_the_post_and_takes_the_strike_back(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id, when=at(2))
    story.review("overturn", appeal_id="a1", when=at(5))
    (reverse,) = story.actions
    assert (reverse["reverses"], reverse["source"], reverse["decided_at"]) == (action_id, "human", at(5))
    assert reverse["strikes"] == {"added": 0, "active": 0, "taken_back": 1}
    assert story.notices == ["reversal", "appeal_outcome"]
    assert story.items[0]["closed_by"] == "v1"
    assert story.outcome() == ("review", None)
    assert story.strikes() == 0
    assert story.balance() == 0
    assert story.tally["moderator_appeals_total", "violence", "overturned"] == 1
    assert story.observed == [(("moderator_appeal_decision_seconds", "violence"), 3 * 3600.0)]


def test_an_upheld_appeal_keeps_the_action_and_cannot_be_made_again(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id)
    story.review("uphold", appeal_id="a1", when=at(5))
    assert story.actions == []
    assert story.notices == ["appeal_outcome"]
    assert story.items[0]["closed_by"] == "v1"
    assert story.strikes() == 1
    assert story.tally["moderator_appeals_total", "violence", "upheld"] == 1
    story.restart().appeal(action_id, "a2", when=at(6))
    assert story.outcome() == ("refused", "second")
    assert story.notices == ["appeal_refused"]


def test_the_item_names_the_appeal_as_well_as_the_appeal_itself(story: Story) -> None:
    (item,) = story.appeal(removed(story)).items
    story.review("overturn", item_id=item["item_id"], appeal_id="another")
    assert story.outcome() == ("refused", "unknown_item")
    story.review("overturn", "v2", item_id=item["item_id"], appeal_id="a1")
    assert len(story.actions) == 1


def test_an_overturned_post_takes_its_suspension_with_it(story: Story) -> None:
    actions = story.post("zonk").actions
    ids = {action["kind"]: action["action_id"] for action in actions}
    assert set(ids) == {"remove", "suspend"}
    assert story.strikes() == 2
    story.appeal(ids["remove"])
    story.review("overturn", appeal_id="a1")
    assert {reverse["reverses"] for reverse in story.actions} == set(ids.values())
    assert story.strikes() == 0
    assert story.balance() == 0
    assert story.notices.count("reversal") == 2


def test_an_overturned_suspension_leaves_the_removal_and_its_strike(story: Story) -> None:
    ids = {action["kind"]: action["action_id"] for action in story.post("zonk").actions}
    story.appeal(ids["suspend"])
    assert story.items[0]["priority"] == 90
    story.review("overturn", appeal_id="a1")
    (reverse,) = story.actions
    assert reverse["reverses"] == ids["suspend"]
    assert reverse["strikes"] == {"added": 0, "active": 2}
    assert story.strikes() == 2


def test_a_suspension_goes_before_a_removal_and_that_before_a_label(story: Story) -> None:
    urgency = []
    for word, post_id in (("zonk", "1"), ("zap", "2"), ("zip", "3")):
        action = max(story.post(word, post_id).actions, key=lambda one: str(one["kind"]))
        (item,) = story.appeal(action["action_id"], f"a{post_id}").items
        urgency.append((-item["priority"], item["due_at"]))
    assert urgency == sorted(urgency)
    assert len(set(urgency)) == 3


@pytest.mark.parametrize(
    ("when", "outcome"), [(days(20), "review"), (days(20, seconds=1), "refused")], ids=["last second", "late"]
)
def test_an_appeal_has_twenty_days(story: Story, when: str, outcome: str) -> None:
    action_id = removed(story)
    story.appeal(action_id, when=when)
    assert story.outcome()[0] == outcome
    if outcome == "refused":
        assert story.outcome() == ("refused", "late")
        assert story.notices == ["appeal_refused"]
        assert story.tally["moderator_appeals_total", "violence", "refused"] == 1


def test_an_appeal_in_time_that_is_read_late_is_heard(story: Story) -> None:
    action_id = removed(story)
    story.post("a fine day", "2", when=days(21))
    story.appeal(action_id, when=days(19))
    assert story.outcome()[0] == "review"


@pytest.mark.parametrize("account", ["u2", "u3"], ids=["known", "unknown"])
def test_a_foreign_appeal_is_refused_and_told_nothing(story: Story, account: str) -> None:
    action_id = removed(story)
    story.post("a fine day", "2", author="u2")
    story.appeal(action_id, account=account)
    assert story.outcome() == ("refused", "foreign")
    (notice,) = story.said("notices")
    assert (notice["kind"], notice["account_id"]) == ("appeal_refused", account)
    assert (notice["policy"], notice["clause"], notice["action_id"], notice["subject"]) == (None,) * 4
    assert story.items == []
    assert b"a:u3" not in story.state


def test_an_unknown_action_and_a_reverse_cannot_be_contested(story: Story) -> None:
    removed(story)
    story.appeal("0" * 32)
    assert story.outcome() == ("refused", "foreign")
    story.review("act", subject=POST, action={"operation": "reverse", "kind": "remove"}, when=at(3))
    story.appeal(story.actions[0]["action_id"], "a2", when=at(4))
    assert story.outcome() == ("refused", "foreign")


def test_what_was_taken_back_already_cannot_be_contested(story: Story) -> None:
    action_id = removed(story)
    story.review("act", subject=POST, action={"operation": "reverse", "kind": "remove"}, when=at(1))
    story.appeal(action_id, when=at(2))
    assert story.outcome() == ("refused", "reversed")
    assert story.notices == ["appeal_refused"]


@pytest.mark.parametrize("action", ["own", "late", "unknown"])
def test_the_same_appeal_twice_is_a_duplicate(story: Story, action: str) -> None:
    action_id = removed(story) if action != "unknown" else "0" * 32
    story.post("a fine day", "2")
    when = days(21) if action == "late" else at(2)
    story.appeal(action_id, when=when)
    for _ in range(2):
        story.restart().appeal(action_id, when=when)
        assert story.outcome() == ("duplicate", None)
        assert story.judged.outputs == []


def test_a_second_appeal_waits_for_nothing(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id)
    story.appeal(action_id, "a2")
    assert story.outcome() == ("refused", "second")
    assert story.items == []
    story.review("overturn", appeal_id="a1")
    assert len(story.actions) == 1


def test_who_decided_first_does_not_decide_the_appeal(story: Story) -> None:
    action = {"operation": "apply", "kind": "remove", "policy": "violence"}
    (applied,) = story.review("act", subject=POST, action=action, by="mod:1").actions
    (item,) = story.restart().appeal(applied["action_id"]).items
    for outcome in ("uphold", "overturn"):
        story.review(outcome, f"v-{outcome}", appeal_id="a1", by="mod:1", when=at(3))
        assert story.outcome() == ("refused", "first_decider")
        assert story.actions == []
        assert story.items == []
        (notice,) = story.said("notices")
        assert (notice["kind"], notice["action_id"]) == ("appeal_refused", applied["action_id"])
        assert "still open" in notice["body"]
    assert (
        len({json.loads(one.value or b"")["notice_id"] for one in story.all if one.topic == "notices"}) == 4
    )
    assert story.judge.ledger.item(item["item_id"]) is not None
    story.review("overturn", "v9", appeal_id="a1", by="mod:2", when=at(4))
    assert len(story.actions) == 1
    assert story.strikes() == 0


def test_who_upheld_an_item_is_the_first_decider(story: Story) -> None:
    (item,) = story.post("a blip").items
    (applied,) = story.review("uphold", item_id=item["item_id"], by="mod:1").actions
    story.appeal(applied["action_id"])
    story.review("uphold", "v2", appeal_id="a1", by="mod:1")
    assert story.outcome() == ("refused", "first_decider")


def test_an_ended_suspension_can_be_contested_but_is_not_reversed_again(story: Story) -> None:
    for number in range(3):
        actions = story.post("zap", str(number)).actions
    limited = next(action for action in actions if action["kind"] == "suspend")
    assert limited["mode"] == "read_only"
    (reverse,) = story.pass_time(at(13)).actions
    assert reverse["reverses"] == limited["action_id"]
    story.appeal(limited["action_id"], when=days(2))
    assert story.outcome()[0] == "review"
    story.review("overturn", appeal_id="a1", when=days(3))
    assert story.actions == []
    assert story.notices == ["appeal_outcome"]
    assert story.pass_time(days(4)).actions == []


def test_the_strike_of_an_ended_action_is_taken_back_and_told(story: Story) -> None:
    action = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    (applied,) = story.review("act", "v0", subject=ACCOUNT, action=action, by="mod:9").actions
    added = applied["strikes"]["added"]
    assert added > 0
    story.pass_time(at(21))
    story.appeal(applied["action_id"], when=days(1))
    story.review("overturn", appeal_id="a1", when=days(2))
    (decision,) = story.said("decisions")
    assert decision["strikes"] == {"added": 0, "active": 0, "taken_back": added}
    assert story.balance() == 0


def test_an_appeal_that_waits_keeps_its_action_known(story: Story) -> None:
    action = {**SUSPEND, "mode": "read_only", "expires_at": at(20)}
    (applied,) = story.review("act", "v0", subject=ACCOUNT, action=action).actions
    story.appeal(applied["action_id"], when=days(19))
    story.pass_time(days(25))
    story.review("overturn", appeal_id="a1", by="mod:2", when=days(25))
    assert story.notices == ["appeal_outcome"]
    assert story.balance() == 0


def test_a_strike_that_has_expired_is_not_taken_back(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id)
    story.review("overturn", appeal_id="a1", when=days(31))
    assert story.actions[0]["strikes"] == {"added": 0, "active": 0}


def test_an_appeal_outlives_the_deletion_of_its_post(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id)
    story.post("", when=at(3), deleted=True)
    assert story.items == []
    story.review("overturn", appeal_id="a1", when=at(4))
    assert story.strikes() == 0
    assert story.notices == ["reversal", "appeal_outcome"]


def test_an_erased_account_has_no_appeals(story: Story) -> None:
    action_id = removed(story)
    (item,) = story.appeal(action_id).items
    story.erase(when=at(3))
    assert [one["closed_by"] for one in story.items] == ["account-deleted"]
    assert story.items[0]["item_id"] == item["item_id"]
    story.review("overturn", appeal_id="a1", when=at(4))
    assert story.outcome() == ("refused", "unknown_item")
    story.appeal(action_id, "a2", when=at(5))
    assert story.outcome() == ("refused", "foreign")
    assert not any(key.startswith((b"a:", b"x:")) for key in story.state)


def test_a_counter_notice_raises_the_priority_and_is_told(story: Story, pack: Pack) -> None:
    # The policy of the plain pack, under another name: what counts is which policy the action names.
    loaded = next(one for one in pack.policies if one.policy.id == "violence")
    renamed = replace(loaded, policy=loaded.policy.model_copy(update={"id": "copyright"}))
    story.restart(replace(pack, policies=(renamed,)))
    action = {"operation": "apply", "kind": "remove", "policy": "copyright"}
    priorities = []
    for number, notice in enumerate([None, {"good_faith": True, "consent_to_jurisdiction": False}]):
        subject = {"type": "post", "id": str(number)}
        (applied,) = story.review("act", f"v{number}", subject=subject, action=action).actions
        (item,) = story.appeal(applied["action_id"], f"a{number}", counter_notice=notice).items
        priorities.append(item["priority"])
    assert priorities[1] > priorities[0]
    assert "good faith stated, jurisdiction not accepted" in item["evidence"][0]["detail"]


def test_what_the_account_says_is_published_nowhere(story: Story) -> None:
    story.appeal(removed(story), statement="my secret side of it")
    assert not any(b"secret" in (output.value or b"") for output in story.all)


def test_an_overturned_post_is_left_alone_by_everything_automatic(story: Story) -> None:
    story.appeal(removed(story))
    story.review("overturn", appeal_id="a1")
    story.restart().post("zap", when=days(2))
    assert story.actions == []
    assert story.strikes() == 0


def test_a_moderators_reversal_grants_an_open_appeal(story: Story) -> None:
    action_id = removed(story)
    story.appeal(action_id)
    story.review("act", subject=POST, action={"operation": "reverse", "kind": "remove"}, when=at(4))
    assert story.notices == ["reversal", "appeal_outcome"]
    assert [item["closed_by"] for item in story.items] == ["v1"]
    assert story.tally["moderator_appeals_total", "violence", "overturned"] == 1
    story.review("overturn", "v2", appeal_id="a1", when=at(5))
    assert story.outcome() == ("refused", "unknown_item")


def test_both_appeals_of_one_case_end_when_the_post_is_restored(story: Story) -> None:
    ids = {action["kind"]: action["action_id"] for action in story.post("zonk").actions}
    story.appeal(ids["suspend"], "a1")
    story.appeal(ids["remove"], "a2")
    story.review("overturn", appeal_id="a2", when=at(4))
    assert len(story.actions) == 2
    assert story.notices.count("appeal_outcome") == 2
    assert {item["appeal_id"] for item in story.items if item["closed_by"]} == {"a1", "a2"}


def test_a_suspension_that_stood_on_a_strike_taken_back_is_looked_at(story: Story) -> None:
    first = removed(story, "1")
    removed(story, "2", when=at(0.1))
    actions = story.post("zap", "3", when=at(0.2)).actions
    suspended = next(action for action in actions if action["kind"] == "suspend")
    story.appeal(first, when=at(1))
    story.review("overturn", appeal_id="a1", when=at(2))
    assert [reverse["reverses"] for reverse in story.actions] == [first]
    (item,) = [one for one in story.items if one["closed_by"] is None]
    assert (item["reason"], item["appeal_id"]) == ("appeal", None)
    assert item["proposed"]["reverses"] == suspended["action_id"]
    story.restart().review("overturn", "v2", item_id=item["item_id"], when=at(3))
    assert [reverse["reverses"] for reverse in story.actions] == [suspended["action_id"]]
    assert story.strikes() == 2
    assert story.balance() == 2


def test_a_suspension_that_needed_no_other_strike_is_left_alone(story: Story) -> None:
    first = removed(story, "1")
    story.post("zonk", "2", when=at(0.1))
    story.appeal(first, when=at(1))
    story.review("overturn", appeal_id="a1", when=at(2))
    assert [one for one in story.items if one["closed_by"] is None] == []


def test_a_suspension_before_the_strike_is_left_alone(story: Story) -> None:
    for number in range(3):
        story.post("zap", str(number), when=at(number / 10))
    action = {"operation": "apply", "kind": "remove", "policy": "violence"}
    subject = {"type": "post", "id": "9"}
    (later,) = story.review("act", "v0", subject=subject, action=action, by="mod:9").actions
    story.appeal(later["action_id"], when=at(1))
    story.review("overturn", appeal_id="a1", when=at(2))
    assert [one for one in story.items if one["closed_by"] is None] == []


def test_the_middle_of_an_appeal_survives_a_restart(pack: Pack) -> None:
    def tell(restarts: bool) -> tuple[list[Any], dict[bytes, bytes]]:
        story = Story(pack)
        ids = {action["kind"]: action["action_id"] for action in story.post("zonk").actions}
        steps: list[Callable[[], Story]] = [
            lambda: story.appeal(ids["remove"]),
            lambda: story.review("uphold", "v0", item_id="nothing"),
            lambda: story.post("a blip", "2", when=at(3)),
            lambda: story.review("overturn", appeal_id="a1", when=at(4)),
            lambda: story.appeal(ids["suspend"], "a2", when=at(5)),
            lambda: story.post("zap", "3", when=at(6)),
            lambda: story.pass_time(days(40)),
        ]
        for step in steps:
            if restarts:
                story.restart()
            step()
        return story.all, story.state

    assert tell(restarts=True) == tell(restarts=False)


def test_everything_that_is_counted_is_declared(story: Story, pack: Pack) -> None:
    registry = new_registry()
    metrics = Metrics(registry, strict=True)
    metrics.set_pack("plain-1", "aa", policies={"violence": "enforce"})
    action_id = removed(story)
    story.appeal(action_id)
    story.appeal("0" * 32, "a2")
    story.review("overturn", appeal_id="a1", when=at(3))
    story.review("dismiss", "v2", item_id="nothing")
    story.report("r0", subject=("post", "5"))
    metrics.add(story.tally)
    metrics.observe(story.observed)
    assert metrics.value("moderator_appeals_total", "none", "refused") == 1
    assert metrics.value("moderator_reviews_total", "dismiss", "unknown_item") == 1
    labels = {"policy": "violence", "le": "3600.0"}
    assert registry.get_sample_value("moderator_appeal_decision_seconds_bucket", labels) == 1


def test_a_timer_that_ran_before_an_earlier_decision_is_read_ends_an_action_once(story: Story) -> None:
    for number in range(3):
        actions = story.post("zap", str(number)).actions
    limited = next(action for action in actions if action["kind"] == "suspend")
    story.appeal(limited["action_id"], when=at(2))
    (ended,) = story.pass_time(at(13)).actions
    story.restart().review("overturn", appeal_id="a1", when=at(5))
    assert story.actions == []
    assert story.notices == ["appeal_outcome"]
    published = [one for one in story.all if one.topic == "enforcement.suspend" and one.value]
    assert sum(ended["action_id"].encode() in (one.value or b"") for one in published) == 1
    story.review(
        "act", "v2", subject=ACCOUNT, action={**SUSPEND, "operation": "reverse", "mode": "read_only"}
    )
    assert story.outcome() == ("refused", "nothing_to_reverse")


def test_only_where_no_strike_is_left_the_account_is_told_so(story: Story) -> None:
    ids = {action["kind"]: action["action_id"] for action in story.post("zonk").actions}
    said = []
    for number, kind in enumerate(("suspend", "remove")):
        story.appeal(ids[kind], f"a{number}", when=at(2))
        story.restart().review("overturn", f"v{number}", appeal_id=f"a{number}", when=at(5))
        said.append([one["body"] for one in story.said("notices") if one["kind"] == "appeal_outcome"][-1])
        assert ("No strike counts" in said[-1]) == (story.strikes() == 0)
    assert ["No strike counts" in body for body in said] == [False, True]


def test_an_edit_after_a_won_appeal_is_no_way_around_the_rule(story: Story) -> None:
    story.appeal(removed(story))
    story.review("overturn", appeal_id="a1", when=at(3))
    story.restart().post("zap", when=at(4), edit_of="1")
    assert story.actions == []
    (item,) = story.items
    assert (item["reason"], item["subject"], item["proposed"]["kind"]) == ("uncertain", POST, "remove")
    (again,) = story.review("uphold", "v2", item_id=item["item_id"], when=at(5)).actions
    assert (again["source"], again["strikes"]["added"]) == ("human", 1)
    story.post("zap", when=at(6), edit_of="1")
    assert (story.actions, story.items) == ([], [])


def test_the_suspension_of_a_known_person_waits_beside_the_removal(story: Story) -> None:
    story.judge.accounts.get("u1").traits.update(verified=True, public_interest=True)
    (removal,) = story.post("zonk").actions
    assert removal["kind"] == "remove"
    (item,) = story.items
    assert (item["proposed"]["kind"], item["subject"], item["closed_by"]) == ("suspend", ACCOUNT, None)
    (suspended,) = story.restart().review("uphold", item_id=item["item_id"]).actions
    assert (suspended["kind"], suspended["strikes"]) == ("suspend", {"added": 0, "active": 2})
