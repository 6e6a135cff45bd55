from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.worker.cli.conftest import PACK, Moderator


@pytest.fixture
def own_pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(PACK, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_list_shows_status_ladder_clause_and_date(moderator: Moderator) -> None:
    out = moderator("policies", "list").out
    assert "rules as published on 2026-11-23" in out
    assert "shadow (records, does not act)" in out
    assert "≥ 0.80, 3 strikes: remove + suspend read_only 12 h" in out
    assert "You may not zap." in out


def test_the_list_as_json(moderator: Moderator) -> None:
    report = moderator("policies", "list", "--json").json
    assert (report["pack"], report["rules_date"]) == ("plain-1", "2026-11-23")
    assert [(policy["id"], policy["version"], policy["status"]) for policy in report["policies"]] == [
        ("violence", 3, "enforce"),
        ("illegal-goods", 1, "shadow"),
    ]


def test_lint_names_file_line_reason_and_validator(moderator: Moderator, own_pack: Path) -> None:
    ran = moderator("policies", "lint", str(own_pack))
    assert ran.code == 1
    assert f"{own_pack}/violence/policy.toml:5: clause: quote the sentence" in ran.out
    assert "[clause-missing]" in ran.out
    problems = moderator("policies", "lint", "--json", str(own_pack)).json["problems"]
    assert {problem["validator"] for problem in problems} == {"clause-missing", "too-few-cases"}


def test_lint_names_what_keeps_a_pack_from_loading(moderator: Moderator, own_pack: Path) -> None:
    file = own_pack / "violence" / "policy.toml"
    file.write_text(file.read_text().replace('status = "enforce"', 'status = "enforced"'))
    ran = moderator("policies", "lint", str(own_pack))
    assert ran.code == 1
    assert f"{file}:3: status" in ran.out
    checked = moderator("check", "x", "--policies", str(own_pack))
    assert checked.code == 2
    assert f"{file}:3: status" in checked.err
    assert "moderator policies lint" in checked.err


def test_a_pattern_that_needs_more_than_linear_time_is_refused_with_its_line(
    moderator: Moderator, own_pack: Path
) -> None:
    file = own_pack / "violence" / "policy.toml"
    lines = file.read_text().splitlines()
    added = ["[[expressions]]", 'name = "plain.again"', r"patterns = ['(a)\1']", 'source = "made up"']
    file.write_text("\n".join([*lines, "", *added, ""]))
    ran = moderator("policies", "lint", str(own_pack))
    assert ran.code == 1
    place = ran.out.split(": ", 1)[0]
    assert place.startswith(f"{file}:")
    assert abs(int(place.rpartition(":")[2]) - (len(lines) + 4)) <= 2


def test_cases_that_pass_are_code_0(moderator: Moderator) -> None:
    ran = moderator("policies", "test")
    assert ran.code == 0
    assert "4 of 4" in ran.out


def test_a_case_that_fails_is_code_1_and_says_why_it_matters(moderator: Moderator, own_pack: Path) -> None:
    file = own_pack / "violence" / "cases.toml"
    file.write_text(file.read_text().replace('text = "nothing here"', 'text = "zap here"'))
    ran = moderator("policies", "test", str(own_pack))
    assert ran.code == 1
    assert f"{file}:" in ran.out
    assert "an innocent sentence: expected clear, got violation" in ran.out
    assert "why: no word of the list" in ran.out
    report = moderator("policies", "test", "--json", str(own_pack)).json
    assert (report["cases"], report["failed"]) == (6, 1)


def test_the_bundled_pack_has_no_lint(moderator: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODERATOR_POLICIES")
    ran = moderator("policies", "lint")
    assert ran.out == ""
    assert ran.code == 0


def test_lint_names_cases_that_are_not_utf8(moderator: Moderator, own_pack: Path) -> None:
    file = own_pack / "violence" / "cases.toml"
    file.write_bytes(b"\xff")
    ran = moderator("policies", "lint", str(own_pack))
    assert ran.code == 1
    assert f"{file}: is not UTF-8" in ran.out
    assert "[cases-unreadable]" in ran.out


@pytest.mark.parametrize("command", ["list", "lint", "test"])
def test_the_pack_may_be_an_argument_or_an_option(moderator: Moderator, own_pack: Path, command: str) -> None:
    file = own_pack / "pack.toml"
    file.write_text(file.read_text().replace("plain-1", "plain-own"))
    by_argument = moderator("policies", command, "--json", str(own_pack))
    by_option = moderator("policies", command, "--json", "--policies", str(own_pack))
    assert by_argument.json["pack"] == by_option.json["pack"] == "plain-own"
    assert by_argument == by_option
    both = moderator("policies", command, "--policies", str(PACK), str(own_pack))
    assert both.code == 2
    assert "two packs are named" in both.err


def test_an_empty_variable_means_the_bundled_pack(
    moderator: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODERATOR_POLICIES", "")
    assert moderator("policies", "list", "--json").json["pack"] != "plain-1"


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_policy_that_is_not_there_is_a_mistake_in_usage(moderator: Moderator, command: str) -> None:
    ran = moderator("policies", command, "--only", "illegal-good")
    assert ran.code == 2
    assert 'did you mean "illegal-goods"?' in ran.err
    assert "cannot be loaded" not in ran.err


def test_one_policy_is_tested_by_the_name_of_its_folder(moderator: Moderator) -> None:
    assert moderator("policies", "test", "--only", "illegal_goods").code == 0
