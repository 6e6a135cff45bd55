"""What people report is put before a person, the sooner the more it weighs; a brigade weighs as much as one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.base import parse_time
from tests.worker.engine.helpers import CACHE, PACK, at
from tests.worker.engine.people.helpers import Story, days
from worker.engine.across.reporters import REMEMBERED_OBSERVATIONS, ReporterRecord, reporter_name
from worker.engine.people.filed import BRIGADE_PRIORITY
from worker.engine.people.reports import (
    BRIGADE_ACCOUNT,
    BRIGADE_MINUTES,
    BRIGADE_SUBJECT,
    REMEMBERED_REPORTERS,
)
from worker.engine.precedents import REMEMBERED_EDITS
from worker.engine.registry import Pack, load_pack
from worker.engine.state import REMEMBERED_ITEMS

CARE = PACK.parent / "care"
POST = {"type": "post", "id": "1"}
MANY = "many reports in a short time, counted as one"


@pytest.fixture(scope="module")
def care() -> Pack:
    return load_pack(CARE, cache_dir=CACHE)


def settle(story: Story, number: int, reporter: str, outcome: str) -> None:
    """A moderator decides about a post that only this person reported."""
    subject = ("post", f"old-{reporter}-{number}")
    item = story.report(reporter, subject=subject, account=f"o{number}").items[-1]
    story.review(outcome, f"v-{reporter}-{number}", item_id=item["item_id"], account=f"o{number}")


def spread(story: Story, count: int, **more: Any) -> None:
    """So many people report, one every hour: nobody sent them."""
    for number in range(count):
        story.report(f"r{number}", when=at(1 + number * BRIGADE_MINUTES / 60), **more)


def details(item: dict[str, Any]) -> list[str]:
    return [evidence["detail"] for evidence in item["evidence"]]


def test_a_report_becomes_an_item_with_what_the_policy_does_first(story: Story) -> None:
    story.post("a fine day")
    story.report()
    (item,) = story.items
    assert (item["reason"], item["subject"], item["policy"]) == ("report", POST, "violence")
    assert (item["proposed"]["kind"], item["proposed"]["label"]) == ("label", "limited-visibility")
    assert item["proposed"]["source"] == "report"
    assert story.outcome() == ("review", None)
    assert story.actions == []
    assert story.tally["moderator_reports_total", "queued"] == 1


def test_an_upheld_report_is_acted_on(story: Story) -> None:
    (item,) = story.report().items
    story.review("uphold", item_id=item["item_id"], when=at(2))
    (action,) = story.actions
    assert (action["kind"], action["source"], action["policy"]) == ("label", "human", "violence")


def test_one_subject_has_one_item_that_rises(story: Story) -> None:
    (first,) = story.report("r0").items
    (second,) = story.report("r1", when=at(3)).items
    assert second["item_id"] == first["item_id"]
    assert second["priority"] > first["priority"]
    assert second["created_at"] == first["created_at"]
    assert details(second) == ["reported by 2 people"]
    (other,) = story.report("r1", subject=("post", "2"), when=at(4)).items
    assert other["item_id"] != first["item_id"]


def test_one_person_counts_once(story: Story) -> None:
    story.report("r0")
    for _ in range(2):
        story.restart().report("r0", when=at(2))
        assert story.outcome() == ("duplicate", None)
        assert story.judged.outputs == []


def test_an_account_and_a_part_of_its_profile_can_be_reported(story: Story) -> None:
    (item,) = story.report("r0", subject=("account", "u1")).items
    assert item["proposed"]["kind"] == "suspend"
    assert item["proposed"]["subject"] == {"type": "account", "id": "u1"}
    (item,) = story.report("r0", subject=("profile_field", "u1/bio")).items
    assert item["proposed"]["subject"] == {"type": "profile_field", "id": "u1/bio"}
    (item,) = story.report("r0", subject=("media", "1/m1")).items
    assert (item["post_id"], item["proposed"]["kind"]) == ("1", "label")


@pytest.mark.parametrize(
    ("reason", "policy"), [("copyright", "copyright"), ("spam or so", None), (None, None)]
)
def test_a_reason_that_the_pack_does_not_know_proposes_nothing(
    story: Story, reason: str | None, policy: str | None
) -> None:
    (item,) = story.report(reason=reason).items
    assert (item["policy"], item["proposed"]) == (policy, None)


def test_a_later_report_can_name_the_policy(story: Story) -> None:
    story.report("r0", reason="spam or so")
    (item,) = story.report("r1", when=at(3)).items
    assert (item["policy"], item["proposed"]["kind"]) == ("violence", "label")


def test_a_trusted_flagger_is_heard_first(story: Story) -> None:
    (plain,) = story.report("r0").items
    (raised,) = story.report("r1", trusted=True, when=at(1)).items
    assert raised["priority"] >= plain["priority"] + 20
    assert parse_time(raised["due_at"]) < parse_time(plain["due_at"])
    assert "reported by a trusted flagger" in details(raised)


def test_who_reports_themself_moves_nothing(story: Story) -> None:
    story.report("u1")
    assert story.outcome() == ("clear", None)
    assert story.judged.outputs == []
    assert story.tally["moderator_reports_total", "self"] == 1


def test_a_report_of_somebody_unknown_is_looked_at(story: Story) -> None:
    (item,) = story.report(account="nobody-yet", subject=("account", "nobody-yet")).items
    assert item["account_id"] == "nobody-yet"
    assert b"a:nobody-yet" in story.state


def test_what_is_deleted_is_not_looked_at(story: Story) -> None:
    story.post("a fine day")
    story.post("", when=at(0.5), deleted=True)
    story.report()
    assert story.outcome() == ("clear", None)
    story.report(subject=("media", "1/m1"))
    assert story.items == []


def test_what_is_removed_is_not_looked_at(story: Story) -> None:
    story.post("zap")
    story.report()
    assert (story.outcome(), story.items) == (("clear", None), [])
    story.post("zip", "2")
    assert story.report(subject=("post", "2")).items, "a label leaves something to look at"


def test_what_a_person_decided_is_looked_at_again_only_for_a_trusted_flagger(story: Story) -> None:
    (item,) = story.report("r0").items
    story.review("dismiss", item_id=item["item_id"], when=at(2))
    story.restart().report("r1", when=days(40))
    assert (story.outcome(), story.items) == (("clear", None), [])
    (again,) = story.report("r2", when=days(40), trusted=True).items
    assert again["item_id"] != item["item_id"]


def test_an_account_is_looked_at_again_after_a_month(story: Story) -> None:
    (item,) = story.report("r0", subject=("account", "u1")).items
    story.review("dismiss", item_id=item["item_id"], when=at(2))
    assert story.report("r1", subject=("account", "u1"), when=days(29)).items == []
    assert story.report("r1", subject=("account", "u1"), when=days(31)).items != []


def test_who_was_right_weighs_more_and_who_was_wrong_less(story: Story) -> None:
    for number in range(3):
        settle(story, number, "good", "uphold")
        settle(story, number, "bad", "dismiss")
    priorities = {}
    for reporter in ("good", "new", "bad"):
        items = story.report(reporter, subject=("post", f"by {reporter}"), when=at(5)).items
        priorities[reporter] = items[-1]["priority"]
        assert len({item["item_id"] for item in items}) == 1
    assert priorities["good"] > priorities["new"] > priorities["bad"]


def test_a_reporters_record_survives_a_restart(story: Story) -> None:
    for number in range(3):
        settle(story.restart(), number, "bad", "dismiss")
    items = story.restart().report("bad", when=at(5)).items
    assert items[-1]["priority"] < items[0]["priority"]


def test_a_reporter_is_named_by_a_digest_only(story: Story) -> None:
    (item,) = story.report("somebody@example.com").items
    story.review("dismiss", item_id=item["item_id"], when=at(2))
    assert not any(b"somebody" in (output.value or b"") + output.key for output in story.all)
    assert not any(b"somebody" in key + value for key, value in story.state.items())
    assert reporter_name("a") != reporter_name("b")


def test_a_brigade_counts_as_one(story: Story) -> None:
    for number in range(BRIGADE_SUBJECT - 1):
        story.report(f"r{number}", when=at(1, seconds=number))
    before = story.items[-1]
    assert MANY not in details(before)
    assert before["priority"] > BRIGADE_PRIORITY
    (item,) = story.report("last", when=at(1, seconds=30)).items
    assert MANY in details(item)
    assert item["priority"] <= BRIGADE_PRIORITY
    assert story.outcome() == ("review", "brigade")
    assert story.tally["moderator_reports_total", "brigade"] == 1
    assert story.report("one more", when=at(1, seconds=40)).items == [], "nothing has changed for who looks"


def test_as_many_who_come_by_themselves_are_no_brigade(story: Story) -> None:
    spread(story, BRIGADE_SUBJECT * 2)
    assert ("moderator_reports_total", "brigade") not in story.tally
    (item,) = [json.loads(o.value or b"") for o in story.all if o.topic == "review.queue"][-1:]
    assert item["priority"] > BRIGADE_PRIORITY


def test_a_brigade_against_many_posts_of_one_account_is_one(story: Story) -> None:
    for number in range(BRIGADE_ACCOUNT):
        story.report(f"r{number}", subject=("post", str(number)), when=at(1, seconds=number))
    (item,) = story.items
    assert MANY in details(item)


def test_a_trusted_flagger_breaks_the_cap_of_a_brigade(story: Story) -> None:
    for number in range(BRIGADE_SUBJECT):
        story.report(f"r{number}", when=at(1, seconds=number))
    (item,) = story.report("flagger", when=at(1, seconds=50), trusted=True).items
    assert item["priority"] > BRIGADE_PRIORITY


def test_who_has_a_good_record_counts_beside_a_brigade(story: Story) -> None:
    for number in range(3):
        settle(story, number, "good", "uphold")
    for number in range(BRIGADE_SUBJECT):
        story.report(f"r{number}", when=at(1, seconds=number))
    items = story.report("good", when=at(1, seconds=50)).items
    assert items[-1]["priority"] > BRIGADE_PRIORITY


@pytest.mark.parametrize(("outcome", "sign"), [("dismiss", -1), ("uphold", 1)])
def test_a_brigades_end_goes_into_the_record_of_everybody_in_it(
    story: Story, outcome: str, sign: int
) -> None:
    for number in range(BRIGADE_SUBJECT):
        story.report(f"r{number}", when=at(1, seconds=number))
    item_id = next(iter(story.judge.accounts.get("u1").items))
    story.review(outcome, item_id=item_id, when=at(2))
    told = story.said("observations")
    assert len(told) == BRIGADE_SUBJECT
    assert {one["outcome"] for one in told} == {"dismissed" if sign < 0 else "upheld"}
    for number in range(BRIGADE_SUBJECT):
        items = story.report(
            f"r{number}", subject=("post", f"next {number}"), account="u8", when=days(2)
        ).items
        assert (items[-1]["priority"] - items[0]["priority"]) * sign > 0


def test_no_more_reporters_are_kept_than_there_is_room_for(story: Story) -> None:
    spread(story, REMEMBERED_REPORTERS + 5)
    (extra,) = [
        json.loads(value)
        for key, value in story.state.items()
        if key.startswith(b"x:") and b'"reporters"' in value
    ]
    assert len(extra["reporters"]) == REMEMBERED_REPORTERS
    assert extra["more"] == 5
    assert f"reported by {REMEMBERED_REPORTERS + 5} people" in json.dumps(extra)
    assert len(story.judge.accounts.get("u1").reported) <= 64


def test_an_account_has_room_for_so_many_items(story: Story) -> None:
    for number in range(REMEMBERED_ITEMS + 1):
        story.report("r", subject=("post", str(number)), when=days(number))
    closed = [item["closed_by"] for item in story.items if item["closed_by"]]
    assert closed == ["too-many-open-items"]
    assert len(story.judge.accounts.get("u1").items) == REMEMBERED_ITEMS


def test_a_restart_in_the_middle_of_a_brigade_changes_nothing(pack: Pack) -> None:
    def tell(restarts: bool) -> tuple[list[Any], dict[bytes, bytes]]:
        story = Story(pack)
        settle(story, 0, "r3", "uphold")
        for number in range(BRIGADE_SUBJECT + 3):
            if restarts:
                story.restart()
            story.report(f"r{number}", when=at(1, seconds=number))
        story.review("dismiss", item_id=story.judge.accounts.get("u1").items.__iter__().__next__())
        return story.all, story.state

    assert tell(restarts=True) == tell(restarts=False)


def test_a_reporters_record_is_bounded_and_fades(story: Story) -> None:
    for number in range(40):
        settle(story, number, "good", "uphold")
    feature = f"reporter:{reporter_name('good')}"
    record = json.loads(story.state[f"f:{feature}".encode()])
    assert (record["filed"], record["upheld"]) == (40, 40)
    assert len(record["seen"]) == REMEMBERED_OBSERVATIONS
    kept = ReporterRecord.from_bytes(story.state[f"f:{feature}".encode()])
    before = kept.trust
    observation = story.said("observations")[-1]
    from schemas.coordination import Observation

    late = Observation.model_validate({**observation, "observation_id": "late", "outcome": "dismissed"})
    kept.note(late, kept.last + 400 * 86_400_000)
    assert kept.upheld == 10
    assert kept.trust < before


def test_the_same_observation_twice_counts_once(story: Story) -> None:
    (item,) = story.report("r0").items
    observation = story.said("observations")[0]
    story.tell("observations", observation)
    feature = f"f:reporter:{reporter_name('r0')}".encode()
    assert json.loads(story.state[feature])["filed"] == 1
    story.review("uphold", item_id=item["item_id"])
    assert json.loads(story.state[feature])["upheld"] == 1


def test_a_finding_about_a_closed_item_moves_nothing(story: Story) -> None:
    settle(story, 0, "bad", "dismiss")
    story.report("bad", when=at(4))
    (finding,) = story.said("findings")
    item_id = finding["item_id"]
    story.review("dismiss", "v9", item_id=item_id, when=at(5))
    story.tell("findings", {**finding, "score": 0.9})
    assert story.judged.outputs == []


def test_an_edited_post_is_looked_at_again(story: Story) -> None:
    (item,) = story.post("a blip").items
    story.review("dismiss", item_id=item["item_id"], when=at(1))
    story.report("r1", when=at(2))
    assert story.items == []
    story.post("something worse", when=at(3), edit_of="1")
    story.restart().report("r2", when=at(4))
    (item,) = story.items
    story.review("dismiss", "v2", item_id=item["item_id"], when=at(5))
    story.report("r3", when=at(6))
    assert story.items == []


def test_so_many_edits_are_remembered_and_none_without_a_decision(story: Story) -> None:
    story.post("fine").post("finer", when=at(1), edit_of="1")
    assert "edits" not in story.judge.accounts.get("u1").traits
    (item,) = story.post("a blip", "2", when=at(1)).items
    story.review("dismiss", item_id=item["item_id"], when=at(1))
    for number in range(REMEMBERED_EDITS + 3):
        story.post("fine", f"p{number}", when=at(2, seconds=number), edit_of=f"p{number}")
    assert len(story.judge.accounts.get("u1").traits["edits"]) == REMEMBERED_EDITS


def test_nothing_is_proposed_against_whom_a_report_may_mean_to_help(care: Pack) -> None:
    story = Story(care)
    for subject in (("post", "1"), ("account", "u1")):
        (item,) = story.report(subject=subject, reason="suicide-self-harm").items
        assert (item["proposed"], item["policy"]) == (None, "suicide-self-harm")
        # And a second voice takes nothing of its urgency.
        story.report("r2", subject=subject, reason="illegal-goods")
        assert [again["policy"] for again in story.items] in ([], ["suicide-self-harm"])
        story.review("uphold", f"v-{subject[0]}", item_id=item["item_id"], when=at(2))
        assert (story.actions, story.strikes()) == ([], 0)


def test_nothing_is_proposed_against_whom_is_known_to_be_at_risk(care: Pack) -> None:
    story = Story(care)
    (item,) = story.post("sorrowword").items
    assert item["reason"] == "at_risk"
    (reported,) = story.report("r1", reason="illegal-goods").items
    assert reported["proposed"] is None
    (other,) = story.report("r2", reason="illegal-goods", subject=("post", "2")).items
    assert other["proposed"]["kind"] == "remove"
    # Others are protected even from somebody who is at risk.
    (account,) = story.report("r3", reason="violent-extremism", subject=("account", "u1")).items
    assert account["proposed"]["kind"] == "suspend"


@pytest.mark.parametrize(
    ("kind", "subject"), [("post", "9" * 513), ("media", f"{'9' * 513}/m"), ("media", "m")]
)
@pytest.mark.parametrize(
    "rights", [None, {"owner": "o", "work": "w", "basis": "copyright", "good_faith": True}]
)
def test_a_report_of_what_can_be_no_post_is_still_looked_at(
    story: Story, kind: str, subject: str, rights: dict[str, Any] | None
) -> None:
    for number in range(2):
        story.report(f"r{number}", subject=(kind, subject), rights=rights, when=at(1 + number))
        assert story.outcome() == ("review", None)
    assert story.judge.accounts.get("u1").items
