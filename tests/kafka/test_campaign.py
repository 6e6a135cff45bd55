"""The long run of faults; `python -m tests.kafka.campaign` does the same with other figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kafka.campaign import Plan, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_faults_in_a_row_lose_and_repeat_nothing(broker: str, tmp_path: Path) -> None:
    report = run(Plan(posts=200_000, events=10, seed=7), broker, tmp_path)
    report.outcome.assert_exactly_once()
    assert len(report.events) == 10
    assert min(report.waiting) > 0, "a fault fell on workers that had nothing to do"


def test_faults_in_a_row_at_least_once_lose_nothing_and_repeat_only_equal_records(
    broker: str, tmp_path: Path
) -> None:
    report = run(Plan(posts=100_000, events=5, seed=8, guarantee="at-least-once"), broker, tmp_path)
    report.outcome.assert_at_least_once()
