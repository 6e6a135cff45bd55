"""A print is made from a file and holds nothing of it."""

from __future__ import annotations

import io
import json
import sys
import tomllib
from pathlib import Path

import pytest

from tests.worker.signals.test_fingerprints import LETTER
from worker.cli.errors import CommandError
from worker.cli.prints import print_text
from worker.engine.facts import Print
from worker.signals.fingerprints import PrintIndex


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text(LETTER, encoding="utf-8")
    return path


def test_a_table_for_the_pack_is_written(letter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_text(
        str(letter), name='the "letter"\t2031', policy="perpetrators-of-attacks", source="found \\ read"
    )
    out = capsys.readouterr().out
    (table,) = tomllib.loads(out)["print"]
    made = Print.model_validate(table)
    assert (made.name, made.policy, made.source) == (
        'the "letter"\t2031',
        "perpetrators-of-attacks",
        "found \\ read",
    )
    assert PrintIndex([made]).find(LETTER)[0].score > 0.98
    assert not any(word in out for word in ("harbour", "ledger", "ferrymen"))


def test_json_is_written_and_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + LETTER.encode())))
    print_text("-", name="letter", policy="copyright", json=True)
    assert PrintIndex([Print.model_validate(json.loads(capsys.readouterr().out))]).find(LETTER)


def test_what_cannot_be_printed_is_told(letter: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="manners: no such policy"):
        print_text(str(letter), name="n", policy="manners")
    with pytest.raises(CommandError, match="No such file"):
        print_text(str(tmp_path / "nothing"), name="n", policy="copyright")
    letter.write_text("three words only", encoding="utf-8")
    with pytest.raises(CommandError, match="3 words are too few"):
        print_text(str(letter), name="n", policy="copyright")
    letter.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="not UTF-8"):
        print_text(str(letter), name="n", policy="copyright")
