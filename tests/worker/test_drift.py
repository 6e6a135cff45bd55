"""Whether scores have moved."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.learned.standins import Fast, pack_with_models
from worker.drift import WINDOW, Drift, stability_index
from worker.metrics import Metrics

ORDINARY = (9_000, 500, 300, 100, 50, 20, 10, 10, 5, 5)


def test_the_same_shape_has_not_moved() -> None:
    assert stability_index([count * 7 for count in ORDINARY], ORDINARY) == pytest.approx(0.0)


def test_the_index_of_two_bins_is_the_textbooks() -> None:
    expected = (0.5 - 0.8) * math.log(0.5 / 0.8) + (0.5 - 0.2) * math.log(0.5 / 0.2)
    assert stability_index([50, 50], [80, 20]) == pytest.approx(expected)


@given(st.lists(st.integers(0, 1_000), min_size=10, max_size=10))
def test_it_is_never_negative_and_always_finite(counts: list[int]) -> None:
    assert 0.0 <= stability_index(counts, ORDINARY) + 1e-9 < math.inf


class _Knowing(Fast):
    reference = {"illegal-goods": ORDINARY}  # noqa: RUF012 - the protocol's attribute


def count(metrics: Metrics, *tenths: int) -> None:
    for tenth, times in enumerate(tenths):
        metrics.count("moderator_model_scores_total", "fast", "illegal-goods", f"{tenth / 10:.1f}", by=times)


def test_the_gauge_stands_once_a_window_is_full_and_follows_the_latest_one() -> None:
    cascade = pack_with_models(None, fast=_Knowing()).models.cascade
    assert cascade is not None
    metrics, drift = Metrics(strict=True), Drift()
    gauge = ("moderator_model_drift_ratio", "fast", "illegal-goods")
    count(metrics, WINDOW - 1)
    drift.report(cascade, metrics)
    assert metrics.value(*gauge) == 0.0
    count(metrics, *(times * 2 for times in ORDINARY))
    drift.report(cascade, metrics)
    assert 0.0 < metrics.value(*gauge) < 0.1
    count(metrics, *(times * 2 for times in reversed(ORDINARY)))
    drift.report(cascade, metrics)
    assert metrics.value(*gauge) > 0.25
    count(metrics, *(times * 2 for times in ORDINARY))
    drift.report(cascade, metrics)
    assert metrics.value(*gauge) < 0.01
