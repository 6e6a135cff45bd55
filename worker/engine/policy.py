"""A policy as data: the model of `policy.toml`, strict enough that a typo is an error."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from schemas.base import ActionKind, LabelName, PolicyId, SuspendMode
from worker.engine.across.limits import Coordination, Returns
from worker.engine.formula import FormulaError, Scope, parse
from worker.engine.limits import Limit

POLICY_IDS: tuple[str, ...] = get_args(PolicyId)
Score = Annotated[float, Field(ge=0.0, le=1.0, strict=True)]
Status = Literal["draft", "shadow", "enforce", "retired"]
MINUTE_PART = 20
MINUTE_LEAST = 60
SignalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Source(_Strict):
    """Where a clause, a list or a threshold comes from, and when it was read."""

    url: str
    read: date


class Terms(_Strict):
    """A signal that fires on literal words or phrases.

    They are folded as the text is (see `worker.signals.canonical`) and match whole words, or anywhere
    in a word with `match = "substring"`. `terms` stand in the file; `file` names a UTF-8 list beside
    it, one term a line, `#` starts a comment.
    """

    name: SignalName
    terms: tuple[str, ...] = ()
    file: str | None = None
    match: Literal["word", "substring"] = "word"
    score: Score = 1.0
    languages: tuple[str, ...] | None = None  # None: the policy's; ("*",): any
    detail: str = ""
    source: str


class Expressions(_Strict):
    """A signal that fires on regular expressions in RE2 syntax, over canonical (folded) text.

    `{{name}}` inserts a fragment of the policy. Everything runs in linear time: look-around and
    back-references are refused when the pack is loaded.
    """

    name: SignalName
    patterns: Annotated[tuple[str, ...], Field(min_length=1)]
    score: Score = 1.0
    languages: tuple[str, ...] | None = None
    detail: str = ""
    source: str


class PolicyAction(_Strict):
    """One action that a rung of the ladder takes."""

    kind: ActionKind
    label: LabelName | None = None
    mode: SuspendMode | None = None
    duration_hours: Annotated[int, Field(gt=0)] | None = None  # None is indefinite

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "label") != (self.label is not None):
            raise ValueError(
                'a label action names its label, and only a label action: label = "limited-visibility"'
            )
        if (self.kind == "suspend") != (self.mode is not None):
            raise ValueError('a suspend action names its mode, and only a suspend action: mode = "read_only"')
        return self


class Rung(_Strict):
    """One rung: what is done from a score on, and from a number of active strikes on, this violation's included.

    `active_strikes` counts those under all policies, `same_policy_strikes` those under this one; where both are given
    either is enough. `warn_below`: an account's first offence under the policy is warned of when it scores lower than
    that: what the rung does is done, but no strike is counted. With `queue` a person looks as well, at once, under
    that reason.
    """

    score: Score
    active_strikes: Annotated[int, Field(ge=0)] = 0
    same_policy_strikes: Annotated[int, Field(ge=0)] = 0
    actions: Annotated[tuple[PolicyAction, ...], Field(min_length=1)]
    strikes: Annotated[int, Field(ge=0)] = 1  # added to the account's record
    warn_below: Score | None = None
    queue: Literal["zero_tolerance", "at_risk"] | None = None

    @model_validator(mode="after")
    def _warns_of_little(self) -> Self:
        if self.warn_below is None:
            return self
        if self.strictest == "suspend" or self.queue is not None:
            raise ValueError(
                "warn_below: a rung that suspends, or that a person looks at, is not for first offences"
            )
        if self.repeated or not self.strikes:
            raise ValueError(
                "warn_below: a rung for repeated offences, or one without strikes, has nothing to warn of"
            )
        if self.warn_below <= self.score:
            raise ValueError("warn_below must be above the rung's score, else nothing is warned of")
        return self

    @property
    def repeated(self) -> bool:
        """Whether it waits for strikes."""
        return self.active_strikes > 0 or self.same_policy_strikes > 0

    def reached(self, score: float, active: int, of_policy: int) -> bool:
        """Whether a violation reaches it; the strikes are those before it, under all policies and under this one."""
        if score < self.score:
            return False
        if not self.repeated:
            return True
        return (0 < self.active_strikes <= active + self.strikes) or (
            0 < self.same_policy_strikes <= of_policy + self.strikes
        )

    @property
    def strictest(self) -> ActionKind:
        """The strictest kind of its actions."""
        kinds = {action.kind for action in self.actions}
        return "suspend" if "suspend" in kinds else "remove" if "remove" in kinds else "label"


class Review(_Strict):
    """When a person must look: from `score` on, and by when."""

    score: Score
    due_hours: Annotated[int, Field(gt=0)] = 24
    priority: Annotated[int, Field(ge=0, le=100)] = 50


def _is_formula(text: str) -> str:
    try:
        parse(text)
    except FormulaError as error:
        raise ValueError(str(error)) from error
    return text


FormulaText = Annotated[str, AfterValidator(_is_formula)]


class Finding(_Strict):
    """One thing that can be a violation, found by data (see `worker.engine.scored`).

    Each hit of an anchor is a candidate; `when` must hold around it. `score` is where the candidate starts
    (times the hit's own score). `computed`: a rule of code finds it, the anchors are only its gate.
    `at_risk`: it speaks of a person in danger, who is helped and never punished. `forced`: nothing excuses it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: Annotated[str, Field(min_length=8)]
    anchor: Annotated[tuple[SignalName, ...], Field(min_length=1)]
    when: FormulaText | None = None
    within: Scope = "sentence"
    score: Score
    waives: tuple[str, ...] = ()  # excuses that do not apply, by signal or flag
    forced: bool = False
    at_risk: bool = False
    computed: bool = False
    languages: tuple[
        str, ...
    ] = ()  # of the anchor's own words, whatever the post is said to be in; empty: any


class _Modifier(_Strict):
    """What changes the score of a finding when a signal fired or a formula holds near it."""

    signal: FormulaText | None = None
    formula: FormulaText | None = None
    within: Scope = "sentence"
    group: str | None = None
    findings: tuple[str, ...] = ()  # empty: all

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.signal is None) == (self.formula is None):
            raise ValueError("give either a signal or a formula")
        return self

    @property
    def condition(self) -> str:
        """The formula that must hold."""
        return self.signal or self.formula or ""


class Support(_Modifier):
    """Something that takes a share (`weight`) of the doubt away."""

    weight: Score


class Excuse(_Modifier):
    """Something that speaks for the writer: the score is multiplied by `factor`.

    Of the excuses of one group only the strongest counts.
    """

    factor: Score


class Group(_Strict):
    """How much of the doubt the supports of one group can take away together."""

    name: str
    cap: Score


class MinuteBreaker(_Strict):
    """Automatic actions a minute in the whole cluster, by kind; what is left out follows from the day's."""

    label: Annotated[int, Field(ge=0)] | None = None
    remove: Annotated[int, Field(ge=0)] | None = None
    suspend: Annotated[int, Field(ge=0)] | None = None


class Breaker(_Strict):
    """Automatic actions a day in the whole cluster, by kind, and a minute; what comes above is held for review.

    Left out, a minute's cap is a twentieth of the day's, but at least 60 and at most the day's: a policy gone wrong
    needs twenty minutes to use up a large one, which is time enough to be told and to look.
    """

    label: Annotated[int, Field(ge=0)] = 20_000
    remove: Annotated[int, Field(ge=0)] = 5_000
    suspend: Annotated[int, Field(ge=0)] = 500
    minute: MinuteBreaker = MinuteBreaker()

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        for kind in get_args(ActionKind):
            own = getattr(self.minute, kind)
            if own is not None and own > getattr(self, kind):
                raise ValueError(f"minute.{kind} must not be above {kind}: a minute is part of its day")
        return self

    def cap(self, kind: str, window: str) -> int:
        """How many actions of a kind all partitions together may take in one `day` or `minute`."""
        day = int(getattr(self, kind))
        if window == "day":
            return day
        own = getattr(self.minute, kind)
        return min(day, max(MINUTE_LEAST, day // MINUTE_PART) if own is None else int(own))


class Learned(_Strict):
    """What follows from the trained models' probability that a text breaks the policy (see `worker.learned`).

    From `band` on, as the fast model has it, the second model is asked. Of what that one says, `review` sends to a
    person, and `label`, `remove` and `suspend` are the probabilities from which a violation may reach the first rung
    of the ladder with that kind of action; a kind that is left out is never reached on a model's word alone.
    `at_risk`: the texts speak of people in danger, who are helped and never punished.
    """

    band: Score
    review: Score
    label: Score | None = None
    remove: Score | None = None
    suspend: Score | None = None
    at_risk: bool = False

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """The kinds of action with their probabilities, mildest first."""
        kinds = (("label", self.label), ("remove", self.remove), ("suspend", self.suspend))
        return tuple((kind, least) for kind, least in kinds if least is not None)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        levels = [self.review, *(least for _, least in self.steps)]
        if any(below >= above for below, above in pairwise(levels)):
            raise ValueError("review, label, remove and suspend must rise: the stricter, the surer")
        if not 0.0 < self.review < 1.0 or levels[-1] >= 1.0:
            raise ValueError("probabilities lie between 0 and 1, both left out")
        if self.at_risk and self.steps:
            raise ValueError("a person at risk is helped: with at_risk give review alone")
        return self


class Policy(_Strict):
    """One policy file. The ladder is in ascending order of strictness: the last rung reached decides."""

    id: PolicyId
    version: Annotated[int, Field(ge=1, strict=True)]
    status: Status
    title: str
    clause: str  # the sentence of the Twitter Rules, as published
    source: Source
    summary: str
    languages: Annotated[tuple[str, ...], Field(min_length=1)]  # primary subtags; ("*",): any
    known_false_positives: Annotated[tuple[str, ...], Field(min_length=1)]
    threshold: Score  # a score at or above it is a violation
    review: Review
    ladder: Annotated[tuple[Rung, ...], Field(min_length=1)]
    dsa_category: Annotated[str, Field(pattern=r"^STATEMENT_CATEGORY_[A-Z_]+$")]
    dsa_keywords: tuple[Annotated[str, Field(pattern=r"^KEYWORD_[A-Z_]+$")], ...] = ()
    dsa_statement: bool = True  # whether its actions make statements of reasons (docs/statements.md)
    despite_at_risk: bool = False  # acts even where the writer may be in danger, because others are
    preserve_days: Annotated[int, Field(ge=0)] = 0  # how long its actions outlive the account's deletion
    breaker: Breaker = Breaker()
    strike_days: Annotated[int, Field(gt=0)] = 90
    learned: Learned | None = None
    parameters: dict[str, float] = {}
    fragments: dict[str, str] = {}
    terms: tuple[Terms, ...] = ()
    expressions: tuple[Expressions, ...] = ()
    findings: tuple[Finding, ...] = ()
    support: tuple[Support, ...] = ()
    excuses: tuple[Excuse, ...] = ()
    groups: tuple[Group, ...] = ()
    behaviour: tuple[Limit, ...] = ()
    coordination: tuple[Coordination, ...] = ()
    returns: tuple[Returns, ...] = ()

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.review.score > self.threshold:
            raise ValueError(
                "review.score must not be above threshold: doubt below a violation goes to review"
            )
        if self.ladder[0].score < self.threshold:
            raise ValueError(
                "the first rung's score must not be below threshold: only violations are acted on"
            )
        if self.ladder[0].score > self.threshold:
            raise ValueError(
                "the first rung's score must equal threshold: a violation without a rung does nothing"
            )
        for kind, _ in self.learned.steps if self.learned is not None else ():
            if self.first_rung(kind) is None:
                raise ValueError(f"learned.{kind}: no rung of the ladder has that as its strictest action")
        names = [finding.name for finding in self.findings]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two findings are called {', '.join(doubled)}")
        caps = {group.name for group in self.groups}
        for modifier in (*self.support, *self.excuses):
            if unknown := set(modifier.findings) - set(names):
                raise ValueError(f"{modifier.condition}: no finding is called {', '.join(sorted(unknown))}")
        conditions = {excuse.condition for excuse in self.excuses}
        for finding in self.findings:
            if unknown := set(finding.waives) - conditions:
                raise ValueError(
                    f"finding {finding.name} waives {', '.join(sorted(unknown))}, which is no excuse of this policy"
                )
            if "*" not in self.languages and (foreign := set(finding.languages) - set(self.languages)):
                raise ValueError(
                    f"finding {finding.name}: the policy does not cover {', '.join(sorted(foreign))}"
                )
        if unused := caps - {support.group for support in self.support}:
            raise ValueError(f"groups: no support belongs to {', '.join(sorted(unused))}")
        return self

    def first_rung(self, kind: str) -> Rung | None:
        """The first rung, for an account without strikes, whose strictest action is of this kind; None without one."""
        return next((r for r in self.ladder if not r.repeated and r.strictest == kind), None)

    def covers(self, lang: str | None) -> bool:
        """Whether a text in this language can be judged; an unknown language is judged."""
        return lang is None or lang == "und" or "*" in self.languages or lang in self.languages
