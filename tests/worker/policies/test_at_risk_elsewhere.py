"""Whoever speaks of their own death, or mourns somebody's, is punished by no policy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.posts import Post
from worker.engine.assess import Assessor
from worker.engine.registry import Pack

SAID = [
    ("en", "i deserve to be beaten and die, i'm worthless trash"),
    ("en", "fags like me should die. i'm going to end it"),
    ("en", "kill yourself? already trying lol"),
    ("ar", "ابن عمي انتحر السنة الماضية، اسألوا عن أصحابكم"),
    ("ar", "راح انتحر الليلة"),
]


@pytest.mark.parametrize(("lang", "text"), SAID)
def test_despair_and_grief_are_punished_by_no_policy(default_pack: Pack, lang: str, text: str) -> None:
    post = Post(
        schema_version=1,
        post_id="1",
        author_id="u1",
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
        text=text,
        lang=lang,
    )
    (assessment,) = Assessor(default_pack).assess([post])
    # What the models take for a violation is held as a doubt where somebody may be at risk.
    assert assessment.ruling.violations == ()
    assert assessment.outcome in {"clear", "review"}
    assert assessment.actions == ()
