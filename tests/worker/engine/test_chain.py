from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.worker.engine.helpers import START
from worker.engine.chain import MAX_EVIDENCE, Chain, Judgement
from worker.engine.contract import ABSTAIN, CLEAR, Evidence, Outcome, RuleContext, Subject, Verdict
from worker.engine.registry import LoadedPolicy, Pack
from worker.signals.view import Discourse, Hit, Signals

SPAN = Evidence("made.word", "text", 0, 3, 0.9)
FIRES = Verdict(Outcome.VIOLATION, 0.9, (SPAN,))


@dataclass
class Rule:
    """Says what it is told to say, or raises it."""

    answer: Any
    needs: frozenset[str] = frozenset({"made.word"})

    def evaluate(self, subject: Subject, signals: Signals, context: RuleContext) -> Verdict:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return cast(Verdict, self.answer)


@dataclass
class Measured:
    """Signals that are given."""

    fired: frozenset[str] = frozenset({"made.word"})
    failed: frozenset[str] = frozenset()
    uncovered: frozenset[str] = frozenset()
    lang: str | None = "en"
    found: dict[str, list[Hit]] = field(default_factory=dict)

    def hits(self, *names: str) -> list[Hit]:
        return [hit for name in names for hit in self.found.get(name, [])]

    def text(self, field: str = "text", variant: int = 0) -> str:
        return ""

    def sentence(self, hit: Hit) -> tuple[int, int]:
        return 0, 0

    def discourse(self, hit: Hit) -> Discourse:
        return Discourse()

    def evidence(self, hit: Hit, *, score: float | None = None, detail: str | None = None) -> Evidence:
        return Evidence(hit.signal, hit.field, hit.start, hit.end, hit.score)


def subject(text: str = "zap", lang: str | None = "en") -> Subject:
    return Subject("post", "1", "u1", {"text": text} if text else {}, lang)


Load = Callable[..., LoadedPolicy]


@pytest.fixture
def load(pack: Pack) -> Load:
    """A policy in English with threshold 0.7 and review from 0.4, and a rule that gives this answer."""

    def make(answer: Any, *, gate: frozenset[str] | None = None, **policy: Any) -> LoadedPolicy:
        rule = Rule(answer)
        model = pack.policies[0].policy.model_copy(update=policy)
        return LoadedPolicy(model, cast(Any, rule), Path("made"), gate if gate is not None else rule.needs)

    return make


def judge(
    loaded: LoadedPolicy, signals: Measured | None = None, about: Subject | None = None, **options: Any
) -> Judgement:
    (judgement,) = Chain([loaded], **options).run(about or subject(), signals or Measured(), START)
    return judgement


def test_a_violation_is_passed_on_with_its_score_and_evidence(load: Load) -> None:
    judgement = judge(load(FIRES))
    assert (judgement.outcome, judgement.score, judgement.evidence) == ("violation", 0.9, (SPAN,))
    assert (judgement.doubtful, judgement.uncovered, judgement.enforced) == (False, False, True)


def test_a_violation_below_the_threshold_is_a_doubt(load: Load) -> None:
    judgement = judge(load(replace(FIRES, score=0.69)))
    assert (judgement.outcome, judgement.doubtful) == ("clear", True)


def test_a_clear_verdict_with_a_high_score_is_a_doubt(load: Load) -> None:
    judgement = judge(load(Verdict(Outcome.CLEAR, 0.95)))
    assert (judgement.outcome, judgement.doubtful) == ("clear", True)


@pytest.mark.parametrize(("score", "doubtful"), [(0.39, False), (0.4, True)])
def test_the_review_band_begins_at_its_score(load: Load, score: float, doubtful: bool) -> None:
    assert judge(load(Verdict(Outcome.CLEAR, score))).doubtful is doubtful


def test_a_rule_that_raises_fails_alone(load: Load) -> None:
    chain = Chain([load(ValueError("with the text of a post")), load(FIRES)])
    failed, fired = chain.run(subject(), Measured(), START)
    assert (failed.outcome, fired.outcome) == ("failed", "violation")
    (item,) = failed.evidence
    assert "ValueError" in item.detail
    assert "text of a post" not in repr(failed.evidence)


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        "violation",
        Verdict(cast(Outcome, "violation"), 0.9, (SPAN,)),
        Verdict(Outcome.CLEAR, 1.01),
        Verdict(Outcome.CLEAR, -0.1),
        Verdict(Outcome.CLEAR, float("nan")),
        Verdict(Outcome.VIOLATION, 0.9),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, score=1.5),)),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, score=float("nan")),)),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, start=-1),)),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, start=2, end=1),)),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, end=None),)),
        Verdict(Outcome.VIOLATION, 0.9, (replace(SPAN, end=4),)),
        Verdict(Outcome.VIOLATION, 0.9, cast(Any, ("made.word",))),
    ],
)
def test_nonsense_from_a_rule_is_a_failure_and_no_verdict(load: Load, nonsense: Any) -> None:
    assert judge(load(nonsense)).outcome == "failed"


def test_evidence_may_lie_in_what_the_post_answers_or_have_no_place(load: Load) -> None:
    elsewhere = replace(SPAN, field="in_reply_to.text", end=500)
    nowhere = replace(SPAN, start=None, end=None)
    assert judge(load(replace(FIRES, evidence=(elsewhere, nowhere)))).outcome == "violation"


def test_evidence_is_bounded(load: Load) -> None:
    assert len(judge(load(replace(FIRES, evidence=(SPAN,) * 50))).evidence) == MAX_EVIDENCE


def test_a_failed_signal_that_a_rule_needs_makes_it_fail_and_others_not(load: Load) -> None:
    loaded = load(FIRES)
    assert judge(loaded, Measured(failed=frozenset({"made.word"}))).outcome == "failed"
    assert judge(loaded, Measured(failed=frozenset({"made.other"}))).outcome == "violation"


def test_a_failed_signal_is_a_failure_even_where_nothing_fired(load: Load) -> None:
    assert judge(load(CLEAR), Measured(frozenset(), frozenset({"made.word"}))).outcome == "failed"


def test_a_rule_is_not_asked_when_nothing_that_it_waits_for_fired(load: Load) -> None:
    loaded = load(RuntimeError("was asked"), gate=frozenset({"made.gate"}))
    assert judge(loaded).outcome == "clear"
    assert not judge(loaded).asked
    assert judge(loaded, Measured(frozenset({"made.gate"}))).outcome == "failed"


def test_a_post_without_a_text_cannot_be_cleared(load: Load) -> None:
    assert judge(load(FIRES), Measured(frozenset()), subject("")).outcome == "abstain"


def test_an_uncovered_language_is_neither_cleared_nor_convicted(load: Load) -> None:
    german = subject(lang="de")
    signals = Measured(uncovered=frozenset({"made.word"}))
    quiet = judge(load(FIRES), Measured(frozenset()), german)
    assert (quiet.outcome, quiet.uncovered, quiet.doubtful) == ("abstain", True, False)
    fired = judge(load(FIRES), signals, german)
    assert (fired.outcome, fired.uncovered, fired.doubtful, fired.score) == ("abstain", True, True, 0.9)
    clear = judge(load(Verdict(Outcome.CLEAR, 0.1, (SPAN,))), Measured(), german)
    assert (clear.outcome, clear.uncovered, clear.doubtful) == ("abstain", True, False)


def test_what_a_signal_for_any_language_shows_convicts_in_any(load: Load) -> None:
    assert judge(load(FIRES), Measured(), subject(lang="de")).outcome == "violation"


@pytest.mark.parametrize("lang", [None, "en"])
def test_an_unknown_language_is_judged(load: Load, lang: str | None) -> None:
    assert judge(load(FIRES), None, subject(lang=lang)).outcome == "violation"


def test_a_rule_may_abstain(load: Load) -> None:
    judgement = judge(load(ABSTAIN))
    assert (judgement.outcome, judgement.uncovered, judgement.doubtful) == ("abstain", False, False)


def test_drafts_run_only_where_asked_for_and_never_count(load: Load) -> None:
    loaded = load(FIRES, status="draft")
    assert Chain([loaded]).run(subject(), Measured(), START) == ()
    judgement = judge(loaded, drafts=True)
    assert (judgement.outcome, judgement.enforced) == ("violation", False)


@pytest.mark.parametrize("drafts", [False, True])
def test_retired_policies_never_run(load: Load, drafts: bool) -> None:
    assert Chain([load(FIRES, status="retired")], drafts=drafts).policies == ()


def test_the_quiet_answer_is_what_running_all_rules_would_give(load: Load) -> None:
    chain = Chain([load(FIRES), load(FIRES, languages=("*",))])
    for lang in (None, "en", "de"):
        for text in ("", "hello"):
            about = subject(text, lang)
            one_by_one = tuple(judge(loaded, Measured(frozenset()), about) for loaded in chain.policies)
            assert chain.quiet(lang, bool(about.fields)) == one_by_one


def test_languages_from_outside_fill_a_bounded_memory(load: Load) -> None:
    chain = Chain([load(FIRES)])
    for number in range(3_000):
        chain.quiet(f"x{number}", True)
    assert len(chain._quiet) <= 1_000
    assert chain.quiet("x2999", True)[0].uncovered
