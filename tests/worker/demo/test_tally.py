from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from worker.demo.tally import OutputFiles, Tally
from worker.engine.records import Record


def _output(topic: str, value: dict[str, Any], offset: int = 0) -> Record:
    return Record(topic, 0, offset, 0, b"u1", json.dumps(value).encode())


def _decision(offset: int, outcome: str = "violation") -> Record:
    verdict = {"policy": "violence", "outcome": outcome, "evidence": []}
    return _output(
        "decisions",
        {
            "record": {"topic": "posts", "partition": 0, "offset": offset},
            "outcome": outcome,
            "verdicts": [verdict] if outcome == "violation" else [],
        },
    )


def _tally(*offsets: int) -> Tally:
    tally = Tally(sent={("posts", 0, offset) for offset in offsets})
    tally.texts["p1"] = {"text": "I zap you", "media[0].transcript": "and now a word"}
    return tally


def test_a_record_is_answered_by_its_decision_or_dead_letter() -> None:
    tally = _tally(1, 2, 3)
    tally.add(
        [
            _decision(1),
            _output("dead-letter", {"topic": "posts", "partition": 0, "offset": 2, "reason": "bad_json"}),
        ]
    )
    assert tally.waiting == 1
    assert tally.outcomes == {"violation": 1}
    assert tally.dead_letters == {"bad_json": 1}
    assert tally.policies["violence"]["violation"] == 1


def test_answers_to_others_records_and_second_answers_do_not_count() -> None:
    tally = _tally(1)
    tally.add([_decision(1), _decision(1), _decision(99)])
    assert tally.outcomes == {"violation": 1}
    assert tally.waiting == 0


def test_the_same_place_of_another_topic_is_another_record() -> None:
    tally = Tally(sent={("posts", 0, 1), ("accounts", 0, 1)})
    tally.add([_decision(1)])
    assert tally.waiting == 1


ACTION: dict[str, Any] = {
    "operation": "apply", "kind": "suspend", "label": None, "mode": "read_only", "account_id": "u1", "post_id": "p1",
    "subject": {"type": "post", "id": "p1"}, "policy": "violence", "score": 0.9, "evidence": [],
}  # fmt: skip


def _evidence(field: str, start: int | None, end: int | None) -> dict[str, Any]:
    return {"signal": f"zap.{field}", "field": field, "start": start, "end": end}


def test_actions_are_shown_with_their_evidence() -> None:
    tally = _tally(1)
    evidence = [_evidence("text", 2, 5), _evidence("author.bio", 0, 3), _evidence("text", None, None)]
    action = {**ACTION, "evidence": evidence}
    shown = tally.add([_output("enforcement.suspend", action)])
    assert [(one.kind, one.detail, one.text, one.spans, one.signals) for one in shown] == [
        ("suspend", "read_only", "I zap you", ((2, 5),), ())
    ]
    tally.add([_output("enforcement.suspend", {**action, "operation": "reverse"})])
    assert tally.report()["followed"] == {"violence": {"suspend": 1}}
    assert tally.latest[-1].kind == "reverse suspend"


def test_evidence_in_a_transcript_is_shown_there_and_evidence_without_text_by_its_signals() -> None:
    tally = _tally(1)
    spoken = {**ACTION, "evidence": [_evidence("media[0].transcript", 8, 14), _evidence("text", 0, 1)]}
    seen = {**ACTION, "evidence": [_evidence("media[0]", None, None)]}
    shown = tally.add([_output("enforcement.remove", spoken), _output("enforcement.remove", seen)])
    assert [(one.text, one.spans, one.signals) for one in shown] == [
        ("and now a word", ((8, 14),), ()),
        ("I zap you", (), ("zap.media[0]",)),
    ]


def test_an_action_on_an_account_is_shown_with_its_profile() -> None:
    tally = Tally(texts={"u1": {"profile.display_name": "Zap", "profile.bio": "official zap"}})
    evidence = [_evidence("profile.bio", 0, 8), _evidence("profile.display_name", None, None)]
    whole = {**ACTION, "post_id": None, "subject": {"type": "account", "id": "u1"}, "evidence": evidence}
    name = {**whole, "subject": {"type": "profile_field", "id": "u1/display_name"}, "mode": None}
    shown = tally.add([_output("enforcement.suspend", whole), _output("enforcement.remove", name)])
    assert [(one.detail, one.text, one.spans) for one in shown] == [
        ("read_only", "official zap", ((0, 8),)),
        ("display_name", "Zap", ()),
    ]
    picture = {**name, "subject": {"type": "profile_field", "id": "u1/avatar"}}
    assert [one.text for one in tally.add([_output("enforcement.remove", picture)])] == ["Zap"]


def test_a_person_at_risk_is_counted_as_helped_and_shown_without_a_score() -> None:
    tally = _tally(1)
    item = {"policy": "suicide-self-harm", "reason": "at_risk"}
    notice = {
        "kind": "support", "account_id": "u1", "subject": {"type": "post", "id": "p1"},
        "policy": "suicide-self-harm", "lang": "es",
    }  # fmt: skip
    shown = tally.add([_output("review.queue", item), _output("notices", notice)])
    assert tally.report()["followed"] == {"suicide-self-harm": {"help": 1}}
    assert tally.report()["notices"] == {"support": 1}
    assert [(one.kind, one.detail, one.score, one.text) for one in shown] == [
        ("help", "offered, es", None, "I zap you")
    ]


def test_what_a_rule_cleared_is_a_near_miss_only_where_nothing_else_was_found() -> None:
    tally = _tally(1, 2)
    cleared = {"policy": "copyright", "outcome": "clear", "evidence": [{}]}
    for offset, outcome in ((1, "clear"), (2, "review")):
        record = {"topic": "posts", "partition": 0, "offset": offset}
        tally.add([_output("decisions", {"record": record, "outcome": outcome, "verdicts": [cleared]})])
    assert tally.report()["followed"] == {"copyright": {"near": 1}}
    assert tally.policies["copyright"] == {"near": 1, "doubt": 1}


def test_outputs_lie_in_a_file_for_each_topic_and_replace_an_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text("old\n")
    with OutputFiles(tmp_path) as files:
        files.write([_decision(1), _decision(2), _output("notices", {})])
        assert files.counts == {"decisions": 2, "notices": 1}
    lines = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert [line["value"]["record"]["offset"] for line in lines] == [1, 2]
    assert lines[0]["key"] == "u1"
