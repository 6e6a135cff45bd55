"""Timelines say what comes of an account's behaviour, and the runner says where it comes otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from worker.engine.lint import lint
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack
from worker.engine.timelines import FILE, Timeline, faults_of, judge_timeline, run_timelines, timelines_of
from worker.engine.tomlfile import PackError

FOLDER = DEFAULT_PACK / "platform_manipulation"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(backend="re2", only={"platform-manipulation"}, models=False)


def test_every_timeline_is_decided_as_its_file_says(pack: Pack) -> None:
    results = run_timelines(pack)
    wrong = [f"{r.file.name}:{r.line} {r.timeline.name}: {'; '.join(r.faults)}" for r in results if not r.ok]
    assert not wrong, "\n".join(wrong)
    assert all(result.line > 0 for result in results)


def test_there_are_enough_that_fire_and_enough_near_misses() -> None:
    timelines = timelines_of(FOLDER)
    assert sum(one.expect == "violation" for one in timelines) >= 12
    assert sum(one.expect == "clear" for one in timelines) >= 14
    assert len({one.name for one in timelines}) == len(timelines)
    assert all(len(one.why.split()) > 4 for one in timelines)


def timeline(**more: object) -> Timeline:
    return Timeline.model_validate(
        {
            "name": "x",
            "expect": "clear",
            "why": "because",
            "posts": [{"repeat": 30, "every_seconds": 300, "texts": ["plain words {n}"]}],
            **more,
        }
    )


REPLIES = [{"repeat": 12, "every_seconds": 60, "texts": ["my page explains the method"], "answers": "hm {n}"}]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({}, "expected clear, got violation, from post 10 on"),
        ({"expect": "violation", "not_before": 11}, "post 10 is violation, none should be before post 11"),
        ({"expect": "violation", "by": 9}, "violation only at post 10, expected by post 9"),
        ({"expect": "violation", "last": "clear"}, "expected the last post to be clear, it is violation"),
        ({"expect": "violation", "evidence": ["a.b"]}, "expected evidence of a.b"),
    ],
)
def test_what_comes_otherwise_is_named(pack: Pack, wrong: dict[str, object], fault: str) -> None:
    told = timeline(posts=REPLIES, **wrong)
    assert list(faults_of(told, judge_timeline(pack, told))) == [fault]


def test_what_comes_as_it_should_has_no_fault(pack: Pack) -> None:
    told = timeline(posts=REPLIES, expect="violation", not_before=10, by=10, last="violation")
    assert list(faults_of(told, judge_timeline(pack, told))) == []


def test_the_posts_are_those_of_the_generators_in_their_order() -> None:
    posts = list(
        timeline(
            posts=[
                {"repeat": 2, "every_seconds": 10, "texts": ["a{n} {word}"], "words": ["x", "y"]},
                {
                    "after_seconds": 30,
                    "texts": ["end"],
                    "mentions": ["m{n}"],
                    "answers": "hm",
                    "answers_author": "z{n}",
                },
            ]
        ).records()
    )
    assert [post.text for post in posts] == ["a1 x", "a2 y", "end"]
    assert [(post.created_at - posts[0].created_at).total_seconds() for post in posts] == [0, 10, 40]
    assert posts[2].surface == "reply"
    assert posts[2].in_reply_to is not None
    assert (posts[2].in_reply_to.author_id, posts[2].mentions) == ("z1", ("m1",))


@pytest.mark.parametrize(
    "bad",
    [
        'expect = "clear"\nby = 3',
        'expect = "maybe"',
        'expect = "clear"\nauthor = { hadnle = "x" }',
        'expect = "clear"\nunknown = 1',
    ],
)
def test_a_misspelt_timeline_is_refused_with_its_place(tmp_path: Path, bad: str) -> None:
    text = f'[[timeline]]\nname = "x"\nwhy = "because"\n{bad}\nposts = [{{ texts = ["a"] }}]\n'
    (tmp_path / FILE).write_text(text)
    with pytest.raises(PackError, match=FILE):
        timelines_of(tmp_path)
    assert timelines_of(tmp_path / "elsewhere") == ()


LIMIT = """
[[behaviour]]
name = "behaviour.{name}"
counter = "{counter}"
window_minutes = 60
at_least = 5
{more}
detail = "{{count}} of it"
source = "test"
"""


@pytest.mark.parametrize(
    ("added", "validator"),
    [
        (LIMIT.format(name="nobody-asks", counter="links", more=""), "unused-limit"),
        (LIMIT.format(name="posts-hour", counter="links", more=""), "duplicate-limit"),
        (
            LIMIT.format(name="trades", counter="marked", more='signals = ["no.such"]'),
            "limit-waits-for-nothing",
        ),
    ],
)
def test_a_limit_that_does_nothing_is_named_by_lint(tmp_path: Path, added: str, validator: str) -> None:
    found = lint(changed_pack(tmp_path, added))
    assert validator in {finding.validator for finding in found}
    assert all(finding.problem.line for finding in found)


def test_a_policy_with_limits_needs_timelines(tmp_path: Path) -> None:
    pack = changed_pack(tmp_path)
    assert lint(pack) == []
    (tmp_path / FOLDER.name / FILE).unlink()
    assert {finding.validator for finding in lint(pack)} == {"timelines-unreadable"}


def test_a_window_longer_than_what_is_kept_stops_the_pack(tmp_path: Path) -> None:
    long = LIMIT.format(name="long", counter="links", more="").replace("= 60", "= 2880")
    with pytest.raises(PackError, match="window_minutes"):
        changed_pack(tmp_path, long)


def test_a_finding_on_a_limit_that_is_not_there_stops_the_pack(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"behaviour\.nowhere"):
        changed_pack(tmp_path, replace=('anchor = ["behaviour.trades"]', 'anchor = ["behaviour.nowhere"]'))


def changed_pack(folder: Path, added: str = "", replace: tuple[str, str] = ("", "")) -> Pack:
    """The policy alone, in a pack of its own, with text added at the end of its file or replaced in it."""
    shutil.copytree(FOLDER, folder / FOLDER.name)
    shutil.copytree(DEFAULT_PACK / "facts", folder / "facts")
    (folder / "pack.toml").write_text('id = "changed"\nrules_date = 2026-11-23\n')
    file = folder / FOLDER.name / "policy.toml"
    file.write_text(file.read_text("utf-8").replace(*replace) + added, "utf-8")
    return load_pack(folder, backend="re2", models=False)
