"""The runner of labelled posts: what it reads, what it refuses, what it says of a wrong one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from worker.engine.cases import Case, read_cases, run_cases
from worker.engine.registry import Pack
from worker.engine.tomlfile import PackError

GOOD = '[[case]]\nname = "a word"\ntext = "zap"\nexpect = "violation"\nwhy = "it is one"\n'


def pack_with(pack: Pack, folder: Path, cases: str | bytes) -> Pack:
    """The pack with only its first policy, whose cases are these."""
    (folder / "cases.toml").write_bytes(cases if isinstance(cases, bytes) else cases.encode())
    return replace(pack, policies=(replace(pack.policies[0], folder=folder),))


def test_the_plain_packs_cases_hold_whatever_the_policys_status(pack: Pack) -> None:
    results = run_cases(pack)
    assert {result.policy for result in results} == {"violence", "illegal-goods"}
    assert [result.case.name for result in results if not result.ok] == []
    assert all(result.got == result.case.expect for result in results)


def test_only_the_named_policies_are_run(pack: Pack) -> None:
    assert {result.policy for result in run_cases(pack, ["illegal-goods"])} == {"illegal-goods"}


@pytest.mark.parametrize(
    ("case", "faults"),
    [
        ('text = "zap"\nexpect = "clear"', ("expected clear, got violation with score 0.85",)),
        (
            'text = "zap"\nexpect = "violation"\nat_least = 0.9',
            ("expected a score of at least 0.9, got 0.85",),
        ),
        (
            'text = "zap"\nexpect = "violation"\nevidence = ["plain.doubt"]',
            ("expected evidence of plain.doubt",),
        ),
        ('text = "a blip"\nexpect = "clear"', ("expected clear, got review with score 0.50",)),
        ('text = "faultyword"\nexpect = "clear"', ("expected clear, got failed with score 0.00",)),
        ('text = "zap"\nlang = "de"\nexpect = "abstain"', ()),
        ('text = "zap"\nprofile = true\nexpect = "violation"', ()),
    ],
)
def test_a_case_that_is_decided_otherwise_says_how(
    pack: Pack, tmp_path: Path, case: str, faults: tuple[str, ...]
) -> None:
    (result,) = run_cases(pack_with(pack, tmp_path, f'[[case]]\nname = "n"\nwhy = "w"\n{case}\n'))
    assert result.faults == faults
    assert result.ok is not bool(faults)


def test_the_line_is_that_of_the_cases_own_name(pack: Pack, tmp_path: Path) -> None:
    longer = GOOD.replace('"a word"', '"not a word"').replace("it is one", "not a word at all, unlike a word")
    results = run_cases(pack_with(pack, tmp_path, f"# a word first\n{longer}\n{GOOD}"))
    assert [(result.case.name, result.line) for result in results] == [("not a word", 3), ("a word", 9)]


@pytest.mark.parametrize(
    ("cases", "line", "reason"),
    [
        (None, None, "cannot be read: No such file"),
        ("= 3", 1, "not valid TOML"),
        (GOOD.encode("utf-16"), None, "is not UTF-8"),
        ("", None, "case: Field required"),
        (GOOD + "expected = 3\n", 6, "case.0.expected: Extra inputs"),
        (GOOD + GOOD.replace('why = "it is one"\n', ""), 6, "case.1.why: Field required"),
        (GOOD.replace('"violation"', '"removed"'), 4, "case.0.expect: Input should be 'violation'"),
        (GOOD + 'surface = "tweet"\n', 6, "case.0.surface: Input should be 'post'"),
        (GOOD + 'author = { follower = 3 }\n', 6, "case.0.author: Value error, a profile has no follower"),
        (GOOD + 'author = { followers = -3 }\n', 6, "case.0.author"),
        (GOOD + "at_least = 2\n", 6, "case.0.at_least: Input should be less"),
    ],
)  # fmt: skip
def test_a_bad_file_of_cases_is_refused_with_line_and_reason(
    pack: Pack, tmp_path: Path, cases: str | bytes | None, line: int | None, reason: str
) -> None:
    changed = pack_with(pack, tmp_path, cases if cases is not None else "")
    if cases is None:
        changed.policies[0].cases_path.unlink()
    with pytest.raises(PackError) as caught:
        read_cases(changed.policies[0])
    problem = caught.value.problems[0]
    assert (problem.file, problem.line) == (tmp_path / "cases.toml", line)
    assert reason in problem.reason


def test_a_case_can_set_the_scene() -> None:
    case = Case(
        name="n", text="and you too", expect="clear", why="w", lang="en-GB", in_reply_to="get well soon",
        quotes="quoted", author={"handle": "ann", "parody": True}, mentions=("u7",),
    )  # fmt: skip
    subject = case.subject()
    assert subject.post is not None
    assert subject.post.in_reply_to is not None
    assert subject.post.quotes is not None
    assert (subject.post.surface, subject.post.in_reply_to.text) == ("reply", "get well soon")
    assert (subject.post.quotes.text, subject.post.mentions, subject.lang) == ("quoted", ("u7",), "en")
    assert subject.author is not None
    assert subject.author.parody
