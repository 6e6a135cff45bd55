"""The baseline to beat: hashed character 2-5-grams and word 1-2-grams, one logistic regression a policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from training.data import HEADS

Matrix = NDArray[np.float32]
FEATURES = 2**20

_CHARS = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), n_features=FEATURES, alternate_sign=False)
_WORDS = HashingVectorizer(
    ngram_range=(1, 2),
    n_features=FEATURES,
    alternate_sign=False,
    token_pattern=r"\S+",  # noqa: S106 - no password
)


def features(texts: Sequence[str]) -> csr_matrix:
    """A row a prepared text."""
    return hstack([_CHARS.transform(texts), _WORDS.transform(texts)], format="csr", dtype=np.float32)


def train(texts: Sequence[str], targets: Matrix, weights: Matrix, seed: int = 5) -> list[Any]:
    """A classifier for each head, None for a head without both kinds of rows."""
    every = features(texts)
    found: list[Any] = []
    for head in range(len(HEADS)):
        rows = np.flatnonzero(weights[:, head] > 0)
        truth = targets[rows, head] >= 0.5
        if truth.all() or not truth.any():
            found.append(None)
            continue
        # Logistic regression by stochastic gradients: the same model, and every head in seconds.
        model = SGDClassifier(
            loss="log_loss", alpha=2e-6, max_iter=8, tol=None, average=True, random_state=seed
        )
        found.append(model.fit(every[rows], truth, sample_weight=weights[rows, head]))
    return found


def logits(models: Sequence[Any], texts: Sequence[str]) -> Matrix:
    """A row a prepared text, a column a head; heads without a model are as sure as can be that nothing is broken."""
    every = features(texts)
    columns = [
        np.full(len(texts), -20.0) if model is None else model.decision_function(every) for model in models
    ]
    return np.stack(columns, 1).astype(np.float32)
