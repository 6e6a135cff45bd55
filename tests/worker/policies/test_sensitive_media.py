"""What the cases cannot show of `sensitive-media`: the steps of a score, and which words speak of which item."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

import worker.policies.sensitive_media.rule as rule_module
from schemas.posts import Post
from worker.engine.contract import Outcome, RuleContext, Verdict
from worker.engine.policy import Policy
from worker.engine.subjects import post_subject
from worker.policies.sensitive_media.rule import Rule
from worker.signals.bank import BankSource, SignalBank

FOLDER = Path(rule_module.__file__).parent
NOW = RuleContext(datetime(2026, 11, 23, tzinfo=UTC))


@cache
def policy() -> Policy:
    """The policy as it ships."""
    return Policy.model_validate(tomllib.loads((FOLDER / "policy.toml").read_text("utf-8")))


@cache
def loaded() -> tuple[Rule, SignalBank]:
    """The rule and a bank with its signals alone."""
    rule = Rule(policy())
    return rule, SignalBank([BankSource(policy(), FOLDER)], backend="re2", needs=rule.needs)


def judge(text: str, *media: dict[str, object], **more: object) -> Verdict:
    """The verdict on a post with this text and these items."""
    rule, bank = loaded()
    items = [{"media_id": f"m{number}", "kind": "image"} | item for number, item in enumerate(media)]
    record = {
        "schema_version": 1,
        "post_id": "1",
        "author_id": "u1",
        "created_at": "2026-11-22T09:30:00Z",
        "text": text,
        "media": items,
    }
    subject = post_subject(Post.model_validate(record | more))
    (signals,) = bank.measure([subject])
    return rule.evaluate(subject, signals, NOW)


def test_a_surer_classifier_changes_the_step_and_nothing_else() -> None:
    scores = [judge("hi", {"scores": {"nudity": score}}).score for score in (0.55, 0.6, 0.79, 0.8, 0.99)]
    assert scores[0] == 0.0
    assert scores[1] == scores[2] < policy().threshold
    assert scores[3] == scores[4] == 0.77  # a label, never the 0.85 from which media go


def test_what_the_classifier_said_stands_in_the_evidence() -> None:
    verdict = judge("hi", {"scores": {"nudity": 0.91}})
    (found,) = [item for item in verdict.evidence if item.signal == "sensitive-media.adult-unmarked"]
    assert found.field == "media[0]"
    assert "classifier: 0.91" in found.detail


def test_words_of_an_item_speak_of_that_item() -> None:
    warning: dict[str, object] = {"alt_text": "graphic image of the wreck"}
    assert judge("hi", warning).outcome is Outcome.VIOLATION
    assert judge("hi", warning | {"marked_sensitive": True}, {}).outcome is Outcome.CLEAR


def test_words_of_the_post_speak_of_every_item() -> None:
    marked: dict[str, object] = {"marked_sensitive": True}
    assert judge("graphic content below", marked).outcome is Outcome.CLEAR
    assert judge("graphic content below", marked, {}).outcome is Outcome.VIOLATION
    assert judge("graphic content below").outcome is Outcome.CLEAR  # there is nothing to mark


def test_an_account_that_marks_everything_needs_no_words() -> None:
    author = {"handle": "ann", "sensitive_by_default": True}
    assert judge("graphic content below", {}, author=author).outcome is Outcome.CLEAR


@pytest.mark.parametrize("missing", ["adult-unmarked-doubt", "doubtful"])
def test_a_missing_step_stops_the_start(missing: str) -> None:
    left = {name: value for name, value in policy().parameters.items() if name != missing}
    with pytest.raises(ValueError, match=missing):
        Rule(policy().model_copy(update={"parameters": left}))
