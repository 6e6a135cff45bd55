from __future__ import annotations

import pytest

from tests.worker.cli.conftest import Moderator


def test_a_violation_is_code_1_with_its_evidence_underlined(moderator: Moderator) -> None:
    ran = moderator("check", "Please zap it now")
    assert ran.code == 1
    assert ran.out.startswith("violation   pack plain-1")
    assert "Please zap it now\n       ^^^\n" in ran.out
    assert "You may not zap." in ran.out
    assert "0.85 of 0.70" in ran.out
    assert "remove" in ran.out


def test_a_clear_text_is_code_0(moderator: Moderator) -> None:
    ran = moderator("check", "nothing here")
    assert ran.code == 0
    assert "No policy found anything in it." in ran.out


def test_a_doubtful_text_goes_to_review_and_is_code_0(moderator: Moderator) -> None:
    ran = moderator("check", "a blip")
    assert ran.code == 0
    assert ran.out.startswith("review")
    assert "review within 12 h" in ran.out


def test_the_json_names_clause_score_threshold_evidence_and_actions(moderator: Moderator) -> None:
    report = moderator("check", "--json", "Please zap it").json
    assert report["outcome"] == "violation"
    assert report["actions"] == [{"kind": "remove", "policy": "violence"}]
    verdict = next(verdict for verdict in report["verdicts"] if verdict["policy"] == "violence")
    assert verdict["clause"] == "You may not zap."
    assert (verdict["score"], verdict["threshold"]) == (0.85, 0.7)
    assert [(item["field"], item["start"], item["end"]) for item in verdict["evidence"]] == [("text", 7, 10)]


def test_a_shadow_policy_says_that_it_does_nothing(moderator: Moderator) -> None:
    ran = moderator("check", "a zork for sale")
    assert ran.code == 0
    assert "nothing: shadow (remove)" in ran.out


def test_standard_input_is_read_for_a_dash(moderator: Moderator) -> None:
    assert moderator("check", "-", stdin="zap é\n".encode()).code == 1


def test_standard_input_that_is_no_utf8_is_named(moderator: Moderator) -> None:
    ran = moderator("check", "-", stdin=b"caf\xe9")
    assert ran.code == 2
    assert "byte 3: not UTF-8" in ran.err


def test_a_text_that_is_too_long_is_named(moderator: Moderator) -> None:
    ran = moderator("check", "-", stdin=b"a" * 25_001)
    assert ran.code == 2
    assert "text: String should have at most 25000 characters" in ran.err


@pytest.mark.parametrize("lang", ["de", "fr"])
def test_a_language_that_no_policy_reads_is_said(moderator: Moderator, lang: str) -> None:
    assert "Not judged in this language by: violence" in moderator("check", "nothing", "--lang", lang).out


def test_a_text_cannot_steer_the_terminal(moderator: Moderator) -> None:
    ran = moderator("check", "zap \x1b[2J\u202e it")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
