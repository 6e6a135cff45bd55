from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.cli.conftest import Moderator
from worker.simulation.audit import Audit


def test_a_few_days_are_lived_and_balance(moderator: Moderator, tmp_path: Path) -> None:
    records = tmp_path / "days.jsonl.gz"
    ran = moderator(
        "simulate", "--accounts", "40", "--days", "2", "--partitions", "1", "--out", str(records), "--json"
    )
    assert ran.code == 0, ran.err
    assert ran.json["balance"]["differences"] == 0
    assert ran.json["records"]["posts"] > 20
    replayed = moderator("replay", str(records), "--decisions", "all")
    assert replayed.code == 0
    topics = [line["topic"] for line in replayed.lines]
    assert topics.count("decisions") >= sum(ran.json["records"].values())


def test_the_report_can_be_read(moderator: Moderator) -> None:
    ran = moderator("simulate", "--accounts", "40", "--days", "1")
    assert ran.code == 0, ran.err
    assert "repeat offender" in ran.out
    assert "in force" in ran.out


def test_books_that_do_not_balance_are_an_error(
    moderator: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Audit, "finish", lambda self, now, state: self.faults.append("a planted one"))
    ran = moderator("simulate", "--accounts", "40", "--days", "1")
    assert ran.code == 1
    assert "does not balance: a planted one" in ran.err
