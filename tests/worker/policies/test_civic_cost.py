"""A text that repeats its claims costs `civic-integrity` no more than the calendar read once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache

import pytest

from schemas.posts import Post
from worker.engine.contract import RuleContext, Verdict
from worker.engine.facts import Event, Facts
from worker.engine.registry import Pack, load_pack
from worker.engine.subjects import post_subject
from worker.policies.civic_integrity import calendar
from worker.signals.canonical import Canonical, canonicalise

NOW = datetime(2030, 10, 31, 15, tzinfo=UTC)
VOTE = Event(
    jurisdiction="US",
    name="General election 2030",
    opens=date(2030, 11, 5),
    closes=date(2030, 11, 5),
    timezone="UTC",
    eligibility_url="https://example.com/",
    read_at=date(2030, 10, 1),
)


@cache
def pack() -> Pack:
    return load_pack(only={"civic-integrity"}, backend="re2")


def judge(*, text: str = "", alt_text: str = "", items: int = 1) -> Verdict:
    media = [{"media_id": f"m{n}", "alt_text": alt_text} for n in range(items)] if alt_text else []
    record = {
        "schema_version": 1,
        "post_id": "1",
        "author_id": "u1",
        "created_at": NOW,
        "lang": "en",
        "text": text,
        "media": media,
    }
    subject = post_subject(Post.model_validate(record))
    (signals,) = pack().signals.measure([subject])
    return pack().policies[0].rule.evaluate(subject, signals, RuleContext(NOW, facts=Facts(calendar=(VOTE,))))


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many code points each folding for the calendar had."""
    judge(text="election day is thursday")  # what is folded once for all: the names of countries and events
    sizes: list[int] = []

    def count(text: str) -> Canonical:
        sizes.append(len(text))
        return canonicalise(text)

    monkeypatch.setattr(calendar, "canonicalise", count)
    return sizes


def test_a_text_is_folded_once_however_many_claims_it_makes(folded: list[int]) -> None:
    claim = "E l e c t i o n  D a y is Thursday. Spread the word. "
    assert judge(text=claim * 40).score > 0.0
    assert 0 < len(folded) <= 6  # once for each finding that the calendar decides


def test_a_text_without_limit_is_read_up_to_a_limit(folded: list[int]) -> None:
    assert judge(alt_text="Election day is thursday. " * 4_000).score > 0.0
    assert folded
    assert max(folded) <= 25_000


@pytest.mark.parametrize("times", [40, 100, 300])
def test_the_last_of_many_claims_is_not_clear(times: int) -> None:
    verdict = judge(text="Election day is November 5. " * times + "Election day is Thursday, November 7.")
    assert verdict.score >= pack().policies[0].policy.review.score


def test_a_claim_in_a_list_of_days_is_compared_with_the_first() -> None:
    days = " ".join(f"november {day}," for day in range(10, 29))
    assert judge(text=f"election day is {days} 2030").score > 0.0
