"""Checks a loaded pack beyond what it needs to run: small named validators, each with one concern.

A validator takes a `Sheet` (one policy with its files' texts) and yields what is wrong. Adding one is a
function decorated with `@validator("name")`; the name is what a person looks up, so it never changes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from worker.engine.cases import Case, read_cases
from worker.engine.contract import Subject
from worker.engine.decide import strength
from worker.engine.dsa import KEYWORDS
from worker.engine.policy import Expressions, Policy, Rung, Terms
from worker.engine.registry import LoadedPolicy, Pack
from worker.engine.timelines import FILE as TIMELINES
from worker.engine.timelines import timelines_of
from worker.engine.tomlfile import PackError, Problem
from worker.signals.bank import SignalBank
from worker.signals.canonical import canonicalise
from worker.signals.scanner import hyperscan_refusal
from worker.signals.sources import BankSource, policy_patterns
from worker.signals.terms import locate

MINIMUM_CASES = {"violation": 3, "clear": 3, "abstain": 1}  # STYLE: what proves a policy at the least
MINIMUM_TIMELINES = {"violation": 3, "clear": 3}
_SHORTEST_CLAUSE = 20  # code points; anything shorter is a title, not a quoted sentence
_NEUTRAL = (
    "",
    "a",
    "The weather is nice today.",
    "We had soup and bread, then took the bus home at six.",
    "Good morning everyone!",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault that a named validator found."""

    validator: str
    problem: Problem

    def __str__(self) -> str:
        return f"{self.problem} [{self.validator}]"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One policy as its validators see it: the model, the texts it came from, and the pack's signals.

    `declared` maps every policy-owned signal of the pack to the ids of the policies that declare it.
    """

    policy: Policy
    needs: frozenset[str]
    policy_file: Path
    policy_text: str
    rule_file: Path
    rule_text: str
    cases_file: Path
    cases_text: str
    cases: tuple[Case, ...]
    cases_problems: tuple[Problem, ...]
    lists: Mapping[str, str]
    bank: SignalBank
    declared: Mapping[str, frozenset[str]]
    compiled: bool = False  # the pack was loaded with Hyperscan, which took every pattern

    def at(self, reason: str, *needles: str) -> Problem:
        """A problem in policy.toml, on the line where these words stand (each after the one before)."""
        return Problem(self.policy_file, line_of(self.policy_text, *needles), reason)

    def at_case(self, reason: str, *needles: str) -> Problem:
        """A problem in cases.toml."""
        return Problem(self.cases_file, line_of(self.cases_text, *needles), reason)

    def terms_of(self, declared: Terms) -> list[tuple[str, Path, int | None]]:
        """The terms of a signal with the file and line of each, from policy.toml and from its list."""
        found: list[tuple[str, Path, int | None]] = [
            (term, self.policy_file, line_of(self.policy_text, f'"{declared.name}"', f'"{term}"'))
            for term in declared.terms
        ]
        if declared.file is not None:
            path = self.policy_file.parent / declared.file
            for number, line in enumerate(self.lists.get(declared.file, "").splitlines(), 1):
                term = line.partition("#")[0].strip()
                if term:
                    found.append((term, path, number))
        return found


Validator = Callable[[Sheet], Iterator[Problem]]
VALIDATORS: dict[str, Validator] = {}


def validator(name: str) -> Callable[[Validator], Validator]:
    """Registers a validator under the name that its findings carry."""

    def register(check: Validator) -> Validator:
        VALIDATORS[name] = check
        return check

    return register


def lint(pack: Pack) -> list[Finding]:
    """Every finding of every validator, by policy in the contract's order, then by validator."""
    return [
        Finding(name, problem)
        for sheet in sheets(pack)
        for name, check in VALIDATORS.items()
        for problem in check(sheet)
    ]


def sheets(pack: Pack) -> Iterator[Sheet]:
    """The pack's policies with the texts of their files; a file that is missing reads as empty."""
    declared: dict[str, set[str]] = {}
    for loaded in pack.policies:
        for signal in _signals(loaded.policy):
            declared.setdefault(signal.name, set()).add(loaded.policy.id)
    owners = {name: frozenset(ids) for name, ids in declared.items()}
    # Without the gates: each term and expression is tried alone, whether or not a rule would be asked.
    needs = frozenset().union(*(loaded.rule.needs for loaded in pack.policies))
    bank = SignalBank(pack.policies, backend="re2", needs=needs)
    for loaded in pack.policies:
        yield replace(_sheet(loaded, bank, owners), compiled=pack.signals.backend == "hyperscan")


def _sheet(loaded: LoadedPolicy, bank: SignalBank, declared: Mapping[str, frozenset[str]]) -> Sheet:
    cases, problems = _cases(loaded)
    policy_file, rule_file = loaded.folder / "policy.toml", loaded.folder / "rule.py"
    files = {terms.file for terms in loaded.policy.terms if terms.file is not None}
    return Sheet(
        policy=loaded.policy,
        needs=frozenset(loaded.rule.needs),
        policy_file=policy_file,
        policy_text=_text(policy_file),
        rule_file=rule_file,
        rule_text=_text(rule_file),
        cases_file=loaded.cases_path,
        cases_text=_text(loaded.cases_path),
        cases=cases,
        cases_problems=problems,
        lists={name: _text(loaded.folder / name) for name in sorted(files)},
        bank=bank,
        declared=declared,
    )


def _signals(policy: Policy) -> tuple[Terms | Expressions, ...]:
    return (*policy.terms, *policy.expressions)


def _cases(loaded: LoadedPolicy) -> tuple[tuple[Case, ...], tuple[Problem, ...]]:
    try:
        return read_cases(loaded).case, ()
    except PackError as error:
        return (), error.problems


def _text(file: Path) -> str:
    """A file's text for looking up lines; that it is not UTF-8 is named by who reads it for its content."""
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def line_of(text: str, *needles: str) -> int | None:
    """The 1-based line on which the last of these words stands, each looked for from the one before on.

    The same word twice in a row means its next line; what cannot be found leaves the place before it.
    """
    lines = text.splitlines()
    place, before = -1, None
    for needle in needles:
        start = place + 1 if needle == before else max(place, 0)
        found = next((n for n in range(start, len(lines)) if needle in lines[n]), None)
        if found is None:
            break
        place, before = found, needle
    return place + 1 if place >= 0 else None


@validator("clause-missing")
def clause_missing(sheet: Sheet) -> Iterator[Problem]:
    """A removal must name its clause: the sentence itself, not a title."""
    if len(sheet.policy.clause.strip()) < _SHORTEST_CLAUSE:
        yield sheet.at("clause: quote the sentence of the Twitter Rules that this policy enforces", "clause")


@validator("source-not-a-link")
def source_not_a_link(sheet: Sheet) -> Iterator[Problem]:
    """Who doubts a clause must be able to read it where it was published."""
    if not sheet.policy.source.url.startswith("https://"):
        yield sheet.at("source.url: give the https address where the clause was read", "url")


@validator("no-known-false-positives")
def no_known_false_positives(sheet: Sheet) -> Iterator[Problem]:
    """A policy that knows no false positives has not been looked at."""
    if not all(entry.strip() for entry in sheet.policy.known_false_positives):
        yield sheet.at(
            "known_false_positives: an entry is empty; say what wrongly fires", "known_false_positives"
        )


@validator("threshold-extreme")
def threshold_extreme(sheet: Sheet) -> Iterator[Problem]:
    """At 0 every post violates, at a review score of 0 every post is queued."""
    if sheet.policy.threshold <= 0.0:
        yield sheet.at("threshold: at 0 every post is a violation", "threshold")
    if sheet.policy.review.score <= 0.0:
        yield sheet.at("review.score: at 0 every post goes to review", "[review]", "score")


@validator("unknown-dsa-code")
def unknown_dsa_code(sheet: Sheet) -> Iterator[Problem]:
    """The transparency database refuses a statement with a category or keyword that it does not know."""
    policy = sheet.policy
    known = KEYWORDS.get(policy.dsa_category)
    if known is None:
        yield sheet.at(f"dsa_category: there is no {policy.dsa_category}", "dsa_category")
        return
    for word in policy.dsa_keywords:
        if word not in known:
            yield sheet.at(f"dsa_keywords: {word} does not belong to {policy.dsa_category}", "dsa_keywords")


@validator("ladder-order")
def ladder_order(sheet: Sheet) -> Iterator[Problem]:
    """The last rung reached decides, so rungs must grow stricter."""
    ladder = sheet.policy.ladder
    for number, (before, after) in enumerate(itertools.pairwise(ladder), 2):
        if _strictness(after) < _strictness(before):
            yield sheet.at(
                f"ladder: rung {number} is milder than the one before it, yet decides over it",
                *["[[ladder]]"] * number,
            )


@validator("ladder-unreachable")
def ladder_unreachable(sheet: Sheet) -> Iterator[Problem]:
    """A rung that a later one always overrules does nothing."""
    ladder = sheet.policy.ladder
    for number, rung in enumerate(ladder, 1):
        if any(later.score <= rung.score and _implies(rung, later) for later in ladder[number:]):
            yield sheet.at(
                f"ladder: rung {number} is never used, a later rung is always reached with it",
                *["[[ladder]]"] * number,
            )


@validator("read-only-time")
def read_only_time(sheet: Sheet) -> Iterator[Problem]:
    """The published enforcement options know a read-only mode of 12 hours to 7 days."""
    for number, rung in enumerate(sheet.policy.ladder, 1):
        for action in rung.actions:
            if action.mode == "read_only" and not 12 <= (action.duration_hours or 0) <= 168:
                yield sheet.at(
                    f"ladder: rung {number}: read_only lasts from 12 to 168 hours", *["[[ladder]]"] * number
                )


def _implies(rung: Rung, later: Rung) -> bool:
    """Whether the strikes that reach one rung always reach a later one as well."""
    # A rung counts its own strikes with those before it, and strikes under this policy are among all.
    in_all, own = _before(later.active_strikes, later), _before(later.same_policy_strikes, later)
    if not later.repeated or 0 in (in_all, own):
        return True
    if not rung.repeated:
        return False
    needed, needed_own = _before(rung.active_strikes, rung), _before(rung.same_policy_strikes, rung)
    from_all = needed is None or (in_all is not None and in_all <= needed)
    from_own = needed_own is None or any(n is not None and n <= needed_own for n in (in_all, own))
    return from_all and from_own


def _before(strikes: int, rung: Rung) -> int | None:
    """How many strikes before a violation make up this number with its own; None where the rung gives no number."""
    return max(0, strikes - rung.strikes) if strikes else None


def _strictness(rung: Rung) -> tuple[int, int, int]:
    return max(strength(action) for action in rung.actions)


@validator("unused-signal")
def unused_signal(sheet: Sheet) -> Iterator[Problem]:
    """A signal that no rule reads costs a scan and misleads the reader."""
    own = _signals(sheet.policy)
    for name in dict.fromkeys(signal.name for signal in own):
        if name not in sheet.needs:
            yield sheet.at(f'signal "{name}" is declared but rule.py does not need it', f'"{name}"')


@validator("foreign-signal")
def foreign_signal(sheet: Sheet) -> Iterator[Problem]:
    """A rule that leans on another policy's list changes when that policy does, without a new version."""
    for name in sorted(sheet.needs):
        owners = sheet.declared.get(name, frozenset())
        if owners and sheet.policy.id not in owners:
            yield Problem(
                sheet.rule_file,
                line_of(sheet.rule_text, f'"{name}"'),
                f'needs the signal "{name}", which only {", ".join(sorted(owners))} declares',
            )


@validator("unused-limit")
def unused_limit(sheet: Sheet) -> Iterator[Problem]:
    """A limit that no finding is anchored on counts for nothing."""
    for limit in sheet.policy.behaviour:
        if limit.name not in sheet.needs:
            yield sheet.at(f'no finding is anchored on "{limit.name}"', "[[behaviour]]", f'"{limit.name}"')


@validator("duplicate-limit")
def duplicate_limit(sheet: Sheet) -> Iterator[Problem]:
    """Two limits with one name count under it together, and nobody can tell which was reached."""
    seen: set[str] = set()
    for limit in sheet.policy.behaviour:
        if limit.name in seen:
            yield sheet.at(f'another limit is called "{limit.name}"', *[f'name = "{limit.name}"'] * 2)
        seen.add(limit.name)


@validator("limit-waits-for-nothing")
def limit_waits_for_nothing(sheet: Sheet) -> Iterator[Problem]:
    """A limit that counts a signal that no rule needs never counts: it is not measured."""
    for limit in sheet.policy.behaviour:
        for name in limit.signals:
            if name not in sheet.needs:
                yield sheet.at(
                    f'"{limit.name}" counts the signal "{name}", which no rule needs', f'"{limit.name}"'
                )


@validator("timelines-unreadable")
def timelines_unreadable(sheet: Sheet) -> Iterator[Problem]:
    """Whoever has limits shows what they find, and what they leave alone."""
    try:
        timelines = timelines_of(sheet.policy_file.parent)
    except PackError as error:
        yield from error.problems
        return
    if not sheet.policy.behaviour:
        return
    counted = Counter[str](timeline.expect for timeline in timelines)
    for expect, least in MINIMUM_TIMELINES.items():
        if counted[expect] < least:
            yield Problem(
                sheet.policy_file.parent / TIMELINES,
                None,
                f'{counted[expect]} timelines expect "{expect}", at least {least} are needed',
            )


@validator("refused-by-hyperscan")
def refused_by_hyperscan(sheet: Sheet) -> Iterator[Problem]:
    """A pattern must run on both engines: who works on one policy with RE2 would not notice before the release."""
    if sheet.compiled:
        return
    source = policy_patterns(BankSource(sheet.policy, sheet.policy_file.parent))
    for pattern, written, entry in source.written():
        reason = hyperscan_refusal(pattern)
        if reason is not None:
            line = locate(source.text, written)
            yield Problem(sheet.policy_file, line, f"{entry.name}: Hyperscan refuses it: {reason}")


@validator("unused-fragment")
def unused_fragment(sheet: Sheet) -> Iterator[Problem]:
    """A fragment that no expression inserts is a leftover or a typo."""
    used = [pattern for signal in sheet.policy.expressions for pattern in signal.patterns]
    used += sheet.policy.fragments.values()
    for name in sheet.policy.fragments:
        if not any("{{" + name + "}}" in pattern for pattern in used):
            yield sheet.at(f'fragment "{name}" is never used', "[fragments]", name)


@validator("duplicate-term")
def duplicate_term(sheet: Sheet) -> Iterator[Problem]:
    """Two terms that fold to the same text are one term."""
    for declared in _by_name(sheet):
        seen: dict[str, str] = {}
        for term, file, line in declared[1]:
            folded = canonicalise(term).text
            if folded in seen:
                yield Problem(
                    file, line, f'signal "{declared[0]}": "{term}" is there already as "{seen[folded]}"'
                )
            seen.setdefault(folded, term)


def _by_name(sheet: Sheet) -> list[tuple[str, list[tuple[str, Path, int | None]]]]:
    terms: dict[str, list[tuple[str, Path, int | None]]] = {}
    for declared in sheet.policy.terms:
        terms.setdefault(declared.name, []).extend(sheet.terms_of(declared))
    return list(terms.items())


@validator("term-never-matches")
def term_never_matches(sheet: Sheet) -> Iterator[Problem]:
    """A term that does not fire on itself never fires: folding changed it, or it is only punctuation."""
    for name, terms in _by_name(sheet):
        subjects = [_subject(term, sheet.policy) for term, _, _ in terms]
        measured = sheet.bank.measure(subjects) if subjects else []
        for (term, file, line), signals in zip(terms, measured, strict=True):
            if name not in signals.fired:
                yield Problem(file, line, f'signal "{name}": "{term}" does not match even itself once folded')


@validator("fires-on-neutral-text")
def fires_on_neutral_text(sheet: Sheet) -> Iterator[Problem]:
    """An expression that matches everything (an empty branch, a stray `|`) drowns all others."""
    measured = sheet.bank.measure([_subject(text, sheet.policy) for text in _NEUTRAL])
    own = {signal.name for signal in _signals(sheet.policy)}
    for name in sorted(own & frozenset().union(*(signals.fired for signals in measured))):
        yield sheet.at(f'signal "{name}" fires on everyday text: look for an empty alternative', f'"{name}"')


def _subject(text: str, policy: Policy) -> Subject:
    lang = None if "*" in policy.languages else policy.languages[0]
    return Subject("post", "lint", "lint", {"text": text} if text else {}, lang)


@validator("cases-unreadable")
def cases_unreadable(sheet: Sheet) -> Iterator[Problem]:
    """Without cases nothing shows that the policy works."""
    yield from sheet.cases_problems


@validator("too-few-cases")
def too_few_cases(sheet: Sheet) -> Iterator[Problem]:
    """At least three cases that fire, three near misses that must not, one abstention."""
    counted = Counter[str](case.expect for case in sheet.cases)
    for expect, least in MINIMUM_CASES.items():
        if counted[expect] < least:
            yield Problem(
                sheet.cases_file,
                None,
                f'{counted[expect]} cases expect "{expect}", at least {least} are needed',
            )


@validator("case-without-why")
def case_without_why(sheet: Sheet) -> Iterator[Problem]:
    """A case without a reason cannot be judged by who has to change it."""
    for case in sheet.cases:
        if len(case.why.split()) < 2:
            yield sheet.at_case(
                f'"{case.name}": why must say, in words, what the case proves', f'"{case.name}"'
            )


@validator("case-duplicate-name")
def case_duplicate_name(sheet: Sheet) -> Iterator[Problem]:
    """Two cases with one name cannot be told apart in a report."""
    seen: set[str] = set()
    for case in sheet.cases:
        if case.name in seen:
            yield sheet.at_case(f'"{case.name}": another case has this name', *[f'"{case.name}"'] * 2)
        seen.add(case.name)


@validator("case-duplicate-post")
def case_duplicate_post(sheet: Sheet) -> Iterator[Problem]:
    """Two cases with the same post prove one thing, or contradict each other."""
    seen: dict[str, str] = {}
    for case in sheet.cases:
        post = repr(case.model_dump(exclude={"name", "why", "expect", "at_least", "evidence"}))
        if post in seen:
            yield sheet.at_case(f'"{case.name}": the same post as "{seen[post]}"', f'"{case.name}"')
        seen.setdefault(post, case.name)
