"""The n-gram baseline."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from training import ngrams
from training.data import HEADS


def test_logits_have_a_row_a_text_and_a_column_a_head() -> None:
    texts = ["i will hurt you", "what a nice day", "i will hurt them", "nice to see you"] * 5
    targets = np.zeros((20, len(HEADS)), np.float32)
    targets[::2, 0] = 1.0
    weights = np.zeros_like(targets)
    weights[:, 0] = 1.0
    models = ngrams.train(texts, targets, weights)
    found = ngrams.logits(models, ["i will hurt him", "a nice day"])
    assert found.shape == (2, len(HEADS))
    assert found[0, 0] > found[1, 0]
    assert (found[:, 1:] == -20).all()
