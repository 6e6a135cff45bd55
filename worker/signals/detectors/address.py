"""Postal addresses: a house number with a street, a unit, a town, a state, a postcode, in several countries."""

from __future__ import annotations

from collections.abc import Sequence

import re2

from worker.signals.detection import MAX_SPANS, has_near, words
from worker.signals.view import Hit

ADDRESS = "contact.address"
MEANINGS = {ADDRESS: "A postal address is given."}

# USPS Publication 28, appendix C1 (https://pe.usps.com/text/pub28/28apc_002.htm, read 2026-11-23), the common ones,
# with their British and Australian kin. The second list holds words that ordinary sentences use too.
_STREETS = (
    "street|st|avenue|ave|av|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|terrace|parkway|pkwy|highway|hwy|crescent|cres|"
    "close|gardens|mews|cul-de-sac|expressway|turnpike|esplanade|parade|pde|grove|alley|freeway"
)
_VAGUE_STREETS = "way|place|pl|circle|cir|square|sq|trail|trl|loop|row|walk|hill|park|plaza|point|green|rise|run|view|path|bend|ridge"
_STREET = (
    r"\b\d{1,5}[a-d]?(?:[/-]\d{1,4}[a-d]?)?,? "
    r"(?:(?:[nsew]|ne|nw|se|sw|north|south|east|west)\.? )?(?:[a-z0-9'-]{1,20}\.? ){1,3}?"
    rf"(?:{_STREETS}|{_VAGUE_STREETS})\b"
)
_US_STATES = (
    "al|ak|az|ar|ca|co|ct|de|dc|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm|ny|nc|nd|oh|ok|or|pa|ri|"
    "sc|sd|tn|tx|ut|vt|va|wa|wv|wi|wy|pr"
)
_US_ZIP = rf"(?:, ?|[a-z]{{3}} )(?:{_US_STATES})\.?,? \d{{5}}(?:-\d{{4}})?\b"
_GB_POSTCODE = (
    r"\b(?:[a-pr-uwyz]\d[0-9a-hjkps-uw]?|[a-pr-uwyz][a-hk-y]\d[0-9abehmnprv-y]?) ?\d[abd-hjlnp-uw-z]{2}\b"
)
_CA_POSTCODE = r"\b[abceghj-nprstvxy]\d[abceghj-nprstv-z][ -]?\d[abceghj-nprstv-z]\d\b"
_AU_POSTCODE = r"\b(?:nsw|vic|qld|tas|act|south australia|western australia|victoria|queensland),? \d{4}\b"
_PO_BOX = r"\bp\.? ?o\.? box \d{1,6}\b"
_GERMAN = r"\b[a-z\x{e4}\x{f6}\x{fc}.-]{2,30}(?:strasse|str\.|gasse|allee|damm|ufer|platz) \d{1,4}[a-z]?\b"
_FRENCH = r"\b\d{1,4}(?: ?bis| ?ter)?,? (?:rue|boulevard|bd|chemin|impasse|quai|allee|all\x{e9}e|cours) (?:d[eu]s? |de la |de l')?[a-z\x{e0}-\x{ff}'-]{3,30}\b"
_SPANISH = r"\b(?:calle|c/|avenida|avda\.?|carrer|rua) [a-z\x{e0}-\x{ff}' ]{3,40}?,? (?:n[\x{ba}o\x{b0}.]* ?)?\d{1,4}\b"
_DUTCH_NORDIC = r"\b[a-z\x{e0}-\x{ff}-]{3,30}(?:straat|laan|gracht|gatan|v\x{e4}gen|gade|vej|veien|gata|katu|tie) \d{1,4}[a-z]?\b"
_ITALIAN = r"\b(?:via|viale|corso|piazza) [a-z\x{e0}-\x{ff}' ]{3,30}?,? \d{1,4},? \d{5}\b"
_POLISH = r"\bul\. ?[a-z\x{e0}-\x{17f}' ]{3,40}? \d{1,4}(?:/\d{1,4}|[a-z]\b)?"

# Named as somebody's address, so any street in any country will do.
_NAMED = (
    r"\b(?:liv(?:es?|ing) (?:at|on)|resid(?:es|ing) at|stay(?:s|ing) at|(?:house|home) is (?:at|on)?|addr(?:ess|y)?(?: is)?:?|addy(?: is)?:?)"
    r" ?(?:at )?(?:\d{1,6}[a-z]?(?:[/-]\d{1,4})?,? [a-z\x{df}-\x{17f}][a-z\x{df}-\x{17f}'. -]{3,40}|[a-z\x{df}-\x{17f}'-]{4,30} \d{1,4}[a-z]?\b)"
)
_NAMED_RE = re2.compile(_NAMED)

# A house number in words, "twelve oh six birchwood drive".
_NUMBER_WORD = (
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|oh|and)"
)
_SPELLED = rf"\b{_NUMBER_WORD}(?:[ -]{_NUMBER_WORD}){{0,4}} [a-z]{{3,20}} (?:[a-z]{{3,20}} )?(?:{_STREETS})\b"
_SPELLED_RE = re2.compile(
    rf"^(({_NUMBER_WORD})(?:[ -]{_NUMBER_WORD}){{0,4}}) ((?:[a-z]{{3,20}} ){{1,2}})(?:{_STREETS})$"
)

_FOREIGN = tuple(
    (country, re2.compile(pattern))
    for country, pattern in (
        ("DE", _GERMAN), ("FR", _FRENCH), ("ES", _SPANISH), ("NL", _DUTCH_NORDIC), ("IT", _ITALIAN), ("PL", _POLISH),
    )
)  # fmt: skip
_STREET_RE = re2.compile(_STREET)
_SECOND = re2.compile(rf"^ (?:{_STREETS}|{_VAGUE_STREETS})\b")
_SAINT = re2.compile(rf"^ [a-z'-]{{3,20}} (?:{_STREETS})\b")
_SIDE = re2.compile(r"^( (?:north|south|east|west|[nsew]|ne|nw|se|sw))(?:[,.\n]|$)")
_CODES = (
    ("US", re2.compile(_US_ZIP), 0.3), ("GB", re2.compile(_GB_POSTCODE), 0.6), ("CA", re2.compile(_CA_POSTCODE), 0.6),
    ("AU", re2.compile(_AU_POSTCODE), 0.3),
)  # fmt: skip
_PO_BOX_RE = re2.compile(_PO_BOX)
_ORDINAL = r"(?:\d{1,3}(?:st|nd|rd|th)|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|ground|top|upper|lower)"
_UNIT = re2.compile(
    rf"^[ .,;(\n>?-]{{0,5}}(?:(?:in|on|the) ){{0,2}}(?:{_ORDINAL} (?:floor|fl|flat|apartment|apt)\b|"
    r"(?:apt|apartment|unit|flat|suite|ste|floor|fl|room|rm|lot|bldg|building)\b\.?(?: ?#? ?(?:[a-z]?\d{1,4}[a-z]?|[b-hj-z])\b)?|"
    r"# ?[a-z]?\d{1,4}[a-z]?\b)"
)
# A town and what it lies in. Only a state or a country says so by itself; any other word may be the next clause.
_REGIONS = (
    "alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware|florida|georgia|hawaii|idaho|illinois|indiana|"
    "iowa|kansas|kentucky|louisiana|maine|maryland|massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|"
    "nevada|new hampshire|new jersey|new mexico|new york|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|"
    "rhode island|south carolina|south dakota|tennessee|texas|utah|vermont|virginia|washington|west virginia|wisconsin|"
    "wyoming|ontario|quebec|alberta|manitoba|new south wales|queensland|tasmania|usa|uk|united states|united kingdom|"
    "england|scotland|wales|ireland|canada|australia|new zealand|india|germany|france|spain|italy|netherlands"
)
_TOWN = re2.compile(rf"^([.,]?) ([a-z .'-]{{3,30}}), ?(?:({_REGIONS})\b|({_US_STATES})\b|([a-z]{{4,20}})\b)")
_WORDS_TOO = words("al co de hi id in la ma me oh ok or pa")  # states that are words as well
# Words of a sentence that goes on; none stands in the name of a town or a street.
_SENTENCE = words(
    "i you u he she it we they me him us them my your ur his her our their is are was were be been has have had does did "
    "go goes going gonna say says said tell tells ask asks call calls know knows see come comes came get got let lets show "
    "bring pay visit knock ring find take send and or but so if when where who what why how not no please pls lol name "
    "names bell door with for from at in on that this everyone everybody someone anyone if because then now today tonight "
    "tomorrow just alone btw fyi"
)
_ZIP_ALONE = re2.compile(r"\b\d{5}(?:-\d{4})?\b")

# A number before one of these counts or times something.
_COUNTED = words(
    "min mins minute minutes hour hours hr hrs day days week weeks month months year years yr yrs second seconds sec "
    "mile miles km kms m meter meters metre metres feet ft yard yards block blocks people person guys men women girls "
    "boys kids cars car times time am pm st nd rd th of the a an in on at to for from and or but is are was were more "
    "less other percent points point games game wins goals million billion thousand hundred k degrees dead injured "
    "killed hurt different new old great good best top big small out hit off by with without that this these those "
    "they we you he she it i my his her our your their down up into over under across per vs x lane car-free way "
    "dollars bucks euros pounds lbs kg tweets followers likes retweets songs hits things ways reasons tips star stars "
    "bed beds bedroom bedrooms bath baths br ba sq years-old year-old dr mr mrs ms"
)
_STOP = words(
    "the of in on at to for from and or is are was were my your our their his her up down with by this that a an"
)
_VAGUE = frozenset(_VAGUE_STREETS.split("|")) | {
    "st",
    "close",
    "drive",
    "court",
    "dr",
    "ct",
    "av",
    "lane",
    "parade",
    "alley",
    "grove",
}
ADDRESS_WORDS = (
    "address", "addy", "adress", "lives", "live", "living", "house", "home", "resides", "residence", "located", "location",
    "stays", "crib", "apartment", "apt", "moved", "addr", "property", "where",
)  # fmt: skip
# Addresses that everybody knows.
_FAMOUS = (
    "1600 pennsylvania", "10 downing", "11 downing", "221b baker", "4 privet", "742 evergreen", "12 grimmauld",
    "124 conch", "350 fifth ave", "350 5th ave", "1060 west addison", "1060 w addison", "1313 mockingbird", "42 wallaby",
    "31 spooner", "1640 riverside", "1 infinite loop", "221 b baker", "30 rockefeller", "112 ocean ave", "24 sussex",
    "1428 elm", "0001 cemetery", "4059 mt lee", "20 forthlin", "3 abbey road", "77 massachusetts",
)  # fmt: skip


def _town(text: str, end: int) -> int | None:
    """Where the town and region end that follow a street or its unit; none when those words say something else."""
    match = _TOWN.search(text[end : end + 90])
    if match is None:
        return None
    mark, town, _, state, other = match.groups()
    if any(word.strip(".'") in _SENTENCE for word in town.split()):
        return None
    after = text[end + match.end() : end + match.end() + 2]
    closed = after[:1] in ("", "\n") or after[:1] in ",.;:!?)(" or after[1:].isdigit()
    if (state in _WORDS_TOO and not closed) or (other and (mark != "," or not closed or other in _SENTENCE)):
        return None
    return int(end + match.end())


def _street(text: str, span: tuple[int, int]) -> tuple[int, int, float, str] | None:
    """The place, trust and country of a street line, completed by what follows it."""
    match = _STREET_RE.search(text[span[0] : span[1] + 8])
    if match is None:
        return None
    start, end = span[0] + match.start(), span[0] + match.end()
    longer = _SECOND.search(text[end : end + 14])
    if longer is None and text[start:end].endswith(" st"):  # "5 upper st omers road"
        longer = _SAINT.search(text[end : end + 34])
    if longer:  # "640 cinder hill rd": the first suffix was part of the name
        end += longer.end()
    parts = text[start:end].replace(",", "").replace(".", "").split()
    middle, suffix = parts[1:-1], parts[-1]
    if not middle or middle[0] in _COUNTED or any(word in _STOP for word in middle):
        return None
    if start > 0 and text[start - 1] in "$\u20ac\u00a3.:#@/-":
        return None
    if text[start:end].startswith(_FAMOUS):
        return None
    country, trust = "", 0.45 if suffix in _VAGUE else 0.65
    if text[start] == "0":
        trust -= 0.3
    side = _SIDE.search(text[end : end + 8])
    if side:  # "67 devon street west,"
        end += side.end(1)
    tail = text[end : end + 90]
    reach = end
    unit = _UNIT.search(tail)
    for code, pattern, _ in _CODES:
        found = pattern.search(tail)
        if found:
            country, trust, reach = code, trust + 0.35, end + found.end()
            break
    else:
        town = _town(text, end + unit.end() if unit else end)
        if town is not None:
            trust, reach = trust + 0.2, town
            zip_code = _ZIP_ALONE.search(text[reach : reach + 16])
            if zip_code:
                country, trust, reach = "US", trust + 0.15, reach + zip_code.end()
    if unit:
        trust, reach = trust + 0.15, max(reach, end + unit.end())
    if has_near(text, (start, end), ADDRESS_WORDS, before=40, after=8):
        trust += 0.3
    return start, reach, min(trust, 0.98), country


def _named(text: str, span: tuple[int, int]) -> tuple[int, int, float, str] | None:
    """What follows "lives at" or "address:", when it is a number and a name rather than a count."""
    if not _NAMED_RE.search(text[span[0] : span[1]]):
        return None
    start = span[0]
    parts = text[start : span[1]].replace(":", ": ").split(" ")
    for place, word in enumerate(parts):
        if word[:1].isdigit():
            after = parts[place + 1].strip(",.") if place + 1 < len(parts) else ""
            before = parts[place - 1].strip(",.") if place else ""
            if after in _COUNTED or (not after and before in _COUNTED):
                return None
            break
    first = next((at for at in range(start, span[1]) if text[at].isdigit()), start)
    if text[first : span[1]].startswith(_FAMOUS):
        return None
    number, _, name = text[first : span[1]].partition(" ")
    if not name:  # "lives at lindenhof 12"
        return text.rfind(" ", start, first - 1) + 1, span[1], 0.7, ""
    length = _name_length(name, span[1] < len(text) and text[span[1]].isalnum())
    return (first, first + len(number) + 1 + length, 0.7, "") if length else None


def _name_length(name: str, cut: bool) -> int:
    """How much of the words after a house number is the street's name; `cut` says that the last word goes on."""
    length = at = 0
    kept = name.split(" ")
    for place, word in enumerate(kept[: len(kept) - 1 if cut and len(kept) > 1 else None][:5]):
        if word == "-" or word.strip(".'-") in _SENTENCE:
            break
        at += len(word) + (place > 0)
        length = at if word[-1:].isalnum() else at - len(word) + len(word.rstrip(".'-"))
        if word.endswith(".") and len(word) > 4:  # the end of a sentence, not of "st."
            break
    return length


def _spelled(text: str, span: tuple[int, int]) -> tuple[int, int, float, str] | None:
    """A street line whose house number is in words; one such word alone counts only beside a word for a home."""
    match = _SPELLED_RE.search(text[span[0] : span[1]])
    if match is None or any(word in _STOP or word in _COUNTED for word in match.group(3).split()):
        return None
    named = has_near(text, span, ADDRESS_WORDS, before=40, after=8)
    if not named and len(match.group(1).replace("-", " ").split()) < 2:
        return None
    return *span, 0.8 if named else 0.55, ""


class AddressDetector:
    """Finds postal addresses; a street, its unit, town and postcode are one hit."""

    names = frozenset({ADDRESS})
    triggers = (
        _STREET, _US_ZIP, _GB_POSTCODE, _CA_POSTCODE, _AU_POSTCODE, _PO_BOX, _GERMAN, _FRENCH, _SPANISH, _DUTCH_NORDIC,
        _ITALIAN, _POLISH, _NAMED, _SPELLED,
    )  # fmt: skip

    def detect(self, field: str, text: str, spans: Sequence[tuple[int, int]]) -> list[Hit]:
        """See `worker.signals.detectors.Detector`."""
        found: list[tuple[int, int, float, str]] = []
        for span in sorted(spans)[:MAX_SPANS]:
            piece = text[span[0] : span[1]]
            street = _street(text, span)
            if street:
                found.append(street)
                continue
            named = has_near(text, span, ADDRESS_WORDS, before=40, after=8)
            for country, pattern in _FOREIGN:
                if pattern.search(piece):
                    found.append((*span, 0.85 if named else 0.65, country))
                    break
            else:
                for country, pattern, base in _CODES:
                    if pattern.search(piece):
                        trust = base
                        if country == "GB" and (piece[-3:] in ("1st", "2nd", "3rd") or piece.endswith("th")):
                            trust = 0.0  # "b4 1st" is an ordinal
                        elif country == "GB" and " " not in piece:
                            trust = 0.35  # registrations and nicknames look like this too
                        found.append((*span, trust + (0.2 if named else 0.0), country))
                        break
                else:
                    named_place = _spelled(text, span) or _named(text, span)
                    if named_place:
                        found.append(named_place)
                    elif _PO_BOX_RE.search(piece):
                        found.append((*span, 0.3, ""))
        return [
            Hit(
                ADDRESS,
                field,
                start,
                end,
                round(trust, 3),
                f"postal address, {country}" if country else "postal address",
            )
            for start, end, trust, country in _merge(found)
            if trust >= 0.3
        ]


def _merge(found: list[tuple[int, int, float, str]]) -> list[tuple[int, int, float, str]]:
    """Joins parts of one address: pieces that overlap or stand within a few words of each other."""
    merged: list[tuple[int, int, float, str]] = []
    for start, end, trust, country in sorted(found):
        if merged and start <= merged[-1][1] + 32:
            first = merged[-1]
            overlap = start < first[1]
            together = max(first[2], trust) if overlap else min(0.98, max(first[2], trust) + 0.15)
            merged[-1] = (first[0], max(first[1], end), together, country or first[3])
        else:
            merged.append((start, end, trust, country))
    return merged


DETECTOR = AddressDetector()
