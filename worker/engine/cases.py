"""The labelled posts of each policy: reads `cases.toml` and says which case the rule decides otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from schemas.accounts import AccountRecord
from schemas.base import Subject as SubjectRef
from schemas.posts import Client, Media, Post, PostRef, Profile, Surface, Text
from schemas.reports import Report, Rights
from worker.engine.assess import Assessor
from worker.engine.chain import Judgement
from worker.engine.contract import Subject
from worker.engine.fixtures import Fixtures
from worker.engine.registry import LoadedPolicy, Pack, load_pack
from worker.engine.subjects import account_subject, post_subject
from worker.engine.tomlfile import PackError, Problem, read_toml

Expectation = Literal["violation", "review", "at_risk", "clear", "abstain"]
EXPECTATIONS: tuple[str, ...] = get_args(Expectation)

CASE_TIME = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)  # cases are judged at one fixed time


class Case(BaseModel):
    """One labelled post (or, with `profile`, an account's profile), what must come out, and why.

    `tags` mark what a case is about beyond its policy: `lang:es`, `evasion:spacing`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    text: Text = ""
    expect: Expectation
    why: Annotated[str, Field(min_length=1)]
    lang: str | None = "en"
    surface: Surface = "post"
    in_reply_to: str | None = None
    in_reply_to_author: str = "other"
    quotes: str | None = None
    quotes_author: str = "other"
    author_id: str = "author"
    author: dict[str, str | int | bool | datetime] | None = None
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    at: AwareDatetime = CASE_TIME
    profile: bool = False
    avatar: Media | None = None
    header: Media | None = None
    client: Client | None = None
    rights: Rights | None = None
    trusted: bool = False
    at_least: Annotated[float, Field(ge=0, le=1)] | None = None
    evidence: tuple[str, ...] = ()
    tags: tuple[Annotated[str, Field(pattern=r"^[a-z]+(:[a-z0-9-]+)?$")], ...] = ()

    @field_validator("author")
    @classmethod
    def _known_author(cls, author: dict[str, Any] | None) -> dict[str, Any] | None:
        unknown = set(author or ()) - set(Profile.model_fields)
        if unknown:  # a record may carry more than the contract names, a case must not be misspelt
            raise ValueError(f"a profile has no {', '.join(sorted(unknown))}")
        Profile.model_validate(author or {})
        return author

    def subject(self) -> Subject:
        """The case as the rules see it."""
        author = None if self.author is None else Profile.model_validate(self.author)
        if self.profile:
            profile = author or Profile()
            if self.text:
                profile = profile.model_copy(update={"bio": self.text})
            return account_subject(
                AccountRecord(
                    schema_version=1,
                    account_id=self.author_id,
                    updated_at=self.at,
                    profile=profile,
                    avatar=self.avatar,
                    header=self.header,
                    client=self.client,
                )
            )
        post = {
            "schema_version": 1,
            "post_id": "100",
            "author_id": self.author_id,
            "created_at": self.at,
            "text": self.text,
            "lang": self.lang,
            "surface": self._surface(),
            "in_reply_to": _reference("1", self.in_reply_to_author, self.in_reply_to),
            "quotes": _reference("2", self.quotes_author, self.quotes),
            "mentions": self.mentions,
            "hashtags": self.hashtags,
            "urls": self.urls,
            "author": author,
            "client": self.client,
            "media": self.media,
        }
        subject = post_subject(Post.model_validate(post))
        subject.report = self._report()
        return subject

    def _surface(self) -> str:
        if self.surface != "post":
            return self.surface
        return "reply" if self.in_reply_to is not None else "quote" if self.quotes is not None else "post"

    def _report(self) -> Report | None:
        if self.rights is None:
            return None
        return Report(
            schema_version=1,
            report_id="r1",
            reporter_id="reporter",
            subject=SubjectRef(type="post", id="100"),
            account_id=self.author_id,
            reason=self.rights.basis,
            trusted=self.trusted,
            rights=self.rights,
            created_at=self.at,
        )


def _reference(post_id: str, author_id: str, text: str | None) -> PostRef | None:
    return None if text is None else PostRef(post_id=post_id, author_id=author_id, text=text)


class CaseFile(BaseModel):
    """The whole of a `cases.toml`: the cases, and stand-ins that only they see."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: tuple[Case, ...]
    fixtures: Fixtures = Fixtures()


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


def read_cases(loaded: LoadedPolicy) -> CaseFile:
    """The cases of a policy and their fixtures.

    Raises:
      PackError: the file is missing or malformed.
    """
    problems: list[Problem] = []
    cases = read_toml(loaded.cases_path, CaseFile, problems)
    if cases is None:
        raise PackError(problems)
    return cases


def run_cases(pack: Pack, only: Sequence[str] = ()) -> list[CaseResult]:
    """Judges every case of every policy (or of those named in `only`), whatever the policy's status.

    Raises:
      PackError: a file of cases is missing or malformed.
    """
    plain = Assessor(pack, drafts=True)
    results = []
    for loaded in pack.policies:
        if (only and loaded.policy.id not in only) or loaded.policy.status == "retired":
            continue
        file = read_cases(loaded)
        own = plain if file.fixtures == Fixtures() else _with_fixtures(pack, loaded, file.fixtures)
        lines = loaded.cases_path.read_text(encoding="utf-8").splitlines()
        for assessor, cases in _by_assessor(plain, own, file.case):
            assessments = assessor.assess_subjects(
                [case.subject() for case in cases], [case.at for case in cases]
            )
            for case, assessment in zip(cases, assessments, strict=True):
                judgement = next(j for j in assessment.judgements if j.loaded.policy.id == loaded.policy.id)
                line = _line_of_case(lines, case.name)
                results.append(_result(loaded, case, judgement, line))
    return results


def _by_assessor(
    plain: Assessor, own: Assessor, cases: Sequence[Case]
) -> Iterator[tuple[Assessor, Sequence[Case]]]:
    """Which cases are judged by the pack, and which by the policy alone with its stand-ins.

    The models read what lies in any policy's band, so what they judge is judged by all policies.
    """
    if own is plain:
        yield plain, cases
        return
    for assessor, learned in ((own, False), (plain, True)):
        yield assessor, [case for case in cases if ("learned" in case.tags) is learned]


def _with_fixtures(pack: Pack, loaded: LoadedPolicy, fixtures: Fixtures) -> Assessor:
    """The policy alone, in its pack with the stand-ins added; RE2 needs no compiling to speak of."""
    own = load_pack(pack.folder, backend="re2", only={loaded.policy.id}, fixtures=fixtures)
    return Assessor(own, drafts=True)


def _line_of_case(lines: Sequence[str], name: str) -> int:
    """The 1-based line on which a case's name is given; 0 when it is written in another way."""
    named = (n for n, line in enumerate(lines, 1) if line.lstrip().startswith("name") and f'"{name}"' in line)
    return next(named, 0)


def _result(loaded: LoadedPolicy, case: Case, judgement: Judgement, line: int) -> CaseResult:
    # An uncovered language stays an abstention, also where something fired and a person looks.
    got = "abstain" if judgement.outcome == "abstain" else judgement.word
    faults = []
    if got != case.expect:
        faults.append(f"expected {case.expect}, got {got} with score {judgement.score:.2f}")
    if case.at_least is not None and judgement.score < case.at_least:
        faults.append(f"expected a score of at least {case.at_least}, got {judgement.score:.2f}")
    missing = set(case.evidence) - {item.signal for item in judgement.evidence}
    if missing:
        faults.append(f"expected evidence of {', '.join(sorted(missing))}")
    return CaseResult(loaded.policy.id, loaded.cases_path, line, case, got, judgement, tuple(faults))
