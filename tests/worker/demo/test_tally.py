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
    tally = Tally(sent={(0, offset): "text" for offset in offsets})
    tally.posts["p1"] = "I zap you"
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


def test_actions_are_shown_with_their_evidence() -> None:
    tally = _tally(1)
    evidence = [
        {"field": "text", "start": 2, "end": 5},
        {"field": "author.bio", "start": 0, "end": 3},
        {"field": "text", "start": None, "end": None},
    ]
    action = {
        "operation": "apply", "kind": "suspend", "label": None, "mode": "read_only", "account_id": "u1", "post_id": "p1",
        "policy": "violence", "score": 0.9, "evidence": evidence,
    }  # fmt: skip
    shown = tally.add([_output("enforcement.suspend", action)])
    assert [(one.kind, one.detail, one.text, one.spans) for one in shown] == [
        ("suspend", "read_only", "I zap you", ((2, 5),))
    ]
    tally.add([_output("enforcement.suspend", {**action, "operation": "reverse"})])
    assert tally.report()["actions"] == [{"policy": "violence", "kind": "suspend", "count": 1}]
    assert tally.latest[-1].kind == "reverse suspend"


def test_outputs_lie_in_a_file_for_each_topic_and_replace_an_earlier_runs(tmp_path: Path) -> None:
    (tmp_path / "decisions.jsonl").write_text("old\n")
    with OutputFiles(tmp_path) as files:
        files.write([_decision(1), _decision(2), _output("notices", {})])
        assert files.counts == {"decisions": 2, "notices": 1}
    lines = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    assert [line["value"]["record"]["offset"] for line in lines] == [1, 2]
    assert lines[0]["key"] == "u1"
