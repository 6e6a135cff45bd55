"""Which civic event a post means, and whether a stated time can be its day."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from worker.engine.facts import Event
from worker.signals.canonical import canonicalise

_PLACES = Path(__file__).parent / "places.toml"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
# Code points in which an event is looked for: no post is longer, though what is said of a medium may be.
_READ = 25_000

Certainty = Literal["named", "assumed", "unsure"]


@dataclass(frozen=True, slots=True)
class Reference:
    """The event that a post means, and how surely.

    "named": the post gives its name or its country. "assumed": it names nothing, no other event is near, and this is the one
    that most who write its language vote in. "unsure": it names nothing, and others may be meant.
    """

    event: Event
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Reach:
    """How many days before it opens an event can be meant: by its name, by its country, by nothing."""

    named: float
    country: float
    assumed: float


@dataclass(frozen=True, slots=True)
class _Places:
    """Country → folded names, with a blank on both sides; country → languages; language → its main country."""

    names: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, frozenset[str]]
    main: Mapping[str, str]


@cache
def _places() -> _Places:
    data = tomllib.loads(_PLACES.read_text("utf-8"))
    names = {code: tuple(_padded(name) for name in listed) for code, listed in data["names"].items()}
    return _Places(
        names, {code: frozenset(listed) for code, listed in data["languages"].items()}, data["main"]
    )


@lru_cache(maxsize=4096)
def _padded_name(name: str) -> str:
    """A name of the calendar, padded; the same few are looked for in every text."""
    return _padded(name)


def _padded(text: str) -> str:
    """The words of a text, folded, one blank between them and at both ends, so that whole words can be looked for."""
    folded = canonicalise(text).text
    return f" {' '.join(''.join(c if c.isalnum() else ' ' for c in folded).split())} "


def mentioned(text: str) -> frozenset[str]:
    """The countries that a canonical text names, by themselves, their regions or their parties."""
    return _countries(_padded(text))


def _countries(padded: str) -> frozenset[str]:
    return frozenset(code for code, names in _places().names.items() if any(name in padded for name in names))


def find_event(
    calendar: Sequence[Event], text: str, lang: str | None, now: datetime, reach: Reach
) -> Reference | None:
    """The event that a canonical text means, None when that cannot be told.

    An event's own name or alias decides, then a country; a post that names neither means the only event near whose
    voters write its language. A post that names another country means no event of the calendar.
    Of a long text the beginning is read.
    """
    ahead = [event for event in calendar if not event.is_over(now)]
    padded = _padded(text[:_READ])
    countries = _countries(padded)
    by_name = [
        event
        for event in _within(ahead, now, reach.named)
        if any(_padded_name(name) in padded for name in (event.name, *event.aliases))
        and (not countries or _country(event) in countries)
    ]
    here = [event for event in _within(ahead, now, reach.country) if _country(event) in countries]
    for found in (by_name, here):
        if found:
            return Reference(min(found, key=lambda event: event.closes_at), "named")
    if countries:
        return None
    places = _places()
    near = [
        event
        for event in _within(ahead, now, reach.assumed)
        if lang is None or lang in places.languages.get(_country(event), frozenset((lang,)))
    ]
    if len({(_country(event), event.last_day) for event in near}) != 1:
        return None
    main = lang is not None and places.main.get(lang) == _country(near[0])
    return Reference(near[0], "assumed" if main else "unsure")


def _within(events: Iterable[Event], now: datetime, days: float) -> list[Event]:
    return [event for event in events if event.opens_at - now <= timedelta(days=days)]


def _country(event: Event) -> str:
    return event.jurisdiction.partition("-")[0]


def stated_days(detail: str, event: Event, now: datetime) -> list[date]:
    """The days that a normalised time (`time.date`, `time.relative`) may mean; empty when it says no day.

    A day without a year or a month is the one next to the event. A weekday is the coming one, or the one after; "today" is
    today where the event is, or by UTC.
    """
    if detail.startswith("---"):
        return _of_months(int(detail[3:]), event)
    if detail.startswith("--"):
        return [
            min(_of_years(reading, event), key=lambda day: abs(day - event.last_day))
            for reading in detail.split("|")
            if _of_years(reading, event)
        ]
    if detail[:1].isdigit():
        return [date.fromisoformat(reading) for reading in detail.split("|")]
    todays = sorted({now.astimezone(ZoneInfo(event.timezone)).date(), now.astimezone(UTC).date()})
    shifts = {"today": 0, "tomorrow": 1, "yesterday": -1, "day-after-tomorrow": 2}
    if detail in shifts:
        return [today + shifts[detail] * _DAY for today in todays]
    kind, _, name = detail.partition(":")
    if name not in _WEEKDAYS or kind == "last-weekday":
        return []
    coming = [today + ((_WEEKDAYS.index(name) - today.weekday()) % 7) * _DAY for today in todays]
    return [*coming, *(day + 7 * _DAY for day in coming)] if kind == "next-weekday" else coming


def _of_years(reading: str, event: Event) -> list[date]:
    days = []
    for year in (event.last_day.year - 1, event.last_day.year, event.last_day.year + 1):
        try:
            days.append(date(year, int(reading[2:4]), int(reading[5:7])))
        except ValueError:
            continue  # the 29th of February of a year that has none
    return days


def _of_months(number: int, event: Event) -> list[date]:
    """The day of the month that is next to the event: of its month, the one before or the one after."""
    last = event.last_day.toordinal()
    nearby = range(last - 31, min(last + 31, date.max.toordinal()) + 1)
    days = [date.fromordinal(one) for one in nearby]
    return sorted((day for day in days if day.day == number), key=lambda day: abs(day - event.last_day))[:1]


def fits(detail: str, event: Event, now: datetime) -> bool:
    """Whether a stated time may be a day of the event."""
    return any(event.first_day <= day <= event.last_day for day in stated_days(detail, event, now))


def days_apart(detail: str, event: Event, now: datetime) -> int:
    """How many days lie between a stated time and the event, by its nearest reading; 0 when it says no day."""
    days = stated_days(detail, event, now)
    return min((min(abs(day - event.first_day), abs(day - event.last_day)).days for day in days), default=0)


def contradicts(detail: str, event: Event, now: datetime, *, election_day: bool) -> bool:
    """Whether a stated time cannot be the event's day (`election_day`), or a day to vote in it.

    False too where the time says no day, is of another year, or may mean another week.
    """
    days = stated_days(detail, event, now)
    if not days or fits(detail, event, now):
        return False
    if detail[:1].isdigit() and all(day.year != event.last_day.year for day in days):
        return False  # history, or an election of another year
    if "weekday:" in detail and any(day.weekday() == event.last_day.weekday() for day in days):
        return False  # "vote on Tuesday" some weeks before a Tuesday
    early = bool({"early", "mail", "advance", "postal"}.intersection(event.methods))
    if not election_day and all(day < event.first_day for day in days):
        return not early and (event.first_day - now.date()).days <= 7
    return True
