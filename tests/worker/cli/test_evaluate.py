from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Moderator

ROWS = (
    {"id": "1", "text": "please zap it", "labels": ["violence"], "covers": ["violence"], "source": "made"},
    {"id": "2", "text": "a calm day", "labels": [], "covers": ["violence"], "source": "made"},
    {
        "id": "3",
        "text": "zip",
        "labels": [],
        "covers": ["violence"],
        "weak": ["violence"],
        "source": "tweets",
    },
)
LINES = b"".join(json.dumps(line).encode() + b"\n" for line in ROWS)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_tables_and_a_report(moderator: Moderator, tmp_path: Path) -> None:
    ran = moderator("evaluate", "-", stdin=LINES)
    assert ran.code == 0
    for words in ("Policies", "Slices", "Posts presumed to be harmless", "Confusion", "100.0 % (20.7–100.0)"):
        assert words in ran.out
    assert "report: evaluation.html" in ran.err
    assert (tmp_path / "evaluation.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_json_and_several_files(moderator: Moderator, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINES))
    ran = moderator("evaluate", "a.jsonl", "b.jsonl.gz", "--json", "--html", "out.html")
    assert ran.code == 0
    assert ran.json["rows"] == 6
    assert ran.json["policies"]["violence"]["recall"]["hits"] == 2
    assert ran.json["benign"]["tweets"]["violations"]["value"] == 1.0
    assert (tmp_path / "out.html").exists()


def test_evasions_are_reported_by_kind(moderator: Moderator) -> None:
    ran = moderator("evaluate", "-", "--evasions", "--json", stdin=LINES)
    assert ran.json["evasions"]["full-width"]["all"]["total"] == 1


def test_bad_lines_are_named_and_give_exit_code_2_at_the_end(moderator: Moderator) -> None:
    ran = moderator("evaluate", "-", stdin=b"nonsense\n" + LINES)
    assert ran.code == 2
    assert "standard input, line 1: not JSON" in ran.err
    assert "1 lines are no labelled posts" in ran.err
    assert "Policies" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.jsonl",), "missing.jsonl"),
        (("-", "--html", "no/such/folder.html"), "not a file in a folder that exists"),
        (("-",), "no labelled posts"),
    ],
)
def test_what_cannot_work_is_said(moderator: Moderator, arguments: tuple[str, ...], said: str) -> None:
    ran = moderator("evaluate", *arguments)
    assert ran.code == 2
    assert said in ran.err
