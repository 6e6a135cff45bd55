"""Phone numbers, mailboxes and profiles, and what only looks like them."""

from __future__ import annotations

import pytest

from tests.worker.signals.detectors.helpers import detect, found
from worker.signals.detectors.contact import DETECTOR


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("call (212) 555-0147 now", "(212) 555-0147"),
        ("212.555.0147", "212.555.0147"),
        ("+44 7700 900123", "+44 7700 900123"),
        ("ring 01632 960 442 tonight", "01632 960 442"),
        ("her number is 2125550147", "2125550147"),
        ("mobile 0491 570 156", "0491 570 156"),
        ("two one two five five five oh one four seven", "two one two five five five oh one four seven"),
        ("his digits: two1two fivefivefive ohone nine0.", "two1two fivefivefive ohone nine0"),
        ("phone 2 1 2 5 5 5 0 1 4 7", "2 1 2 5 5 5 0 1 4 7"),
        ("phone 2\u20e31\u20e32\u20e3-555-0147", "212-555-0147"),
        ("phone \uff12\uff11\uff12-555-0147", "212-555-0147"),
        ("212\u200b555\u200b0147 is her number", "2125550147"),
    ],
)
def test_a_phone_number_is_found_however_it_is_written(text: str, number: str) -> None:
    assert ("contact.phone", number) in found(DETECTOR, text)


def test_numbers_in_a_row_are_told_apart() -> None:
    text = "call 212-555-0131 212-555-0132 212-555-0133"
    assert [number for _, number in found(DETECTOR, text)] == ["212-555-0131", "212-555-0132", "212-555-0133"]


def test_a_postcode_in_front_does_not_hide_a_number() -> None:
    assert ("contact.phone", "614-555-0138") in found(DETECTOR, "Marlow Heights OH 43999, 614-555-0138")


@pytest.mark.parametrize(
    "text",
    [
        "order 20394857561 is late", "2026-11-23 10:30:00", "21-14 28-35 17-20 31-7", "1,234,567,890 views", "$2125550147",
        "123 456 7890", "0000000000", "one two three four five six seven eight", "867-5309", "10 9 8 7 6 5 4 3 2 1",
        "tracking 9400 1000 0000 0000 0000 00", "isbn 9783161484100", "see you 12/11/2026 at 10", "5550142",
    ],
)  # fmt: skip
def test_dates_scores_prices_and_counts_are_no_phone_numbers(text: str) -> None:
    assert found(DETECTOR, text) == []


def test_a_toll_free_number_is_reported_with_little_trust() -> None:
    (hit,) = detect(DETECTOR, "call 1-800-555-0199")
    assert hit.score < 0.5


def test_the_detail_names_the_country_and_never_the_number() -> None:
    (hit,) = detect(DETECTOR, "phone 020 7946 0958")
    assert hit.detail == "phone number, GB"


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("write to kyle.brandvold@example.net.", "kyle.brandvold@example.net"),
        ("email verity.oakes at example dot net", "verity.oakes at example dot net"),
        ("verity_oakes [at] gmail [dot] com", "verity_oakes [at] gmail [dot] com"),
        ("verity.oakes(at)gmail.com", "verity.oakes(at)gmail.com"),
    ],
)
def test_a_mailbox_is_found_plain_or_spelled_out(text: str, mailbox: str) -> None:
    assert ("contact.email", mailbox) in found(DETECTOR, text)


@pytest.mark.parametrize(
    "text",
    [
        "john@example.com",
        "she works at yahoo.com",
        "me @ home.today",
        "look at this dot com thing",
        "@user @user",
    ],
)
def test_examples_and_places_are_no_mailboxes(text: str) -> None:
    assert [signal for signal, _ in found(DETECTOR, text) if signal == "contact.email"] == []


def test_mailboxes_of_organisations_score_low() -> None:
    assert all(
        hit.score < 0.5 for hit in detect(DETECTOR, "press@fernway.example or support@fernway.example")
    )


@pytest.mark.parametrize(
    "text",
    ["her insta is mari.q_88", "facebook.com/oakmother77", "snap: edtheartist1", "https://t.me/oak_mother"],
)
def test_profiles_elsewhere_are_found(text: str) -> None:
    assert [signal for signal, _ in found(DETECTOR, text)] == ["contact.handle"]


def test_the_word_instagram_alone_is_no_profile() -> None:
    assert found(DETECTOR, "instagram is down again") == []
