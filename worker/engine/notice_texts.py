"""The texts of notices: a pack's `notices/<language>.toml`, strict enough that a missing or misspelt part is an error."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.base import LabelName, PolicyId
from worker.engine.tomlfile import Problem, read_toml

FALLBACK = "en"
"""The language of whoever writes in one that has no texts; it is always there."""

_Plain = Annotated[str, Field(min_length=1)]


class _Texts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _placeholders(text: str) -> list[str]:
    """The names between braces, in order.

    Raises:
        ValueError: the braces do not pair, or hold more than a name.
    """
    names = []
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if spec or conversion or not name.isidentifier():
            raise ValueError(f"{{{name}}} is no placeholder: write a name alone between braces")
        names.append(name)
    return names


def _checked(required: tuple[str, ...], optional: tuple[str, ...]) -> Callable[[str], str]:
    known = ", ".join(f"{{{name}}}" for name in (*required, *optional)) or "none"

    def check(text: str) -> str:
        names = _placeholders(text)
        for name in names:
            if name not in required and name not in optional:
                raise ValueError(f"{{{name}}} is unknown here; there are {known}")
        for name in required:
            if name not in names:
                raise ValueError(f"{{{name}}} is missing")
        # Lines are broken where the file's are: only an empty line starts a paragraph.
        return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))

    return check


def _says(*required: str, also: tuple[str, ...] = ()) -> AfterValidator:
    """A text with these placeholders, each at least once, and perhaps others."""
    return AfterValidator(_checked(required, also))


_Sentence = Annotated[_Plain, _says()]
_Label = Annotated[_Plain, _says("label", also=("until",))]
_Limit = Annotated[_Plain, _says(also=("until",))]


class TimeTexts(_Texts):
    """How a moment is written; all are UTC and say so."""

    months: Annotated[tuple[_Plain, ...], Field(min_length=12, max_length=12)]
    moment: Annotated[_Plain, _says("day", "month", "year", "clock")]

    @model_validator(mode="after")
    def _names_utc(self) -> TimeTexts:
        if "UTC" not in self.moment:
            raise ValueError("moment must say that the time is UTC")
        return self


class PlaceTexts(_Texts):
    """Where something was found."""

    text: _Sentence
    media: _Sentence
    handle: _Sentence
    display_name: _Sentence
    bio: _Sentence
    avatar: _Sentence
    header: _Sentence
    other: _Sentence
    span: Annotated[_Plain, _says("start", "end")]
    item: Annotated[_Plain, _says("what", "place")]


class ConsequenceTexts(_Texts):
    """What an action does, one sentence each; `{until}` is empty where it has no end."""

    label_post: _Label
    label_media: _Label
    label_profile_field: _Label
    label_account: _Label
    remove_post: _Limit
    remove_media: _Limit
    remove_profile_field: _Limit
    remove_account: _Limit
    read_only: _Limit
    verify: _Limit
    edit_required: _Limit
    suspended: _Limit


class EndTexts(_Texts):
    """That an action has ended, one sentence each."""

    label_post: Annotated[_Plain, _says("label")]
    label_media: Annotated[_Plain, _says("label")]
    label_profile_field: Annotated[_Plain, _says("label")]
    label_account: Annotated[_Plain, _says("label")]
    remove_post: _Sentence
    remove_media: _Sentence
    remove_profile_field: _Sentence
    remove_account: _Sentence
    suspend: _Sentence
    still_limited: _Sentence  # instead, where another action of the same kind stands
    still_suspended: _Sentence


class SentenceTexts(_Texts):
    """What is added to a notice where it applies."""

    until: Annotated[_Plain, _says("time")]
    automated: _Sentence
    human: _Sentence
    report: _Sentence
    strikes: Annotated[_Plain, _says("active")]
    no_strike: _Sentence
    appeal: Annotated[_Plain, _says("time")]
    counter_notice: _Sentence


class BodyTexts(_Texts):
    """The whole notices, by kind. What `SentenceTexts` adds is empty where it does not apply."""

    action: Annotated[
        _Plain,
        _says(
            "consequence", "clause", "found", "appeal", also=("policy", "source", "strikes", "counter_notice")
        ),
    ]
    warning: Annotated[
        _Plain, _says("consequence", "clause", "found", "appeal", also=("policy", "source", "counter_notice"))
    ]
    support: _Sentence
    reversal: Annotated[_Plain, _says("ended")]
    reversed: Annotated[_Plain, _says("ended", also=("policy",))]
    appeal_received: Annotated[_Plain, _says(also=("consequence", "policy"))]
    refused_late: Annotated[_Plain, _says(also=("days",))]
    refused_second: _Sentence
    refused_foreign: _Sentence
    refused_decider: Annotated[_Plain, _says(also=("policy",))]
    upheld: Annotated[_Plain, _says("consequence", "clause", also=("policy",))]
    overturned: Annotated[_Plain, _says("strikes", "ended", also=("policy",))]


class NoticeTexts(_Texts):
    """One language's texts."""

    time: TimeTexts
    policies: dict[PolicyId, _Plain]
    labels: dict[LabelName, _Plain]
    places: PlaceTexts
    consequences: ConsequenceTexts
    ends: EndTexts
    sentences: SentenceTexts
    bodies: BodyTexts

    @model_validator(mode="after")
    def _complete(self) -> NoticeTexts:
        for table, names in (("policies", get_args(PolicyId)), ("labels", get_args(LabelName))):
            if missing := [name for name in names if name not in getattr(self, table)]:
                raise ValueError(f"{table}: {', '.join(missing)} missing")
        return self

    def moment(self, time: datetime) -> str:
        """A time as people read it, in UTC, to the minute."""
        at = time.astimezone(UTC)
        return self.time.moment.format(
            day=at.day,
            month=self.time.months[at.month - 1],
            year=at.year,
            clock=f"{at.hour:02}:{at.minute:02}",
        )


@dataclass(frozen=True)
class Texts:
    """The texts of a pack by language; the fallback is among them."""

    languages: Mapping[str, NoticeTexts] = field(default_factory=dict)

    def __contains__(self, lang: object) -> bool:
        return lang in self.languages

    def language(self, *wanted: str | None) -> str:
        """The first of these languages that has texts, else the fallback."""
        return next((lang for lang in wanted if lang is not None and lang in self.languages), FALLBACK)

    def of(self, lang: str) -> NoticeTexts:
        """The texts of a language that has some."""
        return self.languages[lang]


def load_texts(folder: Path, problems: list[Problem], shipped: Texts | None = None) -> Texts:
    """The texts in this folder, `notices` of a pack, over those shipped; faults are added to `problems`, with file and line.

    A pack that has no such folder, or not every language, is written in the shipped texts where its own are missing.
    """
    languages = dict(shipped.languages) if shipped is not None else {}
    for file in sorted(folder.glob("*")):
        if file.name.startswith((".", "README")):
            continue
        lang = file.name.removesuffix(".toml")
        if not file.name.endswith(".toml") or not (
            2 <= len(lang) <= 3 and lang.isascii() and lang.isalpha() and lang.islower()
        ):
            problems.append(
                Problem(file, None, "is no file of notices: name it after its language, such as en.toml")
            )
            continue
        texts = read_toml(file, NoticeTexts, problems)
        if texts is not None:
            languages[lang] = texts
    return Texts(dict(sorted(languages.items())))
