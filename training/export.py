"""Writes the files that the worker loads: weights without pickle, and beside each model what it is."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data import HEADS

LANGUAGES = ("en",)  # others are in the corpus, but false alarms in them were too many
MOST_TOKENS = 128
BINS = 10


def write_second(checkpoint: Path, folder: Path) -> None:
    """Writes `second.onnx` (int8) and `second.tokenizer.json` from a checkpoint of `training.encoder`."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import BertModel

    from training import encoder

    trained = encoder.load(checkpoint).eval()
    eager = BertModel(trained.encoder.config, add_pooling_layer=False).eval()
    eager.config._attn_implementation = "eager"
    eager.load_state_dict(trained.encoder.state_dict())
    trained.encoder = eager

    class WithShares(torch.nn.Module):
        """The mean of the shares plus the bias is the logits."""

        def __init__(self) -> None:
            super().__init__()
            self.model = trained

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            hidden = self.model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            shares = hidden @ self.model.head.weight.T
            present = mask.unsqueeze(-1).to(shares.dtype)
            return (shares * present).sum(1) / present.sum(1) + self.model.head.bias, shares

    ids = torch.randint(1000, 30_000, (2, 16))
    with tempfile.TemporaryDirectory() as place:
        full = Path(place) / "full.onnx"
        torch.onnx.export(
            WithShares(),
            (ids, torch.ones_like(ids)),
            str(full),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits", "shares"],
            dynamic_axes={
                "input_ids": {0: "texts", 1: "tokens"},
                "attention_mask": {0: "texts", 1: "tokens"},
                "logits": {0: "texts"},
                "shares": {0: "texts", 1: "tokens"},
            },
            opset_version=17,
            dynamo=False,
        )
        # Seven bits of weights: the same sums on processors with and without VNNI.
        quantize_dynamic(
            full, folder / "second.onnx", weight_type=QuantType.QInt8, reduce_range=True, per_channel=True
        )
    tokenizer = encoder.base_tokenizer(MOST_TOKENS)
    tokenizer.save(str(folder / "second.tokenizer.json"), pretty=False)


def write_about(
    folder: Path,
    name: str,
    version: str,
    calibration: Sequence[Sequence[float]],
    ordinary: NDArray[np.float64] | None,
    trained: date,
) -> None:
    """Writes `<name>.json`; `ordinary` holds the calibrated scores of ordinary texts, a column a head."""
    about = {
        "name": name,
        "version": version,
        "heads": list(HEADS),
        "calibration": [[round(float(a), 6), round(float(b), 6)] for a, b in calibration],
        "languages": list(LANGUAGES),
        "max_tokens": MOST_TOKENS,
        "reference": {}
        if ordinary is None
        else {head: tenths(ordinary[:, i]) for i, head in enumerate(HEADS)},
        "trained": trained.isoformat(),
    }
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def tenths(scores: NDArray[np.float64]) -> list[int]:
    """How many scores lie in each tenth of 0 to 1; 1.0 in the last."""
    places = np.minimum((np.asarray(scores, np.float64) * BINS).astype(np.int64), BINS - 1)
    return [int(count) for count in np.bincount(places, minlength=BINS)]


def install(work: Path, models: Path) -> list[Path]:
    """Copies the files that the worker loads from the work folder to the pack."""
    models.mkdir(parents=True, exist_ok=True)
    names = ("fast.npz", "fast.json", "second.onnx", "second.tokenizer.json", "second.json")
    return [Path(shutil.copyfile(work / name, models / name)) for name in names if (work / name).exists()]
