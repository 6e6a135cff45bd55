"""What CONTRIBUTING tells an author to do works word for word."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from worker.engine.assess import Assessor
from worker.engine.cases import CASE_TIME, run_cases
from worker.engine.contract import Subject
from worker.engine.lint import lint
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack

GUIDE = Path(__file__).parents[1] / "CONTRIBUTING.md"
FILES = {"cases.toml": "toml", "policy.toml": "toml", "rule.py": "python"}  # in the guide's order


def _blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks of a Markdown text, as (language, content without the indentation)."""
    blocks = []
    pieces = text.split("```")
    assert len(pieces) % 2, "every fence is closed"
    for piece in pieces[1::2]:
        language, _, content = piece.partition("\n")
        blocks.append((language, dedent(content.rstrip(" "))))
    return blocks


def _write_pack(root: Path, status: str = "draft") -> Path:
    """A copy of the bundled pack with the guide's policy in it."""
    pack = root / "pack"
    shutil.copytree(DEFAULT_PACK, pack, ignore=shutil.ignore_patterns("__pycache__", "illegal_goods"))
    folder = pack / "illegal_goods"
    folder.mkdir()
    blocks = [(language, content) for language, content in _blocks(GUIDE.read_text("utf-8")) if language]
    assert [language for language, _ in blocks] == list(FILES.values())
    for name, (_, content) in zip(FILES, blocks, strict=True):
        (folder / name).write_text(content.replace('status = "draft"', f'status = "{status}"'), "utf-8")
    return pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return load_pack(_write_pack(tmp_path_factory.mktemp("guide")), backend="re2", only={"illegal-goods"})


def test_the_guides_policy_has_no_lint(pack: Pack) -> None:
    assert [str(finding) for finding in lint(pack)] == []


def test_the_guides_cases_pass(pack: Pack) -> None:
    results = run_cases(pack, only=["illegal-goods"])
    assert [(result.case.name, result.faults) for result in results if not result.ok] == []
    assert len(results) == 7


def test_the_guides_clause_is_a_whole_sentence(pack: Pack) -> None:
    policy = next(loaded.policy for loaded in pack.policies if loaded.policy.id == "illegal-goods")
    assert policy.clause.endswith("goods or services.")
    assert "…" not in policy.clause
    assert "\n" not in policy.clause


@pytest.mark.parametrize(("status", "asked"), [("draft", False), ("shadow", True), ("enforce", True)])
def test_a_draft_shows_only_in_its_cases(tmp_path: Path, status: str, asked: bool) -> None:
    pack = load_pack(_write_pack(tmp_path, status), backend="re2", only={"illegal-goods"})
    checked = "fresh batch in, 50 a gram"
    assert f'moderator check "{checked}"' in GUIDE.read_text("utf-8")
    subject = Subject("post", "p1", "u1", {"text": checked}, "en")
    (assessment,) = Assessor(pack).assess_subjects([subject], [CASE_TIME])
    found = [j for j in assessment.judgements if j.loaded.policy.id == "illegal-goods"]
    assert [judgement.outcome for judgement in found] == (["violation"] if asked else [])
    assert assessment.outcome == ("violation" if status == "enforce" else "clear")
