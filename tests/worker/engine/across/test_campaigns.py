"""What many accounts share: who is caught, and above all who is not."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas.coordination import Finding, Observation
from tests.worker.engine.across.helpers import LINK, TEXT, Story, fresh, seconds, settled
from tests.worker.engine.helpers import at
from worker.engine.registry import Pack


def _campaign(story: Story, accounts: int, text: str = TEXT, gap: float = 30, **more: Any) -> None:
    for number in range(accounts):
        story.post(f"bot{number}", f"{text} {number}", when=seconds(number * gap), profile=fresh(), **more)


def test_new_accounts_with_one_text_and_one_link_are_removed_also_those_before_the_limit(
    story: Story,
) -> None:
    _campaign(story, 12, urls=[LINK])
    assert story.acted("remove") == {f"bot{number}" for number in range(12)}
    actions = story.values("enforcement.remove")
    assert len(actions) == 12
    action = actions[0]
    assert action["policy"] == "platform-manipulation"
    assert {item["signal"] for item in action["evidence"]} == {
        "platform-manipulation.campaign",
        "coordination.text",
    }
    assert "8 accounts within 60 minutes, 8 of them new" in {item["detail"] for item in action["evidence"]}
    assert action["record"]["topic"] == "findings"


def test_without_a_link_a_person_looks(story: Story) -> None:
    _campaign(story, 6)
    assert not story.acted("remove")
    assert story.looked_at() == {f"bot{number}" for number in range(6)}


def test_names_numbers_and_mentions_do_not_hide_a_campaign(story: Story) -> None:
    for number in range(9):
        text = f"@user{number} {TEXT.lower()}!!! {number * 17} \U0001f525"
        story.post(f"bot{number}", text, when=seconds(number * 20), profile=fresh(), urls=[LINK])
    assert len(story.acted("remove")) == 9


def test_what_lies_further_apart_than_the_window_is_no_cluster(story: Story) -> None:
    _campaign(story, 12, gap=1200, urls=[LINK])
    assert not story.acted("remove")


def test_fans_petitioners_and_mourners_with_a_standing_are_left_alone(story: Story) -> None:
    for number in range(60):
        story.post(
            f"fan{number}", f"{TEXT} #encore", when=seconds(number), profile=settled(), hashtags=["encore"]
        )
    for number in range(40):
        story.post(
            f"signer{number}", f"{TEXT} petition", when=seconds(90 + number), profile=settled(), urls=[LINK]
        )
    assert not story.acted("remove")
    assert not story.acted("label")
    assert not story.looked_at()


def test_a_few_new_accounts_in_a_wave_of_old_ones_are_left_alone(story: Story) -> None:
    chance = random.Random(5)
    for number in range(120):
        profile = fresh() if chance.random() < 0.1 else settled()
        story.post(
            f"user{number}", f"{TEXT} #goal", when=seconds(number * 3), profile=profile, hashtags=["goal"]
        )
    assert not story.acted("remove")
    assert not story.looked_at()


def test_who_has_a_standing_is_looked_at_where_others_are_removed(story: Story) -> None:
    _campaign(story, 9, urls=[LINK])
    story.post("hijacked", TEXT, when=seconds(300), profile=settled(), urls=[LINK])
    assert "hijacked" not in story.acted("remove")
    assert "hijacked" in story.looked_at()


def test_accounts_that_nobody_knows_are_never_counted_as_new(story: Story) -> None:
    for number in range(20):
        story.post(f"who{number}", TEXT, when=seconds(number), urls=[LINK])
    assert not story.acted("remove")
    assert not story.looked_at()


def test_what_the_accounts_record_said_counts_where_posts_bring_no_profile(story: Story) -> None:
    for number in range(10):
        story.account(f"bot{number}", profile=fresh())
        story.post(f"bot{number}", TEXT, when=seconds(number), urls=[LINK])
    assert story.acted("remove") == {f"bot{number}" for number in range(10)}


def test_one_account_that_repeats_itself_is_no_crowd(story: Story) -> None:
    for number in range(40):
        story.post("solo", TEXT, number, when=seconds(number), profile=fresh(), urls=[LINK])
    assert not story.values("findings")


def test_a_flood_of_one_account_does_not_push_the_others_out(story: Story) -> None:
    for number in range(5):
        story.post(f"bot{number}", TEXT, when=seconds(number), profile=fresh(), urls=[LINK])
    for number in range(80):
        story.post("solo", TEXT, number, when=seconds(10 + number), profile=fresh(), urls=[LINK])
    for number in range(5, 8):
        story.post(f"bot{number}", TEXT, when=seconds(100 + number), profile=fresh(), urls=[LINK])
    assert {f"bot{number}" for number in range(8)} <= story.acted("remove")


def test_a_deleted_post_and_an_erased_account_gain_nothing(story: Story) -> None:
    for number in range(7):
        story.post(f"bot{number}", TEXT, when=seconds(number), profile=fresh(), urls=[LINK])
    story.post("bot0", "", when=seconds(20), deleted=True)
    story.account("bot1", when=seconds(21), deleted=True)
    story.post("bot7", TEXT, when=seconds(30), profile=fresh(), urls=[LINK])
    assert story.acted("remove") == {f"bot{number}" for number in range(2, 8)}


def test_the_same_finding_twice_is_a_duplicate(story: Story) -> None:
    _campaign(story, 8, urls=[LINK])
    finding = next(value for value in story.values("findings") if value["score"] == 0.9)
    judged = story.send("findings", finding["account_id"], finding)
    assert judged.tally["moderator_decisions_total", "findings", "duplicate"] == 1
    assert not judged.outputs


def test_the_same_observation_twice_changes_nothing(story: Story) -> None:
    _campaign(story, 4, urls=[LINK])
    observation = story.values("observations")[-1]
    for _ in range(20):
        judged = story.send("observations", observation["feature"], observation)
        assert judged.tally["moderator_decisions_total", "observations", "duplicate"] == 1
    assert not story.values("findings")


def test_what_exceeds_the_cap_of_a_row_is_counted(story: Story) -> None:
    _campaign(story, 30, gap=10, urls=[LINK])
    assert len(story.acted("remove")) == 20
    assert story.total.tally["moderator_findings_capped_total", "text"] > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_does_not_decide_who_is_caught(campaign_pack: Pack, seed: int) -> None:
    posts = [(f"bot{number}", seconds(number * 20)) for number in range(10)]
    random.Random(seed).shuffle(posts)
    story = Story(campaign_pack)
    for author, when in posts:
        story.post(author, TEXT, when=when, profile=fresh(), urls=[LINK])
    assert story.acted("remove") == {f"bot{number}" for number in range(10)}
    ids = {value["finding_id"] for value in story.values("findings") if value["score"] == 0.9}
    straight = Story(campaign_pack)
    for author, when in sorted(posts, key=lambda pair: pair[1]):
        straight.post(author, TEXT, when=when, profile=fresh(), urls=[LINK])
    assert ids == {value["finding_id"] for value in straight.values("findings") if value["score"] == 0.9}


def test_a_domain_that_only_new_accounts_link_to_is_looked_at(story: Story) -> None:
    for number in range(6):
        story.post(f"bot{number}", f"my {number} words", when=at(number), profile=fresh(), urls=[LINK])
    assert story.looked_at() == {f"bot{number}" for number in range(6)}
    told = [value for value in story.values("observations") if value["feature"].startswith("domain:")]
    assert {value["feature"] for value in told} == {"domain:voucher-store.xyz"}


def test_a_domain_is_told_once_an_account_and_day(story: Story) -> None:
    for number in range(6):
        story.post("bot", f"my {number} words", number, when=at(number * 6), profile=fresh(), urls=[LINK])
    told = [value for value in story.values("observations") if value["feature"].startswith("domain:")]
    assert len(told) == 2


def test_many_new_accounts_on_one_device_are_labelled(story: Story) -> None:
    for number in range(4):
        story.post(
            f"bot{number}", f"hello {number}", when=at(number), profile=fresh(), client={"device": "d:1"}
        )
    assert story.acted("label") == {f"bot{number}" for number in range(4)}


def test_a_device_speaks_of_the_account_days_later(story: Story) -> None:
    for number in range(4):
        story.post(
            f"bot{number}", f"hi {number}", when=at(40 * number), profile=fresh(), client={"device": "d:1"}
        )
    assert story.acted("label") == {f"bot{number}" for number in range(4)}


def test_a_judge_that_is_restored_goes_on_as_the_old_one(campaign_pack: Pack) -> None:
    def run(restart_after: int | None) -> list[str]:
        story = Story(campaign_pack)
        for number in range(12):
            story.post(f"bot{number}", TEXT, when=seconds(number * 9), profile=fresh(), urls=[LINK])
            if restart_after == number:
                for partition in range(3):
                    story.exchange.restart(partition)
        outputs = story.total.outputs
        return [f"{output.topic} {output.value!r} {output.partition}" for output in outputs]

    straight = run(None)
    for after in range(12):
        assert run(after) == straight


def test_observations_and_findings_go_to_their_owners_partition(story: Story) -> None:
    _campaign(story, 8, urls=[LINK])
    for number, output in story.exchange.outputs:
        if output.topic in {"observations", "findings"}:
            assert number == story.exchange.partition_of(output.key.decode())
    assert {number for number, output in story.exchange.outputs if output.topic == "findings"} == {0, 1, 2}
    assert not story.values("dead-letter")
    assert json.dumps(story.values("observations")).count(TEXT) == 0, "no text is told"


def test_what_is_told_has_every_field_of_its_model_in_order(story: Story) -> None:
    _campaign(story, 8, urls=[LINK], client={"device": "d:1"})
    observations, findings = story.values("observations"), story.values("findings")
    assert len(observations) == 24
    for value in observations:
        assert list(value) == list(Observation.model_fields)
        Observation.model_validate_json(json.dumps(value))
    for value in findings:
        assert list(value) == [
            name for name, field in Finding.model_fields.items() if field.exclude_if is None
        ]
