"""From how much on what an account does over time says something: the tables `[[behaviour]]` of a policy."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.engine.behaviour import COLUMN, DISTINCT, FINE_MINUTES, LONGEST_MINUTES, NAMES_KEPT, SHORT_MINUTES

Counter = Literal[
    "posts",
    "replies",
    "unasked",
    "reposts",
    "quotes",
    "mentions",
    "links",
    "hashtags",
    "stuffed",
    "follows",
    "unfollows",
    "threaded",
    "mentioned",
    "answered",
    "domains",
    "tags",
    "same-text",
    "alike-text",
    "same-reply",
    "alike-reply",
    "marked",
]
COUNTERS: tuple[str, ...] = get_args(Counter)
MEANINGS: dict[str, str] = {
    "posts": "posts of every kind but parts of a thread",
    "replies": "replies to others",
    "unasked": "replies to posts of others that do not name the account",
    "reposts": "reposts",
    "quotes": "quotes",
    "mentions": "mentions of others than whom a reply answers",
    "links": "posts with a link",
    "hashtags": "hashtags",
    "stuffed": "posts with five hashtags or more",
    "follows": "accounts followed, as upstream counts them by the hour",
    "unfollows": "accounts unfollowed, as upstream counts them by the hour",
    "threaded": "parts of the account's own threads",
    "mentioned": "different accounts mentioned, other than whom a reply answers",
    "answered": "different accounts replied to without being named by them",
    "domains": "different sites linked to",
    "tags": "different hashtags",
    "same-text": "posts with the same words",
    "alike-text": "posts with nearly the same words, of at least seven",
    "same-reply": "replies with the same words that nobody asked for",
    "alike-reply": "replies with nearly the same words, of at least seven, that nobody asked for",
    "marked": "posts in which one of the limit's signals fired",
}
# Of these one post can count any number.
MANY = frozenset({"mentions", "hashtags", "follows", "unfollows", "mentioned", "domains", "tags"})
HOURLY = frozenset(
    {"follows", "unfollows", "same-text", "alike-text", "same-reply", "alike-reply", "marked"}
)  # kept by the hour only


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_window(counter: str, minutes: int) -> None:
    part = 60 if counter in HOURLY or minutes > SHORT_MINUTES else FINE_MINUTES
    if minutes % part:
        raise ValueError(f"{counter} is counted in parts of {part} minutes: the window must be a multiple")


class Also(_Table):
    """What must hold in the same window as well: at least so many, or at least this share of all posts."""

    counter: Counter
    at_least: Annotated[int, Field(ge=1, strict=True)] | None = None
    share: Annotated[float, Field(gt=0.0, le=1.0, strict=True)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.at_least is None) == (self.share is None):
            raise ValueError("also: give either at_least or share")
        if self.share is not None and self.counter not in COLUMN:
            raise ValueError("also: a share is one of posts; give a counter of posts")
        if self.counter == "marked":
            raise ValueError("also: marked counts for the limit's own signals only")
        return self


class Limit(_Table):
    """One limit: the signal `name` fires in a post that counts towards it and with which it is reached.

    `counter` is one of `MEANINGS`, counted within `window_minutes` up to the post's own time. `new_account_days`: only
    of accounts younger than that, by their profile; who carries no date of birth is not new. `signals` are those that
    `marked` counts. `score` multiplies that of the finding, `detail` says what was counted ("{count} replies within
    {window}").
    """

    name: Annotated[str, Field(pattern=r"^behaviour\.[a-z0-9][a-z0-9-]*$")]
    counter: Counter
    window_minutes: Annotated[int, Field(ge=FINE_MINUTES, le=LONGEST_MINUTES, strict=True)]
    at_least: Annotated[int, Field(ge=2, strict=True)]
    new_account_days: Annotated[int, Field(ge=1, strict=True)] | None = None
    signals: tuple[str, ...] = ()
    also: tuple[Also, ...] = ()
    score: Annotated[float, Field(gt=0.0, le=1.0, strict=True)] = 1.0
    detail: Annotated[str, Field(min_length=1, max_length=160)]
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.counter == "marked") != bool(self.signals):
            raise ValueError("signals belong to the counter marked, and only to it")
        for counter in (self.counter, *(one.counter for one in self.also)):
            _check_window(counter, self.window_minutes)
        short = self.window_minutes <= SHORT_MINUTES and self.at_least > NAMES_KEPT
        if short and self.counter in DISTINCT:
            raise ValueError(f"at most {NAMES_KEPT} different names are told apart in a short window")
        try:
            self.say(self.at_least)
        except (KeyError, IndexError, ValueError):
            raise ValueError("detail: it may name {count} and {window}, nothing else") from None
        return self

    def say(self, count: int) -> str:
        """The detail with its figures."""
        return self.detail.format(count=count, window=window_text(self.window_minutes))


def window_text(minutes: int) -> str:
    """A window in words: "an hour", "24 hours", "15 minutes"."""
    if minutes % 60:
        return f"{minutes} minutes"
    return "an hour" if minutes == 60 else f"{minutes // 60} hours"
