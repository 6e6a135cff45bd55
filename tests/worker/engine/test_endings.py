"""What has an end, end to end: the longer of two outlasts the shorter, and a warning is told as one."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest

from schemas.base import parse_time
from tests.worker.engine.helpers import CACHE, PACK, START, Feed, at, outputs, post
from worker.engine.judge import PartitionJudge
from worker.engine.registry import Pack, load_pack

LADDER = """
[[ladder]]
score = 0.7
strikes = 1
warn_below = 0.8
actions = [{ kind = "label", label = "limited-visibility", duration_hours = 2 }]

[[ladder]]
score = 0.8
strikes = 1
actions = [{ kind = "remove", duration_hours = 5 }]

[[ladder]]
score = 0.7
same_policy_strikes = 2
strikes = 1
actions = [{ kind = "remove" }, { kind = "suspend", mode = "read_only", duration_hours = 12 }]

[[ladder]]
score = 0.7
same_policy_strikes = 3
strikes = 1
actions = [{ kind = "remove" }, { kind = "suspend", mode = "read_only", duration_hours = 168 }]

"""


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack") / "timed"
    shutil.copytree(PACK, folder)
    file = folder / "violence" / "policy.toml"
    head, _, rest = file.read_text("utf-8").partition("[[ladder]]")
    file.write_text(head + LADDER + "[[terms]]" + rest.partition("[[terms]]")[2], "utf-8")
    return load_pack(folder, cache_dir=CACHE)


def judged(judge: PartitionJudge, feed: Feed, word: str, number: int, hours: float) -> list[dict[str, Any]]:
    """The notices of one more post."""
    return outputs(judge.judge(feed.posts(post(word, str(number), when=at(hours)))), "notices")


def test_a_first_offence_is_told_as_a_warning_also_by_the_next_owner(timed: Pack) -> None:
    first, feed = PartitionJudge(timed, 0), Feed()
    done = first.judge(feed.posts(post("zip", "1")))
    (notice,) = outputs(done, "notices")
    (label,) = outputs(done, "enforcement.label")
    (decision,) = outputs(done, "decisions")
    assert (notice["kind"], notice["action_id"]) == ("warning", label["action_id"])
    assert label["strikes"] == decision["strikes"] == {"added": 0, "active": 0}
    second = PartitionJudge(timed, 0)
    for key, value in done.state.items():
        second.restore(key, value)
    (again,) = judged(second, feed, "zip", 2, 1)
    assert again["kind"] == "action"


def test_what_has_an_end_ends_with_its_notice(timed: Pack) -> None:
    judge, feed = PartitionJudge(timed, 0), Feed()
    judged(judge, feed, "zip", 1, 0)
    judged(judge, feed, "zap", 2, 1)
    ended = judge.expire(START + timedelta(hours=6))
    (label,) = outputs(ended, "enforcement.label")
    (removal,) = outputs(ended, "enforcement.remove")
    assert (label["operation"], label["subject"]["id"], label["decided_at"]) == ("reverse", "1", at(2))
    assert (removal["operation"], removal["subject"]["id"], removal["decided_at"]) == ("reverse", "2", at(6))
    assert [n["body"] for n in outputs(ended, "notices")] == [
        "The label “limited visibility” on your post has ended.",
        "Your post is visible again.",
    ]


def test_the_end_of_the_shorter_of_two_suspensions_does_not_lift_the_longer(timed: Pack) -> None:
    judge, feed = PartitionJudge(timed, 0), Feed()
    for number in range(3):
        done = judge.judge(feed.posts(post("zap", str(number), when=at(number))))
        suspensions = outputs(done, "enforcement.suspend")
        if number == 1:
            (short,) = suspensions
        elif number == 2:
            (long,) = suspensions
    assert parse_time(short["expires_at"]) == START + timedelta(hours=13)
    assert parse_time(long["expires_at"]) == START + timedelta(hours=2 + 168)
    ended = judge.expire(START + timedelta(hours=100))
    (reverse,) = outputs(ended, "enforcement.suspend")
    assert reverse["reverses"] == short["action_id"]
    bodies = [n["body"] for n in outputs(ended, "notices") if n["subject"]["type"] == "account"]
    assert bodies == ["A limit on your account has ended, but another one is still in force."]
    # The longer one stands, so a post of that time is not answered by a shorter one.
    during = judge.judge(feed.posts(post("zap", "9", author="u1", when=at(99))))
    assert [a["expires_at"] for a in outputs(during, "enforcement.suspend")] == [at(99 + 168)]
    (last,) = (
        r
        for r in outputs(judge.expire(START + timedelta(hours=171)), "enforcement.suspend")
        if r["operation"] == "reverse"
    )
    assert last["reverses"] == long["action_id"]


def test_the_end_of_a_label_does_not_promise_what_another_still_withholds(timed: Pack) -> None:
    judge, feed = PartitionJudge(timed, 0), Feed()
    account = judge.accounts.get("u1")
    judged(judge, feed, "zip", 1, 0)
    (label,) = account.actions
    account.actions = [
        label,
        type(label)("other", "label", "post", "1", "limited-visibility", None),
        type(label)("third", "label", "post", "1", "misleading", None),
    ]
    (notice,) = outputs(judge.expire(START + timedelta(hours=3)), "notices")
    assert notice["body"].startswith("One measure has ended, but another one")
