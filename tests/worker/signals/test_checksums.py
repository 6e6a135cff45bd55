"""Check digits: made-up numbers that satisfy them pass, and one changed digit breaks each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from worker.signals import checksums as check

# Published by the issuers or worked out by hand from their rules; none was ever given to a person we know of.
VALID = [
    (check.is_us_ssn, "894123456"),
    (check.is_gb_nino, "jc123456d"),
    (check.is_ca_sin, "123456782"),
    (check.is_de_steuer_id, "36574261809"),
    (check.is_fr_nir, "295109912611193"),
    (check.is_es_dni_nie, "54362315k"),
    (check.is_es_dni_nie, "x2482300w"),
    (check.is_it_codice_fiscale, "rccmnl83s18d969h"),
    (check.is_nl_bsn, "111222333"),
    (check.is_be_nrn, "85073003328"),
    (check.is_pl_pesel, "44051401359"),
    (check.is_se_personnummer, "8803200016"),
    (check.is_fi_hetu, "131052-308t"),
    (check.is_no_fodselsnummer, "15108695088"),
    (check.is_pt_nif, "123456789"),
    (check.is_in_aadhaar, "234123412346"),
    (check.is_br_cpf, "39053344705"),
    (check.is_br_cnpj, "16727230000197"),
    (check.is_cn_resident, "11010519491231002x"),
    (check.is_kr_rrn, "9710131019901"),
    (check.is_au_tfn, "123456782"),
    (check.is_za_id, "7503305044089"),
    (check.is_tr_id, "17291716060"),
    (check.is_sg_nric, "s1234567d"),
    (check.is_mx_curp, "boxw310820hnerxn09"),
    (check.is_de_id_card, "t220001293"),
]


@pytest.mark.parametrize(("valid", "number"), VALID, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_number_that_follows_the_rules_is_accepted(valid: Callable[[str], bool], number: str) -> None:
    assert valid(number)


@pytest.mark.parametrize(
    ("valid", "number"),
    [pair for pair in VALID if pair[0] not in (check.is_us_ssn, check.is_gb_nino)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_most_changes_of_the_last_character_break_it(valid: Callable[[str], bool], number: str) -> None:
    alphabet = "0123456789" if number[-1].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    accepted = [char for char in alphabet if char != number[-1] and valid(number[:-1] + char)]
    assert accepted == []


@pytest.mark.parametrize(
    "number", ["000123456", "666123456", "912123456", "123004567", "123450000", "078051120", "219099999"]
)
def test_never_issued_and_advertised_social_security_numbers_are_refused(number: str) -> None:
    assert not check.is_us_ssn(number)


@pytest.mark.parametrize("number", ["bg123456a", "qq123456c", "do123456a", "jc123456e", "jc12345xd"])
def test_national_insurance_prefixes_and_suffixes_out_of_use_are_refused(number: str) -> None:
    assert not check.is_gb_nino(number)


def test_a_danish_number_needs_a_real_date() -> None:
    assert check.is_dk_cpr("2110625629")
    assert not check.is_dk_cpr("3213625629")


def test_an_indian_pan_must_belong_to_a_person() -> None:
    assert check.is_in_pan("acupa7085r")
    assert not check.is_in_pan("acuca7085r")


def test_a_japanese_number_has_a_check_digit() -> None:
    body = "12345678901"
    assert sum(check.is_jp_my_number(body + digit) for digit in "0123456789") == 1


def test_verhoeff_and_luhn_catch_swapped_neighbours() -> None:
    assert check.is_verhoeff("2363")
    assert not check.is_verhoeff("3263")
    assert check.is_luhn("79927398713")
    assert not check.is_luhn("79927398731")
