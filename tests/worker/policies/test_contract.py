"""One contract for every rule of the default pack, whatever it is about."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.engine.cases import CASE_TIME, read_cases
from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Outcome, RuleContext, Subject, Verdict
from worker.engine.policy import Policy
from worker.engine.registry import DEFAULT_PACK, LoadedPolicy, Pack
from worker.signals.canonical import canonicalise
from worker.signals.scanner import Expressions, hyperscan

FOLDERS = sorted(path.parent.name for path in DEFAULT_PACK.glob("*/policy.toml"))
CONTEXT = RuleContext(CASE_TIME)

# Bidi controls, stacked accents, joiners, look-alikes, other planes, separators, half an emoji, blanks of all kinds.
HOSTILE = (
    "\u202ei will kill you\u202c",
    "k\u0336i\u0336l\u0336l\u0336 " + "a" + "\u0301" * 500,
    "\u200b\u200c\u200d\u2060\ufeff" * 50 + "kill\u200byou",
    "𝐤𝐢𝐥𝐥 𝔂𝓸𝓾 ⓚⓘⓛⓛ ｋｉｌｌ кіll",
    "👨‍👩‍👧‍👦🏳️‍🌈🇺🇳\U0001f3fb" * 20,
    "\x00\x01\x1b[31m\x7f\x85\u2028\u2029",
    "ﷺ" * 300,
    "İıßſﬀǰΐ" * 50,
    "\U0010ffff\U000e0041\U000e007f\uffff",
    "\t \u00a0\u3000\n" * 200,
    "k" * 3_000,
    "k.i.l.l " * 300,
    "4155550123 " * 100,
    '"' * 2_000 + "> > > RT @a: ",
    "((((((" * 300,
    "@a " * 500 + "#b " * 500,
    "a.b@c.d " * 300,
    "http://" * 400,
)
HUGE = (
    "I will kill you tomorrow at 5pm. " * 3_100,
    "k1ll k.i.l.l f*ck +1 415 555 0123 " * 3_000,
    "a" * 100_000,
    "a " * 50_000,
    "1" * 100_000,
    "5 " * 50_000,
    "é\u0301" * 25_000,
    ".-_" * 33_000,
    "kill" * 25_000,
    "12 Oak Street, Springfield " * 3_700,
)
HUGE_CPU_SECONDS = 2.0  # of measuring and of all rules together, for one text of 100 kB


@pytest.fixture(scope="session")
def chain(default_pack: Pack) -> Chain:
    return Chain(default_pack.policies, drafts=True)


@pytest.fixture(scope="session")
def case_subjects(default_pack: Pack) -> list[Subject]:
    """The posts and profiles of all cases: what the rules are made for, and what the others' are."""
    return [case.subject() for loaded in default_pack.policies for case in read_cases(loaded).case]


@pytest.fixture(params=FOLDERS)
def loaded(request: pytest.FixtureRequest, default_pack: Pack) -> LoadedPolicy:
    """Each policy of the pack in turn."""
    return next(one for one in default_pack.policies if one.folder.name == request.param)


def texts(*values: str, lang: str | None = "en") -> list[Subject]:
    return [Subject("post", str(n), "u1", {"text": t} if t else {}, lang) for n, t in enumerate(values)]


def verdicts(pack: Pack, loaded: LoadedPolicy, subjects: Sequence[Subject]) -> list[Verdict]:
    """What the rule itself says, without the chain that would contain a failure."""
    measured = pack.signals.measure(subjects)
    return [
        loaded.rule.evaluate(subject, signals, CONTEXT)
        for subject, signals in zip(subjects, measured, strict=True)
    ]


def assert_sound(policy: Policy, subject: Subject, verdict: Verdict | Judgement) -> None:
    """What STYLE's contract says of every verdict."""
    assert 0.0 <= verdict.score <= 1.0
    if verdict.outcome == "violation":
        assert verdict.evidence
        assert verdict.score >= policy.threshold
    places = [(item.field, -1 if item.start is None else item.start) for item in verdict.evidence]
    assert places == sorted(places)
    for item in verdict.evidence:
        assert 0.0 <= item.score <= 1.0
        assert len(item.detail) <= 256
        assert (item.start is None) == (item.end is None)
        if item.start is None or item.end is None:
            continue
        received = _field(subject, item.field)
        assert 0 <= item.start < item.end <= len(received)


def _field(subject: Subject, path: str) -> str:
    if path in subject.fields:
        return subject.fields[path]
    assert subject.post is not None
    other = {"in_reply_to.text": subject.post.in_reply_to, "quotes.text": subject.post.quotes}[path]
    assert other is not None
    return other.text or ""


def test_the_same_post_gets_the_same_verdict(
    default_pack: Pack, loaded: LoadedPolicy, case_subjects: list[Subject]
) -> None:
    first = verdicts(default_pack, loaded, case_subjects)
    again = verdicts(default_pack, loaded, list(reversed(case_subjects)))
    assert first == list(reversed(again))


def test_verdicts_on_all_cases_are_sound(
    default_pack: Pack, loaded: LoadedPolicy, case_subjects: list[Subject]
) -> None:
    found = verdicts(default_pack, loaded, case_subjects)
    for subject, verdict in zip(case_subjects, found, strict=True):
        assert isinstance(verdict.outcome, Outcome)
        assert_sound(loaded.policy, subject, verdict)


def test_what_a_rule_needs_is_measured_and_its_gate_is_a_part_of_it(
    default_pack: Pack, loaded: LoadedPolicy
) -> None:
    assert loaded.rule.needs
    limits = {limit.name for each in default_pack.policies for limit in each.policy.behaviour}
    assert loaded.rule.needs <= default_pack.signals.names | limits
    assert loaded.gate
    assert loaded.gate <= loaded.rule.needs


def test_without_its_gate_a_rule_has_nothing_to_say(
    default_pack: Pack, loaded: LoadedPolicy, case_subjects: list[Subject]
) -> None:
    """The chain does not ask a rule whose gate is quiet, so that must never lose a violation."""
    measured = default_pack.signals.measure(case_subjects)
    for subject, signals in zip(case_subjects, measured, strict=True):
        if signals.fired.isdisjoint(loaded.gate):
            assert loaded.rule.evaluate(subject, signals, CONTEXT).outcome is not Outcome.VIOLATION


def test_a_rule_does_not_fire_on_an_empty_post(default_pack: Pack, loaded: LoadedPolicy) -> None:
    for verdict in verdicts(default_pack, loaded, texts("", " ", "\n", "\u200b")):
        assert verdict.outcome is not Outcome.VIOLATION
        assert verdict.score == 0.0


def test_hostile_texts_are_judged_soundly(default_pack: Pack, chain: Chain) -> None:
    for lang in ("en", None, "ar"):
        subjects = texts(*HOSTILE, lang=lang)
        for subject, signals in zip(subjects, default_pack.signals.measure(subjects), strict=True):
            assert not signals.failed
            for judgement in chain.run(subject, signals, CASE_TIME):
                assert judgement.outcome != "failed"
                assert_sound(judgement.loaded.policy, subject, judgement)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["kill", "you", "i will", "415-555-0123", "lives at", "12 oak street", "\n", "“"]
            ),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        ),
        max_size=12,
    )
)
def test_any_text_is_judged_soundly(default_pack: Pack, chain: Chain, pieces: list[str]) -> None:
    (subject,) = texts(" ".join(pieces))
    (signals,) = default_pack.signals.measure([subject])
    assert not signals.failed
    for judgement in chain.run(subject, signals, CASE_TIME):
        assert judgement.outcome != "failed"
        assert_sound(judgement.loaded.policy, subject, judgement)


@pytest.mark.parametrize("number", range(len(HUGE)))
def test_a_text_of_100_kb_is_judged_within_its_budget(default_pack: Pack, chain: Chain, number: int) -> None:
    (subject,) = texts(HUGE[number])
    start = time.process_time()
    (signals,) = default_pack.signals.measure([subject])
    judgements = chain.run(subject, signals, CASE_TIME)
    spent = time.process_time() - start
    assert spent < HUGE_CPU_SECONDS
    assert not signals.failed
    for judgement in judgements:
        assert judgement.outcome != "failed"
        assert_sound(judgement.loaded.policy, subject, judgement)


def test_a_record_time_decides_nothing_that_the_record_does_not_say(
    default_pack: Pack, loaded: LoadedPolicy, case_subjects: list[Subject]
) -> None:
    """Judged a microsecond later, a text is what it was."""
    later = RuleContext(CASE_TIME + timedelta(microseconds=1))
    for subject, signals in zip(case_subjects, default_pack.signals.measure(case_subjects), strict=True):
        assert loaded.rule.evaluate(subject, signals, CONTEXT) == loaded.rule.evaluate(
            subject, signals, later
        )


@pytest.mark.skipif(hyperscan is None, reason="needs the Hyperscan wheel, which this platform has not")
def test_both_backends_find_the_same_in_the_texts_of_all_cases(
    default_pack: Pack, case_subjects: list[Subject]
) -> None:
    bank = default_pack.signals
    # The bank's own compiled expressions, those of its detectors too: compiling all once more would take as long.
    for fast in (bank._expressions, bank._context):
        plain = Expressions(fast.patterns, backend="re2")
        if fast.patterns:
            assert (fast.backend, plain.backend) == ("hyperscan", "re2")
        for subject in case_subjects:
            for received in subject.fields.values():
                for text in canonicalise(received).variants:
                    assert fast.scan(text.encode()) == plain.scan(text.encode())
