"""A violation cannot be hidden behind many harmless sentences like it: a person looks at what was not read."""

from __future__ import annotations

from functools import cache

import pytest

from schemas.posts import Post
from worker.engine.assess import Assessment, Assessor
from worker.engine.registry import load_pack


@cache
def assessor(policy: str) -> Assessor:
    return Assessor(load_pack(only={policy}, backend="re2"))


def assess(policy: str, text: str) -> Assessment:
    record = {
        "schema_version": 1,
        "post_id": "1",
        "author_id": "u1",
        "created_at": "2026-11-22T09:30:00Z",
        "text": text,
        "lang": "en",
    }
    (found,) = assessor(policy).assess([Post.model_validate(record)])
    return found


@pytest.mark.parametrize(
    ("policy", "padding", "hidden"),
    [
        ("violence", 'He said "i will kill you" yesterday. ', "i will kill you tomorrow"),
        (
            "private-information",
            "Our shop: 212-555-0147. ",
            "her number is 212-555-0199 go wild",
        ),
    ],
)
def test_what_is_hidden_behind_repeats_is_not_passed(policy: str, padding: str, hidden: str) -> None:
    def word(text: str) -> str:
        (judgement,) = assess(policy, text).judgements
        assert judgement.evidence or judgement.word == "clear"
        return judgement.word

    assert word(hidden) in {"review", "violation"}
    assert word(padding * 20) == "clear"
    assert word(padding * 220 + hidden) in {"review", "violation"}
