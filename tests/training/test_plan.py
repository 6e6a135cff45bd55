"""Which rows models see, and which they never do."""

from __future__ import annotations

import numpy as np

from training import plan
from training.data import ORDINARY, Example


def _public() -> list[Example]:
    sources = {"tweeteval_emoji": 9_000, "davidson": 5_200, "surge_toxicity": 30}
    rows = [
        Example(f"{source} {number}", source, "dev" if number % 10 == 0 else "train", {})
        for source, count in sources.items()
        for number in range(count)
    ]
    return [*rows, Example("measured", "olid", "measure", {})]


def _corpus() -> list[Example]:
    return [
        Example(f"pair {number}", "corpus", "dev" if number < 5 else "train", {}, f"violence:{number}")
        for number in range(40)
    ]


def test_only_training_rows_train() -> None:
    public, corpus = _public(), _corpus()
    stages = [*plan.first_stage(public), *plan.second_stage(public, corpus), plan.fast_rows(public, corpus)]
    assert stages
    assert {row.split for epoch in stages for row in epoch if row.source != "slots"} == {"train"}


def test_ordinary_posts_that_are_kept_back_are_in_no_epoch() -> None:
    public, corpus = _public(), _corpus()
    kept = {row.text for row in plan.kept_back(public)}
    pool = plan.pool(public)
    found = plan.mined(pool, np.linspace(0, 1, len(pool))[:, None])
    trained = [
        *plan.first_stage(public),
        *plan.second_stage(public, corpus),
        *plan.third_stage(public, corpus, found),
        plan.fourth_stage(public, corpus, found),
        plan.fifth_stage(public, corpus, found),
        plan.fast_rows(public, corpus),
    ]
    assert len(kept) > 1_500
    assert not kept & {row.text for epoch in trained for row in epoch}
    assert {row.source for row in plan.kept_back(public)} <= ORDINARY


def test_epochs_repeat_with_their_seeds() -> None:
    public = _public()
    assert plan.first_stage(public) == plan.first_stage(public)
    assert plan.first_stage(public)[0] != plan.first_stage(public)[1]


def test_the_second_stage_sees_each_pair_five_times() -> None:
    epochs = list(plan.second_stage(_public(), _corpus()))
    assert [sum(row.text == "pair 20" for row in epoch) for epoch in epochs] == [2, 2, 1]


def test_what_looks_worst_among_ordinary_posts_is_presumed_to_break_nothing() -> None:
    rows = [Example(str(number), "tweeteval_emoji", "train", {}) for number in range(6_000)]
    found = plan.mined(rows, np.arange(6_000.0)[:, None])
    assert len(found) == plan.MINED
    assert found[0].text == "5999"
    assert set(found[0].targets.values()) == {(0.0, plan.MINED_WEIGHT)}
