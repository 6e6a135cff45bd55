"""Whatever of a pack may change a verdict is a difference; what cannot is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from worker.engine.diffing import Difference, differences, unversioned
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack

ONLY = {"violence", "violent-extremism", "copyright"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(DEFAULT_PACK, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def load(folder: Path | None = None) -> Pack:
    return load_pack(folder, only=ONLY, backend="re2")


def compare(folder: Path) -> tuple[list[Difference], list[str]]:
    old, new = load(), load(folder)
    found = differences(old, new)
    return found, unversioned(found, old, new)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def test_a_copy_does_not_differ_with_its_code_or_without(copy: Path) -> None:
    assert compare(copy) == ([], [])
    for file in copy.rglob("*.py"):
        file.unlink()
    assert compare(copy) == ([], [])


def test_of_two_excuses_by_one_signal_each_is_compared(copy: Path) -> None:
    file = copy / "violence" / "policy.toml"
    head = "\n[[excuses]]\nsignal = 'is.question'\nwithin = 'field'\nfactor = "
    file.write_text(file.read_text("utf-8") + f"{head}0.31\n{head}0.99\n", "utf-8")
    old = load(copy)
    edit(file, "factor = 0.31", "factor = 0.32")
    new = load(copy)
    (found,) = differences(old, new)
    assert "factor 0.31" in str(found.before)
    assert "factor 0.32" in str(found.after)
    assert unversioned([found], old, new) == ["violence"]


@pytest.mark.parametrize(
    ("edited", "policy", "what"),
    [
        ("violence/rule.py", "violence", "rule.py"),
        ("violence/english.py", "violence", "english.py"),
        ("consent.py", "copyright", "consent.py"),
    ],
)
def test_code_that_makes_a_rule_is_compared(copy: Path, edited: str, policy: str, what: str) -> None:
    with (copy / edited).open("a", encoding="utf-8") as file:
        file.write("\n# otherwise\n")
    found, stale = compare(copy)
    assert (policy, what) in {(one.policy, one.what) for one in found}
    assert policy in stale


@pytest.mark.parametrize("key", ["detail", "score"])
def test_a_word_listed_twice_is_compared_twice(copy: Path, key: str) -> None:
    file = copy / "violence" / "policy.toml"
    values = {"detail": ('"one"', '"two"', '"three"'), "score": ("0.5", "0.6", "0.7")}[key]
    entry = "\n[[terms]]\nname = 'violence.idiom'\nterms = ['zorblat']\nsource = 'made up'\n"
    file.write_text(
        file.read_text("utf-8") + f"{entry}{key} = {values[0]}\n{entry}{key} = {values[1]}\n", "utf-8"
    )
    old = load(copy)
    edit(file, f"{key} = {values[0]}\n{entry}", f"{key} = {values[2]}\n{entry}")
    (found,) = differences(old, load(copy))
    assert found.what == "term violence.idiom “zorblat”"
    assert values[2].strip('"') in str(found.after)
