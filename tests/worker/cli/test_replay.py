from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Moderator
from tests.worker.engine.across.helpers import LINK, TEXT
from tests.worker.engine.across.helpers import PACK as CAMPAIGN


def _line(number: int, text: str, hour: int) -> bytes:
    value = {
        "schema_version": 1,
        "post_id": str(number),
        "author_id": "u1",
        "created_at": f"2026-11-22T{hour:02}:00:00Z",
        "text": text,
    }
    return json.dumps({"topic": "posts", "value": value}).encode() + b"\n"


def test_bad_lines_are_dead_letters_and_code_0(moderator: Moderator) -> None:
    ran = moderator("replay", "-", stdin=_line(1, "zap", 1) + b"nope\n")
    assert ran.code == 0
    assert [line["topic"] for line in ran.lines] == [
        "decisions",
        "enforcement.remove",
        "notices",
        "dead-letter",
    ]
    assert "1 of 2 lines were no record" in ran.err


def test_until_takes_a_time_with_an_offset(moderator: Moderator) -> None:
    data = b"".join(_line(n, "zap", n) for n in range(3))
    assert len(moderator("replay", "-", "--until", "2027-01-01T00:00:00Z", stdin=data).lines) == 2 + len(
        moderator("replay", "-", stdin=data).lines
    )
    wrong = moderator("replay", "-", "--until", "tomorrow", stdin=data)
    assert wrong.code == 2
    assert "--until tomorrow: not a time" in wrong.err


def test_decisions_all_is_also_an_environment_variable(
    moderator: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [
        line["topic"] for line in moderator("replay", "-", "--decisions", "all", stdin=_line(1, "x", 1)).lines
    ] == ["decisions"]
    monkeypatch.setenv("MODERATOR_DECISIONS", "all")
    assert [line["topic"] for line in moderator("replay", "-", stdin=_line(1, "x", 1)).lines] == ["decisions"]


def _campaign() -> list[dict[str, object]]:
    profile = {"created_at": "2026-11-20T00:00:00Z", "followers": 1}
    return [
        {
            "topic": "posts",
            "value": {
                "schema_version": 1,
                "post_id": f"p{number}",
                "author_id": f"bot{number}",
                "created_at": f"2026-11-22T09:{number:02}:00Z",
                "text": TEXT,
                "urls": [LINK],
                "author": profile,
            },
        }
        for number in range(9)
    ]


def _jsonl(lines: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_a_campaign_is_found_unless_the_lines_are_a_recording(
    moderator: Moderator, tmp_path: Path, source: str
) -> None:
    def removed(lines: list[dict[str, object]], *options: str) -> int:
        data = _jsonl(lines)
        options = ("--policies", str(CAMPAIGN), *options)
        if source == "stdin":
            ran = moderator("replay", "-", *options, stdin=data)
        else:
            (tmp_path / "lines.jsonl").write_bytes(data)
            ran = moderator("replay", str(tmp_path / "lines.jsonl"), *options)
        assert ran.code == 0
        return [line["topic"] for line in ran.lines].count("enforcement.remove")

    lines = _campaign()
    assert removed(lines) == 9
    assert removed(lines, "--recorded") == 0
    observation: dict[str, object] = {
        "topic": "observations",
        "value": {
            "schema_version": 1,
            "observation_id": "o1",
            "feature": "fp:1",
            "account_id": "bot1",
            "observed_at": "2026-11-22T09:00:00Z",
        },
    }
    assert removed([*lines, observation]) == 0
