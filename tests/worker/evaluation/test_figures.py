"""Figures against published and hand-computed values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.evaluation.figures import Area, Ratio, area, curve

_scored = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.booleans()), max_size=40)


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (https://doi.org/10.1002/(SICI)1097-0258(19980430)17:8).
@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(hits: int, total: int, low: float, high: float) -> None:
    assert Ratio(hits, total).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_of_nothing_is_no_proportion() -> None:
    assert (Ratio(0, 0).value, Ratio(0, 0).interval) == (None, None)


def test_average_precision_by_hand() -> None:
    scored = [(0.1, False), (0.4, False), (0.35, True), (0.8, True)]
    assert area(scored).value == pytest.approx(1 * 0.5 + 2 / 3 * 0.5)


def test_ties_are_one_point_whatever_their_order() -> None:
    scored = [(0.5, True), (0.5, False), (0.5, False), (0.5, True)]
    assert [(point.precision, point.recall) for point in curve(scored)] == [(0.5, 1.0)]
    assert area(scored).value == area(scored[::-1]).value == 0.5
    mixed = [(0.9, False), (0.5, True), (0.5, False)]
    assert area(mixed).value == pytest.approx(1 / 3)


def test_perfect_and_reversed_orders() -> None:
    assert area([(0.9, True), (0.8, True), (0.1, False)]).value == 1.0
    assert area([(0.9, False), (0.1, True)]).value == 0.5


def test_without_positives_there_is_no_area() -> None:
    assert area([(0.5, False)]).value is None
    assert area([]).value is None
    assert curve([(0.5, False)]) == []


def test_the_logit_interval_by_hand() -> None:
    low, high = Area(0.8, 100).interval or (0, 0)
    assert (low, high) == pytest.approx((0.7102, 0.8671), abs=5e-4)
    assert Area(1.0, 10).interval is None


@given(_scored)
def test_a_curve_rises_to_full_recall_and_its_area_is_a_share(scored: list[tuple[float, bool]]) -> None:
    points = curve(scored)
    recalls = [point.recall for point in points]
    assert recalls == sorted(recalls)
    if points:
        assert recalls[-1] == 1.0
        assert 0 < (area(scored).value or 0) <= 1


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_value(hits: int, total: int) -> None:
    ratio = Ratio(min(hits, total), total)
    low, high = ratio.interval or (1, 0)
    assert 0 <= low <= (ratio.value or 0) + 1e-12
    assert (ratio.value or 0) - 1e-12 <= high <= 1
