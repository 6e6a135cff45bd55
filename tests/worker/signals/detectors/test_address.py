"""Postal addresses, and the many sentences that count things on streets."""

from __future__ import annotations

import pytest

from tests.worker.signals.detectors.helpers import detect, found
from worker.signals.detectors.address import DETECTOR


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("47 Oriel Street, apt 3B, Marlow Heights, OH 43999", "US"),
        ("118 Larkmoor Road, Fennelby, SW1A 9ZZ", "GB"),
        ("2210 Quillback Ave, Toronto, ON M5V 9Z9", "CA"),
        ("19 Tansley Crescent, Fennelby NSW 2999", "AU"),
        ("Lindenstra\u00dfe 12b", "DE"),
        ("12 rue de la Fontaine", "FR"),
        ("calle larga del olmo 12", "ES"),
        ("Wilgenstraat 44", "NL"),
        ("via dei Tigli 12, 00999", "IT"),
        ("ul. Lipowa 7/3", "PL"),
    ],
)
def test_an_address_is_found_with_its_country(text: str, country: str) -> None:
    hits = [hit for hit in detect(DETECTOR, text) if hit.score >= 0.5]
    assert [hit.detail for hit in hits] == [f"postal address, {country}"]


def test_street_unit_town_and_code_are_one_hit() -> None:
    text = "47 oriel street, apt 3b, marlow heights, oh 43999"
    assert found(DETECTOR, text) == [("contact.address", text)]


def test_words_that_name_a_home_raise_the_trust() -> None:
    (plain,) = detect(DETECTOR, "118 larkmoor road")
    (named,) = detect(DETECTOR, "he lives at 118 larkmoor road")
    assert named.score > plain.score


def test_any_street_will_do_after_lives_at() -> None:
    assert found(DETECTOR, "she lives at 86036 rua do arenque") == [
        ("contact.address", "86036 rua do arenque")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "20 minutes down the road", "5 guys on the street", "2 more days on this road", "we walked 10 miles of road",
        "1600 Pennsylvania Avenue NW, Washington, DC 20500", "10 Downing Street", "742 Evergreen Terrace",
        "he needs to address her 100 concerns on main street", "he lives in 3 different cities", "b4 1st period",
        "version 4.5 drive", "$20 parking on court street", "3 day road trip", "1st street", "address: 5",
    ],
)  # fmt: skip
def test_counts_times_and_famous_places_are_no_addresses(text: str) -> None:
    assert found(DETECTOR, text) == []


def test_a_suffix_inside_a_name_does_not_cut_the_street() -> None:
    assert found(DETECTOR, "640 cinder hill rd") == [("contact.address", "640 cinder hill rd")]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lives at 9 mortimer road, third floor, name on the bell is averill. go say hi", "9 mortimer road, third floor"),
        ("lives at 9 mortimer road, flat 2, bring friends, lads!", "9 mortimer road, flat 2"),
        ("lives at 9 mortimer road, ground floor, ring twice", "9 mortimer road, ground floor"),
        ("lives at 9 mortimer road, white door, blue car outside", "9 mortimer road"),
        ("lives at 9 mortimer road, ask for him, please!", "9 mortimer road"),
        ("lives at 9 mortimer road. total rat, honestly.", "9 mortimer road"),
        ("lives at 9 mortimer road, odd fellow, in my view", "9 mortimer road"),
        ("lives at 9 mortimer road, no room for guests", "9 mortimer road"),
        ("she lives at 86036 rua do arenque and she is home now", "86036 rua do arenque"),
        ("she lives at 31 kestrelholm. go say hi", "31 kestrelholm"),
        ("she lives at lindenhof 12", "lindenhof 12"),
    ],
)  # fmt: skip
def test_the_evidence_ends_where_the_address_ends(text: str, address: str) -> None:
    assert found(DETECTOR, text) == [("contact.address", address)]


@pytest.mark.parametrize(
    "address",
    [
        "9 mortimer road, third floor, fennelby, kent",
        "9 mortimer road, flat 2, fennelby, england",
        "9 mortimer road\nflat 2",
        "9 mortimer road west, flat 2",
        "5 upper st omers road, flat 2",
        "9 mortimer road, fennelby, kent",
        "9 mortimer road fennelby, ohio",
        "9 mortimer road, marlow heights, tx",
        "9 mortimer road, marlow heights, new york",
        "9 mortimer road, marlow heights, in 43999",
    ],
)
def test_unit_town_and_region_belong_to_the_address(address: str) -> None:
    assert found(DETECTOR, f"he lives at {address}. go say hi") == [("contact.address", address)]
