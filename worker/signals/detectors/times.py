"""Dates, days and clock times in six languages, in one normalised form that a rule can compare.

Context only: no rule waits for a time, since every tenth post names one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files

from worker.signals.folding import fold
from worker.signals.regex import Regex
from worker.signals.view import Hit

DATE = "time.date"
RELATIVE = "time.relative"
CLOCK = "time.clock"

_LEAP = 2024  # a day without a year may be the 29th of February
_YEARS = range(1900, 2100)
_BARE = 0.5  # "3/11" may be a score or a fraction; a day with a month's name or a year is a date
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_IN_MONTH = Regex(r"^(?:[a-z]+ the \d{1,2}[a-z]{2}|(?:el|dia|le) \d{1,2})$")
_NEVER_DATES = frozenset(
    {"24/7", "50/50", "1/2", "1/3", "2/3", "1/4", "3/4", "9/10", "10/10", "7/10", "8/10"}
)


@cache
def _names() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The lists of `times.toml`, folded as texts are: section → value → names."""
    data = tomllib.loads(files("worker.signals").joinpath("times.toml").read_text("utf-8"))
    return {
        section: {value: tuple(fold(name) for name in names) for value, names in table.items()}
        for section, table in data.items()
    }


@cache
def _value_of(section: str) -> Mapping[str, str]:
    """Folded name → the value that it stands for."""
    return {name: value for value, names in _names()[section].items() for name in names}


def _any_of(names: Iterable[str]) -> str:
    """An alternation of names, longest first; names in Arabic letters have no ASCII word bounds."""
    return "|".join(sorted((name.replace(".", r"\.") for name in names), key=lambda n: (-len(n), n)))


def _split(section: str) -> tuple[str, str]:
    """Alternations of a section's names in Latin letters and of the others."""
    names = _value_of(section)
    return _any_of(n for n in names if n.isascii()), _any_of(n for n in names if not n.isascii())


def _triggers() -> tuple[str, ...]:
    months, arabic_months = _split("months")
    days, arabic_days = _split("weekdays")
    relative, arabic_relative = _split("relative")
    halves, arabic_halves = _split("clock")
    weeks, arabic_weeks = _split("weeks")
    hour = r"(?:[01]?\d|2[0-3])"
    return (
        rf"\b(?:(?:(?:on|until|till|by|to) )?the |(?:el|dia|le) )?{_DAY}(?:st|nd|rd|th|er|o|a)?[. -]{{0,2}}(?:of |de |d')?(?:{months})\b\.?(?:,? (?:de |del |of )?(?:19|20)\d\d\b)?",
        rf"\b(?:{months})\b\.? (?:the )?{_DAY}(?:st|nd|rd|th)?\b(?:,? (?:19|20)\d\d\b)?",
        rf"\b{_DAY} (?:من )?(?:{arabic_months})(?:,? (?:عام )?(?:19|20)\d\d\b)?",
        rf"\b(?:(?:on|until|till|by|to) the {_DAY}(?:st|nd|rd|th)|(?:el|dia|le) {_DAY})\b",
        r"\b(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])\b",
        r"\b\d{1,2}/\d{1,2}(?:/(?:(?:19|20)\d\d|\d\d))?\b|\b\d{1,2}[.-]\d{1,2}[.-](?:19|20)\d\d\b|\b(?:am|vom|bis|den|zum|ab|ist) \d{1,2}\.\d{1,2}\.",
        rf"(?:\b(?:{weeks}) )?\b(?:{days})s?\b(?: (?:{weeks})\b)?|\b(?:{relative})\b",
        rf"(?:{arabic_days})(?: (?:{arabic_weeks}))?|{arabic_relative}",
        rf"\b{hour}(?:[:.h][0-5]\d)? ?(?:{halves})\b|\b(?:{halves})\b",
        rf"\b{hour}:[0-5]\d\b|\b{hour} ?h(?: ?[0-5]\d)?\b|\b{hour}(?:[:.][0-5]\d)? (?:uhr|o'clock)\b(?: (?:{halves})\b)?|\ba las? {hour}\b(?: (?:{halves})\b)?",
        rf"(?:الساعة )?{hour}(?::[0-5]\d)? (?:{arabic_halves})|الساعة {hour}(?::[0-5]\d)?|{arabic_halves}",
    )


class TimeDetector:
    """Reports `time.date`, `time.relative` and `time.clock`.

    A hit's detail is the time in one form: a date as "2026-11-03", without its year "--11-03", several readings
    joined by "|" with the day-first one in front ("--11-03|--03-11"), with neither month nor year "---07"; a day as "weekday:tuesday",
    "next-weekday:tuesday", "last-weekday:tuesday", "today", "tomorrow", "yesterday", "day-after-tomorrow" or
    "next-week"; a clock time as "20:00". The score is 1, or 0.5 where two numbers may be no date at all.
    """

    names = frozenset((DATE, RELATIVE, CLOCK))
    triggers = _triggers()

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """One hit for each time; of overlapping matches the longest decides."""
        hits: list[Hit] = []
        done = -1
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            if start < done or _cut(text, start, end):
                continue
            hit = _read(field, text[start:end], start, end)
            if hit is not None:
                hits.append(hit)
                done = end
        return hits


def _cut(text: str, start: int, end: int) -> bool:
    """Whether the span is a piece of a longer word; Arabic prefixes of one letter ("and", "in", "for") are not."""
    if end < len(text) and text[end].isalnum() and (text[end - 1].isalnum() or text[end].isdigit()):
        return True
    if start == 0 or not text[start - 1].isalnum() or not text[start].isalnum():
        return start > 0 and text[start - 1] in "/.:$€£#@" and text[start].isdigit()
    before = text[start - 2 : start - 1]
    return text[start - 1] not in "وبلف" or before.isalnum()


def _read(field: str, piece: str, start: int, end: int) -> Hit | None:
    """The time that a match says; None when it is none after all (the 31st of February)."""
    relative = _relative(piece)
    if relative is not None:
        return Hit(RELATIVE, field, start, end, 1.0, relative)
    named = _named_date(piece)
    if named is not None:
        return Hit(DATE, field, start, end, 1.0, named) if named else None
    numbers = _numbers(piece)
    if len(numbers) == 1 and _IN_MONTH.matches(piece):  # "the 7th": of a month that the reader knows
        return Hit(DATE, field, start, end, _BARE, f"---{numbers[0]:02}")
    clock = _clock(piece)
    if clock is not None:
        return Hit(CLOCK, field, start, end, 1.0, clock)
    numeric = _numeric_date(piece)
    if not numeric:
        return None
    return Hit(DATE, field, start, end, _BARE if numeric.startswith("--") else 1.0, numeric)


def _relative(piece: str) -> str | None:
    found = _value_of("relative").get(piece)
    if found is not None:
        return found
    weekdays, weeks = _value_of("weekdays"), _value_of("weeks")
    for name in (piece, piece.removesuffix("s")):
        if name in weekdays:
            return f"weekday:{weekdays[name]}"
    for week, value in weeks.items():
        for rest in (piece.removeprefix(f"{week} "), piece.removesuffix(f" {week}")):
            if rest != piece and rest in weekdays:
                return f"{value}-weekday:{weekdays[rest]}"
    return None


def _named_date(piece: str) -> str | None:
    """A date with the name of its month; "" when there is no such day, None when no month is named."""
    numbers = _numbers(piece)
    words = "".join(char if char.isalpha() or char == " " else " " for char in piece)
    month = 0
    months = _value_of("months")
    names = " ".join(words.split())
    for size in (2, 1):  # "تشرين الأول" has two words
        parts = names.split()
        for place in range(len(parts) - size + 1):
            value = months.get(" ".join(parts[place : place + size]))
            if value is not None and not month:
                month = int(value)
    if not month or not numbers:
        return None
    day = next((number for number in numbers if number <= 31), 0)
    year = next((number for number in numbers if number in _YEARS), None)
    return _written(year, month, day) or ""


def _numeric_date(piece: str) -> str:
    """A date in numbers, its possible readings joined by "|"; "" when it is none."""
    if piece in _NEVER_DATES:
        return ""
    numbers = _numbers(piece)
    if len(numbers) == 3 and numbers[0] in _YEARS:
        return _written(*numbers) or ""
    if not 2 <= len(numbers) <= 3:
        return ""
    year = numbers[2] if len(numbers) == 3 else None
    if year is not None and year < 100:
        year += 2000
    readings = [_written(year, numbers[1], numbers[0])]
    if "/" in piece or "-" in piece:  # with dots the day stands first everywhere
        readings.append(_written(year, numbers[0], numbers[1]))
    return "|".join(dict.fromkeys(reading for reading in readings if reading))


def _numbers(piece: str) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in piece).split()]


def _written(year: int | None, month: int, day: int) -> str | None:
    """The day as it is written in a detail; None when the calendar has no such day."""
    try:
        date(year or _LEAP, month, day)
    except ValueError:
        return None
    return f"{year}-{month:02}-{day:02}" if year else f"--{month:02}-{day:02}"


def _clock(piece: str) -> str | None:
    halves = _value_of("clock")
    numbers = _numbers(piece)
    if not numbers:
        return {"noon": "12:00", "midnight": "00:00"}.get(halves.get(piece, ""))
    hour = numbers[0]
    minute = numbers[1] if len(numbers) > 1 else 0
    half = next((value for name, value in halves.items() if piece.endswith(name)), "")
    marked = half or ":" in piece or any(mark in piece for mark in ("h", "clock", "الساعة", "a la"))
    if not marked or hour > 23 or minute > 59:
        return None
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    return f"{hour:02}:{minute:02}"


DETECTOR = TimeDetector()
