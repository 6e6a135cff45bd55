"""Which event a post means, and whether a stated time can be its day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from worker.engine.facts import Event
from worker.policies.civic_integrity.calendar import (
    Reach,
    contradicts,
    days_apart,
    find_event,
    fits,
    mentioned,
)

REACH = Reach(named=400, country=60, assumed=21)
NOW = datetime(2030, 10, 31, 15, tzinfo=UTC)


def _event(
    jurisdiction: str, name: str, day: date, *, aliases: tuple[str, ...] = (), methods: tuple[str, ...] = ()
) -> Event:
    return Event(
        jurisdiction=jurisdiction,
        name=name,
        opens=day,
        closes=day,
        timezone="UTC",
        eligibility_url="https://example.com/",
        read_at=date(2030, 10, 1),
        aliases=aliases,
        methods=methods,
    )


VOTE = _event("US", "General election 2030", date(2030, 11, 5), aliases=("midterms",), methods=("early",))
ELSEWHERE = _event("BR", "Segundo turno", date(2030, 11, 10))


@pytest.mark.parametrize(
    ("text", "lang", "certainty"),
    [
        ("the midterms are close", "en", "named"),
        ("vote in ohio", "en", "named"),
        ("democrats vote", "en", "named"),
        ("election day is near", "en", "assumed"),
        ("election day is near", None, None),  # the Brazilian one may be meant as well
        ("in kenya election day is near", "en", None),
        ("la eleccion", "es", "unsure"),
    ],
)
def test_the_event_meant(text: str, lang: str | None, certainty: str | None) -> None:
    found = find_event([VOTE, ELSEWHERE], text, lang, NOW, REACH)
    assert (found.certainty if found else None) == certainty
    assert found is None or found.event is VOTE


def test_an_event_that_is_over_is_not_meant() -> None:
    assert find_event([VOTE], "the midterms", "en", datetime(2030, 11, 7, tzinfo=UTC), REACH) is None


def test_an_event_too_far_away_is_meant_by_its_name_only() -> None:
    early = datetime(2030, 3, 1, tzinfo=UTC)
    assert find_event([VOTE], "the midterms", "en", early, REACH) is not None
    assert find_event([VOTE], "vote in ohio", "en", early, REACH) is None


def test_countries_are_found_in_six_languages() -> None:
    assert mentioned("vereinigtes konigreich und الولايات المتحدة") == {"GB", "US"}


@pytest.mark.parametrize(
    "detail", ["2030-11-05", "--11-05", "--05-11|--11-05", "weekday:tuesday", "next-weekday:tuesday", "---05"]
)
def test_times_that_can_be_the_day(detail: str) -> None:
    assert fits(detail, VOTE, NOW)
    assert not contradicts(detail, VOTE, NOW, election_day=True)


@pytest.mark.parametrize("detail", ["2030-11-06", "--11-06", "weekday:wednesday", "tomorrow", "---07"])
def test_times_that_cannot(detail: str) -> None:
    assert contradicts(detail, VOTE, NOW, election_day=True)


@pytest.mark.parametrize("detail", ["1984-11-06", "next-week", "last-weekday:sunday"])
def test_times_that_say_nothing_of_it(detail: str) -> None:
    assert not contradicts(detail, VOTE, NOW, election_day=True)


def test_a_weekday_some_weeks_before_may_be_right() -> None:
    assert not contradicts("weekday:tuesday", VOTE, datetime(2030, 10, 16, tzinfo=UTC), election_day=True)


def test_an_earlier_day_is_a_day_to_vote_where_there_is_early_voting() -> None:
    assert not contradicts("weekday:saturday", VOTE, NOW, election_day=False)
    assert contradicts("weekday:saturday", _event("US", "x", date(2030, 11, 5)), NOW, election_day=False)
    assert contradicts("--11-06", VOTE, NOW, election_day=False)


def test_how_far_a_day_is_from_the_event() -> None:
    assert days_apart("--11-07", VOTE, NOW) == 2
    assert days_apart("--04-05", VOTE, NOW) > 100
    assert days_apart("next-week", VOTE, NOW) == 0


def test_an_event_of_the_last_of_all_days_has_no_day_after_it() -> None:
    event = _event("US", "Harbour vote", date(9999, 12, 30))
    assert fits("---30", event, NOW)
