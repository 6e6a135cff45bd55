from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import PACK, Moderator

CARE = PACK.parent / "care"


def post(number: int, text: str, author: str = "u1") -> dict[str, Any]:
    return {
        "schema_version": 1,
        "post_id": str(number),
        "author_id": author,
        "created_at": f"2026-11-22T09:{number:02}:00Z",
        "text": text,
        "lang": "en",
    }


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    file = tmp_path / "posts.jsonl"
    said = [
        post(1, "zap"),
        post(2, "hello"),
        post(3, "never zap", "u2"),
        post(4, "please zap it"),
        post(5, "zapfruit"),
    ]
    lines = [json.dumps(said[0]), "no post", *(json.dumps({"topic": "posts", "value": p}) for p in said[1:])]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def test_strikes_before_the_post_are_counted_and_shown(moderator: Moderator, posts: Path) -> None:
    report = moderator("explain", "4", "--from", str(posts), "--json").json
    assert report["outcome"] == "violation"
    assert report["strikes"]["active"] == 1
    assert [strike["policy"] for strike in report["strikes"]["held"]] == ["violence"]
    assert len(report["in_force"]) == 1
    first = moderator("explain", "1", "--from", str(posts), "--json").json
    assert first["strikes"] == {"active": 0, "held": []}


def test_every_signal_is_named_with_its_span_and_what_would_be_without_it(
    moderator: Moderator, posts: Path
) -> None:
    report = moderator("explain", "4", "--from", str(posts), "--json").json
    violence = next(part for part in report["policies"] if part["policy"] == "violence")
    assert (violence["outcome"], violence["score"], violence["threshold"]) == ("violation", 0.85, 0.7)
    assert [(s["signal"], s["start"], s["end"]) for s in violence["signals"]] == [("plain.remove", 7, 10)]
    assert violence["without"] == [
        {"what": "plain.remove", "score": 0.0, "outcome": "clear", "decisive": True}
    ]
    assert violence["rung"].endswith("remove")
    assert violence["next_rung"] is not None


def test_a_finding_is_taken_apart_and_a_person_at_risk_is_named_so(
    moderator: Moderator, tmp_path: Path
) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(post(1, "sorrowword and zapfruit")), "utf-8")
    report = moderator("explain", "1", "--from", str(file), "--policies", str(CARE), "--json").json
    assert report["outcome"] == "review"
    by_policy = {part["policy"]: part for part in report["policies"]}
    assert by_policy["suicide-self-harm"]["outcome"] == "at_risk"
    (finding,) = by_policy["illegal-goods"]["findings"]
    assert (finding["finding"], finding["anchor"], finding["base"]) == ("word", "made.zapfruit", 0.9)
    assert (finding["support"], finding["excuses"], finding["score"]) == ([], [], 0.9)


def test_people_read_a_tree(moderator: Moderator, posts: Path) -> None:
    ran = moderator("explain", "4", "--from", str(posts))
    assert ran.code == 0
    assert "please zap it\n       ^^^" in ran.out
    assert "account: 1 active strikes before this post" in ran.out
    assert "violence v3: violation, score 0.85" in ran.out
    assert "plain.remove: 0.00, clear" in ran.out


def test_a_post_that_is_not_there_is_named(moderator: Moderator, posts: Path) -> None:
    ran = moderator("explain", "99", "--from", str(posts))
    assert ran.code == 2
    assert "no post 99" in ran.err


@pytest.mark.parametrize("arguments", [[], ["--from", "x", "--broker", "127.0.0.1:1"]])
def test_exactly_one_place_to_look_in_is_wanted(moderator: Moderator, arguments: list[str]) -> None:
    ran = moderator("explain", "1", *arguments)
    assert ran.code == 2
    assert "either --from FILE or --broker" in ran.err


def test_a_broker_that_nobody_answers_at_is_code_3(moderator: Moderator) -> None:
    assert moderator("explain", "1", "--broker", "127.0.0.1:1").code == 3


def test_what_was_found_in_the_media_is_shown_with_the_post(moderator: Moderator, tmp_path: Path) -> None:
    file = tmp_path / "media.jsonl"
    picture = {"media_id": "m1", "kind": "image"}
    value = {**post(1, "realword"), "media": [picture]}
    signals = {
        "schema_version": 1,
        "post_id": "1",
        "account_id": "u1",
        "media_id": "m1",
        "provenance": {"digital_source_type": "trainedAlgorithmicMedia"},
        "context": {"post": value},
        "observed_at": "2026-11-22T09:01:05Z",
    }
    lines = [{"topic": "posts", "value": value}, {"topic": "media.signals", "value": signals}]
    file.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    command = ("explain", "1", "--from", str(file), "--policies", str(PACK.parent / "media"))
    report = moderator(*command, "--json").json
    assert report["outcome"] == "clear"
    (media,) = report["media"]
    assert (media["media_id"], media["outcome"], media["ahead"]) == ("m1", "violation", False)
    shown = moderator(*command).out
    assert "media m1, found 2026-11-22T09:01:05Z, after the post was judged" in shown
    assert "passed-off" in shown
    replayed = moderator("replay", str(file), "--policies", str(PACK.parent / "media")).out
    topics = [json.loads(line)["topic"] for line in replayed.splitlines()]
    assert topics == ["decisions", "enforcement.remove", "notices"]
