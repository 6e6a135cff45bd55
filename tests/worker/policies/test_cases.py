"""Every labelled post of every policy of the default pack is decided as its file says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from worker.engine.cases import CaseResult, run_cases
from worker.engine.lint import MINIMUM_CASES
from worker.engine.registry import DEFAULT_PACK, Pack

FOLDERS = sorted(path.parent.name for path in DEFAULT_PACK.glob("*/policy.toml"))


@pytest.fixture(scope="session")
def results(default_pack: Pack) -> dict[str, list[CaseResult]]:
    """Every case of the pack as it was decided, by the folder of its policy."""
    by_folder: dict[str, list[CaseResult]] = {folder: [] for folder in FOLDERS}
    for result in run_cases(default_pack):
        by_folder[result.file.parent.name].append(result)
    return by_folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_case_is_decided_as_its_file_says(folder: str, results: dict[str, list[CaseResult]]) -> None:
    wrong = [
        f"{result.file.name}:{result.line} {result.case.name}: {'; '.join(result.faults)}"
        for result in results[folder]
        if not result.ok
    ]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(results[folder])} cases of {folder}:", *wrong])


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_policy_has_cases_that_fire_near_misses_and_an_abstention(
    folder: str, results: dict[str, list[CaseResult]]
) -> None:
    expected = Counter[str](result.case.expect for result in results[folder])
    assert {expect: expected[expect] >= least for expect, least in MINIMUM_CASES.items()} == dict.fromkeys(
        MINIMUM_CASES, True
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_case_has_a_name_of_its_own_and_a_reason(
    folder: str, results: dict[str, list[CaseResult]]
) -> None:
    names = Counter(result.case.name for result in results[folder])
    assert [name for name, times in names.items() if times > 1] == []
    assert [result.case.name for result in results[folder] if len(result.case.why.split()) < 2] == []
    assert all(result.line > 0 for result in results[folder])


def test_the_folders_of_the_pack_are_the_policies_that_were_loaded(default_pack: Pack) -> None:
    assert sorted(loaded.folder.name for loaded in default_pack.policies) == FOLDERS
    assert all(Path(loaded.cases_path).is_file() for loaded in default_pack.policies)
