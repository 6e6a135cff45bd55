"""The pages of the policies are current, and say in words what the data say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.engine.helpers import CACHE, PACK
from worker.cli.pages import made
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack

PAGES = Path(__file__).parents[2] / "docs" / "policies"


@pytest.fixture(scope="module")
def shipped() -> dict[str, str]:
    return made(load_pack(cache_dir=CACHE))


@pytest.fixture(scope="module")
def care() -> Pack:
    return load_pack(PACK.parent / "care", cache_dir=CACHE)


def test_the_pages_in_the_repository_are_current(shipped: dict[str, str]) -> None:
    present = {path.name: path.read_text("utf-8") for path in PAGES.glob("*.md")}
    stale = [name for name in {*shipped, *present} if shipped.get(name) != present.get(name)]
    assert not stale, f"run: moderator policies pages docs/policies (not current: {', '.join(sorted(stale))})"


def test_every_policy_has_a_page_with_clause_consequences_and_cases(shipped: dict[str, str]) -> None:
    assert len(shipped) == len(list(DEFAULT_PACK.glob("*/policy.toml"))) + 1
    for name, text in shipped.items():
        if name != "README.md":
            for part in (
                "\n> ",
                "## What follows",
                "## What it looks for",
                "## Known false alarms",
                "## Cases",
            ):
                assert part in text, name


def test_consequences_are_told_in_words(care: Pack) -> None:
    pages = made(care)
    zero = pages["violent-extremism.md"]
    assert "- From 0.8: the account is suspended (no strike); a person looks at once." in zero
    assert "kept for 30 days, even when the account is deleted" in zero
    assert "A person at risk: never a penalty." in pages["suicide-self-harm.md"]
    assert "The word of this test" in pages["illegal-goods.md"]
