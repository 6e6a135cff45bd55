"""Writes small ONNX classifiers and their tokenizers: a logit is the mean of what each word adds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

HEADS = ("illegal-goods", "suicide-self-harm")
WORDS: Mapping[str, tuple[float, float]] = {
    "[UNK]": (0.0, 0.0),
    "a": (-0.5, -0.5),
    "buy": (6.0, 0.0),
    "pills": (8.0, -1.0),
    "farewell": (0.0, 9.0),
}


def write(
    folder: Path,
    *,
    words: Mapping[str, Sequence[float]] = WORDS,
    heads: Sequence[str] = HEADS,
    shares: bool = True,
    output: str = "logits",
) -> tuple[Path, Path, Path]:
    """Writes weights, tokenizer and description; gives back their paths."""
    table = np.array(list(words.values()), np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["all"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["all", "wide"], ["shares"]),
        helper.make_node("ReduceMean", ["shares", "middle"], [output], keepdims=0),
    ]
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    width = table.shape[1]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, width])]
    if shares:
        outputs.append(helper.make_tensor_value_info("shares", TensorProto.FLOAT, [1, "tokens", width]))
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], np.int64), "last"),
        numpy_helper.from_array(np.array([1], np.int64), "middle"),
    ]
    graph = helper.make_graph(nodes, "words", tokens, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    weights, tokenizer_file, about = folder / "m.onnx", folder / "m.tokenizer.json", folder / "m.json"
    onnx.save(model, str(weights))
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tokenizer_file))
    about.write_text(json.dumps(description(heads)), "utf-8")
    return weights, tokenizer_file, about


def description(heads: Sequence[str] = HEADS, **more: object) -> dict[str, object]:
    """What stands beside the weights."""
    return {
        "name": "words",
        "version": "1",
        "heads": list(heads),
        "calibration": [[1.0, 0.0]] * len(heads),
        "languages": ["en"],
        **more,
    }
