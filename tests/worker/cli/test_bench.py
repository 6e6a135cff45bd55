from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Moderator


def test_an_unknown_part_is_named(moderator: Moderator) -> None:
    ran = moderator("bench", "--only", "core,everything")
    assert ran.code == 2
    assert "everything" in ran.err
    assert "core, lists, bare, noop, full, models, state, restore" in ran.err


def test_the_core_alone_needs_no_broker(moderator: Moderator, tmp_path: Path) -> None:
    ran = moderator("bench", "--only", "core", "--posts", "1000", "--out", str(tmp_path), "--json")
    assert ran.code == 0
    assert ran.json["results"][0]["name"] == "core"
    assert json.loads((tmp_path / "bench.json").read_text()) == ran.json


def test_files_are_examined_and_looked_up_without_a_broker(moderator: Moderator, tmp_path: Path) -> None:
    ran = moderator("bench", "--only", "recall", "--posts", "1000", "--out", str(tmp_path), "--json")
    assert ran.code == 0, ran.err
    (row,) = ran.json["results"]
    by_change, by_kind = row["tables"]
    found = {line["change"]: line["found"] for line in by_change["rows"]}
    assert found["none"] == 1
    assert found["JPEG, quality 90"] == 1
    assert found["colours inverted"] == 0
    assert {line["false_matches"] for line in by_kind["rows"]} == {0}
    assert row["details"]["false_matches_of_changed_pictures"] == 0
    shown = moderator("bench", "--only", "recall", "--posts", "1000", "--out", str(tmp_path))
    assert "Recall by change" in shown.out


@pytest.mark.kafka
@pytest.mark.slow
def test_every_part_gives_a_row(moderator: Moderator, broker: str, tmp_path: Path) -> None:
    ran = moderator(
        "bench",
        "--broker",
        broker,
        "--posts",
        "20000",
        "--latency-seconds",
        "3",
        "--out",
        str(tmp_path),
        "--json",
    )
    assert ran.code == 0, ran.err
    names = [result["name"] for result in ran.json["results"]]
    assert names[0] == "core"
    assert "bare aiokafka" in names
    assert {
        f"{part} {guarantee}" for part in ("noop", "full") for guarantee in ("exactly-once", "at-least-once")
    } <= set(names)
    assert {"alone", "beside media", "alone again", "examining", "recall"} <= set(names)
