"""Check digits and format rules of identity numbers, pure functions over strings.

Each `is_…` function takes a number without separators, letters in lower case, and says whether it
could have been issued. Nothing here knows the text around a number; detectors weigh that.
The rules are those of each issuer as collected by https://arthurdejong.org/python-stdnum/ (read
2026-11-23), written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

_VERHOEFF_D = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_VERHOEFF_P = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def is_verhoeff(digits: str) -> bool:
    """Whether the last digit is the Verhoeff check digit of the others."""
    state = 0
    for place, digit in enumerate(reversed(digits)):
        state = int(_VERHOEFF_D[state][int(_VERHOEFF_P[place % 8][int(digit)])])
    return state == 0


def is_mod11_10(digits: str) -> bool:
    """Whether the number satisfies ISO/IEC 7064 MOD 11,10."""
    check = 5
    for digit in digits:
        check = ((check or 10) * 2 % 11 + int(digit)) % 10
    return check == 1


def mod97(text: str) -> int:
    """The remainder by 97 of digits and letters (a = 10 … z = 35), as ISO/IEC 7064 MOD 97-10 reads them."""
    return int("".join(str(int(char, 36)) for char in text)) % 97


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the leading digits, each times its weight; further digits are ignored."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def is_date(year: int, month: int, day: int) -> bool:
    """Whether such a day exists in the Gregorian calendar."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _is_short_date(year: str, month: str, day: str) -> bool:
    return any(is_date(century + int(year), int(month), int(day)) for century in (1900, 2000))


def is_us_ssn(number: str) -> bool:
    """US social security number: area, group and serial rules; never-issued and advertised ones are false.

    Source: https://www.ssa.gov/employer/randomizationfaqs.html and https://www.ssa.gov/history/ssn/misused.html
    (read 2026-11-23).
    """
    if number[:3] in ("000", "666") or number[0] == "9" or number[3:5] == "00" or number[5:] == "0000":
        return False
    # Printed on sample cards and in advertisements, so they identify nobody.
    if number in ("078051120", "219099999", "457555462", "123456789", "111111111", "333333333", "555555555"):
        return False
    return len(set(number)) > 1


def is_gb_nino(number: str) -> bool:
    """UK national insurance number: prefixes in use, six digits, suffix A to D."""
    first, second = number[0], number[1]
    if first in "dfiquv" or second in "dfiquvo" or number[:2] in ("bg", "gb", "kn", "nk", "nt", "tn", "zz"):
        return False
    return number[2:8].isdigit() and number[8] in "abcd"


def is_ca_sin(number: str) -> bool:
    """Canadian social insurance number; 0 and 8 are not issued to people."""
    return number[0] not in "08" and is_luhn(number)


def is_de_steuer_id(number: str) -> bool:
    """German tax id: one digit of the first ten stands two or three times, MOD 11,10."""
    counts = sorted((number[:10].count(digit) for digit in "0123456789"), reverse=True)
    return number[0] != "0" and counts[0] in (2, 3) and counts[1] < 2 and is_mod11_10(number)


def is_de_id_card(number: str) -> bool:
    """German identity card or passport: serial of nine and a check digit, weights 7-3-1."""
    if len(number) != 10 or not number[9].isdigit():
        return False
    values = [int(char, 36) for char in number[:9]]
    return sum(v * w for v, w in zip(values, (7, 3, 1) * 3, strict=True)) % 10 == int(number[9])


def is_fr_nir(number: str) -> bool:
    """French social security number with its two-digit key (Corsica: 2a and 2b)."""
    body = number[:13].replace("2a", "19").replace("2b", "18")
    if not body.isdigit() or not number[13:].isdigit() or number[0] not in "123478":
        return False
    month = int(body[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42 or month >= 50) and int(number[13:]) == 97 - int(body) % 97


def is_es_dni_nie(number: str) -> bool:
    """Spanish DNI (eight digits and a letter) or NIE (x, y or z, seven digits and a letter)."""
    body = str("xyz".index(number[0])) + number[1:8] if number[0] in "xyz" else number[:8]
    if len(number) != 9 or not body.isdigit() or body == "00000000":
        return False
    return "trwagmyfpdxbnjzsqvhlcke"[int(body) % 23] == number[8]


def is_it_codice_fiscale(number: str) -> bool:
    """Italian codice fiscale: sixteen characters, the last one a check letter."""
    odd = dict(zip("0123456789" + _LETTERS, (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21,
                   2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip
    total = 0
    for place, char in enumerate(number[:15]):
        total += odd[char] if place % 2 == 0 else int(char) if char.isdigit() else ord(char) - 97
    return len(number) == 16 and _LETTERS[total % 26] == number[15]


def is_nl_bsn(number: str) -> bool:
    """Dutch BSN: the eleven test."""
    return int(number) > 0 and (weighted(number, (9, 8, 7, 6, 5, 4, 3, 2)) - int(number[8])) % 11 == 0


def is_be_nrn(number: str) -> bool:
    """Belgian national register number: birth date, and 97 minus the remainder (2 in front from 2000 on)."""
    body, check = int(number[:9]), int(number[9:])
    if not (1 <= int(number[2:4]) <= 12 and 1 <= int(number[4:6]) <= 31):
        return False
    return check in (97 - body % 97, 97 - (2_000_000_000 + body) % 97)


def is_pl_pesel(number: str) -> bool:
    """Polish PESEL: the month carries the century."""
    month, century = (
        int(number[2:4]) % 20,
        {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[int(number[2:4]) // 20],
    )
    if not is_date(century + int(number[:2]), month, int(number[4:6])):
        return False
    return (10 - weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10) % 10 == int(number[10])


def is_se_personnummer(number: str) -> bool:
    """Swedish personnummer, ten or twelve digits; a coordination number adds 60 to the day."""
    short = number[-10:]
    day = int(short[4:6])
    return _is_short_date(short[:2], short[2:4], str(day - 60 if day > 60 else day)) and is_luhn(short)


def is_dk_cpr(number: str) -> bool:
    """Danish CPR: a date only; the check digit was given up in 2007."""
    return _is_short_date(number[4:6], number[2:4], number[:2]) and number[6:] != "0000"


def is_fi_hetu(number: str) -> bool:
    """Finnish personal identity code, eleven characters with its century sign."""
    if not (
        len(number) == 11 and number[:6].isdigit() and number[7:10].isdigit() and number[6] in "-+abcdefuvwxy"
    ):
        return False
    check = "0123456789abcdefhjklmnprstuvwxy"[int(number[:6] + number[7:10]) % 31]
    # Serials from 900 on are handed out for tests and temporary use.
    return (
        _is_short_date(number[4:6], number[2:4], number[:2])
        and 2 <= int(number[7:10]) < 900
        and check == number[10]
    )


def is_no_fodselsnummer(number: str) -> bool:
    """Norwegian birth number or D number (40 added to the day): two check digits."""
    day = int(number[:2])
    first = (11 - weighted(number, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11) % 11
    second = (11 - weighted(number, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11) % 11
    if not _is_short_date(number[4:6], number[2:4], str(day - 40 if day > 40 else day)):
        return False
    return (first, second) == (int(number[9]), int(number[10]))


def is_pt_nif(number: str) -> bool:
    """Portuguese tax number of a natural person (1 to 3)."""
    rest = weighted(number, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return number[0] in "123" and int(number[8]) == (0 if rest < 2 else 11 - rest)


def is_in_aadhaar(number: str) -> bool:
    """Indian Aadhaar: starts at 2, no palindrome, Verhoeff."""
    return number[0] not in "01" and number != number[::-1] and is_verhoeff(number)


def is_in_pan(number: str) -> bool:
    """Indian PAN of a natural person (fourth letter p)."""
    return number[:5].isalpha() and number[3] == "p" and number[5:9].isdigit() and number[5:9] != "0000"


def is_br_cpf(number: str) -> bool:
    """Brazilian CPF: two check digits; eleven equal digits are not issued."""
    if len(set(number)) == 1:
        return False
    first = weighted(number, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(number, range(11, 1, -1)) * 10 % 11 % 10
    return (first, second) == (int(number[9]), int(number[10]))


def is_br_cnpj(number: str) -> bool:
    """Brazilian CNPJ: two check digits."""
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first, second = (weighted(number, w) % 11 for w in (weights[1:], weights))
    checks = tuple(0 if rest < 2 else 11 - rest for rest in (first, second))
    return len(set(number)) > 1 and checks == (int(number[12]), int(number[13]))


def is_cn_resident(number: str) -> bool:
    """Chinese resident identity number: province, birth date, ISO/IEC 7064 MOD 11-2."""
    if not number[:17].isdigit() or not 11 <= int(number[:2]) <= 91:
        return False
    year = int(number[6:10])
    if not 1900 <= year <= 2100 or not is_date(year, int(number[10:12]), int(number[12:14])):
        return False
    total = weighted(number[:17], (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return "10x98765432"[total % 11] == number[17]


def is_kr_rrn(number: str) -> bool:
    """South Korean resident registration number; births before October 2020 carry a check digit."""
    if number[6] not in "12345678" or not _is_short_date(number[:2], number[2:4], number[4:6]):
        return False
    return (11 - weighted(number, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == int(number[12])


def is_jp_my_number(number: str) -> bool:
    """Japanese individual number: the last of twelve digits checks the others."""
    rest = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(number[:11]), 1)) % 11
    return len(set(number)) > 1 and int(number[11]) == (0 if rest <= 1 else 11 - rest)


def is_au_tfn(number: str) -> bool:
    """Australian tax file number, nine digits."""
    return len(set(number)) > 1 and weighted(number, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def is_za_id(number: str) -> bool:
    """South African identity number: birth date, citizenship, Luhn."""
    return number[10] in "01" and _is_short_date(number[:2], number[2:4], number[4:6]) and is_luhn(number)


def is_tr_id(number: str) -> bool:
    """Turkish identity number: two check digits, never starts with 0."""
    values = [int(digit) for digit in number]
    tenth = (7 * sum(values[0:9:2]) - sum(values[1:8:2])) % 10
    return values[0] != 0 and (tenth, sum(values[:10]) % 10) == (values[9], values[10])


def is_sg_nric(number: str) -> bool:
    """Singapore NRIC or FIN."""
    if len(number) != 9 or not number[1:8].isdigit() or number[0] not in "stfgm":
        return False
    offset = {"t": 4, "g": 4, "m": 3}.get(number[0], 0)
    rest = (weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + offset) % 11
    if number[0] == "m":
        return "xwutrqpnjlk"[rest] == number[8]
    return ("jzihgfedcba" if number[0] in "st" else "xwutrqpnmlk")[rest] == number[8]


def is_mx_curp(number: str) -> bool:
    """Mexican CURP: letters, birth date, sex, state, and a check digit."""
    if not (len(number) == 18 and number[:4].isalpha() and number[4:10].isdigit() and number[17].isdigit()):
        return False
    alphabet = "0123456789abcdefghijklmn" + "\u00f1" + "opqrstuvwxyz"
    total = sum(alphabet.index(char) * (18 - place) for place, char in enumerate(number[:17]))
    return _is_short_date(number[4:6], number[6:8], number[8:10]) and (10 - total % 10) % 10 == int(
        number[17]
    )
