"""What rules must know of the world: elections, protected identities, consents, hash banks, text prints.

A pack keeps them in `facts/*.toml`. They are data with a source and a date read, not judgement: a rule says that a
date is wrong only because the calendar says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import MINYEAR, UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.base import Hex64, PolicyId
from worker.engine.tomlfile import Problem, read_toml
from worker.signals.domains import Domains
from worker.signals.fingerprints import PrintIndex, shingles
from worker.signals.hashes import HashIndex

T = TypeVar("T")

# ISO 3166-1 alpha-2, https://www.iso.org/iso-3166-country-codes.html, read 2026-11-23; EU is exceptionally reserved.
_COUNTRIES = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW EU
"""
COUNTRIES = frozenset(_COUNTRIES.split())


def _jurisdiction(code: str) -> str:
    country = code.partition("-")[0]
    user_assigned = country in {"AA", "ZZ"} or (
        country[0] == "X" or (country[0] == "Q" and country[1] >= "M")
    )
    if country not in COUNTRIES and not user_assigned:
        raise ValueError(f"{country} is no ISO 3166-1 country code")
    return code


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name} is no time zone of the IANA database") from None
    return name


def _a_date(value: object) -> object:
    # TOML has dates of its own; pydantic alone would read quoted text and numbers as dates as well.
    if not isinstance(value, date):
        raise ValueError("must be a date (2026-11-03) or a date-time, without quotes")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200)]
Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"), AfterValidator(_jurisdiction)]
Zone = Annotated[str, AfterValidator(_zone)]
Https = Annotated[str, Field(pattern=r"^https://[^\s/]+\.[^\s/]+(/\S*)?$")]
Moment = Annotated[date | datetime, BeforeValidator(_a_date)]
Word = Annotated[str, Field(min_length=3, max_length=60), AfterValidator(str.lower)]
Handle = Annotated[str, Field(min_length=1), AfterValidator(lambda handle: handle.removeprefix("@"))]
Domain = Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)+$")]
Sha256 = Annotated[Hex64, AfterValidator(str.lower)]
Pdq = Annotated[Hex64, AfterValidator(str.lower)]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{32}$"), AfterValidator(str.lower)]
Shingle = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class Fact(BaseModel):
    """Base of every fact: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Event(Fact):
    """One civic event: an election, a referendum, a deadline of registration.

    `opens` and `closes` are dates, of which the whole local day counts, or date-times; one without an offset is
    local to `timezone`.
    """

    jurisdiction: Jurisdiction  # ISO 3166-1 alpha-2, or -2 with a subdivision
    name: Name
    kind: Name = "election"
    opens: Moment
    closes: Moment
    timezone: Zone
    methods: tuple[Name, ...] = ()  # how one takes part: "in-person", "mail", "proxy", "online", "early"
    eligibility_url: Https
    official_accounts: tuple[Handle, ...] = ()  # ids or handles of who runs it
    read_at: date
    aliases: tuple[Name, ...] = ()  # what people call it

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes_at <= self.opens_at:
            raise ValueError("closes before it opens")
        return self

    @cached_property
    def opens_at(self) -> datetime:
        """The moment from which one can take part, UTC."""
        return _moment(self.opens, self.timezone)

    @cached_property
    def closes_at(self) -> datetime:
        """The first moment at which one no longer can, UTC: of a date the end of that day."""
        return _moment(self.closes, self.timezone, ends=True)

    @cached_property
    def first_day(self) -> date:
        """The local day on which it opens."""
        return _local_day(self.opens, self.timezone)

    @cached_property
    def last_day(self) -> date:
        """The local day on which it closes; of an election on one day the same as `first_day`."""
        return _local_day(self.closes, self.timezone)

    def is_over(self, now: datetime) -> bool:
        """Whether one can no longer take part at this time (aware)."""
        return now >= self.closes_at


class Avatar(Fact):
    """Hashes of a picture."""

    sha256: Sha256 | None = None
    pdq: Pdq | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.sha256 is None and self.pdq is None:
            raise ValueError("an avatar needs a sha256 or a pdq")
        return self


class Identity(Fact):
    """Somebody whom others must not pretend to be, and the accounts that are really theirs."""

    name: Name
    kind: Literal["person", "organisation", "government", "brand"]
    account_ids: tuple[str, ...] = ()
    handles: tuple[Handle, ...] = ()  # without the at sign
    display_names: tuple[Name, ...] = ()
    aliases: tuple[Name, ...] = ()
    domains: tuple[Domain, ...] = ()
    avatar: Avatar | None = None
    read_at: date
    source: str


class Consent(Fact):
    """What somebody allowed an account to publish, and how long.

    `subject` is who is shown or whose right it is, `advertiser` whose advertisement it is; it covers one media item
    (`media_sha256`) or everything that `scope` names.
    """

    subject: Name | None = None
    advertiser: Name | None = None
    account_id: str
    scope: Name | None = None
    media_sha256: Sha256 | None = None
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.subject is None and self.advertiser is None:
            raise ValueError("a consent names its subject or its advertiser")
        if self.scope is None and self.media_sha256 is None:
            raise ValueError("a consent names its scope or its media_sha256")
        if self.ends_at <= self.starts_at:
            raise ValueError("until lies before from")
        return self

    @cached_property
    def starts_at(self) -> datetime:
        """The moment from which it holds, UTC."""
        return _moment(self.from_, "UTC")

    @cached_property
    def ends_at(self) -> datetime:
        """The first moment at which it no longer holds, UTC: of a date the end of that day; the last of all without one."""
        return _moment(date.max if self.until is None else self.until, "UTC", ends=True)

    def holds(self, account_id: str, at: datetime) -> bool:
        """Whether it allows this account anything at this time (aware); days are counted in UTC."""
        return account_id == self.account_id and self.starts_at <= at < self.ends_at


class Automaton(Fact):
    """An account that posts by machine, with the operator's knowledge."""

    account_id: str
    name: Name
    purpose: Name  # "weather warnings", "departures"
    source: str
    read_at: date


class Bank(Fact):
    """Hashes of media that a policy forbids. A "confirmed" match decides, a "seed" one only suggests."""

    name: Name
    policy: PolicyId
    source: str
    opinion: Literal["seed", "confirmed"]
    sha256: tuple[Sha256, ...] = ()
    md5: tuple[Md5, ...] = ()
    pdq: tuple[Pdq, ...] = ()


class Print(Fact):
    """The fingerprint of a text that a policy forbids: hashes from which the text cannot be read."""

    name: Name
    policy: PolicyId
    source: str
    shingles: tuple[Shingle, ...] = ()
    text: str | None = None  # only in fixtures of cases, where the text is ours

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.shingles) == bool(self.text):
            raise ValueError(
                'a print has its shingles (see "moderator policies print"), or in fixtures its text'
            )
        if not self.values:
            raise ValueError("the text is too short to be recognised by a print")
        return self

    @cached_property
    def values(self) -> frozenset[int]:
        """Its shingles as numbers."""
        return shingles(self.text) if self.text else frozenset(int(one, 16) for one in self.shingles)


class DomainGroup(Fact):
    """Domains that everybody links to, or below which everybody has a page of their own."""

    name: Name
    use: Literal["common", "hosting", "shortener"]
    source: str
    names: Annotated[tuple[Domain, ...], Field(min_length=1)]


@dataclass(frozen=True, eq=False)  # compared and hashed by identity: there is one for each pack
class Facts:
    """All facts of a pack, in the order of their files."""

    calendar: tuple[Event, ...] = ()
    identities: tuple[Identity, ...] = ()
    consents: tuple[Consent, ...] = ()
    banks: tuple[Bank, ...] = ()
    prints: tuple[Print, ...] = ()
    domains: tuple[DomainGroup, ...] = ()
    automata: tuple[Automaton, ...] = ()
    says_automated: tuple[str, ...] = ()  # what an account says of itself that posts by machine
    automated_handles: tuple[str, ...] = ()  # how the handle of one ends

    @cached_property
    def hashes(self) -> HashIndex:
        """The banks, ready to look media up in."""
        return HashIndex(self.banks)

    @cached_property
    def protected_accounts(self) -> frozenset[str]:
        """The ids of the accounts that are really those of protected identities."""
        return frozenset(account_id for identity in self.identities for account_id in identity.account_ids)

    @cached_property
    def fingerprints(self) -> PrintIndex:
        """The prints, ready to look texts up in."""
        return PrintIndex(self.prints)

    @cached_property
    def links(self) -> Domains:
        """The lists of domains, ready to tell what a link counts for."""
        return Domains(self.domains)


class _CalendarFile(Fact):
    """The civic calendar."""

    event: tuple[Event, ...] = ()


class _IdentitiesFile(Fact):
    """The protected identities."""

    identity: tuple[Identity, ...] = ()


class _ConsentsFile(Fact):
    """The register of consents and authorisations."""

    consent: tuple[Consent, ...] = ()


class _BanksFile(Fact):
    """The hash banks."""

    bank: tuple[Bank, ...] = ()


class _PrintsFile(Fact):
    """The fingerprints of texts."""

    print: tuple[Print, ...] = ()


class _AutomationFile(Fact):
    """Accounts that post by machine and say so."""

    says_so: tuple[Word, ...] = ()  # whole words of a display name or a bio
    handle_ends: tuple[Word, ...] = ()  # of a handle
    account: tuple[Automaton, ...] = ()


class _DomainsFile(Fact):
    """The domains that say nothing of who links to them."""

    domains: tuple[DomainGroup, ...] = ()


FILES: dict[str, type[Fact]] = {
    "civic_calendar.toml": _CalendarFile,
    "protected_identities.toml": _IdentitiesFile,
    "consents.toml": _ConsentsFile,
    "hash_banks.toml": _BanksFile,
    "text_prints.toml": _PrintsFile,
    "common_domains.toml": _DomainsFile,
    "automation.toml": _AutomationFile,
}
"""The files of a pack's `facts` folder; each may be missing."""


def json_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema (2020-12) of each file of facts, by the file's name; what only code can check is not in it."""
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:moderator:facts:{name.removesuffix('.toml')}",
            **model.model_json_schema(),
        }
        for name, model in FILES.items()
    }


def load_facts(folder: Path, problems: list[Problem]) -> Facts:
    """The facts in this folder, `facts` of a pack; what is wrong is added to `problems`, with file and line."""
    for file in sorted(folder.glob("*")):
        if file.name not in FILES and not file.name.startswith((".", "README")):
            problems.append(Problem(file, None, f"is no file of facts; there are {', '.join(FILES)}"))
    read = {
        name: read_toml(folder / name, model, problems) if (folder / name).exists() else None
        for name, model in FILES.items()
    }
    calendar, identities = read["civic_calendar.toml"], read["protected_identities.toml"]
    consents, banks, prints = read["consents.toml"], read["hash_banks.toml"], read["text_prints.toml"]
    domains = read["common_domains.toml"]
    automation = read["automation.toml"]
    facts = Facts(
        calendar.event if isinstance(calendar, _CalendarFile) else (),
        identities.identity if isinstance(identities, _IdentitiesFile) else (),
        consents.consent if isinstance(consents, _ConsentsFile) else (),
        banks.bank if isinstance(banks, _BanksFile) else (),
        prints.print if isinstance(prints, _PrintsFile) else (),
        domains=domains.domains if isinstance(domains, _DomainsFile) else (),
        automata=automation.account if isinstance(automation, _AutomationFile) else (),
        says_automated=automation.says_so if isinstance(automation, _AutomationFile) else (),
        automated_handles=automation.handle_ends if isinstance(automation, _AutomationFile) else (),
    )

    def note(name: str, key: str, reason: str) -> None:
        file = folder / name
        lines = file.read_text(encoding="utf-8").splitlines()
        problems.append(
            Problem(file, next((n for n, line in enumerate(lines, 1) if key in line), None), reason)
        )

    _cross_check(facts, note)
    return facts


def _cross_check(facts: Facts, note: Callable[[str, str, str], None]) -> None:
    """Notes what no single entry can show: `note(file, text on the line, reason)`."""
    for event in _repeated((e.jurisdiction, e.name) for e in facts.calendar):
        note("civic_calendar.toml", event[1], f"{event[0]} has two events called {event[1]}")
    for name in _repeated(i.name for i in facts.identities):
        note("protected_identities.toml", name, f"two identities are called {name}")
    for handle in _repeated(h.lower() for i in facts.identities for h in i.handles):
        note("protected_identities.toml", handle, f"the handle {handle} belongs to two identities")
    for account_id in _repeated(a for i in facts.identities for a in i.account_ids):
        note("protected_identities.toml", account_id, f"the account {account_id} belongs to two identities")
    for one, other in _overlapping(facts.consents):
        # Whoever ends one of the two would believe that the consent is gone.
        reason = f"two consents of {one.subject or one.advertiser} for {one.account_id} say the same of the same time"
        note("consents.toml", str(other.from_), f"{reason}, from {one.from_} and from {other.from_} on")
    for name in _repeated(b.name for b in facts.banks):
        note("hash_banks.toml", name, f"two banks are called {name}")
    for account_id in _repeated(one.account_id for one in facts.automata):
        note("automation.toml", account_id, f"the account {account_id} is there twice")
    for name in _repeated(p.name for p in facts.prints):
        note("text_prints.toml", name, f"two prints are called {name}")
    for name in _repeated(group.name for group in facts.domains):
        note("common_domains.toml", name, f"two groups of domains are called {name}")
    for name in _repeated(name for group in facts.domains for name in group.names):
        note("common_domains.toml", name, f"the domain {name} stands in two places")
    for held in facts.prints:
        if held.text:
            reason = f"the print {held.name} must not hold its text; keep its shingles only"
            note("text_prints.toml", held.name, reason)


def _overlapping(consents: Iterable[Consent]) -> Iterator[tuple[Consent, Consent]]:
    """Consents that say the same, of which one begins while another still holds."""
    latest: dict[tuple[str | None, ...], Consent] = {}
    for one in sorted(consents, key=lambda consent: consent.starts_at):
        key = (one.subject, one.advertiser, one.account_id, one.scope, one.media_sha256)
        before = latest.get(key)
        if before is not None and one.starts_at < before.ends_at:
            yield before, one
        if before is None or one.ends_at > before.ends_at:
            latest[key] = one


def _repeated(values: Iterable[T]) -> list[T]:
    return [value for value, times in Counter(values).items() if times > 1]


def _moment(value: date | datetime, zone: str, *, ends: bool = False) -> datetime:
    """A moment in UTC; of a date the local day's first, or with `ends` the one after its last.

    The first and the last of all days, which people write for "always" and "for ever", end where time does.
    """
    try:
        if not isinstance(value, datetime):
            value = datetime.combine(value + timedelta(days=1) if ends else value, time())
        return (value if value.tzinfo else value.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if value.year == MINYEAR else datetime.max.replace(tzinfo=UTC)


def _local_day(value: date | datetime, zone: str) -> date:
    if not isinstance(value, datetime):
        return value
    try:
        return value.astimezone(ZoneInfo(zone)).date() if value.tzinfo else value.date()
    except OverflowError:
        return value.date()
