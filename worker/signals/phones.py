"""Phone numbers, written in digits, in words or in both, told from other numbers by their grouping and the words around."""

from __future__ import annotations

from itertools import pairwise

import phonenumbers
import re2

from worker.signals.detection import cut_from_run, has_near
from worker.signals.view import Hit

PHONE = "contact.phone"

_DIGIT_WORDS = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_REPEATS = {"double": 2, "triple": 3}
# Groupings that stand for one number when several runs of digits follow each other.
_USUAL = frozenset(
    {(3, 3, 4), (1, 3, 3, 4), (3, 7), (10,), (5, 6), (5, 3, 3), (4, 3, 4), (3, 4, 4), (2, 5, 5), (2, 4, 6)}
)
_GAP_CHARS = " ().,[]_*~|/-"
_LONGEST_RUN, _MOST_IN_RUN = 400, 8
_WORD = "(?:" + "|".join(sorted((*_DIGIT_WORDS, *_REPEATS), key=len, reverse=True)) + ")"
_GAP = r"[ ().,\[\]_*~|/\-]"
_DIGITS = rf"\b\d(?:{_GAP}{{0,3}}\d){{6,16}}(?:\b|x\d)"
# Dots that people put between digits; a class with them and the rest would make the trigger too large to compile.
_DOTTED = r"\b\d{1,4}(?: ?[\x{2022}\x{b7}\x{30fb}] ?\d{1,4}){2,10}\b"
_SPELLED = rf"\b(?:\d{{0,4}}{_GAP}{{0,3}}{_WORD}{_GAP}{{0,3}}){{4,12}}\d{{0,4}}\b"
# Digits and digit words by turns, "two 1 2 five55": a capital O for a zero reads like one.
_MIXED = r"\d[ .()\-]{0,2}(?:o|oh|zero|one|two|three|four|five|six|seven|eight|nine)[ .()\-]{0,2}\d"
_MIXED_RE = re2.compile(
    rf"\b(?:{_WORD}[ .()\-]{{0,2}})?(?:\d[\d.() \-]{{0,9}}{_WORD}[ .()\-]{{0,2}}){{2,6}}\d{{0,4}}\b"
)
_MIXED_REACH = 40
TRIGGERS = (_DIGITS, _DOTTED, _SPELLED, _MIXED)
_TOKEN = re2.compile(rf"\d+|{_WORD}")

PHONE_WORDS = (
    "phone", "phone number", "cell", "cellphone", "mobile", "number", "numbers", "call", "calls", "calling", "text",
    "texting", "tel", "telephone", "whatsapp", "ring", "dial", "digits", "sms", "fax", "landline", "contact", "reach",
    "hmu", "num", "ph", "no", "ring", "blow up", "line", "imessage", "facetime", "signal", "hit up", "message", "home",
    "work", "office", "is",
)  # fmt: skip
_STRONG_PHONE_WORDS = PHONE_WORDS[:20]
_NOT_PHONE_WORDS = (
    "order", "tracking", "invoice", "isbn", "ticket", "tickets", "ref", "reference", "serial", "score", "scores", "lotto",
    "lottery", "account", "item", "sku", "issue", "bug", "patent", "population", "followers", "views", "votes", "id",
    "imei", "routing", "sort code", "upc", "ean", "part", "model", "case", "docket", "pid", "ssn", "booking", "pnr",
)  # fmt: skip
# Sung or shown so often that they are nobody's number.
_FAMOUS = ("8675309", "6060842", "5318008", "5552368")
_COUNTRY_ORDER = (
    "GB",
    "AU",
    "NZ",
    "ZA",
    "IE",
    "DE",
    "FR",
    "IT",
    "NL",
    "ES",
    "BE",
    "CH",
    "AT",
    "SE",
    "PL",
    "BR",
    "NG",
    "KE",
    "PH",
)
_BUSINESS_TYPES = frozenset({
    phonenumbers.PhoneNumberType.TOLL_FREE, phonenumbers.PhoneNumberType.PREMIUM_RATE,
    phonenumbers.PhoneNumberType.SHARED_COST, phonenumbers.PhoneNumberType.UAN,
})  # fmt: skip


def _parse(number: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None


def _judge(parsed: phonenumbers.PhoneNumber, region: str | None) -> tuple[float, str] | None:
    """Trust and description of a parsed number; numbers kept for drama are possible but not valid."""
    if not phonenumbers.is_possible_number(parsed):
        return None
    valid = phonenumbers.is_valid_number(parsed)
    where = phonenumbers.region_code_for_number(parsed) if valid else None
    where = where or region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    if valid and phonenumbers.number_type(parsed) in _BUSINESS_TYPES:
        return 0.3, f"service phone number, {where}"
    return (1.0 if valid else 0.85), f"phone number, {where}"


def _national(digits: str, groups: list[int], named: bool) -> tuple[float, str] | None:
    """Reads a number without a country code; its grouping and the words around it stand in for one."""
    spaced_out = len(groups) >= 7 and max(groups) <= 2
    if len(digits) == 11 and digits[0] == "1":
        digits, groups = digits[1:], groups[1:] if groups[0] == 1 else groups
    if len(digits) == 10 and digits[0] in "23456789" and digits[3] in "23456789":
        shaped = groups in ([3, 3, 4], [3, 7], [6, 4])
        if shaped or spaced_out or (groups == [10] or named):
            parsed = _parse(digits, "US")
            judged = _judge(parsed, "US") if parsed else None
            if judged and (judged[0] != 0.85 or shaped or named):
                trust = 0.92 if shaped else 0.9 if named else 0.55 if groups == [10] else 0.6
                if groups == [5, 5] or (digits[0] in "6789" and not shaped and judged[0] == 0.85):
                    return trust * 0.95, "phone number, IN"
                return trust * judged[0], judged[1]
    if len(digits) == 10 and digits[0] in "6789" and (groups == [5, 5] or named):
        return 0.85 if named else 0.65, "phone number, IN"
    if digits[0] == "0" and 9 <= len(digits) <= 11 and digits[1] != "0":
        if groups == [2] * 5:
            return 0.9, "phone number, FR"
        if not (named or spaced_out or len(groups) >= 2 or digits.startswith("07")):
            return None
        if len(digits) == 11 and digits[1] in "127":
            parsed = _parse(digits, "GB")
            judged = _judge(parsed, "GB") if parsed else None
            return (0.92 if named or len(groups) > 1 else 0.7), judged[1] if judged else "phone number, GB"
        for region in _COUNTRY_ORDER:
            parsed = _parse(digits, region)
            if parsed and phonenumbers.is_valid_number(parsed):
                judged = _judge(parsed, region)
                return ((0.88 if named else 0.55) * judged[0], judged[1]) if judged else None
    if named and len(digits) == 7 and groups in ([3, 4], [7]) and digits[0] not in "01":
        return 0.6, "local phone number"
    if named and len(digits) in (8, 9) and digits[0] in "5679" and len(groups) <= 4:
        return 0.6, "phone number"
    return None


def _is_count(digits: str) -> bool:
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(digits)}
    return len(steps) == 1


def _is_date(groups: list[str]) -> bool:
    sizes = [len(group) for group in groups[:3]]
    if sizes == [4, 2, 2] or (len(groups) >= 3 and sizes in ([2, 2, 4], [1, 2, 4], [1, 1, 4], [2, 1, 4])):
        year = groups[0] if sizes[0] == 4 else groups[2]
        return year[:2] in ("18", "19", "20", "21")
    return False


def _groups(text: str, span: tuple[int, int]) -> tuple[list[tuple[int, int, str]], bool]:
    """The groups of digits in a span with their places, digit words read as digits; whether any was a word."""
    groups: list[tuple[int, int, str]] = []
    spelled, repeat = False, 1
    for match in _TOKEN.finditer(text[span[0] : span[1]]):
        part = match.group()
        start, end = span[0] + match.start(), span[0] + match.end()
        if part[0].isdigit():
            groups.append((start, end, part))
        elif part in _REPEATS:
            repeat = _REPEATS[part]
        else:
            spelled = True
            groups.append((start, end, _DIGIT_WORDS[part] * repeat))
            repeat = 1
    return groups, spelled


def _whole(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """The span, widened to all of a number whose digits and digit words change by turns."""
    if text[span[0] : span[1]].isascii() and not any(char.isalpha() for char in text[span[0] : span[1]]):
        return span
    base = max(0, span[0] - _MIXED_REACH)
    for match in _MIXED_RE.finditer(text[base : span[1] + _MIXED_REACH]):
        if base + match.start() <= span[0] and span[1] <= base + match.end():
            return base + match.start(), base + match.end()
    return span


def read_phones(field: str, text: str, span: tuple[int, int]) -> tuple[list[Hit], int]:
    """The phone numbers in one run of digits, and where the run ends.

    The whole run is read first. When that is no number, the run may be several of them, or one beside a
    postcode, so pieces of it that have a usual grouping are tried.
    """
    start, end = _whole(text, span)
    if text[end - 2] == "x" and text[end - 3].isdigit():  # an extension follows: 555-0142x21
        end -= 2
    groups, spelled = _groups(text, (start, end))
    if not groups:
        return [], end
    start, end = groups[0][0], groups[-1][1]
    whole = _phone(field, text, (start, end), groups, spelled)
    if whole is not None:
        return [whole], end
    while end < len(text) and end - start < _LONGEST_RUN and (text[end].isdigit() or text[end] in _GAP_CHARS):
        end += 1
    groups, spelled = _groups(text, (start, end))
    hits: list[Hit] = []
    first = 0
    while first < len(groups) and len(hits) < _MOST_IN_RUN:
        step = 1
        for count in (4, 3, 2, 1):
            piece = groups[first : first + count]
            if tuple(len(digits) for _, _, digits in piece) in _USUAL:
                hit = _phone(field, text, (piece[0][0], piece[-1][1]), piece, spelled)
                if hit is not None:
                    hits.append(hit)
                    step = count
                    break
        first += step
    return hits, end


def _phone(
    field: str, text: str, span: tuple[int, int], places: list[tuple[int, int, str]], spelled: bool
) -> Hit | None:
    start, end = span
    groups = [digits for _, _, digits in places]
    digits = "".join(groups)
    extension = text[end : end + 1] == "x" and text[end + 1 : end + 2].isdigit()
    if not 7 <= len(digits) <= 15 or cut_from_run(text, (start, start if extension else end)):
        return None
    while start > 0 and text[start - 1] in "+(":
        start -= 1
    lead = text[start : span[0]]
    before = text[max(0, start - 2) : start]
    if before[-1:] in ("$", "\u20ac", "\u00a3", "=", "/", "@", ".") or text[end : end + 1] == "%":
        return None
    if (
        len(set(digits)) < 3
        or _is_count(digits)
        or digits.endswith(_FAMOUS)
        or (not lead and _is_date(groups))
    ):
        return None
    if "," in text[span[0] : end] and not spelled and all(len(group) == 3 for group in groups[1:]):
        return None  # 1,234,567,890: a quantity
    place = (start, end)
    strong = has_near(text, place, _STRONG_PHONE_WORDS)
    if not strong and (has_near(text, place, _NOT_PHONE_WORDS, before=24, after=4) or before.endswith("#")):
        return None
    named = strong or has_near(text, place, PHONE_WORDS, before=20, after=12)
    judged: tuple[float, str] | None
    if "+" in lead or (digits.startswith("00") and len(digits) > 11):
        parsed = _parse("+" + digits.removeprefix("00"), None)
        judged = _judge(parsed, None) if parsed else None
        judged = (judged[0] * 0.97, judged[1]) if judged else None
    else:
        judged = _national(digits, [len(group) for group in groups], named)
        if (
            judged is None
            and len(digits) in (11, 12)
            and digits[:2] in ("44", "91", "61", "49", "33")
            and named
        ):
            parsed = _parse("+" + digits, None)
            judged = _judge(parsed, None) if parsed else None
    if judged is None and spelled and len(digits) in (7, 10, 11):
        judged = (0.8, "phone number")
    if judged is None:
        return None
    trust = max(judged[0], 0.85 if spelled and judged[0] > 0.3 else 0.0)
    return Hit(PHONE, field, start, end, round(trust, 3), judged[1] + (", spelled out" if spelled else ""))
