"""Who comes back after a suspension, and who only shares a device or a network with somebody."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.enforcement import Enforcement
from tests.worker.engine.across.helpers import Story, fresh, settled
from tests.worker.engine.helpers import at
from worker.engine.records import Judged
from worker.engine.registry import Pack

DEVICE = {"device": "d:1"}
NETWORK = {"network": "n:1"}
BOTH = {**DEVICE, **NETWORK}
BIO = "Collector of rare stamps and teller of very long stories from the harbour"


def new(hours: float, **more: Any) -> dict[str, Any]:
    """The profile of an account that was made so many hours after the start."""
    return {"created_at": at(hours), "followers": 0, **more}


def _suspended(story: Story, client: dict[str, str] = BOTH, name: str = "old", **profile: Any) -> None:
    story.post(name, "hello", profile=settled(**profile), client=client)
    story.post(name, "zap", 2, at(1), profile=settled(**profile), client=client)
    assert name in story.acted("suspend")


def _verified(story: Story) -> set[str]:
    return {
        value["account_id"]
        for value in story.values("enforcement.suspend")
        if value["policy"] == "enforcement-circumvention"
    }


def test_a_new_account_on_the_device_of_a_suspended_one_must_prove_who_it_is(story: Story) -> None:
    _suspended(story)
    story.post("new", "hello again", 1, at(30), profile=new(29), client=DEVICE)
    assert _verified(story) == {"new"}
    action = story.values("enforcement.suspend")[-1]
    assert action["mode"] == "verify"
    assert action["subject"] == {"type": "account", "id": "new"}
    assert "device of an account that was suspended 1 days before this one was made" in {
        item["detail"] for item in action["evidence"]
    }


def test_a_new_profile_tells_its_device_before_any_post(story: Story) -> None:
    _suspended(story)
    story.account("new", at(30), profile=new(29), client=DEVICE)
    assert _verified(story) == {"new"}


def test_who_was_seen_before_the_suspension_was_told_is_found_as_well(story: Story) -> None:
    story.post("old", "hello", profile=settled(), client=DEVICE)
    story.post("new", "hello", 1, at(3), profile=new(2), client=DEVICE)
    story.post("old", "zap", 2, at(1), profile=settled(), client=DEVICE)  # its partition lagged behind
    assert _verified(story) == {"new"}


def test_a_family_that_shared_the_device_before_is_left_alone(story: Story) -> None:
    for name in ("mother", "child"):
        story.post(name, "hello", profile=settled(), client=DEVICE)
    _suspended(story)
    for name in ("mother", "child"):
        story.post(name, "hello", 2, at(24 * 8), profile=settled(), client=DEVICE)
    assert not _verified(story)
    assert not story.looked_at()


def test_a_new_account_in_a_household_is_only_looked_at(story: Story) -> None:
    story.post("mother", "hello", profile=settled(), client=DEVICE)
    _suspended(story)
    story.post("new", "hello", 1, at(30), profile=new(29), client=DEVICE)
    assert not _verified(story)
    assert story.looked_at() == {"new"}


def test_a_device_that_many_use_says_nothing(story: Story) -> None:
    for number in range(4):
        story.post(f"guest{number}", "hello", profile=settled(), client=DEVICE)
    _suspended(story)
    story.post("new", "hello", 1, at(30), profile=new(29), client=DEVICE)
    assert not _verified(story)
    assert not story.looked_at()


def test_an_older_account_that_moves_to_the_device_is_left_alone(story: Story) -> None:
    _suspended(story)
    story.post("partner", "hello", 1, at(30), profile=settled(), client=DEVICE)
    assert not _verified(story)
    assert not story.looked_at()


def test_a_network_alone_says_nothing(story: Story) -> None:
    _suspended(story)
    story.post("neighbour", "hello", 1, at(30), profile=new(29), client=NETWORK)
    assert any(value["feature"].startswith("network:") for value in story.values("findings"))
    assert not _verified(story)
    assert not story.looked_at()


def test_a_network_and_an_announced_return_say_something(story: Story) -> None:
    _suspended(story)
    story.post("new", "guess who is back again", 1, at(30), profile=new(29), client=NETWORK)
    assert _verified(story) == {"new"}


def test_a_network_of_many_is_never_told(story: Story) -> None:
    for number in range(4):
        story.post(f"u{number}", "hello", profile=settled(), client=NETWORK)
    _suspended(story)
    story.post("new", "guess who is back again", 1, at(30), profile=new(29), client=NETWORK)
    assert not _verified(story)


def test_a_reused_profile_is_looked_at_and_with_the_network_acted_on(story: Story) -> None:
    _suspended(story, bio=BIO)
    story.post("copy", "hello", 1, at(30), profile=new(29, bio=BIO.upper() + "!"))
    assert not _verified(story)
    assert story.looked_at() == {"copy"}
    story.post("copy", "hello", 2, at(31), profile=new(29, bio=BIO), client=NETWORK)
    assert _verified(story) == {"copy"}


def test_a_network_that_was_told_first_counts_no_more_than_it_did(story: Story) -> None:
    _suspended(story, bio=BIO)
    story.post("copy", "hello", 1, at(30), profile=new(29), client=NETWORK)
    assert not _verified(story)
    story.account("copy", at(31), profile=new(29, bio=BIO))
    assert _verified(story) == {"copy"}
    assert story.values("enforcement.suspend")[-1]["score"] == 0.8


def test_a_handle_with_other_numbers_is_the_same_handle(story: Story) -> None:
    _suspended(story, handle="stamp_teller")
    story.account("new", at(30), profile=new(29, handle="StampTeller2"))
    assert story.looked_at() == {"new"}


def test_short_handles_and_bios_are_not_told(story: Story) -> None:
    story.post("new", "hello", profile=new(-1, handle="ann2", bio="artist"))
    assert not story.values("observations")


def test_a_suspension_is_forgotten_after_ninety_days(story: Story) -> None:
    _suspended(story)
    story.post("new", "hello", 1, at(24 * 92), profile=new(24 * 92 - 1), client=DEVICE)
    assert not _verified(story)
    assert not story.looked_at()


def test_a_suspension_that_is_reversed_is_lifted(story: Story) -> None:
    _suspended(story)
    (action,) = story.values("enforcement.suspend")
    partition = story.exchange.partition_of("old")
    judge = story.exchange.judges[partition]
    told = len(story.values("observations"))

    reverse = Enforcement.model_validate(
        {**action, "operation": "reverse", "reverses": action["action_id"], "decided_at": at(5)}
    )
    judged = Judged()
    judge._base.telling.suspension(reverse, judge.accounts.get("old"), judged)
    assert len(judged.outputs) == 2
    for output in judged.outputs:
        story.exchange.send("observations", output.key.decode(), output.value or b"")
    assert told > 0
    story.post("new", "hello", 1, at(30), profile=new(29), client=DEVICE)
    assert not _verified(story)


@pytest.mark.parametrize("mode", ["restored", "straight"])
def test_suspensions_survive_a_restart(campaign_pack: Pack, mode: str) -> None:
    story = Story(campaign_pack)
    _suspended(story)
    if mode == "restored":
        for partition in range(3):
            story.exchange.restart(partition)
    story.post("new", "hello", 1, at(30), profile=new(29), client=DEVICE)
    assert _verified(story) == {"new"}


def test_devices_are_told_once_a_week(story: Story) -> None:
    for number in range(20):
        story.post("u1", "hello", number, at(12 * number), profile=fresh(), client=DEVICE)
    told = [value for value in story.values("observations") if value["feature"] == "device:d:1"]
    assert len(told) == 2


def test_nothing_of_a_suspended_account_but_a_digest_is_kept(story: Story) -> None:
    _suspended(story)
    for state in story.exchange.state:
        for key, value in state.items():
            if key.startswith(b"f:"):
                assert b'"suspended":{"old"' not in value
