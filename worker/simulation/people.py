"""Who lives in the simulated network: kinds of people with the truth about them, which no record carries."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

HOUR = 3_600_000
DAY = 24 * HOUR
_IDENTITIES = (
    ("WHO", "World Health Organization"),
    ("UNICEF", "UNICEF"),
    ("UNHCR", "UNHCR"),
)  # of the bundled pack's protected identities
_NAMES = (
    "Ada", "Bo", "Cem", "Dina", "Edda", "Fitz", "Gita", "Hal", "Ines", "Jo", "Kofi", "Lark", "Mina", "Ned", "Oona",
    "Pim", "Quill", "Rosa", "Sol", "Tam", "Uma", "Vik", "Wren", "Xan", "Yara", "Zed",
)  # fmt: skip
_SURNAMES = (
    "Alder", "Birch", "Cole", "Dunn", "Ember", "Frost", "Gale", "Holt", "Ivers", "Jarrow", "Kite", "Lunt", "Marsh",
    "Nye", "Orme", "Pell", "Quist", "Reed", "Stone", "Thorne", "Usher", "Vane", "Wilde", "York",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of account.

    `share` is of all accounts, `rate` posts a day on average (None: drawn by Zipf, with one a day on average), `mix` the sets of lines that it
    writes beside ordinary posts, each with the share of its posts. `bad` says that what it does breaks the rules
    now and then or always; `appeals` is how often it contests an action; `returns` how often it comes back on
    another account after a suspension for good; `days` how long it is there (None: all the time).
    """

    name: str
    share: float
    rate: float | None = None
    mix: tuple[tuple[str, float], ...] = ()
    bad: bool = False
    appeals: float = 0.5
    returns: int = 0
    days: int | None = None
    new: bool = False  # its account is a few days old when it starts
    verifies: float = 0.9  # how often it confirms who it is when it must


KINDS = (
    Kind("ordinary", 0.42, mix=(("good.swearing", 0.01), ("good.idiom", 0.01))),
    Kind("swearing", 0.10, mix=(("good.swearing", 0.2), ("good.idiom", 0.1))),
    Kind("outspoken", 0.06, mix=(("good.counter_speech", 0.12), ("good.protest", 0.1))),
    Kind("survivor", 0.03, mix=(("good.survivor", 0.2),)),
    Kind("journalist", 0.03, mix=(("good.journalist", 0.4),)),
    Kind("artist", 0.03, mix=(("good.artist", 0.4),)),
    Kind("fan", 0.04, mix=(("good.fan", 0.5),)),
    Kind("support desk", 0.008, 5.0, mix=(("good.support_desk", 0.95),)),
    Kind("weather bot", 0.004, 12.0, mix=(("good.weather_bot", 1.0),)),
    Kind("transport bot", 0.006, 8.0, mix=(("good.transport_bot", 1.0),)),
    Kind("parody", 0.004, 0.5),
    Kind("at risk", 0.02, 0.7, mix=(("risk.distress", 0.06),)),
    Kind("careless reporter", 0.02),
    Kind("brigader", 0.03),
    Kind("angry once", 0.07, bad=True, appeals=0.15),
    Kind("newsworthy", 0.01, 2.0, mix=(("bad.insult", 0.004),), bad=True, appeals=0.4),
    Kind("repeat offender", 0.035, 1.0, mix=(("bad.insult", 0.1), ("bad.hate", 0.06), ("bad.threat", 0.02)), bad=True,
         appeals=0.2),
    Kind("circumventer", 0.012, 1.5, mix=(("bad.hate", 0.25), ("bad.insult", 0.2), ("bad.threat", 0.1)), bad=True,
         appeals=0.15, returns=3),
    Kind("dealer", 0.008, 2.0, mix=(("bad.goods", 0.6),), bad=True, appeals=0.05, returns=1, days=60, new=True,
         verifies=0.2),
    Kind("link spammer", 0.012, 25.0, mix=(("spam.links", 0.95),), bad=True, appeals=0.05, returns=2, days=20,
         new=True, verifies=0.1),
    Kind("mention spammer", 0.008, 25.0, mix=(("spam.mentions", 0.95),), bad=True, appeals=0.02, returns=1, days=20,
         new=True, verifies=0.1),
    Kind("duplicate spammer", 0.008, 30.0, mix=(("spam.duplicates", 1.0),), bad=True, appeals=0.02, days=20, new=True,
         verifies=0.1),
    Kind("trend spammer", 0.006, 15.0, mix=(("spam.trends", 0.9),), bad=True, appeals=0.02, days=20, new=True,
         verifies=0.1),
    Kind("engagement trader", 0.006, 6.0, mix=(("spam.trading", 0.7),), bad=True, appeals=0.2, days=90, new=True),
    Kind("crypto spammer", 0.006, 10.0, mix=(("spam.crypto", 0.9),), bad=True, appeals=0.02, returns=1, days=20,
         new=True, verifies=0.1),
    Kind("follow churner", 0.004, 2.0, bad=True, appeals=0.2, days=120, new=True),
    Kind("ring", 0.014, 0.3, bad=True, appeals=0.05, new=True, verifies=0.1),
    Kind("impersonator", 0.009, 1.0, bad=True, appeals=0.1, days=90, new=True, verifies=0.2),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}
REPORTERS = frozenset(("ordinary", "swearing", "outspoken", "survivor", "artist", "fan"))


@dataclass(slots=True)
class Person:
    """One account and the truth about it. Times are milliseconds since the epoch.

    `blocked` maps the suspensions that stand to their modes; `learnt` is set once who offends out of anger was told.
    """

    account_id: str
    kind: Kind
    rate: float
    begins: int
    ends: int | None
    profile: dict[str, Any]
    client: dict[str, str]
    lang: str = "en"
    domain: str = ""
    origin: str = ""  # the account that it returns from
    returns: int = 0
    outburst: int | None = None  # the day on which the angry write what they regret
    blocked: dict[str, str] = field(default_factory=dict)
    learnt: bool = False
    posts: list[str] = field(default_factory=list)  # the last few, for reports

    @property
    def silenced(self) -> bool:
        """Whether it cannot post."""
        return bool(self.blocked)

    def lives(self, now: int) -> bool:
        """Whether it is there at a time."""
        return self.begins <= now and (self.ends is None or now < self.ends)


class Roster:
    """All accounts; more are made when somebody comes back."""

    def __init__(self, chance: random.Random, accounts: int, start: int, days: int) -> None:
        self._chance = chance
        self._start = start
        self._days = days
        self.people: dict[str, Person] = {}
        kinds = [kind for kind in KINDS for _ in range(max(1, round(kind.share * accounts)))]
        while len(kinds) < accounts:
            kinds.append(KINDS[0])
        # Where accounts are few, the rare kinds still get one each: the ordinary make room.
        while len(kinds) > accounts and KINDS[0] in kinds:
            kinds.remove(KINDS[0])
        rates = _zipf(chance, sum(kind.rate is None for kind in kinds))
        for kind in kinds:
            self._settle(kind, rates.pop() if kind.rate is None else kind.rate)

    def _settle(self, kind: Kind, rate: float) -> None:
        chance = self._chance
        begins = self._start
        if kind.days is not None or kind.name == "ring":
            # They come over the whole year, early enough to be seen.
            begins += chance.randrange(max(1, self._days * 4 // 5)) * DAY + chance.randrange(DAY)
        if kind.name == "ring":
            begins = self._start + chance.randrange(3) * DAY
        ends = None if kind.days is None else begins + kind.days * DAY
        self.add(kind, rate * chance.uniform(0.6, 1.4), begins, ends)

    def add(
        self, kind: Kind, rate: float, begins: int, ends: int | None, origin: Person | None = None
    ) -> Person:
        """A new account; `origin` is the one whose owner comes back with it, on the same device."""
        chance = self._chance
        number = len(self.people)
        account_id = f"u{number:05d}"
        age = chance.randrange(DAY, 6 * DAY) if kind.new or origin else int(chance.uniform(90, 4000)) * DAY
        name = f"{chance.choice(_NAMES)} {chance.choice(_SURNAMES)}"
        young = kind.new or origin is not None
        profile: dict[str, Any] = {
            "handle": f"{name.replace(' ', '').lower()}{number}",
            "display_name": name,
            "bio": "",
            "created_at": clock(begins - age),
            "followers": chance.randrange(0, 12) if young else int(chance.lognormvariate(5, 1.2)),
            "following": chance.randrange(10, 900) if kind.new else int(chance.lognormvariate(5, 0.8)),
            "posts": 0 if young else int(chance.lognormvariate(6, 1)),
        }
        client = {
            "app": chance.choice(("web", "ios", "android")),
            "device": f"d:{number:06x}",
            "network": f"n:{number // 3:06x}",
        }
        person = Person(account_id, kind, rate, begins, ends, profile, client)
        person.domain = f"{'shop' if not kind.bad else 'win'}-{chance.randrange(16**5):05x}.example"
        person.returns = kind.returns
        if origin is not None:
            person.client = dict(origin.client)
            person.origin = origin.account_id
            person.returns = origin.returns - 1
            person.domain = origin.domain
            person.profile["bio"] = "new account, old me"
        self._dress(person, number)
        self.people[account_id] = person
        return person

    def _dress(self, person: Person, number: int) -> None:
        """What a kind shows of itself."""
        chance, name, profile = self._chance, person.kind.name, person.profile
        if name in {"ordinary", "swearing", "fan"} and chance.random() < 0.12:
            person.lang = chance.choice(("es", "de"))
        match name:
            case "angry once":
                person.outburst = chance.randrange(max(1, self._days))
            case "weather bot" | "transport bot":
                profile["bio"] = "Automated account: readings and times, posted by a bot. Not monitored."
                person.client["app"] = "bot"
            case "support desk":
                profile["bio"] = "Customer care of the ferry and tram company, 8 to 20 h."
                profile["verified"] = True
                person.domain = "coast-lines.example"
            case "journalist":
                profile["bio"] = "Reporter. Courts and public safety."
                profile["verified"] = chance.random() < 0.5
            case "newsworthy":
                profile.update(
                    verified=True, public_interest=True, bio="Member of the assembly for the harbour ward."
                )
            case "parody":
                handle, shown = _IDENTITIES[number % len(_IDENTITIES)]
                profile.update(handle=f"not{handle.lower()}{number}", display_name=f"{shown} (parody)", parody=True,
                               bio="Parody account, not affiliated.")  # fmt: skip
            case "impersonator" if not person.origin:
                handle, shown = _IDENTITIES[number % len(_IDENTITIES)]
                profile.update(
                    handle=f"{handle}_Support",
                    display_name=shown,
                    bio="Official help desk. DM us to verify your account",
                )
            case "ring":
                person.client.update(device=f"d:ring{number % 4}", network="n:ring")
                person.domain = "the-real-story.example"
            case "follow churner":
                profile.update(follows_1h=160, unfollows_1h=150)
            case _:
                pass


def _zipf(chance: random.Random, count: int) -> list[float]:
    """Activities with one a day on average, some thirty: by Zipf, in no order."""
    rates = [1 / (rank + 3) ** 0.95 for rank in range(count)]
    mean = sum(rates) / max(1, len(rates))
    found = [min(30.0, rate / mean) for rate in rates]
    chance.shuffle(found)
    return found


def clock(milliseconds: int) -> str:
    """A time as records carry it."""
    from datetime import UTC, datetime, timedelta

    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
