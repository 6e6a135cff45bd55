"""A date at the end of the calendar, which people write for "for ever", is a date or a fault with a line, never a crash."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from pydantic import ValidationError

from worker.engine.facts import Consent, Event

CONSENT: dict[str, Any] = {
    "advertiser": "Shoes",
    "account_id": "u1",
    "scope": "video",
    "from": date(2026, 1, 1),
}


def test_a_consent_until_the_last_day_there_is_holds() -> None:
    consent = Consent.model_validate({**CONSENT, "until": date(9999, 12, 31)})
    assert consent.holds("u1", datetime(2027, 1, 1, tzinfo=UTC))


def test_an_event_on_the_last_day_there_is_is_read_or_refused() -> None:
    event: dict[str, Any] = {
        "jurisdiction": "ZZ",
        "name": "Harbour vote",
        "opens": date(9999, 12, 31),
        "closes": date(9999, 12, 31),
        "timezone": "America/New_York",
        "eligibility_url": "https://vote.example.org/",
        "read_at": date(2026, 11, 23),
    }
    try:
        read = Event.model_validate(event)
    except ValidationError:
        return  # a fault of the pack, with file and line
    assert not read.is_over(datetime(2027, 1, 1, tzinfo=UTC))
