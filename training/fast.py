"""Tier 1: trains the bag of hashed pieces of `worker.learned.fast`, on labels and on what tier 2 says of the texts."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data import HEADS
from worker.learned.fast import _FIRST as FIRST
from worker.learned.fast import LONG, POOLED_STEPS, buckets, cores, joint_hashes, keys_of, piece_hashes
from worker.learned.texts import MOST_CODE_POINTS

log = logging.getLogger(__name__)

WEIGHT_STEPS = 1024.0
Arrays = dict[str, NDArray[np.generic]]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Settings:
    """How large the model is and how it is trained."""

    bits: int = 18
    width: int = 24
    joints: int = 1  # pairs; triples as well with 2
    hidden: int = 64
    epochs: int = 10
    batch: int = 256
    table_rate: float = 1.5  # plain steps: those that adapt to each row learn rare features by heart
    rate: float = 2e-3
    hard: float = 0.5  # weight of the labels beside that of tier 2's probabilities
    drop: float = 0.4  # share of features left out while training
    seed: int = 5


class Features:
    """Places in the table of the features of texts, by the very functions that the worker uses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, int] = {FIRST: 0}
        self._keys = np.zeros(0, np.uint64)
        self._starts = np.zeros(1, np.int64)
        self._places = np.zeros(0, np.int32)

    def learn(self, texts: Sequence[str]) -> None:
        """Reads all pieces of these texts; before any call of `of` with them."""
        for text in texts:
            for piece in text[:MOST_CODE_POINTS].split():
                self._known.setdefault(piece, len(self._known))
        found = list(self._known)
        found[0] = FIRST
        inner, edges = cores(found)
        self._keys = keys_of(inner)
        parts = piece_hashes(inner, edges, self._keys)
        owners = np.concatenate([part[1] for part in parts])
        order = np.argsort(owners, kind="stable")
        hashes = np.concatenate([part[0] for part in parts])[order]
        self._places = buckets(hashes, self._settings.bits).astype(np.int32)
        self._starts = np.searchsorted(owners[order], np.arange(len(found) + 1))

    def rows(self, text: str) -> NDArray[np.int32]:
        """A text as the numbers of its pieces, for `of`."""
        found = text[:MOST_CODE_POINTS].split()[:LONG]
        return np.array([0, *map(self._known.__getitem__, found)], np.int32)

    def of(self, rows: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.int64], NDArray[np.int64], Matrix]:
        """Places of all features of some texts, where each text's begin, and what each text's sum is divided by."""
        flat = np.concatenate(rows).astype(np.int64)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        starts = np.cumsum(lengths) - lengths
        owners = np.repeat(np.arange(len(rows)), lengths)
        counts = self._starts[flat + 1] - self._starts[flat]
        ends = np.cumsum(counts)
        inside = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        places = [self._places[np.repeat(self._starts[flat], counts) + inside].astype(np.int64)]
        of = [np.repeat(owners, counts)]
        for hashes, none in joint_hashes(self._keys[flat], starts)[: self._settings.joints]:
            there = np.ones(len(flat), bool)
            there[none[none < len(flat)]] = False
            places.append(buckets(hashes, self._settings.bits)[there])
            of.append(owners[there])
        every = np.concatenate(of)
        order = np.argsort(every, kind="stable")
        firsts = np.searchsorted(every[order], np.arange(len(rows)))
        return np.concatenate(places)[order], firsts, np.sqrt(lengths).astype(np.float32)


class Fast(nn.Module):
    """The same sums in floats, to be trained."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(1 << settings.bits, settings.width, mode="sum", sparse=True)
        nn.init.normal_(self.table.weight, std=0.01)
        self.hidden = nn.Linear(settings.width, settings.hidden)
        self.out = nn.Linear(settings.hidden + settings.width, len(HEADS))
        nn.init.constant_(self.out.bias, -3.0)

    def forward(self, places: torch.Tensor, starts: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
        pooled = self.table(places, starts) / sizes[:, None]
        logits: torch.Tensor = self.out(torch.cat([torch.relu(self.hidden(pooled)), pooled], 1))
        return logits


def train(
    texts: Sequence[str], targets: Matrix, weights: Matrix, soft: Matrix | None, settings: Settings
) -> tuple[Fast, Features]:
    """A model trained on prepared texts; `soft` holds the second model's probabilities."""
    torch.manual_seed(settings.seed)
    dice = random.Random(settings.seed)  # noqa: S311 - repeatable on purpose, no secret
    noise = np.random.default_rng(settings.seed)
    features = Features(settings)
    features.learn(texts)
    rows = [features.rows(text) for text in texts]
    model = Fast(settings)
    table = torch.optim.SGD(model.table.parameters(), lr=settings.table_rate)
    rest = torch.optim.Adam([*model.hidden.parameters(), *model.out.parameters()], lr=settings.rate)
    total = settings.epochs * -(-len(rows) // settings.batch)
    step, began, running = 0, time.monotonic(), 0.0
    for epoch in range(settings.epochs):
        order = list(range(len(rows)))
        dice.shuffle(order)
        for start in range(0, len(order), settings.batch):
            pace = 1.0 - step / total
            table.param_groups[0]["lr"] = settings.table_rate * pace
            rest.param_groups[0]["lr"] = settings.rate * pace
            chosen = order[start : start + settings.batch]
            places, starts, sizes = features.of([rows[row] for row in chosen])
            keep = noise.random(len(places)) >= settings.drop
            keep[starts] = True
            starts = (np.cumsum(keep) - 1)[starts]
            logits = model(torch.from_numpy(places[keep]), torch.from_numpy(starts), torch.from_numpy(sizes))
            loss = settings.hard * _loss(logits, targets[chosen], weights[chosen])
            if soft is not None:
                loss = loss + _loss(logits, soft[chosen], np.ones((len(chosen), len(HEADS)), np.float32))
            loss.backward()
            table.step()
            rest.step()
            table.zero_grad()
            rest.zero_grad()
            step, running = step + 1, running + loss.item()
        log.info(
            "epoch %d, loss %.4f, %.0f s", epoch, running / (step / (epoch + 1)), time.monotonic() - began
        )
        running = 0.0
    return model, features


def _loss(logits: torch.Tensor, targets: Matrix, weights: Matrix) -> torch.Tensor:
    every = nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(targets), reduction="none"
    )
    return (every * torch.from_numpy(weights)).sum() / len(logits)


def whole_numbers(model: Fast, settings: Settings) -> Arrays:
    """The model as `worker.learned.fast` reads it: whole numbers, and what they are multiples of."""
    weights = model.table.weight.detach().numpy()
    scale = np.maximum(np.quantile(np.abs(weights), 0.9999, axis=0), 1e-6) / 127.0
    hidden, out = model.hidden, model.out
    return {
        "table": np.clip(np.rint(weights / scale), -127, 127).astype(np.int8),
        "scale": scale.astype(np.float64),
        "joints": np.array(settings.joints),
        "hidden": _steps(hidden.weight.T, WEIGHT_STEPS),
        "hidden_bias": _steps(hidden.bias, WEIGHT_STEPS * POOLED_STEPS),
        "hidden_steps": np.array(WEIGHT_STEPS),
        "out": _steps(out.weight.T, WEIGHT_STEPS),
        "out_bias": _steps(out.bias, WEIGHT_STEPS * POOLED_STEPS),
        "out_steps": np.array(WEIGHT_STEPS * POOLED_STEPS),
    }


def _steps(values: torch.Tensor, steps: float) -> NDArray[np.int32]:
    return np.rint(values.detach().numpy().astype(np.float64) * steps).astype(np.int32)


def save(arrays: Arrays, path: Path) -> None:
    """Writes an `.npz` file: plain arrays only, nothing pickled."""
    with path.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **arrays)  # type: ignore[arg-type]
