"""Cards, accounts, internet addresses and coordinates."""

from __future__ import annotations

import pytest

from tests.worker.signals.detectors.helpers import detect, found
from worker.signals.checksums import is_luhn, mod97
from worker.signals.detectors.numbers import DETECTOR, card_network, is_iban


def card(prefix: str) -> str:
    """A made-up number that satisfies Luhn."""
    return next(prefix + digit for digit in "0123456789" if is_luhn(prefix + digit))


def iban(country: str, account: str) -> str:
    """A made-up account number with its check digits."""
    return f"{country}{98 - mod97(f'{account}{country}00'.lower()):02d}{account}"


@pytest.mark.parametrize(
    ("prefix", "network"),
    [
        ("453901234509871", "Visa"), ("510512300987112", "Mastercard"), ("222312300987112", "Mastercard"),
        ("37451234567890", "American Express"), ("3056123400987", "Diners Club"), ("353012300987112", "JCB"),
        ("601112300987112", "Discover"), ("620012300987112", "UnionPay"), ("220012300987112", "Mir"),
    ],
)  # fmt: skip
def test_a_card_is_known_by_its_range_and_check_digit(prefix: str, network: str) -> None:
    number = card(prefix)
    assert card_network(number) == network
    assert card_network(number[:-1] + str((int(number[-1]) + 1) % 10)) is None


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4242424242424242", "378282246310005", "5555555555554444"]
)
def test_published_test_cards_are_nobodys(number: str) -> None:
    assert card_network(number) is None


def test_grouping_and_words_decide_the_trust_in_a_card() -> None:
    number = card("453901234509871")
    grouped = " ".join(number[at : at + 4] for at in range(0, 16, 4))
    (bare,), (shaped,), (named,) = (detect(DETECTOR, text) for text in (number, grouped, f"visa {number}"))
    assert bare.score < shaped.score < named.score


def test_an_expiry_date_behind_a_card_is_not_part_of_it() -> None:
    assert found(DETECTOR, "4539 0123 4509 8716 09/27 338") == [("number.card", "4539 0123 4509 8716")]


def test_an_imei_or_a_tracking_number_is_no_card() -> None:
    assert found(DETECTOR, f"tracking {card('453901234509871')}") == []


def test_an_iban_needs_its_countrys_length_and_check_digits() -> None:
    number = iban("GB", "TEST00000012345678")
    assert is_iban(number.lower())
    assert not is_iban(number.lower()[:-1])
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    assert found(DETECTOR, f"pay to {grouped} please") == [("number.iban", grouped.lower())]


def test_the_printed_example_iban_is_nobodys() -> None:
    assert found(DETECTOR, "DE89 3704 0044 0532 0130 00") == []


@pytest.mark.parametrize(
    "text", ["his ip is 93.184.216.34", "ip 2606:2800:220:1:248:1893:25c8:1946", "ip 2606:2800::1946"]
)
def test_a_public_internet_address_is_found(text: str) -> None:
    assert [signal for signal, _ in found(DETECTOR, text)] == ["number.ip"]


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "192.168.0.4", "198.51.100.7", "8.8.8.8", "version 93.184.216.34", "1.2.3.4.5", "2001:db8::1",
        "at 12:30:45:10", "999.1.1.1", "build 10.4.22.1",
    ],
)  # fmt: skip
def test_private_reserved_and_version_like_addresses_are_left_out(text: str) -> None:
    assert [signal for signal, _ in found(DETECTOR, text) if signal == "number.ip"] == []


@pytest.mark.parametrize(
    "text", ["40.712345, -74.005678", "coords 40.712,-74.005", "40\u00b042'46\"N 74\u00b000'21\"W"]
)
def test_coordinates_are_found(text: str) -> None:
    assert [signal for signal, _ in found(DETECTOR, text)] == ["number.coordinates"]


@pytest.mark.parametrize("text", ["40.7, 74.0", "140.7123, 274.0056", "paid 12.50, 13.75"])
def test_other_pairs_of_numbers_are_no_coordinates(text: str) -> None:
    assert found(DETECTOR, text) == []
