"""What a person does on one day: when, and which kind of post. Suspended people do nothing of it."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from worker.simulation.people import DAY, HOUR, Person
from worker.simulation.writing import Writer, Written

# How much is written in each hour of the day: little at night, most in the evening.
_DIURNAL = (2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 8, 7, 6, 6, 7, 8, 9, 10, 11, 10, 8, 4)
_ROUND_THE_CLOCK = frozenset(("weather bot", "transport bot", "duplicate spammer", "link spammer"))
_BURSTS = frozenset(
    ("link spammer", "mention spammer", "duplicate spammer", "trend spammer", "crypto spammer")
)
_REPLIES = frozenset(("bad.insult", "bad.threat", "good.support_desk", "spam.mentions"))


class Planned(NamedTuple):
    """A post that a person means to write; the text is chosen when the time comes, `name` is its set of lines."""

    at: int
    name: str | None
    campaign: int = -1


def day_of(person: Person, day: int, midnight: int, chance: random.Random) -> Iterator[Planned]:
    """What a person means to post on a day, in no order."""
    if not (person.lives(midnight) or person.lives(midnight + DAY - 1)):
        return
    for at in _times(person, midnight, chance):
        if person.lives(at):
            yield Planned(at, _which(person, chance))
    if person.outburst == day and not person.learnt:
        yield Planned(midnight + chance.randrange(9, 23) * HOUR + chance.randrange(HOUR), "bad.insult")


def _times(person: Person, midnight: int, chance: random.Random) -> Iterator[int]:
    count = poisson(person.rate, chance)
    if person.kind.name in _BURSTS and count:
        # A few dozen within half an hour, once or twice a day.
        starts = [midnight + chance.randrange(DAY - HOUR) for _ in range(1 + count // 25)]
        for number in range(count):
            yield starts[number % len(starts)] + chance.randrange(HOUR // 2)
        return
    hours = None if person.kind.name in _ROUND_THE_CLOCK else _DIURNAL
    for hour in chance.choices(range(24), hours, k=count):
        yield midnight + hour * HOUR + chance.randrange(HOUR)


def _which(person: Person, chance: random.Random) -> str | None:
    draw = chance.random()
    for name, share in person.kind.mix:
        draw -= share
        if draw < 0:
            return name
    return None


def compose(
    person: Person, planned: Planned, writer: Writer, others: Callable[[], Person], chance: random.Random
) -> tuple[Written, dict[str, object]]:
    """The text of a planned post with the truth about it, and what else the post carries."""
    more: dict[str, object] = {}
    target = others()
    given = {"user": str(target.profile["handle"]), "domain": person.domain, "code": writer.code()}
    if planned.campaign >= 0:
        written = writer.fixed("ring.campaigns", planned.campaign, domain=person.domain, city="Saltby")
        more["urls"] = [f"http://{person.domain}/truth"]
        return written, more
    if planned.name is None:
        return writer.ordinary(person.lang), more
    if planned.name == "spam.duplicates":
        written = writer.fixed(planned.name, sum(person.account_id.encode()), **given)
    else:
        written = writer.line(planned.name, **given)
    if planned.name.startswith("bad.") and person.kind.name == "repeat offender" and chance.random() < 0.15:
        written = writer.disguised(written)
    if planned.name in _REPLIES:
        more["mentions"] = [target.account_id]
        more["surface"] = "reply"
        if target.posts:
            more["in_reply_to"] = {"post_id": target.posts[-1], "author_id": target.account_id}
    if planned.name == "spam.mentions":
        more["mentions"] = [
            target.account_id,
            *(others().account_id for _ in range(written.text.count("@") - 1)),
        ]
    tags = [word[1:] for word in written.text.split() if word.startswith("#")]
    if tags:
        more["hashtags"] = tags
    urls = [word for word in written.text.split() if word.startswith("http")]
    if not urls and person.domain and person.domain in written.text:
        urls = [f"https://{person.domain}"]
    if urls:
        more["urls"] = urls
    return written, more


def poisson(mean: float, chance: random.Random) -> int:
    """A Poisson draw."""
    if mean > 20:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
