"""Packs that change under a partition: what it remembers stays, a share of accounts is tried, nothing goes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from schemas.coordination import PackSwitch
from tests.worker.engine.helpers import CACHE, Feed, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.records import Judged, Record
from worker.engine.registry import Pack, load_pack
from worker.engine.rollout import Roll, roll_of, switch_record
from worker.replay import Replay

LIVE = Path(__file__).resolve().parents[2] / "packs" / "live"
ACCOUNTS = [f"account-{number}" for number in range(10_000)]


def edition(folder: Path, number: int, word: str = "zap") -> Path:
    """The live pack as a later edition, in which another word removes."""
    shutil.copytree(LIVE, folder)
    for file, old, new in (
        ("pack.toml", "live-1", f"live-{number}"),
        ("illegal_goods/policy.toml", "version = 1", f"version = {number}"),
        ("illegal_goods/policy.toml", 'terms = ["zap"]', f'terms = ["{word}"]'),
        ("illegal_goods/cases.toml", "please zap it", f"please {word} it"),
    ):
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new))
    return folder


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, Pack]:
    folder = edition(tmp_path_factory.mktemp("packs") / "second", 2, "blip")
    return load_pack(LIVE, cache_dir=CACHE), load_pack(folder, cache_dir=CACHE)


def judge_of(packs: tuple[Pack, Pack], roll: Roll | None = None) -> PartitionJudge:
    known = {pack.sha256: pack for pack in packs}
    return PartitionJudge(roll or packs[0], 0, pack_of=known.get)


def switched(feed: Feed, switch: PackSwitch) -> Record:
    output = switch_record(0, switch)
    return feed.record("findings", output.value, output.key)


def removals(judged: Judged) -> list[tuple[str, str, int]]:
    """Post, pack and version of each removal."""
    return [
        (action["post_id"], action["pack"], action["policy_version"])
        for action in outputs(judged, "enforcement.remove")
    ]


# --- who is picked


def test_a_larger_share_holds_the_accounts_of_a_smaller_one(packs: tuple[Pack, Pack]) -> None:
    one, ten = (Roll(1, packs[0], packs[1], share) for share in (0.01, 0.1))
    few, more = ({account for account in ACCOUNTS if roll.picks(account)} for roll in (one, ten))
    assert few < more
    assert 60 <= len(few) <= 145
    assert 900 <= len(more) <= 1100


def test_not_every_pack_is_tried_on_the_same_accounts_first(packs: tuple[Pack, Pack]) -> None:
    there, back = Roll(1, *packs, share=0.1), Roll(1, packs[1], packs[0], share=0.1)
    both = sum(there.picks(account) and back.picks(account) for account in ACCOUNTS)
    assert both < 200  # a tenth of a tenth are 100


def test_the_whole_is_everybody_and_no_candidate_nobody(packs: tuple[Pack, Pack]) -> None:
    assert all(Roll(1, *packs, share=1.0).picks(account) for account in ACCOUNTS[:100])
    assert not any(Roll(1, packs[0], None, 1.0).picks(account) for account in ACCOUNTS[:100])


# --- switching


def test_a_partition_switches_when_the_record_is_read_and_not_before(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs), Feed()
    later = Roll(5, packs[1])
    output = judge.switch(later.switch).outputs[0]
    assert (output.topic, output.key, output.partition) == ("findings", b"partition:0", 0)
    assert judge.version == 0
    batch = [
        feed.record("posts", post("zap and blip", "1", "u1")),
        feed.record("findings", output.value, output.key),
        feed.record("posts", post("zap and blip", "2", "u2")),
    ]
    before = judge.judge(batch[:1])
    assert removals(before) == [("1", "live-1", 1)]
    counted = judge.judge(batch[1:2])
    assert counted.tally["moderator_decisions_total", "findings", "clear"] == 1
    after = judge.judge(batch[2:])
    assert removals(after) == [("2", "live-2", 2)]
    (record,) = (json.loads(value) for key, value in counted.state.items() if key == b"p:0" and value)
    assert (record["pack"], record["pack_version"]) == ("live-2", 5)


def test_records_of_a_batch_behind_the_switch_are_judged_by_the_new_pack(packs: tuple[Pack, Pack]) -> None:
    # As a worker reads `findings`: what is judged there measures nothing before its turn.
    judge, feed = judge_of(packs), Feed()
    judge.judge([feed.record("posts", post("fine", "1", "u1"))])
    judged = judge.judge([switched(feed, Roll(5, packs[1]).switch), switched(feed, Roll(7, packs[0]).switch)])
    assert judge.version == 7
    assert judge.pack is packs[0]
    assert judged.tally["moderator_decisions_total", "findings", "clear"] == 2


def test_a_partition_never_goes_back(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs), Feed()
    judge.judge([switched(feed, Roll(7, packs[1]).switch)])
    judge.judge([switched(feed, Roll(5, packs[0]).switch)])
    judge.adopt(Roll(6, packs[0]))
    assert (judge.version, judge.pack.id) == (7, "live-2")


def test_a_pack_that_is_not_at_hand_or_refused_changes_nothing(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs), Feed()
    unknown = PackSwitch(version=9, pack="gone", sha256="0" * 64)
    judged = judge.judge([switched(feed, unknown)])
    assert judged.tally["moderator_decisions_total", "findings", "refused"] == 1
    refused = Roll(9, packs[1]).switch.model_copy(update={"refused": "policy.toml:3: no"})
    judge.judge([switched(feed, refused)])
    assert judge.version == 0
    assert (
        roll_of(
            unknown.model_copy(update={"sha256": packs[0].sha256, "candidate": "0" * 64}),
            {packs[0].sha256: packs[0]}.get,
        )
        is None
    )


def test_what_the_partition_remembers_outlives_the_switch(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs), Feed()
    judge.judge([feed.record("posts", post("zap", "1", "u1"))])
    judge.judge([switched(feed, Roll(5, packs[1]).switch)])
    again = judge.judge([feed.record("posts", post("blip", "1", "u1"))])
    assert again.tally["moderator_decisions_total", "posts", "duplicate"] == 1
    (action,) = outputs(judge.judge([feed.record("posts", post("blip", "2", "u1"))]), "enforcement.remove")
    assert action["strikes"]["active"] == 2


def test_a_restored_partition_says_by_what_it_was_judged(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs, Roll(5, packs[0])), Feed()
    state = judge.judge([feed.record("posts", post("zap", "1", "u1"))]).state
    other = judge_of(packs)
    for key, value in state.items():
        other.restore(key, value)
    assert (other.version, other.judged_version) == (0, 5)


# --- a share of the accounts


def test_each_account_is_judged_by_its_pack_alone(packs: tuple[Pack, Pack]) -> None:
    roll = Roll(5, packs[0], packs[1], 0.3)
    judge, feed = judge_of(packs, roll), Feed()
    accounts = ACCOUNTS[:200]
    judged = judge.judge(
        [feed.record("posts", post("zap blip", f"p-{account}", account)) for account in accounts]
    )
    expected = [
        (f"p-{account}", "live-2", 2) if roll.picks(account) else (f"p-{account}", "live-1", 1)
        for account in accounts
    ]
    assert removals(judged) == expected
    assert {pack for _, pack, _ in expected} == {"live-1", "live-2"}
    picked = sum(map(roll.picks, accounts))
    verdicts = {
        role: judged.tally["moderator_rollout_verdicts_total", role, "illegal-goods", "violation"]
        for role in ("base", "candidate")
    }
    assert verdicts == {"base": 200 - picked, "candidate": picked}


def test_an_abort_brings_every_account_back(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs, Roll(5, packs[0], packs[1], 1.0)), Feed()
    assert removals(judge.judge([feed.record("posts", post("blip", "1", "u1"))])) == [("1", "live-2", 2)]
    judge.judge([switched(feed, Roll(6, packs[0]).switch)])
    assert removals(judge.judge([feed.record("posts", post("blip zap", "2", "u1"))])) == [("2", "live-1", 1)]


# --- a shadow


def test_a_shadow_is_counted_and_nothing_follows(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs, Roll(5, packs[0], packs[1], 1.0, shadow=True)), Feed()
    judged = judge.judge(
        [
            feed.record("posts", post("zap", "1", "u1")),
            feed.record("posts", post("blip", "2", "u2")),
            feed.record("posts", post("blip again", "3", "u3")),
            feed.record("posts", post("fine", "4", "u4")),
        ]
    )
    assert removals(judged) == [("1", "live-1", 1)]
    counted = {
        key[1:]: times for key, times in judged.tally.items() if key[0] == "moderator_rollout_changes_total"
    }
    assert counted == {("illegal-goods", "appears"): 2, ("illegal-goods", "vanishes"): 1}
    assert judged.tally["moderator_rollout_verdicts_total", "candidate", "illegal-goods", "violation"] == 2
    assert judged.tally["moderator_rollout_verdicts_total", "base", "illegal-goods", "violation"] == 1


def test_a_shadow_on_a_share_is_asked_about_that_share(packs: tuple[Pack, Pack]) -> None:
    roll = Roll(5, packs[0], packs[1], 0.2, shadow=True)
    judge, feed = judge_of(packs, roll), Feed()
    accounts = ACCOUNTS[:100]
    judged = judge.judge([feed.record("posts", post("blip", f"p-{each}", each)) for each in accounts])
    appeared = judged.tally["moderator_rollout_changes_total", "illegal-goods", "appears"]
    assert appeared == sum(map(roll.picks, accounts)) > 5
    assert removals(judged) == []


# --- replay


def test_replaying_a_recording_with_the_switch_gives_the_same_actions(packs: tuple[Pack, Pack]) -> None:
    judge, feed = judge_of(packs), Feed()
    stream = [feed.record("posts", post("zap blip", str(number), f"u{number}")) for number in range(6)]
    stream.insert(3, switched(feed, Roll(5, packs[1]).switch))
    expected = [removal for record in stream for removal in removals(judge.judge([record]))]
    lines = [
        json.dumps(
            {
                "topic": one.topic,
                "key": one.key.decode() if one.key else None,
                "value": json.loads(one.value or b""),
            }
        ).encode()
        for one in stream
    ]
    run = Replay(packs[0], packs={pack.sha256: pack for pack in packs})
    written = [json.loads(line) for line in (*run.feed(lines), *run.finish())]
    found = [
        (line["value"]["post_id"], line["value"]["pack"], line["value"]["policy_version"])
        for line in written
        if line["topic"] == "enforcement.remove"
    ]
    assert found == expected
    assert {pack for _, pack, _ in found} == {"live-1", "live-2"}
