"""Phone numbers, e-mail addresses and profiles on other services, plainly written or disguised."""

from __future__ import annotations

from collections.abc import Sequence

import re2

from worker.signals.detection import MAX_SPANS, cut_from_run, distinct, has_near, words
from worker.signals.phones import PHONE, TRIGGERS, read_phones
from worker.signals.view import Hit

EMAIL, HANDLE = "contact.email", "contact.handle"
MEANINGS = {
    PHONE: "A phone number is given.",
    EMAIL: "An e-mail address is given.",
    HANDLE: "A name on another service is given, by which somebody can be reached.",
}

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
    local = local if not raw.startswith(f"{local} dot ") else f"{local}."
    plain = " at " in raw and not any(char.isdigit() or char in "._" for char in local)
    named = has_near(
        text,
        place,
        (
            "email",
            "mail",
            "e mail",
            "emails",
            "gmail address",
            "addy",
            "contact",
            "address",
            "inbox",
            "inboxes",
        ),
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
        *TRIGGERS,
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
            phones, done = read_phones(field, text, (start, end))
            for hit in phones:
                if hit.start is not None:
                    found.setdefault((hit.signal, hit.start), hit)
            if len(found) > MAX_SPANS:
                break
        return sorted(found.values(), key=lambda hit: (hit.start or 0, hit.signal))


DETECTOR = ContactDetector()
