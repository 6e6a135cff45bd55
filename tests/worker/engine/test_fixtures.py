"""Fixtures of cases add to the pack's facts, for these cases alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from worker.engine.facts import Event, Facts
from worker.engine.fixtures import Fixtures, merge

EVENT: dict[str, Any] = {
    "jurisdiction": "ZZ",
    "name": "Harbour vote",
    "opens": date(2027, 5, 6),
    "closes": date(2027, 5, 6),
    "timezone": "Europe/Paris",
    "eligibility_url": "https://vote.example.org/",
    "read_at": date(2026, 11, 23),
}
TABLES: dict[str, Any] = {
    "terms": {"child-sexual-exploitation.trade": ["zorblat"]},
    "event": [{**EVENT, "name": "Lighthouse vote"}],
    "identity": [{"name": "Harbour", "kind": "brand", "read_at": date(2026, 1, 1), "source": "the test"}],
    "consent": [{"subject": "Ann", "account_id": "u1", "scope": "all", "from": date(2026, 1, 1)}],
    "bank": [
        {"name": "b", "policy": "copyright", "source": "the test", "opinion": "seed", "sha256": ["ab" * 32]}
    ],
    "print": [{"name": "p", "policy": "copyright", "source": "the test", "shingles": ["00000000000000ff"]}],
}


def test_fixtures_come_after_the_facts_of_the_pack() -> None:
    facts = Facts(calendar=(Event.model_validate(EVENT),))
    merged = merge(facts, Fixtures.model_validate(TABLES))
    assert [one.name for one in merged.calendar] == ["Harbour vote", "Lighthouse vote"]
    assert [len(part) for part in (merged.identities, merged.consents, merged.banks, merged.prints)] == [
        1,
        1,
        1,
        1,
    ]
    assert merged.hashes.find(sha256="ab" * 32)
    assert len(facts.calendar) == 1
    assert not facts.hashes


def test_without_fixtures_the_facts_stay_what_they_are() -> None:
    facts = Facts()
    assert merge(facts, Fixtures()) is facts
    assert merge(facts, Fixtures.model_validate({"terms": TABLES["terms"]})) is facts
    assert Fixtures.model_validate({}) == Fixtures()


@pytest.mark.parametrize("wrong", [{"events": []}, {"terms": {"nofamily": ["x"]}}, {"bank": [{"name": "b"}]}])
def test_a_misspelt_fixture_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Fixtures.model_validate(wrong)
