"""Probabilities and thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from training import calibrate
from training.data import HEADS

COUNT = len(HEADS)


def test_platt_scaling_finds_the_slope_and_the_shift() -> None:
    dice = np.random.default_rng(1)
    logits = dice.normal(0, 2, (20_000, COUNT))
    truth = (dice.random(logits.shape) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(np.float32)
    for slope, shift in calibrate.platt(logits, truth, np.ones_like(truth)):
        assert slope == pytest.approx(0.5, abs=0.05)
        assert shift == pytest.approx(-1.0, abs=0.08)


def test_a_head_without_positives_takes_what_fits_the_others() -> None:
    dice = np.random.default_rng(2)
    logits = dice.normal(0, 2, (4_000, COUNT))
    truth = (dice.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
    truth[:, 3] = 0.0
    weights = np.ones_like(truth)
    weights[:, 3] = 0.0
    found = calibrate.platt(logits, truth, weights)
    assert found[3][0] == pytest.approx(1.0, abs=0.1)


def test_unknown_targets_change_nothing() -> None:
    dice = np.random.default_rng(3)
    logits = dice.normal(0, 2, (500, COUNT))
    truth = (dice.random(logits.shape) < 0.3).astype(np.float32)
    weights = (dice.random(logits.shape) < 0.5).astype(np.float32)
    wrong = np.where(weights > 0, truth, 1 - truth)
    assert calibrate.platt(logits, truth, weights) == calibrate.platt(logits, wrong, weights)


def test_steps_keep_to_what_ordinary_posts_allow() -> None:
    dice = np.random.default_rng(4)
    ordinary = np.round(dice.beta(0.2, 5, (20_000, COUNT)), 4)
    levels = calibrate.steps(ordinary, dice.beta(0.2, 5, (500, COUNT)))
    for name, budget in calibrate.BUDGETS.items():
        assert (ordinary >= levels[name]).any(1).mean() <= budget
        assert (levels[name] >= calibrate.FLOORS[name]).all()


def test_thresholds_rise_and_whoever_is_at_risk_is_only_looked_at() -> None:
    levels = {name: np.full(COUNT, 0.9) for name in calibrate.BUDGETS}
    found = calibrate.table(np.full(COUNT, 0.1), levels)
    assert set(found) == set(HEADS)
    for head, own in found.items():
        if head == "suicide-self-harm":
            assert own.label is own.remove is None
            continue
        assert own.label is not None
        assert own.remove is not None
        assert own.review < own.label < own.remove < 1


def test_steps_that_nothing_reaches_are_left_out() -> None:
    levels = {name: np.full(COUNT, 0.9999) for name in calibrate.BUDGETS}
    own = calibrate.table(np.full(COUNT, 0.1), levels)["violence"]
    assert own.label is None
    assert own.review == 0.9995


def test_bands_hold_no_more_than_the_budget_and_keep_what_they_can() -> None:
    dice = np.random.default_rng(5)
    ordinary = dice.beta(0.2, 8, (5_000, COUNT))
    dev = dice.beta(0.2, 8, (3_000, COUNT))
    acted = np.zeros(dev.shape, bool)
    acted[np.arange(900), np.arange(900) % COUNT] = True
    dev[acted] = dice.beta(8, 2, acted.sum())
    band, share, kept = calibrate.bands(ordinary, dev, acted, acted)
    assert share <= calibrate.BAND_BUDGET
    assert share == (ordinary >= band).any(1).mean()
    assert kept > 0.5


def test_reliability_counts_rows_in_tenths() -> None:
    scores = np.array([0.05, 0.06, 0.95, 1.0, 0.5])
    table = calibrate.reliability(scores, np.array([0, 0, 1, 1, 1.0]), np.array([1, 1, 1, 1, 0.0]))
    assert [count for _, _, count in table] == [2, 2]
    assert table[0][1] == 0.0
    assert table[1][1] == 1.0
