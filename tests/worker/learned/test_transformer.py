"""A text classifier in ONNX, as the pack brings it or an operator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.worker.learned import onnx_files
from worker.learned.model import ModelError, read_about
from worker.learned.transformer import Transformer

_ALL = (0.0, 0.0)


@pytest.fixture
def model(tmp_path: Path) -> Transformer:
    weights, tokenizer, about = onnx_files.write(tmp_path)
    return Transformer(weights, tokenizer, read_about(about))


def test_a_text_gets_a_calibrated_probability_for_each_head(model: Transformer) -> None:
    found = model.read("buy pills", (1.1, 1.1)).probabilities
    assert found.tolist() == [round(1 / (1 + np.exp(-7.0)), 4), round(1 / (1 + np.exp(0.5)), 4)]


def test_the_same_text_has_the_same_score_whatever_was_read_before(model: Transformer) -> None:
    first = model.read("a farewell", _ALL).probabilities
    model.read("buy pills " * 40, _ALL)
    assert model.read("a farewell", _ALL).probabilities.tolist() == first.tolist()


def test_spans_are_the_words_that_carry_the_score(model: Transformer) -> None:
    text = "a a BUY pills a"
    spans = model.read(text, _ALL).spans[0]
    assert [text[span.start : span.end] for span in spans] == ["BUY pills"]
    assert spans[0].share == 1.0


def test_spans_are_given_only_for_heads_that_are_asked_for(model: Transformer) -> None:
    assert set(model.read("buy pills", (0.5, 0.99)).spans) == {0}


def test_a_model_without_shares_has_no_spans(tmp_path: Path) -> None:
    weights, tokenizer, about = onnx_files.write(tmp_path, shares=False)
    assert Transformer(weights, tokenizer, read_about(about)).read("buy pills", _ALL).spans == {}


def test_long_and_empty_and_hostile_texts_are_read(model: Transformer) -> None:
    for text in ("", " ", "\ud800", "\x00", "buy " * 10_000, "\u202e\u0301" * 100):
        assert model.read(text, _ALL).probabilities.shape == (2,)


def test_other_heads_than_the_description_are_refused(tmp_path: Path) -> None:
    weights, tokenizer, about = onnx_files.write(tmp_path, heads=("violence",))
    with pytest.raises(ModelError, match="gives 2 logits, but its description names 1"):
        Transformer(weights, tokenizer, read_about(about))


def test_a_model_without_logits_is_refused(tmp_path: Path) -> None:
    weights, tokenizer, about = onnx_files.write(tmp_path, output="scores", shares=False)
    with pytest.raises(ModelError, match="no output called logits, but scores"):
        Transformer(weights, tokenizer, read_about(about))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    weights, tokenizer, about = onnx_files.write(tmp_path)
    weights.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"m\.onnx: "):
        Transformer(weights, tokenizer, read_about(about))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": ["violence", "violence"]}, "each head is named once"),
        ({"heads": ["bad-manners", "violence"]}, "heads"),
        ({"calibration": [[1.0, 0.0]]}, "one pair for each head"),
        ({"reference": {"violence": [1, 2]}}, "10 counts"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_a_description_that_cannot_be_used_says_why(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    file = tmp_path / "m.json"
    file.write_text(json.dumps(onnx_files.description() | change), "utf-8")
    with pytest.raises(ModelError, match=said):
        read_about(file)
