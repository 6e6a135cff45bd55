from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.worker.cli.conftest import PACK, Moderator

POLICY = Path("violence") / "policy.toml"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(PACK, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def edit(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text, "utf-8")


def test_equal_packs_do_not_differ(moderator: Moderator, changed: Path) -> None:
    ran = moderator("policies", "diff", str(PACK), str(changed))
    assert ran.code == 0
    assert "0 differences" in ran.out
    assert "decided as before" in ran.out


def test_a_threshold_and_a_term_that_changed_are_named_with_both_values(
    moderator: Moderator, changed: Path
) -> None:
    edit(changed / POLICY, ('"zap"', '"zip"'), ("version = 3", "version = 4"))
    report = moderator("policies", "diff", str(PACK), str(changed), "--json").json
    found = {(d["policy"], d["what"]): (d["before"], d["after"]) for d in report["differences"]}
    assert found["violence", "version"] == ("3", "4")
    removed = found["violence", "term plain.remove “zap”"]
    added = found["violence", "term plain.remove “zip”"]
    assert removed[1] is None
    assert added[0] is None
    assert report["unversioned"] == []


def test_cases_that_are_decided_differently_are_named(moderator: Moderator, changed: Path) -> None:
    edit(changed / POLICY, ('"zap"', '"zip"'), ("version = 3", "version = 4"))
    decided = moderator("policies", "diff", str(PACK), str(changed), "--json").json["decisions"]
    assert decided
    assert ("violence", "violation", "clear") in {(d["policy"], d["before"], d["after"]) for d in decided}
    assert (
        moderator("policies", "diff", str(PACK), str(changed), "--no-cases", "--json").json["decisions"] == []
    )


def test_a_change_without_a_new_version_is_warned_of(moderator: Moderator, changed: Path) -> None:
    edit(changed / POLICY, ('"zap"', '"zip"'))
    ran = moderator("policies", "diff", str(PACK), str(changed))
    assert "the version is unchanged, though verdicts may differ: violence" in ran.err


def test_a_policy_that_is_gone_is_named(moderator: Moderator, changed: Path) -> None:
    shutil.rmtree(changed / "illegal_goods")
    report = moderator("policies", "diff", str(PACK), str(changed), "--json").json
    assert report["differences"] == [
        {"policy": "illegal-goods", "what": "policy", "before": "version 1", "after": None}
    ]
