"""Which rows each model sees, and how often; with fixed seeds, so that what was left out is known too."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import CORPUS, ORDINARY, Example, fine_targets, read_templates, sample, side

FIRST_SEED = 5
SECOND_SEED = 50
FIRST_EPOCHS = 2
SECOND_EPOCHS = 3

FIRST_CAPS = {
    "davidson": 5000, "edos": 8000, "civil_comments_toxic_spans": 8000, "sms_spam": 2500,
    "presidio_synthetic_pii": 400, "tweeteval_emoji": 4000, "tweeteval_sentiment": 3500, "tweeteval_irony": 1500,
}  # fmt: skip
"""Rows of a source in each epoch of the first stage; others as a whole."""
SECOND_CAPS = {
    "davidson": 1500, "edos": 2500, "civil_comments_toxic_spans": 2500, "surge_toxicity": 400, "janitr_x_posts": 1500,
    "sms_spam": 700, "youtube_spam": 500, "presidio_synthetic_pii": 100, "ailuminate_prompts": 400, "catqa": 100,
    "harmbench_behaviors": 60, "tweeteval_emoji": 2200, "tweeteval_sentiment": 1800, "tweeteval_irony": 500,
}  # fmt: skip
"""The same for the second stage; in its last epoch half of it, and `LAST_HATEMOJI` rows of hatemojibuild."""
LAST_HATEMOJI = 2500
THIRD_SEED = 70
THIRD_EPOCHS = 2
THIRD_CAPS = {
    "davidson": 1200, "edos": 2200, "civil_comments_toxic_spans": 2200, "surge_toxicity": 400, "janitr_x_posts": 1200,
    "sms_spam": 1200, "youtube_spam": 400, "presidio_synthetic_pii": 100, "ailuminate_prompts": 300, "catqa": 100,
    "harmbench_behaviors": 60, "hatemojibuild": 2500, "tweeteval_emoji": 1000, "tweeteval_sentiment": 1500,
    "tweeteval_irony": 800,
}  # fmt: skip
"""Rows of a source in each epoch of the third stage."""
PAIRS_SEED = 90
TEMPLATES_SEED = 95
FIRST_TEMPLATES = 184  # those that were there from the start; later ones are of negated hate
MINED = 4000
MINED_WEIGHT = 0.4
FAST_CAPS = {"davidson": 8000, "presidio_synthetic_pii": 400}


def _trained(examples: Sequence[Example]) -> list[Example]:
    return [example for example in examples if example.split == "train"]


def first_stage(public: Sequence[Example]) -> list[list[Example]]:
    """The epochs of the encoder's first stage: public sources, none of them too often."""
    dice = random.Random(FIRST_SEED)  # noqa: S311 - repeatable on purpose, no secret
    rows = _trained(public)
    return [sample(rows, FIRST_CAPS, dice) for _ in range(FIRST_EPOCHS)]


def seen(public: Sequence[Example]) -> list[Example]:
    """Training rows of public sources, of the ordinary ones only those that the first stage drew."""
    drawn = {row.text for epoch in first_stage(public) for row in epoch if row.source in ORDINARY}
    return [row for row in _trained(public) if row.source not in ORDINARY or row.text in drawn]


def kept_back(public: Sequence[Example]) -> list[Example]:
    """Ordinary posts that nothing was trained on or looked at: thresholds are set by them."""
    looked_at = {row.text for row in pool(public)}
    return [row for row in _left(public) if row.text not in looked_at]


def _left(public: Sequence[Example]) -> list[Example]:
    drawn = {row.text for epoch in first_stage(public) for row in epoch if row.source in ORDINARY}
    return [row for row in public if row.source in ORDINARY and row.text not in drawn]


def second_stage(
    public: Sequence[Example], corpus: Sequence[Example], folder: Path = CORPUS
) -> Iterator[list[Example]]:
    """The epochs of the second stage: the authored pairs twice, templates filled anew, and some of each source."""
    rows = seen(public)
    pairs = [row for row in _trained(corpus) if row.source == "corpus"]
    for epoch in range(SECOND_EPOCHS):
        last = epoch == SECOND_EPOCHS - 1
        seed = SECOND_SEED + epoch
        dice = random.Random(seed)  # noqa: S311 - as above
        slots = [row for row in read_templates(folder, seed) if row.split == "train"]
        caps = SECOND_CAPS
        if last:
            caps = {source: cap // 2 for source, cap in caps.items()} | {"hatemojibuild": LAST_HATEMOJI}
        public_rows = sample(rows, caps, dice)
        chosen = pairs * (1 if last else 2) + slots + public_rows
        dice.shuffle(chosen)
        yield chosen


def pool(public: Sequence[Example]) -> list[Example]:
    """Ordinary posts to look for false alarms in: half of those that the first stage left."""
    return [row for row in _left(public) if row.split == "train" and side(f"pool {row.text}", 0.5) == "dev"]


def mined(rows: Sequence[Example], scores: NDArray[np.floating]) -> list[Example]:
    """The posts of the pool that the second stage's model takes most for violations; `scores` has a row for each.

    They are presumed to break nothing, as all ordinary posts are: a presumption, and weighted as one.
    """
    worst = np.argsort(-scores.max(axis=1), kind="stable")[:MINED]
    return [replace(rows[row], targets=fine_targets(MINED_WEIGHT)) for row in worst.tolist()]


def third_stage(
    public: Sequence[Example], corpus: Sequence[Example], found: Sequence[Example], folder: Path = CORPUS
) -> Iterator[list[Example]]:
    """The epochs of the third stage: what the second one got wrong among ordinary posts, and some of everything."""
    rows = seen(public)
    authored = [row for row in _trained(corpus) if row.source != "slots"]
    for epoch in range(THIRD_EPOCHS):
        seed = THIRD_SEED + epoch
        dice = random.Random(seed)  # noqa: S311 - as above
        slots = [row for row in read_templates(folder, seed) if row.split == "train"]
        chosen = authored + list(found) + dice.sample(slots, len(slots) // 2) + sample(rows, THIRD_CAPS, dice)
        dice.shuffle(chosen)
        yield chosen


def fourth_stage(
    public: Sequence[Example], corpus: Sequence[Example], found: Sequence[Example]
) -> list[Example]:
    """One epoch on the pairs of `corpus/extra`, written for what the model read badly, and some of all the rest."""
    dice = random.Random(PAIRS_SEED)  # noqa: S311 - as above
    extra, pairs, ordinary, slots = _authored(_trained(corpus))
    chosen = extra * 2 + _some(pairs, 5000, dice) + ordinary + _some(slots, 600, dice)
    chosen += _some(found, 1500, dice) + sample(seen(public), _light(3, 1200), dice)
    dice.shuffle(chosen)
    return chosen


def fifth_stage(
    public: Sequence[Example], corpus: Sequence[Example], found: Sequence[Example], folder: Path = CORPUS
) -> list[Example]:
    """One short epoch on the templates that were written last."""
    dice = random.Random(TEMPLATES_SEED)  # noqa: S311 - as above
    extra, pairs, ordinary, _ = _authored(_trained(corpus))
    slots = [row for row in read_templates(folder, TEMPLATES_SEED) if row.split == "train"]
    last = [row for row in slots if int(row.pair.split(":")[1]) >= FIRST_TEMPLATES]
    first = [row for row in slots if int(row.pair.split(":")[1]) < FIRST_TEMPLATES]
    chosen = last + _some(first, 500, dice) + _some(pairs + extra, 3000, dice) + _some(ordinary, 500, dice)
    chosen += _some(found, 700, dice) + sample(seen(public), _light(6, 800), dice)
    dice.shuffle(chosen)
    return chosen


def _authored(rows: Sequence[Example]) -> tuple[list[Example], ...]:
    """Pairs of `corpus/extra`, other pairs, ordinary texts, filled templates."""
    pairs = [row for row in rows if row.source == "corpus"]
    return (
        [row for row in pairs if row.pair.startswith("extra/")],
        [row for row in pairs if not row.pair.startswith("extra/")],
        [row for row in rows if row.source == "ordinary"],
        [row for row in rows if row.source == "slots"],
    )


def _some(rows: Sequence[Example], count: int, dice: random.Random) -> list[Example]:
    return dice.sample(rows, min(count, len(rows)))


def _light(part: int, hatemoji: int) -> dict[str, int]:
    return {source: cap // part for source, cap in THIRD_CAPS.items()} | {"hatemojibuild": hatemoji}


def fast_rows(public: Sequence[Example], corpus: Sequence[Example]) -> list[Example]:
    """What the fast model learns from: every row that the second one may have seen, the authored pairs twice."""
    dice = random.Random(FIRST_SEED)  # noqa: S311 - as above
    authored = _trained(corpus)
    pairs = [row for row in authored if row.source == "corpus"]
    return sample(seen(public) + pool(public), FAST_CAPS, dice) + authored + pairs
