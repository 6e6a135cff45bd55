from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker.engine.helpers import PACK
from worker.engine.cases import Case
from worker.engine.lint import VALIDATORS, Sheet, line_of, lint, sheets
from worker.engine.policy import Expressions, Rung, Terms
from worker.engine.registry import Pack
from worker.engine.tomlfile import Problem


@pytest.fixture
def sheet(pack: Pack) -> Sheet:
    """The plain pack's first policy with cases enough and a clause long enough: nothing to find."""
    first = next(iter(sheets(pack)))
    expects = ["violation"] * 3 + ["clear"] * 3 + ["abstain"]
    cases = tuple(
        Case(name=f"case {n}", text=f"text {n}", expect=expect, why="as an example")  # type: ignore[arg-type]  # of the literals
        for n, expect in enumerate(expects)
    )
    clean = replace(first, cases=cases)
    return _with(clean, clause="You may not zap anybody, ever.")


def _with(sheet: Sheet, **changes: Any) -> Sheet:
    return replace(sheet, policy=sheet.policy.model_copy(update=changes))


def _reasons(name: str, sheet: Sheet) -> list[str]:
    return [problem.reason for problem in VALIDATORS[name](sheet)]


@pytest.mark.parametrize("name", VALIDATORS)
def test_a_good_policy_passes_every_validator(name: str, sheet: Sheet) -> None:
    assert _reasons(name, sheet) == []


@pytest.mark.parametrize("name", VALIDATORS)
def test_every_validator_says_why_it_is_there(name: str) -> None:
    assert VALIDATORS[name].__doc__


def test_findings_carry_the_name_of_their_validator(pack: Pack) -> None:
    found = lint(pack)
    assert {finding.validator for finding in found} == {"clause-missing", "too-few-cases"}
    assert str(found[0]).endswith("[clause-missing]")
    assert found[0].problem.file == PACK / "violence" / "policy.toml"
    assert found[0].problem.line == 5


def test_clause_missing(sheet: Sheet) -> None:
    assert len(_reasons("clause-missing", _with(sheet, clause="Violence"))) == 1


def test_source_not_a_link(sheet: Sheet) -> None:
    source = sheet.policy.source.model_copy(update={"url": "the rules"})
    assert len(_reasons("source-not-a-link", _with(sheet, source=source))) == 1


def test_no_known_false_positives(sheet: Sheet) -> None:
    assert len(_reasons("no-known-false-positives", _with(sheet, known_false_positives=("one", " ")))) == 1


def test_threshold_extreme(sheet: Sheet) -> None:
    review = sheet.policy.review.model_copy(update={"score": 0.0})
    assert len(_reasons("threshold-extreme", _with(sheet, threshold=0.0, review=review))) == 2


def test_unknown_dsa_code(sheet: Sheet) -> None:
    assert _reasons("unknown-dsa-code", _with(sheet, dsa_keywords=("KEYWORD_OTHER",))) == []
    assert _reasons("unknown-dsa-code", _with(sheet, dsa_category="STATEMENT_CATEGORY_RUDENESS")) == [
        "dsa_category: there is no STATEMENT_CATEGORY_RUDENESS"
    ]
    assert _reasons("unknown-dsa-code", _with(sheet, dsa_keywords=("KEYWORD_NUDITY",))) == [
        "dsa_keywords: KEYWORD_NUDITY does not belong to STATEMENT_CATEGORY_VIOLENCE"
    ]


def test_refused_by_hyperscan(sheet: Sheet) -> None:
    pytest.importorskip("hyperscan")
    sheet = replace(sheet, compiled=False)
    anchored = Expressions(name="plain.remove", patterns=("(?:zip$|zap) now",), source="made up")
    fine = Expressions(name="plain.remove", patterns=("zip",), source="made up")
    assert _reasons("refused-by-hyperscan", _with(sheet, expressions=(fine,))) == []
    (reason,) = _reasons("refused-by-hyperscan", _with(sheet, expressions=(anchored,)))
    assert reason.startswith("plain.remove: Hyperscan refuses it: ")


def _rung(kind: str, score: float, strikes: int = 0) -> Rung:
    action = {"label": {"label": "misleading"}, "remove": {}, "suspend": {"mode": "suspended"}}[kind]
    return Rung.model_validate(
        {"score": score, "active_strikes": strikes, "actions": [{"kind": kind, **action}], "strikes": 1}
    )


def test_ladder_order(sheet: Sheet) -> None:
    ladder = (_rung("remove", 0.7), _rung("label", 0.9))
    problems = list(VALIDATORS["ladder-order"](_with(sheet, ladder=ladder)))
    assert [problem.reason[:15] for problem in problems] == ["ladder: rung 2 "]
    assert problems[0].line == line_of(sheet.policy_text, "[[ladder]]", "[[ladder]]")


def test_ladder_unreachable(sheet: Sheet) -> None:
    ladder = (_rung("label", 0.7), _rung("remove", 0.9), _rung("suspend", 0.8))
    assert [reason[:15] for reason in _reasons("ladder-unreachable", _with(sheet, ladder=ladder))] == [
        "ladder: rung 2 "
    ]
    strikes = (_rung("label", 0.7), _rung("remove", 0.9), _rung("suspend", 0.8, strikes=3))
    assert _reasons("ladder-unreachable", _with(sheet, ladder=strikes)) == []


@pytest.mark.parametrize(
    ("rung", "later", "unused"),
    [
        ({"same_policy_strikes": 3}, {"same_policy_strikes": 3}, True),
        ({"same_policy_strikes": 3}, {"active_strikes": 3}, True),  # what counts for one counts in all
        ({"active_strikes": 3}, {"same_policy_strikes": 3}, False),
        ({"active_strikes": 4, "same_policy_strikes": 3}, {"same_policy_strikes": 2}, False),
        ({"active_strikes": 4, "same_policy_strikes": 3}, {"active_strikes": 4, "same_policy_strikes": 2}, True),
        ({}, {"same_policy_strikes": 1}, True),  # reached by its own strike
        ({}, {"same_policy_strikes": 2}, False),
    ],
)  # fmt: skip
def test_ladder_unreachable_by_strikes(
    sheet: Sheet, rung: dict[str, int], later: dict[str, int], unused: bool
) -> None:
    ladder = (_rung("remove", 0.7).model_copy(update=rung), _rung("suspend", 0.7).model_copy(update=later))
    assert bool(_reasons("ladder-unreachable", _with(sheet, ladder=ladder))) is unused


@pytest.mark.parametrize(("hours", "wrong"), [(None, 1), (11, 1), (12, 0), (168, 0), (169, 1)])
def test_read_only_time(sheet: Sheet, hours: int | None, wrong: int) -> None:
    action = {"kind": "suspend", "mode": "read_only", "duration_hours": hours}
    rung = Rung.model_validate({"score": 0.7, "actions": [action]})
    assert len(_reasons("read-only-time", _with(sheet, ladder=(rung,)))) == wrong


def test_unused_signal(sheet: Sheet) -> None:
    needs = sheet.needs - {"plain.remove"}
    problems = list(VALIDATORS["unused-signal"](replace(sheet, needs=needs)))
    assert [problem.reason for problem in problems] == [
        'signal "plain.remove" is declared but rule.py does not need it'
    ]
    assert problems[0].line == line_of(sheet.policy_text, '"plain.remove"')


def test_foreign_signal(sheet: Sheet) -> None:
    reasons = _reasons("foreign-signal", replace(sheet, needs=sheet.needs | {"shadow.word"}))
    assert reasons == ['needs the signal "shadow.word", which only illegal-goods declares']


def test_unused_fragment(sheet: Sheet) -> None:
    assert _reasons("unused-fragment", _with(sheet, fragments={"you": "(?:you|u)"})) == [
        'fragment "you" is never used'
    ]
    nested = {"you": "(?:you|u)", "all": "{{you}} all"}
    assert _reasons("unused-fragment", _with(sheet, fragments=nested)) == ['fragment "all" is never used']


def _terms(*terms: str, **fields: Any) -> Terms:
    return Terms(name="plain.remove", terms=terms, source="made up", **fields)


def test_duplicate_term(sheet: Sheet) -> None:
    reasons = _reasons("duplicate-term", _with(sheet, terms=(_terms("zap", "ZAP"),)))
    assert reasons == ['signal "plain.remove": "ZAP" is there already as "zap"']


def test_a_duplicate_in_a_list_is_named_by_the_lists_line(sheet: Sheet) -> None:
    listed = replace(
        _with(sheet, terms=(_terms(file="words.txt"),)), lists={"words.txt": "# words\nzap\n\nzap # again\n"}
    )
    problems = list(VALIDATORS["duplicate-term"](listed))
    assert [(problem.file.name, problem.line) for problem in problems] == [("words.txt", 4)]


def test_term_never_matches(sheet: Sheet) -> None:
    reasons = _reasons("term-never-matches", _with(sheet, terms=(_terms("zap", "unknownword"),)))
    assert reasons == ['signal "plain.remove": "unknownword" does not match even itself once folded']


def test_fires_on_neutral_text(sheet: Sheet) -> None:
    class Everything:
        fired = frozenset({"plain.remove"})

    class Bank:
        def measure(self, subjects: list[Any]) -> list[Everything]:
            return [Everything() for _ in subjects]

    reasons = _reasons("fires-on-neutral-text", replace(sheet, bank=Bank()))  # type: ignore[arg-type]  # all that it uses
    assert len(reasons) == 1
    assert '"plain.remove"' in reasons[0]


def test_cases_unreadable(sheet: Sheet) -> None:
    broken = Problem(Path("cases.toml"), None, "cannot be read: No such file or directory")
    assert _reasons("cases-unreadable", replace(sheet, cases_problems=(broken,))) == [broken.reason]


def test_too_few_cases(sheet: Sheet) -> None:
    assert _reasons("too-few-cases", replace(sheet, cases=sheet.cases[:4])) == [
        '1 cases expect "clear", at least 3 are needed',
        '0 cases expect "abstain", at least 1 are needed',
    ]


def _changed(sheet: Sheet, **changes: Any) -> Sheet:
    return replace(sheet, cases=(*sheet.cases[:-1], sheet.cases[-1].model_copy(update=changes)))


def test_case_without_why(sheet: Sheet) -> None:
    assert len(_reasons("case-without-why", _changed(sheet, why=" . "))) == 1


def test_case_duplicate_name(sheet: Sheet) -> None:
    assert len(_reasons("case-duplicate-name", _changed(sheet, name="case 0"))) == 1


def test_case_duplicate_post(sheet: Sheet) -> None:
    assert _reasons("case-duplicate-post", _changed(sheet, text="text 0")) == [
        '"case 6": the same post as "case 0"'
    ]
    assert _reasons("case-duplicate-post", _changed(sheet, text="text 0", lang="de")) == []


def test_lines_are_found_one_after_the_other() -> None:
    text = "a\nb\na\nc\na\n"
    assert line_of(text, "a") == 1
    assert line_of(text, "a", "a") == 3
    assert line_of(text, "c", "a") == 5
    assert line_of(text, "missing") is None
    assert line_of(text, "b", "missing") == 2
