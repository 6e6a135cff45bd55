"""The labelled posts of each policy: reads `cases.toml` and says which case the rule decides otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.accounts import AccountRecord
from schemas.posts import Post, PostRef, Profile, Surface, Text
from worker.engine.assess import Assessor
from worker.engine.chain import Judgement
from worker.engine.contract import Subject
from worker.engine.registry import LoadedPolicy, Pack, PackError, Problem, read_toml
from worker.engine.subjects import account_subject, post_subject

CASE_TIME = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # cases are judged at one fixed time


class Case(BaseModel):
    """One labelled post (or, with `profile`, a bio), what must come out, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    text: Text
    expect: Literal["violation", "review", "clear", "abstain"]
    why: Annotated[str, Field(min_length=1)]
    lang: str | None = "en"
    surface: Surface = "post"
    in_reply_to: str | None = None
    quotes: str | None = None
    author: dict[str, str | int | bool] | None = None
    mentions: tuple[str, ...] = ()
    profile: bool = False
    at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    evidence: tuple[str, ...] = ()

    @field_validator("author")
    @classmethod
    def _known_author(cls, author: dict[str, str | int | bool] | None) -> dict[str, str | int | bool] | None:
        unknown = set(author or ()) - set(Profile.model_fields)
        if unknown:  # a record may carry more than the contract names, a case must not be misspelt
            raise ValueError(f"a profile has no {', '.join(sorted(unknown))}")
        Profile.model_validate(author or {})
        return author

    def subject(self) -> Subject:
        """The case as the rules see it."""
        author = None if self.author is None else Profile.model_validate(self.author)
        if self.profile:
            bio = (author or Profile()).model_copy(update={"bio": self.text})
            return account_subject(
                AccountRecord(schema_version=1, account_id="author", updated_at=CASE_TIME, profile=bio)
            )
        parent = (
            None
            if self.in_reply_to is None
            else PostRef(post_id="1", author_id="other", text=self.in_reply_to)
        )
        quoted = None if self.quotes is None else PostRef(post_id="2", author_id="other", text=self.quotes)
        post = {
            "schema_version": 1,
            "post_id": "100",
            "author_id": "author",
            "created_at": CASE_TIME,
            "text": self.text,
            "lang": self.lang,
            "surface": "reply" if parent is not None and self.surface == "post" else self.surface,
            "in_reply_to": parent,
            "quotes": quoted,
            "mentions": self.mentions,
            "author": author,
        }
        return post_subject(Post.model_validate(post))


class _CaseFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case as it was decided; `line` is that of its name in the file."""

    policy: str
    file: Path
    line: int
    case: Case
    got: str
    judgement: Judgement
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the rule decided as the case says."""
        return not self.faults


def read_cases(loaded: LoadedPolicy) -> tuple[Case, ...]:
    """The cases of a policy.

    Raises:
      PackError: the file is missing or malformed.
    """
    problems: list[Problem] = []
    cases = read_toml(loaded.cases_path, _CaseFile, problems)
    if cases is None:
        raise PackError(problems)
    return cases.case


def run_cases(pack: Pack, only: Sequence[str] = ()) -> list[CaseResult]:
    """Judges every case of every policy (or of those named in `only`), whatever the policy's status.

    Raises:
      PackError: a file of cases is missing or malformed.
    """
    assessor = Assessor(pack, drafts=True)
    results = []
    for loaded in pack.policies:
        if (only and loaded.policy.id not in only) or loaded.policy.status == "retired":
            continue
        cases = read_cases(loaded)
        lines = loaded.cases_path.read_text(encoding="utf-8").splitlines()
        assessments = assessor.assess_subjects([case.subject() for case in cases], [CASE_TIME] * len(cases))
        for case, assessment in zip(cases, assessments, strict=True):
            judgement = next(j for j in assessment.judgements if j.loaded is loaded)
            line = _line_of_case(lines, case.name)
            results.append(_result(loaded, case, judgement, line))
    return results


def _line_of_case(lines: Sequence[str], name: str) -> int:
    """The 1-based line on which a case's name is given; 0 when it is written in another way."""
    named = (n for n, line in enumerate(lines, 1) if line.lstrip().startswith("name") and f'"{name}"' in line)
    return next(named, 0)


def _result(loaded: LoadedPolicy, case: Case, judgement: Judgement, line: int) -> CaseResult:
    got = "review" if judgement.outcome == "clear" and judgement.doubtful else judgement.outcome
    faults = []
    if got != case.expect:
        faults.append(f"expected {case.expect}, got {got} with score {judgement.score:.2f}")
    if case.at_least is not None and judgement.score < case.at_least:
        faults.append(f"expected a score of at least {case.at_least}, got {judgement.score:.2f}")
    missing = set(case.evidence) - {item.signal for item in judgement.evidence}
    if missing:
        faults.append(f"expected evidence of {', '.join(sorted(missing))}")
    return CaseResult(loaded.policy.id, loaded.cases_path, line, case, got, judgement, tuple(faults))
