"""Identity numbers: their shape and check digits, and the words that tell one kind from another."""

from __future__ import annotations

import pytest

from tests.worker.signals.detectors.helpers import detect, found
from worker.signals.detectors.national_ids import DETECTOR


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("ssn 894-12-3456", "US social security number"),
        ("ni number JC 12 34 56 D", "UK national insurance number"),
        ("sin 123-456-782", "Canadian social insurance number"),
        ("steuer id 36 574 261 809", "German tax id"),
        ("nir 2 95 10 99 126 111 93", "French social security number"),
        ("dni 54362315K", "Spanish DNI"),
        ("nie X2482300W", "Spanish NIE"),
        ("RCCMNL83S18D969H", "Italian codice fiscale"),
        ("bsn 111222333", "Dutch citizen service number"),
        ("85.07.30-033.28", "Belgian national number"),
        ("pesel 44051401359", "Polish PESEL"),
        ("personnummer 880320-0016", "Swedish personal number"),
        ("cpr 211062-5629", "Danish CPR number"),
        ("131052-308T", "Finnish personal code"),
        ("nif 123456789", "Portuguese tax number"),
        ("aadhaar 2341 2341 2346", "Indian Aadhaar number"),
        ("pan ACUPA7085R", "Indian PAN"),
        ("390.533.447-05", "Brazilian CPF"),
        ("11010519491231002X", "Chinese resident id"),
        ("tfn 123 456 782", "Australian tax file number"),
        ("id number 7503305044089", "South African id number"),
        ("tc kimlik 17291716060", "Turkish identity number"),
        ("nric S1234567D", "Singapore NRIC"),
        ("BOXW310820HNERXN09", "Mexican CURP"),
        ("ausweis T220001293", "German identity card"),
        ("her passport number is 991234567", "passport number"),
    ],
)
def test_a_number_is_recognised_with_its_title(text: str, title: str) -> None:
    assert [hit.detail for hit in detect(DETECTOR, text) if hit.score >= 0.5] == [title]


@pytest.mark.parametrize(
    "digits", ["123456782", "111222333", "894123456", "2341 2341 2346", "17291716060", "44051401359"]
)
def test_digits_alone_are_trusted_little(digits: str) -> None:
    assert found(DETECTOR, digits, least=0.56) == []


@pytest.mark.parametrize(
    "text",
    [
        "ssn 078-05-1120",
        "ssn 666-12-3456",
        "ssn 900-12-3456",
        "call 212-555-0147",
        "2026-11-23 1030",
        "order 20394857561",
    ],
)
def test_numbers_that_identify_nobody_are_left_out(text: str) -> None:
    assert found(DETECTOR, text) == []


def test_the_passport_word_alone_is_no_number() -> None:
    assert found(DETECTOR, "my passport expired in 2019") == []


def test_a_word_behind_a_number_is_not_its_letter() -> None:
    assert found(DETECTOR, "his ssn 894-12-3456 after all") == [("number.national-id", "894-12-3456")]
