"""Phone numbers, e-mail addresses and profiles on other services, plainly written or disguised."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import phonenumbers
import re2

from worker.signals.detection import MAX_SPANS, cut_from_run, distinct, has_near, words
from worker.signals.view import Hit

PHONE, EMAIL, HANDLE = "contact.phone", "contact.email", "contact.handle"

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

_LOCAL = "abcdefghijklmnopqrstuvwxyz0123456789._%+-"
_HOST = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_EXAMPLE_HOSTS = (
    "example.com",
    "example.org",
    "domain.com",
    "email.com",
    "test.com",
    "mail.com",
    "yourdomain.com",
)
_EXAMPLE_LOCALS = words(
    "john jane user name you your me test foo bar email someone somebody john.doe jane.doe johndoe janedoe "
    "example first.last firstname.lastname your.name yourname username my myname alice bob abc"
)
# Mailboxes of an organisation, RFC 2142 and custom.
_ROLES = words(
    "info contact support help press media sales office admin hello bookings booking reservations enquiries inquiries "
    "jobs careers hr team service customerservice customer.service care feedback noreply no-reply donations donate "
    "abuse security privacy legal billing webmaster postmaster news newsletter tickets orders events membership "
    "volunteer tips editor newsdesk reception shop store management mgmt pr promo submissions apply recruiting"
)
_PROVIDERS = (
    "gmail|googlemail|yahoo|hotmail|outlook|icloud|protonmail|proton|aol|gmx|mail|live|yandex|zoho|tutanota"
)
_TOP = (
    "com|net|org|co|io|edu|gov|uk|de|fr|es|it|nl|ca|au|in|me|info|app|dev|mail|ru|br|us|example|invalid|test"
)
_AT = r" ?(?:[\[({<_*-] ?(?:at|@) ?[\])}>_*-]| at |\bat\b) ?"
_DOT = r" ?(?:[\[({<_*-] ?(?:dot|punkt|\.) ?[\])}>_*-]| dot | d0t |\.) ?"
_SPOKEN = (
    rf"\b[a-z0-9][a-z0-9._%+-]{{1,40}}(?:{_DOT}[a-z0-9]{{1,20}}){{0,2}}{_AT}"
    rf"(?:[a-z0-9][a-z0-9-]{{1,30}}(?: ?[\[({{<_*-] ?dot ?[\])}}>_*-] ?| dot | d0t )|(?:{_PROVIDERS}){_DOT})(?:{_TOP})\b"
)
_SPOKEN_RE = re2.compile(_SPOKEN)

_SERVICES = {
    "snapchat": "Snapchat", "snap": "Snapchat", "instagram": "Instagram", "insta": "Instagram", "ig": "Instagram",
    "facebook": "Facebook", "fb": "Facebook", "discord": "Discord", "telegram": "Telegram", "kik": "Kik",
    "skype": "Skype", "tiktok": "TikTok", "linkedin": "LinkedIn", "venmo": "Venmo", "cashapp": "Cash App",
    "cash app": "Cash App", "paypal": "PayPal", "onlyfans": "OnlyFans", "psn": "PSN", "reddit": "Reddit",
}  # fmt: skip
_HANDLE = (
    r"\b("
    + "|".join(sorted(_SERVICES, key=len, reverse=True))
    + r")(?: ?(?:name|user ?name|handle|account|acc|id|tag))?"
    r" ?(?:is|:|=|-)+ ?[@$]?([a-z0-9](?:[a-z0-9._-]{0,30}[._0-9-])[a-z0-9._-]{0,30})"
)
_PROFILE = (
    r"\b(facebook\.com|fb\.com|instagram\.com|linkedin\.com/in|t\.me|vk\.com|snapchat\.com/add|tiktok\.com/@?|venmo\.com)"
    r"/@?([a-z0-9][a-z0-9._-]{2,50})"
)
_HANDLE_RE, _PROFILE_RE = re2.compile(_HANDLE), re2.compile(_PROFILE)
_SITES = {
    "facebook.com": "Facebook", "fb.com": "Facebook", "instagram.com": "Instagram", "linkedin.com/in": "LinkedIn",
    "t.me": "Telegram", "vk.com": "VK", "snapchat.com/add": "Snapchat", "venmo.com": "Venmo",
}  # fmt: skip
_NOT_PROFILES = frozenset(
    {
        "groups",
        "events",
        "pages",
        "watch",
        "share",
        "sharer",
        "photo",
        "photos",
        "reel",
        "stories",
        "help",
        "hashtag",
    }
)


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


def _phones(field: str, text: str, span: tuple[int, int]) -> tuple[list[Hit], int]:
    """The phone numbers in one run of digits, and where the run ends.

    The whole run is read first. When that is no number, the run may be several of them, or one beside a
    postcode, so pieces of it that have a usual grouping are tried.
    """
    start, end = span
    if "x" in text[end - 2 : end]:  # an extension follows: 555-0142x21
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


def _email(field: str, text: str, at: int) -> Hit | None:
    start = at
    while start > 0 and at - start < 64 and text[start - 1] in _LOCAL:
        start -= 1
    end = at + 1
    while end < len(text) and end - at < 200 and text[end] in _HOST:
        end += 1
    while text[end - 1] in ".-":
        end -= 1
    while start < at and text[start] in "._%+-":
        start += 1
    local, host = text[start:at], text[at + 1 : end]
    labels = host.split(".")
    if (
        not local
        or local.endswith(".")
        or len(labels) < 2
        or not all(labels)
        or cut_from_run(text, (start, end))
    ):
        return None
    if not (labels[-1].isalpha() and 2 <= len(labels[-1]) <= 24):
        return None
    return _mailbox(field, (start, end), local, host)


def _mailbox(field: str, span: tuple[int, int], local: str, host: str, note: str = "") -> Hit | None:
    if local in _EXAMPLE_LOCALS and (host in _EXAMPLE_HOSTS or host.startswith("example.")):
        return None
    if local.rstrip("0123456789") in _ROLES or local.partition(".")[0].rstrip("0123456789") in _ROLES:
        return Hit(EMAIL, field, *span, 0.3, "mailbox of an organisation" + note)
    return Hit(EMAIL, field, *span, 0.97, "e-mail address" + note)


def _spoken(field: str, text: str, span: tuple[int, int]) -> Hit | None:
    match = _SPOKEN_RE.search(text[max(0, span[0] - 1) : span[1] + 12])
    if match is None:
        return None
    place = (max(0, span[0] - 1) + match.start(), max(0, span[0] - 1) + match.end())
    raw = match.group()
    local = raw.replace("(", " ").replace("[", " ").split(" ")[0]
    plain = " at " in raw and not any(char.isdigit() or char in "._" for char in local)
    named = has_near(
        text, place, ("email", "mail", "e mail", "emails", "gmail address", "addy", "contact", "address")
    )
    provided = any(f" {provider}" in raw for provider in _PROVIDERS.split("|")) and " dot " in raw
    if plain and not named and not provided and not any(char in "[({<" for char in raw):
        return None  # "she works at yahoo.com", "look at this dot com thing": a place, not a mailbox
    hit = _mailbox(field, place, local, "", ", spelled out")
    return hit and Hit(hit.signal, hit.field, hit.start, hit.end, min(hit.score, 0.9), hit.detail)


def _handles(field: str, text: str, span: tuple[int, int]) -> list[Hit]:
    base = max(0, span[0] - 1)
    window = text[base : span[1] + 64]
    hits = []
    for match in _HANDLE_RE.finditer(window):
        hits.append(
            Hit(
                HANDLE,
                field,
                base + match.start(),
                base + match.end(),
                0.7,
                f"profile on {_SERVICES[match.group(1)]}",
            )
        )
    for match in _PROFILE_RE.finditer(window):
        if match.group(2) not in _NOT_PROFILES:
            site = _SITES.get(match.group(1), "TikTok")
            hits.append(
                Hit(HANDLE, field, base + match.start(), base + match.end(), 0.8, f"profile on {site}")
            )
    return hits


class ContactDetector:
    """Finds phone numbers, e-mail addresses and profiles; mailboxes and lines of organisations score low."""

    names = frozenset({PHONE, EMAIL, HANDLE})
    triggers = (
        _DIGITS,
        _DOTTED,
        _SPELLED,
        r"[a-z0-9_%+\-]@[a-z0-9][a-z0-9.\-]{0,60}\.[a-z]{2}",
        _SPOKEN,
        _HANDLE,
        _PROFILE,
    )

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """See `worker.signals.detectors.Detector`."""
        found: dict[tuple[str, int], Hit] = {}
        for start, end in sorted(spans)[:MAX_SPANS]:
            piece = text[start:end]
            candidates: list[Hit | None] = list(_handles(field, text, (start, end)))
            if "@" in piece:
                candidates.append(_email(field, text, start + piece.index("@")))
            candidates.append(_spoken(field, text, (start, end)))
            for hit in candidates:
                if hit is not None and hit.start is not None:
                    found.setdefault((hit.signal, hit.start), hit)
        done = 0
        for start, end in distinct(spans):
            if start < done:
                continue
            phones, done = _phones(field, text, (start, end))
            for hit in phones:
                if hit.start is not None:
                    found.setdefault((hit.signal, hit.start), hit)
            if len(found) > MAX_SPANS:
                break
        return sorted(found.values(), key=lambda hit: (hit.start or 0, hit.signal))


DETECTOR = ContactDetector()
