from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.worker.cli.conftest import Moderator
from worker.engine.policy import POLICY_IDS

POST = {
    "schema_version": 1,
    "post_id": "p1",
    "author_id": "u1",
    "created_at": "2026-11-22T09:30:00Z",
    "text": "please zap it",
}


def _jsonl(*lines: object) -> bytes:
    return b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )


def test_a_line_out_for_each_line_in_in_order(moderator: Moderator) -> None:
    ran = moderator("score", "-", stdin=_jsonl({"id": "a", "text": "x"}, POST, {"id": 3, "text": "a blip"}))
    assert ran.code == 0
    assert [line["id"] for line in ran.lines] == ["a", "p1", 3]
    assert [line["outcome"] for line in ran.lines] == ["clear", "violation", "review"]
    assert ran.lines[1]["actions"] == [{"kind": "remove", "policy": "violence"}]
    assert list(ran.lines[1]) == ["id", "scores", "outcome", "actions"]


def test_scores_name_all_nineteen_policies_and_null_means_abstained(moderator: Moderator) -> None:
    english, german = moderator(
        "score", "-", stdin=_jsonl({"id": 1, "text": "zap"}, {"id": 2, "text": "zap", "lang": "de"})
    ).lines
    assert tuple(english["scores"]) == POLICY_IDS
    assert english["scores"]["violence"] == 0.85
    assert english["scores"]["copyright"] is None
    assert german["scores"]["violence"] is None


def test_shadow_policies_do_not_count(moderator: Moderator) -> None:
    line = moderator("score", "-", stdin=_jsonl({"id": 1, "text": "a zork"})).lines[0]
    assert line["outcome"] == "clear"
    assert line["actions"] == []
    assert line["scores"]["illegal-goods"] is None


def test_bad_lines_get_an_error_in_their_place_and_code_2_at_the_end(moderator: Moderator) -> None:
    bad = [
        b"nope",
        b"",
        b"[]",
        {"id": "x"},
        {"id": None, "text": "x"},
        {**POST, "created_at": "yesterday"},
        b"\xff",
    ]
    ran = moderator("score", "-", stdin=_jsonl(*bad, {"id": "good", "text": "x"}))
    assert ran.code == 2
    assert len(ran.lines) == len(bad) + 1
    assert all(
        line["id"] is None and line["error"].startswith(f"line {n}: ")
        for n, line in enumerate(ran.lines[:-1], 1)
    )
    assert ran.lines[-1]["outcome"] == "clear"
    assert "7 of 8 lines" in ran.err


def test_an_error_never_repeats_what_was_posted(moderator: Moderator) -> None:
    ran = moderator("score", "-", stdin=_jsonl({**POST, "text": ["secretword"]}))
    assert "secretword" not in ran.out + ran.err


def test_gzip_is_read_and_batches_do_not_show(moderator: Moderator, tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl.gz"
    file.write_bytes(
        gzip.compress(_jsonl(*({"id": n, "text": "zap" if n % 700 == 0 else "x"} for n in range(2_100))))
    )
    lines = moderator("score", str(file)).lines
    assert [line["id"] for line in lines] == list(range(2_100))
    assert [line["id"] for line in lines if line["outcome"] == "violation"] == [0, 700, 1400]


def test_an_empty_file_gives_nothing(moderator: Moderator) -> None:
    ran = moderator("score", "-")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
