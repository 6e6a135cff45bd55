"""The labelled courses of events of each policy: reads `timelines.toml` and says which of them is decided otherwise.

A case is one post; a timeline is what one account does over time. Its posts are written by generators and judged in
their order by the engine itself, with the account's record, under the policy alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.posts import Post, Profile, Surface
from worker.engine.cases import CASE_TIME
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import Pack, load_pack
from worker.engine.tomlfile import PackError, Problem, read_toml

FILE = "timelines.toml"
MOST_POSTS = 2_000
Severity = Literal["clear", "review", "violation"]
_RANK = {"clear": 0, "review": 1, "violation": 2}


class Generator(BaseModel):
    """Writes `repeat` posts, one `every_seconds`, the first `after_seconds` after what came before.

    In each text `{n}` is the post's number in this generator, from 1; `{word}` the next of `words`, over and over.
    `texts` are taken in turn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repeat: Annotated[int, Field(ge=1, le=MOST_POSTS)] = 1
    every_seconds: Annotated[float, Field(ge=0)] = 60.0
    after_seconds: Annotated[float, Field(ge=0)] = 60.0
    texts: Annotated[tuple[str, ...], Field(min_length=1)]
    words: tuple[str, ...] = ()
    surface: Surface = "post"
    answers: str | None = None
    answers_author: str = "other{n}"
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    follows_1h: int = 0
    unfollows_1h: int = 0

    def fill(self, template: str, number: int) -> str:
        """A template as it reads in the post of this number, from 1."""
        word = self.words[(number - 1) % len(self.words)] if self.words else ""
        return template.replace("{n}", str(number)).replace("{word}", word)


class Timeline(BaseModel):
    """What one account does over time, the strictest that must come of it, and why.

    `not_before`: the number of the first post that may be anything but clear. `by`: that of the post at which the
    expected outcome must have come. `last`: what the last post must be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    expect: Severity
    why: Annotated[str, Field(min_length=1)]
    not_before: Annotated[int, Field(ge=1)] = 1
    by: Annotated[int, Field(ge=1)] | None = None
    last: Severity | None = None
    evidence: tuple[str, ...] = ()
    lang: str | None = "en"
    author_id: str = "author"
    author: dict[str, str | int | bool | datetime] = {}
    at: AwareDatetime = CASE_TIME
    posts: Annotated[tuple[Generator, ...], Field(min_length=1)]

    @field_validator("author")
    @classmethod
    def _known_author(cls, author: dict[str, Any]) -> dict[str, Any]:
        unknown = set(author) - set(Profile.model_fields)
        if unknown:  # a record may carry more than the contract names, a timeline must not be misspelt
            raise ValueError(f"a profile has no {', '.join(sorted(unknown))}")
        Profile.model_validate(author)
        return author

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.expect == "clear" and (
            self.by is not None or self.evidence or self.last not in {None, "clear"}
        ):
            raise ValueError("what stays clear has no post by which it is not")
        if sum(generator.repeat for generator in self.posts) > MOST_POSTS:
            raise ValueError(f"a timeline has at most {MOST_POSTS} posts")
        return self

    def records(self) -> Iterator[Post]:
        """Its posts in their order."""
        at, number = self.at, 0
        for generator in self.posts:
            for place in range(1, generator.repeat + 1):
                seconds = generator.after_seconds if place == 1 else generator.every_seconds
                at += timedelta(seconds=seconds if number else 0.0)
                number += 1
                yield Post.model_validate(self._post(generator, place, number, at))

    def _post(self, generator: Generator, place: int, number: int, at: datetime) -> dict[str, Any]:
        def filled(templates: Sequence[str]) -> list[str]:
            return [generator.fill(one, place) for one in templates]

        answered = None
        if generator.answers is not None:
            answered = {
                "post_id": f"a{number}",
                "author_id": generator.fill(generator.answers_author, place),
                "text": generator.fill(generator.answers, place),
            }
        surface = "reply" if answered is not None and generator.surface == "post" else generator.surface
        author = {**self.author, "follows_1h": generator.follows_1h, "unfollows_1h": generator.unfollows_1h}
        return {
            "schema_version": 1,
            "post_id": str(1_000 + number),
            "author_id": self.author_id,
            "created_at": at,
            "text": generator.fill(generator.texts[(place - 1) % len(generator.texts)], place),
            "lang": self.lang,
            "surface": surface,
            "in_reply_to": answered,
            "mentions": filled(generator.mentions),
            "hashtags": filled(generator.hashtags),
            "urls": filled(generator.urls),
            "author": author,
        }


class TimelineFile(BaseModel):
    """The whole of a `timelines.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeline: tuple[Timeline, ...]


@dataclass(frozen=True, slots=True)
class TimelineResult:
    """One timeline as it was decided: each post's outcome, and what is not as the file says."""

    policy: str
    file: Path
    line: int
    timeline: Timeline
    outcomes: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def got(self) -> str:
        """The strictest outcome."""
        return max(self.outcomes, key=lambda outcome: _RANK.get(outcome, 0))

    @property
    def ok(self) -> bool:
        """Whether all was decided as the file says."""
        return not self.faults


def timelines_of(folder: Path) -> tuple[Timeline, ...]:
    """The timelines of a policy's folder; none where it has no such file.

    Raises:
      PackError: the file is malformed.
    """
    file = folder / FILE
    if not file.exists():
        return ()
    problems: list[Problem] = []
    read = read_toml(file, TimelineFile, problems)
    if read is None:
        raise PackError(problems)
    return read.timeline


def run_timelines(pack: Pack, only: Sequence[str] = ()) -> list[TimelineResult]:
    """Judges every timeline of every policy in force or in shadow (or of those named in `only`).

    Raises:
      PackError: a file of timelines is malformed.
    """
    results = []
    for loaded in pack.policies:
        policy = loaded.policy
        if (only and policy.id not in only) or policy.status not in {"enforce", "shadow"}:
            continue
        timelines = timelines_of(loaded.folder)
        if not timelines:
            continue
        own = load_pack(pack.folder, backend="re2", only={policy.id}, models=False)
        lines = (loaded.folder / FILE).read_text(encoding="utf-8").splitlines()
        for timeline in timelines:
            decided = judge_timeline(own, timeline)
            line = next(
                (
                    n
                    for n, text in enumerate(lines, 1)
                    if text.startswith("name") and f'"{timeline.name}"' in text
                ),
                0,
            )
            outcomes = tuple(outcome for outcome, _ in decided)
            faults = tuple(faults_of(timeline, decided))
            results.append(TimelineResult(policy.id, loaded.folder / FILE, line, timeline, outcomes, faults))
    return results


def judge_timeline(pack: Pack, timeline: Timeline) -> list[tuple[str, frozenset[str]]]:
    """Each post's outcome under the pack, with the names of the evidence."""
    judge = PartitionJudge(pack, 0, publish_all=True)
    records = [
        Record("posts", 0, offset, 0, post.author_id.encode(), post.model_dump_json().encode())
        for offset, post in enumerate(timeline.records())
    ]
    decided = []
    for output in judge.judge(records).outputs:
        if output.topic == "decisions" and output.value is not None:
            decision = json.loads(output.value)
            evidence = frozenset(item["signal"] for v in decision["verdicts"] for item in v["evidence"])
            decided.append((decision["outcome"], evidence))
    return decided


def faults_of(timeline: Timeline, decided: Sequence[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """What of the outcomes is not as the timeline says."""
    outcomes = [outcome for outcome, _ in decided]
    first = next((n for n, outcome in enumerate(outcomes, 1) if outcome != "clear"), None)
    got = max(outcomes, key=lambda outcome: _RANK.get(outcome, 0))
    if got != timeline.expect:
        yield f"expected {timeline.expect}, got {got}" + ("" if first is None else f", from post {first} on")
        return
    if first is not None and first < timeline.not_before:
        yield f"post {first} is {outcomes[first - 1]}, none should be before post {timeline.not_before}"
    if timeline.by is not None and timeline.expect not in outcomes[: timeline.by]:
        yield f"{got} only at post {outcomes.index(got) + 1}, expected by post {timeline.by}"
    if timeline.last is not None and outcomes[-1] != timeline.last:
        yield f"expected the last post to be {timeline.last}, it is {outcomes[-1]}"
    seen = frozenset().union(*(names for _, names in decided))
    if missing := set(timeline.evidence) - seen:
        yield f"expected evidence of {', '.join(sorted(missing))}"
