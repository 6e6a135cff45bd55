"""Dates, days and clock times in six languages, normalised."""

from __future__ import annotations

import time

import pytest

from tests.worker.signals.detectors.helpers import detect
from worker.signals.detectors.times import DETECTOR

DATES = {
    "Election Day is November 3rd, 2026": "2026-11-03",
    "vote on Nov. 4": "--11-04",
    "vote on the 9th of Dec": "--12-09",
    "see you on the 7th": "---07",
    "am 3.11. ist Wahl": "--11-03",
    "el 3 de noviembre de 2026": "2026-11-03",
    "no dia 6 de março": "--03-06",
    "le 1er août": "--08-01",
    "am 24. Februar 2030": "2030-02-24",
    "am 3. Jänner": "--01-03",
    "يوم ٣ نوفمبر ٢٠٢٦": "2026-11-03",
    "٣ تشرين الثاني": "--11-03",
    "on 2026-11-03": "2026-11-03",
    "03.11.2026": "2026-11-03",
    "vote 03/11": "--11-03|--03-11",
    "11/06/2030": "2030-06-11|2030-11-06",
    "05/05": "--05-05",
    "13/4": "--04-13",
}
DAYS = {
    "vote Tuesday": "weekday:tuesday",
    "on tuesdays": "weekday:tuesday",
    "next Tuesday": "next-weekday:tuesday",
    "el domingo que viene": "next-weekday:sunday",
    "letzten Sonntag": "last-weekday:sunday",
    "na quarta-feira": "weekday:wednesday",
    "mercredi prochain": "next-weekday:wednesday",
    "يوم الأحد القادم": "next-weekday:sunday",
    "والثلاثاء": "weekday:tuesday",
    "tonight": "today",
    "mañana": "tomorrow",
    "pasado mañana": "day-after-tomorrow",
    "übermorgen": "day-after-tomorrow",
    "après-demain": "day-after-tomorrow",
    "ontem": "yesterday",
    "الأسبوع القادم": "next-week",
}
CLOCKS = {
    "polls open 7am": "07:00",
    "until 8:30 p.m.": "20:30",
    "12 am": "00:00",
    "at 13:45": "13:45",
    "à 20 h 30": "20:30",
    "às 20h30": "20:30",
    "um 8 Uhr abends": "20:00",
    "a las 8 de la tarde": "20:00",
    "at midnight": "00:00",
    "الساعة ٨ مساءً": "20:00",
}
NOTHING = (
    "24/7",
    "1/2 a cup",
    "we won 3-1",
    "3.5 million",
    "31 February",
    "30/02/2026",
    "version 1.2.3",
    "the 21st century",
    "the 2nd amendment",
    "3 out of 105",
    "I give it a 1.5. Done",
    "$3/4",
    "dismay 5",
)


def _details(text: str, signal: str) -> list[str]:
    return [hit.detail for hit in detect(DETECTOR, text) if hit.signal == signal]


@pytest.mark.parametrize(("text", "detail"), DATES.items())
def test_dates_are_normalised(text: str, detail: str) -> None:
    assert _details(text, "time.date") == [detail]


@pytest.mark.parametrize(("text", "detail"), DAYS.items())
def test_days_are_normalised(text: str, detail: str) -> None:
    assert _details(text, "time.relative") == [detail]


@pytest.mark.parametrize(("text", "detail"), CLOCKS.items())
def test_clock_times_are_normalised(text: str, detail: str) -> None:
    assert _details(text, "time.clock") == [detail]


@pytest.mark.parametrize("text", NOTHING)
def test_other_numbers_are_no_dates(text: str) -> None:
    assert _details(text, "time.date") == []


def test_two_bare_numbers_are_trusted_less_than_a_named_month() -> None:
    assert [hit.score for hit in detect(DETECTOR, "3/11")] == [0.5]
    assert [hit.score for hit in detect(DETECTOR, "3 November")] == [1.0]


@pytest.mark.parametrize(
    "bomb", ["1/1 " * 25_000, "monday" * 15_000, "1 may " * 16_000, "12:" * 30_000, "ال" * 50_000]
)
def test_a_hundred_kilobytes_are_read_within_the_budget(bomb: str) -> None:
    start = time.process_time()
    detect(DETECTOR, bomb)
    assert time.process_time() - start < 1.0
