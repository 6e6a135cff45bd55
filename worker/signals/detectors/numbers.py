"""Payment cards, IBANs, internet addresses and coordinates, told from other numbers by their rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import re2

from worker.signals.checksums import is_luhn, mod97
from worker.signals.detection import MAX_SPANS, cut_from_run, distinct, has_near
from worker.signals.view import Hit

CARD, IBAN, IP, COORDINATES = "number.card", "number.iban", "number.ip", "number.coordinates"
MEANINGS = {
    CARD: "A payment card number is given.",
    IBAN: "A bank account number (IBAN) is given.",
    IP: "An internet address (IP) is given.",
    COORDINATES: "A place is given by its coordinates.",
}

# Issuer ranges: network, first and last prefix, lengths. Source: ISO/IEC 7812 issuers as published by the
# networks, https://en.wikipedia.org/wiki/Payment_card_number (read 2026-11-23).
_ISSUERS: tuple[tuple[str, str, str, frozenset[int]], ...] = (
    ("Visa", "4", "4", frozenset({13, 16, 19})),
    ("Mastercard", "51", "55", frozenset({16})),
    ("Mastercard", "2221", "2720", frozenset({16})),
    ("American Express", "34", "34", frozenset({15})),
    ("American Express", "37", "37", frozenset({15})),
    ("Diners Club", "300", "305", frozenset({14})),
    ("Diners Club", "36", "36", frozenset({14})),
    ("Diners Club", "38", "39", frozenset({14})),
    ("JCB", "3528", "3589", frozenset({16})),
    ("Discover", "6011", "6011", frozenset({16, 19})),
    ("Discover", "644", "659", frozenset({16, 19})),
    ("UnionPay", "62", "62", frozenset({16, 17, 18, 19})),
    ("Mir", "2200", "2204", frozenset({16})),
    ("RuPay", "508", "508", frozenset({16})),
    ("RuPay", "60", "60", frozenset({16})),
    ("RuPay", "81", "82", frozenset({16})),
    ("JCB", "2131", "2131", frozenset({15})),
    ("JCB", "1800", "1800", frozenset({15})),
    ("Maestro", "50", "50", frozenset({12, 16, 18, 19})),
    ("Maestro", "56", "58", frozenset({12, 16, 18, 19})),
    ("Maestro", "63", "63", frozenset({12, 16, 18, 19})),
    ("Maestro", "67", "67", frozenset({12, 16, 18, 19})),
)
# Numbers that payment providers print for testing: https://docs.stripe.com/testing,
# https://developer.paypal.com/api/nvp-soap/payflow/integration-guide/test-transactions/ (read 2026-11-23).
_TEST_CARDS = frozenset({
    "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "4222222222222",
    "4012000033330026", "4000000000000002", "4000000000009995", "4000000000000077", "4007000000027",
    "5555555555554444", "5105105105105100", "5200828282828210", "2223003122003222", "5431111111111111",
    "378282246310005", "371449635398431", "378734493671000", "341111111111111", "370000000000002",
    "6011111111111117", "6011000990139424", "6011000000000012", "6011981111111113",
    "30569309025904", "38520000023237", "3056930009020004", "36227206271667",
    "3530111333300000", "3566002020360505", "6200000000000005", "6205500000000000004",
})  # fmt: skip
_CARD_WORDS = (
    "card", "cards", "visa", "mastercard", "master card", "amex", "american express", "discover", "credit",
    "debit", "cvv", "cvc", "exp", "expires", "expiry", "cc", "maestro", "valid thru",
)  # fmt: skip
_NOT_CARD_WORDS = (
    "imei",
    "tracking",
    "order",
    "invoice",
    "ticket",
    "isbn",
    "parcel",
    "serial",
    "barcode",
    "upc",
)

# Lengths by country: SWIFT IBAN registry, https://www.swift.com/standards/data-standards/iban (read 2026-11-23).
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "no", 16: "be", 18: "dk fi fo gl nl sd", 19: "mk si", 20: "at ba ee kz lt lu xk",
        21: "ch cr hr li lv", 22: "bg bh de gb ge ie me rs va", 23: "ae gi il iq om tl so",
        24: "ad cz es md pk ro sa se sk tn vg", 25: "ly pt st", 26: "is tr", 27: "bi dj fr gr it mc mr sm",
        28: "al az by cy do gt hu lb ni pl sv", 29: "br eg ps qa ua", 30: "jo kw mu", 31: "mt sc", 33: "ru", 32: "lc",
    }.items()
    for country in countries.split()
}  # fmt: skip
# Printed as examples by banks and standards.
_TEST_IBANS = frozenset({
    "de89370400440532013000", "gb82west12345698765432", "gb29nwbk60161331926819", "gb33bukb20201555555555",
    "fr1420041010050500013m02606", "fr7630006000011234567890189", "nl91abna0417164300", "es9121000418450200051332",
    "be68539007547034", "ch9300762011623852957", "it60x0542811101000000123456", "at611904300234573201",
    "ie29aibk93115212345678", "pl61109010140000071219812874", "pt50000201231234567890154", "no9386011117947",
    "se4550000000058398257466", "dk5000400440116243", "fi2112345600000785",
})  # fmt: skip

_VERSION_WORDS = (
    "version", "versions", "ver", "v", "build", "release", "firmware", "update", "updated", "patch", "ios", "chrome",
    "driver", "kernel", "upgrade", "upgraded", "section", "chapter",
)  # fmt: skip
# Public services that everybody names.
_PUBLIC_ADDRESSES = frozenset(
    {"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "208.67.222.222", "208.67.220.220"}
)

_CARD = re2.compile(r"\b\d(?:[ .\-]{0,2}\d){11,18}\b")
_IBAN_TRIGGER = r"\b[a-z]{2}\d{2}[ \-.]?[a-z0-9]{4}[ \-.]?[a-z0-9]{0,3}\d"
_IP4 = r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"
_IP6 = r"\b(?:[0-9a-f]{1,4}:){4,7}[0-9a-f]{1,4}\b|\b[0-9a-f]{1,4}::[0-9a-f]{1,4}\b"
_POINT = re2.compile(
    r"([-+]?\d{1,3}\.\d{3,10}) ?°? ?([ns])?[ ,;/|]{1,3}([-+]?\d{1,3}\.\d{3,10})(?: ?°? ?([ewo])\b)?"
)
_POINT_DMS = re2.compile(
    r"\d{1,2} ?° ?\d{1,2} ?['\x{2032}] ?\d{0,2}(?:\.\d{1,4})? ?(?:\"|''|\x{2033})? ?[ns]\b[ ,;/]{0,3}\d{1,3} ?° ?\d{1,2} ?['\x{2032}]"
    r" ?\d{0,2}(?:\.\d{1,4})? ?(?:\"|''|\x{2033})? ?[ewo]\b"
)


def card_network(digits: str) -> str | None:
    """The network of a payment card number that could have been issued, None for any other number.

    Test numbers that providers publish identify nobody and are None too.
    """
    if digits in _TEST_CARDS or len(set(digits)) < 4 or not is_luhn(digits):
        return None
    for network, first, last, lengths in _ISSUERS:
        if len(digits) in lengths and first <= digits[: len(first)] <= last:
            return network
    return None


def is_iban(text: str) -> bool:
    """Whether letters and digits (lower case, no separators) are a valid IBAN, printed examples excluded."""
    return (
        _IBAN_LENGTHS.get(text[:2]) == len(text)
        and text not in _TEST_IBANS
        and mod97(text[4:] + text[:4]) == 1
    )


def _card_in(raw: str) -> tuple[int, str] | None:
    """The length of the longest card number that the text starts with, and its network.

    An expiry date or a security code often follows after a space, so shorter readings that end at a
    separator are tried too.
    """
    for end in range(len(raw), 11, -1):
        if raw[end - 1].isdigit() and (end == len(raw) or not raw[end].isdigit()):
            network = card_network("".join(filter(str.isdigit, raw[:end])))
            if network is not None:
                return end, network
    return None


def _cards(field: str, text: str, span: tuple[int, int]) -> list[Hit]:
    hits = []
    for match in _CARD.finditer(text[span[0] : min(span[1] + 24, len(text))]):
        found = _card_in(match.group())
        if found is None:
            continue
        length, network = found
        raw = match.group()[:length]
        place = (span[0] + match.start(), span[0] + match.start() + length)
        if cut_from_run(text, place) or has_near(text, place, _NOT_CARD_WORDS, before=24, after=0):
            continue
        groups = [len(group) for group in raw.replace("-", " ").replace(".", " ").split()]
        shaped = groups in ([4, 4, 4, 4], [4, 6, 5], [4, 6, 4], [4, 4, 4, 4, 3])
        if has_near(text, place, _CARD_WORDS):
            score = 0.98
        elif shaped:
            score = 0.95
        else:
            # One number in ten passes Luhn by chance, so a bare run of digits is only probably a card.
            score = 0.7 if len(groups) == 1 and len(raw) in (15, 16) else 0.4
        hits.append(Hit(CARD, field, *place, score, f"payment card number, {network}"))
    return hits


def _iban(field: str, text: str, span: tuple[int, int]) -> Hit | None:
    length = _IBAN_LENGTHS.get(text[span[0] : span[0] + 2])
    if length is None:
        return None
    chars: list[str] = []
    at = span[0]
    while at < min(len(text), span[0] + 2 * length) and len(chars) < length:
        if text[at].isascii() and text[at].isalnum():
            chars.append(text[at])
        elif text[at] not in " -.":
            break
        at += 1
    number = "".join(chars)
    if not is_iban(number) or cut_from_run(text, (span[0], at)):
        return None
    return Hit(IBAN, field, span[0], at, 0.98, f"bank account number (IBAN), {number[:2].upper()}")


def _ip(field: str, text: str, span: tuple[int, int]) -> Hit | None:
    start, end = span
    if ":" in text[start:end]:  # a shortened IPv6 address: the trigger saw the part around its "::"
        while start > 0 and span[0] - start < 40 and text[start - 1] in "0123456789abcdef:":
            start -= 1
        while end < len(text) and end - span[1] < 40 and text[end] in "0123456789abcdef:":
            end += 1
        while end > start and text[end - 1] == ":":
            end -= 1
    raw = text[start:end]
    if cut_from_run(text, (start, end)) or raw in _PUBLIC_ADDRESSES:
        return None
    if (end < len(text) - 1 and text[end] == "." and text[end + 1].isdigit()) or (
        start and text[start - 1] in ".:"
    ):
        return None
    try:
        address = ipaddress.ip_address(raw)
    except ValueError:
        return None
    if not address.is_global or address.is_multicast:
        return None
    if address.version == 6 and raw.count(":") < 4 and "::" not in raw:
        return None
    if has_near(text, (start, end), _VERSION_WORDS, before=24, after=0):
        return None
    named = has_near(
        text,
        (start, end),
        ("ip", "ips", "ip address", "address", "ping", "ddos", "boot", "server", "grabbed"),
    )
    # Four small numbers are more often a version or a score than an address.
    small = address.version == 4 and all(int(part) < 20 for part in raw.split("."))
    return Hit(
        IP,
        field,
        start,
        end,
        0.95 if named else 0.3 if small else 0.8,
        f"internet address, IPv{address.version}",
    )


def _points(field: str, text: str, span: tuple[int, int]) -> list[Hit]:
    window = text[span[0] : min(span[1] + 32, len(text))]
    hits = []
    for match in _POINT.finditer(window):
        place = (span[0] + match.start(), span[0] + match.end())
        latitude, longitude = float(match.group(1)), float(match.group(3))
        precise = min(len(match.group(n).partition(".")[2]) for n in (1, 3)) >= 4
        marked = bool(match.group(2) and match.group(4)) or has_near(
            text,
            place,
            ("coordinates", "coords", "location", "gps", "lat", "latitude", "pin", "maps", "geo"),
            before=32,
        )
        if abs(latitude) > 90 or abs(longitude) > 180 or cut_from_run(text, place) or not (precise or marked):
            continue
        if text[max(0, place[0] - 1) : place[0]] in ("$", "\u20ac", "\u00a3"):
            continue
        hits.append(Hit(COORDINATES, field, *place, 0.95 if precise and marked else 0.75, "coordinates"))
    for match in _POINT_DMS.finditer(window):
        place = (span[0] + match.start(), span[0] + match.end())
        hits.append(Hit(COORDINATES, field, *place, 0.95, "coordinates"))
    return hits


class NumberDetector:
    """Finds payment cards, IBANs, internet addresses and coordinates; test and reserved ones are left out."""

    names = frozenset({CARD, IBAN, IP, COORDINATES})
    triggers = (
        r"\b\d(?:[ .\-]{0,2}\d){11,18}\b",
        _IBAN_TRIGGER,
        _IP4,
        _IP6,
        r"\d{1,3}\.\d{3,10} ?°? ?[ns]?[ ,;/|]{1,3}[-+]?\d{1,3}\.\d{3,10}",
        r"\d{1,2} ?° ?\d{1,2} ?['\x{2032}]",
    )

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """See `worker.signals.detectors.Detector`."""
        found: dict[tuple[str, int], Hit] = {}
        candidates: list[Hit | None] = []
        for start, end in distinct(spans):
            span = (start, min(end, start + 80))  # a match never needs more; joined ones could be longer
            candidates += [*_cards(field, text, span), *_points(field, text, span)]
        for span in sorted(spans)[:MAX_SPANS]:
            candidates += [_iban(field, text, span), _ip(field, text, span)]
        for hit in candidates:
            if hit is not None and hit.start is not None:
                found.setdefault((hit.signal, hit.start), hit)
        return sorted(found.values(), key=lambda hit: (hit.start or 0, hit.signal))


DETECTOR = NumberDetector()
