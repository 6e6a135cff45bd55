"""What a rule is: the types that every policy and the engine agree on."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from worker.engine.facts import Facts

if TYPE_CHECKING:
    from schemas.accounts import AccountRecord
    from schemas.media_signals import BankMatch
    from schemas.posts import Media, Post, Profile
    from schemas.reports import Report
    from worker.engine.policy import Policy
    from worker.signals.view import Signals


class Outcome(StrEnum):
    """What one rule says about one subject."""

    CLEAR = "clear"
    VIOLATION = "violation"
    ABSTAIN = "abstain"  # not enough to judge: uncovered language, no text, missing count


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a signal was seen.

    `start` and `end` are half-open, in Unicode code points of the field as received; both None when
    the signal has no place in a text. `score` is 0..1. `detail` is at most 256 code points and says
    what was recognised ("phone number, GB"), never the text itself.
    """

    signal: str
    field: str
    start: int | None
    end: int | None
    score: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer. `score` is 0..1, comparable only within one policy version.

    `evidence` is sorted by field and start; a VIOLATION always carries some. `at_risk` says that the writer, or
    whom the text speaks of, may be in danger: the outcome is then CLEAR, a person looks at once, and help is offered.
    """

    outcome: Outcome
    score: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    at_risk: bool = False
    granted: frozenset[str] | None = None  # the kinds of action that this may lead to; None: all


CLEAR = Verdict(Outcome.CLEAR)
ABSTAIN = Verdict(Outcome.ABSTAIN)


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What a rule may know beyond the subject.

    `now` is the record's own time (aware, UTC), so a replay sees the same value. `facts` are the pack's: calendar,
    identities, consents. What the account did over time is among the signals (`behaviour.*`).
    """

    now: datetime
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True)
class Examined:
    """What `media.signals` say of one media item of a subject, beyond what stands in the item itself.

    `field` is the item's ("media[0]", "profile.avatar"), `matches` are the entries of hash banks that it matches,
    `classifier` names the model that gave scores. `received` is the item as the post or the profile carried it;
    `alone` where nothing is known of what shows it.
    """

    field: str
    received: Media
    matches: tuple[BankMatch, ...] = ()
    classifier: str | None = None
    alone: bool = False

    def holds(self, field: str) -> bool:
        """Whether a field is the item, or a part of it."""
        return field == self.field or field.startswith(f"{self.field}.")


@dataclass(slots=True, eq=False)  # not frozen: one is made for every post, and freezing triples the cost
class Subject:
    """What is judged: a post, or an account's profile.

    `fields` maps the contract's field paths ("text", "media[0].alt_text", "profile.bio") to the texts
    that the account itself wrote, as received; empty texts are left out. What others wrote (quoted
    and replied-to posts) is context: read it from `post`. `lang` is the primary language subtag in
    lower case, None when unknown. `report` is the rights-holder's report that brought it here, `examined`
    what was found in one of its media items after it was posted, where that is what brought it here.
    """

    kind: str  # "post" | "account"
    id: str
    account_id: str
    fields: Mapping[str, str]
    lang: str | None = None
    author: Profile | None = None
    post: Post | None = None
    account: AccountRecord | None = None
    report: Report | None = None
    examined: Examined | None = None


class RuleProcessor(Protocol):
    """The executable check of one policy.

    `needs` are the dotted names of the signals it reads. The chain skips a rule, as CLEAR, only when
    all of them ran and none fired; or, where the rule has a `gate` (a part of `needs` without which the
    others mean nothing), when none of those fired. A rule answers one question: it never names an action, writes a
    counter, logs text or sees another rule's verdict. Whatever it raises is contained by the chain
    and makes it *failed*, never clear.
    """

    needs: Set[str]

    def __init__(self, policy: Policy) -> None: ...

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        """Judges one subject; the same inputs always give the same verdict."""
        ...
