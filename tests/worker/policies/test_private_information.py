"""What the cases cannot show of `private-information`: evidence, context from replies and bios, other languages."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

import worker.policies.private_information.rule as rule_module
from schemas.posts import Post
from worker.engine.contract import Outcome, RuleContext, Verdict
from worker.engine.policy import Policy
from worker.engine.subjects import post_subject
from worker.policies.private_information.rule import Rule
from worker.signals.bank import BankSource, SignalBank

FOLDER = Path(rule_module.__file__).parent
NOW = RuleContext(datetime(2026, 11, 23, tzinfo=UTC))


@cache
def loaded() -> tuple[Rule, SignalBank]:
    """The rule and a bank with its signals alone."""
    policy = Policy.model_validate(tomllib.loads((FOLDER / "policy.toml").read_text("utf-8")))
    rule = Rule(policy)
    return rule, SignalBank([BankSource(policy, FOLDER)], backend="re2", needs=rule.needs)


def judge(text: str, **more: object) -> Verdict:
    """The verdict on a post with this text and further fields."""
    rule, bank = loaded()
    record = {
        "schema_version": 1,
        "post_id": "1",
        "author_id": "u1",
        "created_at": "2026-11-22T09:30:00Z",
        "text": text,
    }
    subject = post_subject(Post.model_validate(record | more))
    (signals,) = bank.measure([subject])
    return rule.evaluate(subject, signals, NOW)


def test_the_evidence_marks_the_number_and_never_repeats_it() -> None:
    text = "\u2728 her number is 212-555-0147, blow up her phone"
    verdict = judge(text)
    (phone,) = [item for item in verdict.evidence if item.signal == "contact.phone"]
    assert text[phone.start : phone.end] == "212-555-0147"
    assert phone.detail == "phone number, US"
    assert not any(char.isdigit() for item in verdict.evidence for char in item.detail)


@pytest.mark.parametrize("parent", ["what's her number?", "anyone know where he lives"])
def test_an_answer_to_a_request_is_a_disclosure(parent: str) -> None:
    bare = judge("212-555-0147")
    answer = judge("212-555-0147", surface="reply", in_reply_to={"post_id": "2", "text": parent})
    assert bare.outcome is Outcome.CLEAR
    assert answer.outcome is Outcome.VIOLATION


def test_an_answer_about_oneself_is_none() -> None:
    assert (
        judge("212-555-0147", in_reply_to={"post_id": "2", "text": "what's your number?"}).outcome
        is Outcome.CLEAR
    )


def test_only_a_dump_with_incitement_reaches_a_suspension() -> None:
    plain = judge(
        "here's his address: 118 Larkmoor Road, Fennelby. his number is 212-555-0147. make his life hell"
    )
    dump = judge(
        "Name: Tobin Hask\nAddress: 118 Larkmoor Road, Fennelby\nPhone: 212-555-0147\nHis job: Fernway Dental\nmake his life hell"
    )
    assert judge("her number is 212-555-0147, blow up her phone").score < 0.95
    assert dump.score >= 0.95
    assert plain.outcome is Outcome.VIOLATION


def test_a_card_without_an_owner_is_hidden_and_not_punished() -> None:
    rule, _ = loaded()
    verdict = judge("4539 0123 4509 8716")
    assert verdict.outcome is Outcome.VIOLATION
    reached = [
        rung for rung in rule._policy.ladder if verdict.score >= rung.score and rung.active_strikes == 0
    ]
    assert [action.kind for action in reached[-1].actions] == ["label"]
    assert reached[-1].strikes == 0


def test_a_private_message_weighs_less_than_a_post() -> None:
    text = "sure, her number is 212-555-0147"
    assert judge(text, surface="message").score < judge(text).score


def test_the_same_post_gives_the_same_verdict() -> None:
    text = "found his mom's facebook, facebook.com/oakmother77, she lives at 88 Wickerby Road. go get him"
    assert judge(text) == judge(text)


@pytest.mark.parametrize(
    "text", ["", "\u0000", "her number is " * 5_000, "\U0001d7d9" * 20_000, "his address " + "1" * 20_000]
)
def test_odd_posts_are_judged_without_an_error(text: str) -> None:
    assert 0.0 <= judge(text[:25_000]).score <= 1.0
