"""From how many accounts on a feature that they share says something: the tables `[[coordination]]` and `[[returns]]`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

REMEMBERED_SIGHTINGS = 64
LONGEST_MINUTES = 7 * 24 * 60
LONGEST_DAYS = 90
SAMPLED = 8  # of so many accounts at most one is told; no observation stands for more

Share = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
Shared = Literal["text", "domain", "device"]
Returning = Literal["device", "network", "profile"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coordination(_Table):
    """One row: so many accounts with the same feature within a window are told to their owners as `coordination.<feature>`.

    `fresh` is the least share of them that are less than 30 days old, `slight` the least share that are so or have
    hardly a follower; who nobody knows is neither. `linked`: what they write leads to the same domain, and not to
    one of those that everybody links to. `reaching`: all of them reach others than their authors' followers, by a link, a
    hashtag, a mention or as a reply. `score` is what is said of an account that is slight itself, `others` of all
    other accounts (0: nothing). `most` findings of this row follow for one feature within a day, or a window that is longer.
    """

    feature: Shared
    window_minutes: Annotated[int, Field(ge=1, le=LONGEST_MINUTES, strict=True)]
    accounts: Annotated[int, Field(ge=2, le=REMEMBERED_SIGHTINGS, strict=True)]
    fresh: Share = 0.0
    slight: Share = 0.0
    linked: bool = False
    reaching: bool = False
    score: Share
    others: Share = 0.0
    most: Annotated[int, Field(ge=1, strict=True)] = 1_000

    @model_validator(mode="after")
    def _graded(self) -> Self:
        if (self.linked or self.reaching) and self.feature != "text":
            raise ValueError("only texts are linked or reaching: leave it out")
        if self.others > self.score:
            raise ValueError("others must not be above score: who has a standing is not punished harder")
        return self


class Returns(_Table):
    """One row: a new account with a feature of a suspended one is told to its owner as `circumvention.<feature>`.

    For `days` after a suspension its device, network or profile is remembered. `score` is what is said of an account
    that was made later and shows it; `among` where others show it, too, who are not suspended (0: nothing), and
    nothing is said where more than `accounts` accounts show it.
    """

    feature: Returning
    days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, strict=True)] = LONGEST_DAYS
    accounts: Annotated[int, Field(ge=2, le=REMEMBERED_SIGHTINGS, strict=True)]
    score: Share
    among: Share = 0.0

    @model_validator(mode="after")
    def _graded(self) -> Self:
        if self.among > self.score:
            raise ValueError(
                "among must not be above score: a shared device is less sure than one of its own"
            )
        return self
