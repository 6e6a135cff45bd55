"""The fast model: exact sums, windows, spans, files that it refuses."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.learned.fast import LONG, WINDOW, FastModel, buckets, cores, keys_of, piece_hashes
from worker.learned.model import About, ModelError

HEADS = ("violence", "hateful-conduct", "copyright")
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "then",
    "it",
    "went",
    "home",
    "with",
    "my",
    "friend",
    "@user",
    "link",
    "#",
    "why?",
    "no!",
    "ok...",
    "so-so",
    "don't",
]


def _about(heads: tuple[str, ...] = HEADS) -> About:
    return About.model_validate(
        {
            "name": "fast",
            "version": "1",
            "heads": heads,
            "calibration": [(0.5, -0.2)] * len(heads),
            "languages": ["en"],
            "reference": {"violence": [1] * 10},
        }
    )


def _arrays(joints: int = 2, bits: int = 10, width: int = 8) -> dict[str, NDArray[np.generic]]:
    dice = np.random.default_rng(1)
    return {
        "table": dice.integers(-127, 128, (1 << bits, width)).astype(np.int8),
        "scale": np.full(width, 0.005),
        "joints": np.array(joints),
        "hidden": dice.integers(-900, 900, (width, 16)),
        "hidden_bias": dice.integers(-900, 900, 16) * 256,
        "hidden_steps": np.array(1024.0),
        "out": dice.integers(-900, 900, (16 + width, len(HEADS))),
        "out_bias": np.zeros(len(HEADS)),
        "out_steps": np.array(1024.0 * 256),
    }


@pytest.fixture
def model() -> FastModel:
    return FastModel(_arrays(), _about())


def _texts(count: int, most: int = 40) -> list[str]:
    dice = random.Random(4)
    return [" ".join(dice.choices(WORDS, k=dice.randint(0, most))) for _ in range(count)]


def test_scores_are_probabilities_of_four_decimals(model: FastModel) -> None:
    scores = model.score(_texts(50))
    assert scores.shape == (50, 3)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (scores == np.round(scores, 4)).all()
    assert len(np.unique(scores)) > 50


def test_a_score_depends_on_nothing_but_its_text(model: FastModel) -> None:
    texts = _texts(700, most=2 * LONG)
    together = model.score(texts)
    alone = np.concatenate([FastModel(_arrays(), _about()).score([text]) for text in texts[:60]])
    backwards = FastModel(_arrays(), _about()).score(texts[::-1])[::-1]
    assert (together[:60] == alone).all()
    assert (together == backwards).all()


def test_scores_stay_when_what_was_remembered_is_forgotten(
    model: FastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = _texts(300)
    before = model.score(texts)
    monkeypatch.setattr("worker.learned.fast._MOST_REMEMBERED", 5)
    assert (model.score(texts) == before).all()
    assert (model.score(texts) == before).all()


def test_the_order_of_words_matters(model: FastModel) -> None:
    scores = model.score(["the cat sat", "sat the cat"])
    assert (scores[0] != scores[1]).any()


@pytest.mark.parametrize("text", ["", " ", "!", "\u200b", "a" * 3_000, "x", "\ud800", "🐒 " * 900, "\x02"])
def test_any_text_has_a_score(model: FastModel, text: str) -> None:
    assert np.isfinite(model.score([text, "ok"])).all()


def test_no_texts_have_no_scores(model: FastModel) -> None:
    assert model.score([]).shape == (0, 3)


def test_the_highest_window_of_a_long_text_decides(model: FastModel) -> None:
    found = random.Random(2).choices(WORDS, k=300)
    text = " ".join(found)
    start, end = model.best_window(text, "violence")
    window = text[start:end]
    assert len(window.split()) == WINDOW
    assert model.score([text])[0, 0] == model.score([window])[0, 0]


def test_the_window_of_a_short_text_is_all_of_it(model: FastModel) -> None:
    assert model.best_window(" the cat ", "violence") == (0, 9)


def test_spans_are_the_words_that_carry_a_score() -> None:
    arrays = _arrays(joints=0, bits=16)
    inner, edges = cores(["kill"])
    table = np.zeros_like(arrays["table"])
    for hashes, _ in piece_hashes(inner, edges, keys_of(inner)):
        table[buckets(hashes, 16), 0] = 100
    arrays |= {"table": table, "hidden": np.zeros((8, 16)), "hidden_bias": np.zeros(16)}
    out = np.zeros((24, 3))
    out[16, 0] = 1024.0
    model = FastModel(arrays | {"out": out}, _about())
    text = "they do kill us"
    spans = model.spans(text, "violence")
    assert text[spans[0].start : spans[0].end] == "kill"
    assert 0.5 < spans[0].share <= 1.0
    assert model.spans("", "violence") == []


def test_spans_lie_in_long_texts_and_come_strongest_first(model: FastModel) -> None:
    text = " ".join(random.Random(3).choices(WORDS, k=400))
    spans = model.spans(text, "copyright")
    low, high = model.best_window(text, "copyright")
    assert spans
    assert all(low <= span.start < span.end <= high for span in spans)
    assert [span.share for span in spans] == sorted((span.share for span in spans), reverse=True)


def test_a_saved_model_is_the_same_model(model: FastModel, tmp_path: Path) -> None:
    path = tmp_path / "fast.npz"
    np.savez_compressed(path, **_arrays())  # type: ignore[arg-type]
    loaded = FastModel.load(path, _about())
    assert (loaded.score(_texts(20)) == model.score(_texts(20))).all()
    assert loaded.heads == HEADS
    assert loaded.languages == {"en"}
    assert loaded.reference == {"violence": (1,) * 10}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"\x80\x04."])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fast.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"fast\.npz"):
        FastModel.load(path, _about())


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fast.npz"
    np.savez(path, **(_arrays() | {"table": np.array([{}], dtype=object)}))  # type: ignore[arg-type]
    with pytest.raises(ModelError):
        FastModel.load(path, _about())


def test_a_model_of_other_heads_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fast.npz"
    np.savez(path, **_arrays())  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="other heads"):
        FastModel.load(path, _about(HEADS[:2]))
