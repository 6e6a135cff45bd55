"""What `python -m training` runs: each step reads and writes files of the work folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import calibrate as calibration
from training import data as rows_of
from training import evaluate as evaluation
from training import export as exporting
from training import ngrams, plan, report
from training.data import HEADS, ORDINARY, Example, disturbed, matrices, prepared, read, read_table
from worker.learned.fast import FastModel
from worker.learned.model import About

log = logging.getLogger(__name__)

MEASURING = Path(__file__).parent / "measuring"
VERSION = "1.0.0"
PLAIN = [(1.0, 0.0)] * len(HEADS)

Logits = NDArray[np.float64]


def data(folder: Path, work: Path) -> None:
    """Reads the sources and the corpus into `public.jsonl.gz` and `corpus.jsonl.gz`."""
    for name, count in sorted(rows_of.make(folder, work).items()):
        log.info("%s: %d rows", name, count)


def train(work: Path, threads: int) -> None:
    """Trains the second model, the n-gram baseline and, on what the second says of the texts, the fast model."""
    import torch

    from training import encoder

    torch.set_num_threads(threads)
    public, corpus = read(work / "public.jsonl.gz"), read(work / "corpus.jsonl.gz")
    model = encoder.new(encoder.FIRST)
    encoder.train(model, plan.first_stage(public), encoder.FIRST)
    encoder.save(model, work / "first.pt")
    encoder.train(model, list(plan.second_stage(public, corpus)), encoder.SECOND)
    encoder.save(model, work / "mining.pt")
    pool = plan.pool(public)
    scores = encoder.logits_of(model, [prepared(row.text) for row in pool])
    found = plan.mined(pool, scores)
    encoder.train(model, list(plan.third_stage(public, corpus, found)), encoder.THIRD)
    encoder.train(model, [plan.fourth_stage(public, corpus, found)], encoder.FOURTH)
    encoder.train(model, [plan.fifth_stage(public, corpus, found)], encoder.FIFTH)
    encoder.save(model, work / "second.pt")
    train_small(work, threads)


def train_small(work: Path, threads: int) -> None:
    """Trains the fast model and the baseline beside a second model that is there already."""
    from training import fast

    exporting.write_second(work / "second.pt", work)
    public, corpus = read(work / "public.jsonl.gz"), read(work / "corpus.jsonl.gz")
    rows = plan.fast_rows(public, corpus)
    texts = training_texts(rows)
    targets, weights = matrices(rows)
    said = second_logits(work, texts, threads)
    np.save(work / "said.npy", said, allow_pickle=False)
    soft = (1 / (1 + np.exp(-said))).astype(np.float32)
    trained, _ = fast.train(texts, targets, weights, soft, fast.Settings())
    fast.save(fast.whole_numbers(trained, fast.Settings()), work / "fast.npz")
    baseline = ngrams.train(texts, targets, weights)
    measured = [prepared(row.text) for row in measured_rows(public, corpus)]
    np.save(work / "ngrams.npy", ngrams.logits(baseline, measured), allow_pickle=False)


def training_texts(rows: Sequence[Example]) -> list[str]:
    """The texts of rows as the fast model is trained on them: some disguised, all prepared."""
    import random

    dice = random.Random(plan.FIRST_SEED)  # noqa: S311 - repeatable on purpose, no secret
    return [prepared(disturbed(row.text, dice)) for row in rows]


def measured_rows(public: Sequence[Example], corpus: Sequence[Example]) -> list[Example]:
    """Everything that no model was trained on: dev rows, sources for measuring only, ordinary posts kept back."""
    held = [row for row in [*public, *corpus] if row.split != "train"]
    return held + [row for row in plan.kept_back(public) if row.split == "train"]


def calibrate(work: Path, threads: int) -> None:
    """Scores what was held out with both models as they ship; writes calibration, thresholds and reliability."""
    public, corpus = read(work / "public.jsonl.gz"), read(work / "corpus.jsonl.gz")
    rows = measured_rows(public, corpus)
    texts = [prepared(row.text) for row in rows]
    second = second_logits(work, texts, threads)
    fast = fast_model(work).logits(texts)
    np.savez(work / "logits.npz", second=second, fast=fast)
    settle(work, rows, fast, second)


def settle(work: Path, rows: Sequence[Example], fast: Logits, second: Logits) -> None:
    """Fits calibration and thresholds to logits of the measured rows."""
    targets, weights = matrices(rows)
    dev = np.array([row.split == "dev" for row in rows])
    found: dict[str, Any] = {}
    scores = {}
    for name, logits in (("fast", fast), ("second", second)):
        pairs = calibration.platt(logits[dev], targets[dev], weights[dev])
        scores[name] = calibration.probabilities(logits, np.round(pairs, 6))
        found[name] = {"calibration": np.round(pairs, 6).tolist(), "reliability": {}}
        for column, head in enumerate(HEADS):
            table = calibration.reliability(
                scores[name][dev, column], targets[dev, column], weights[dev, column]
            )
            found[name]["reliability"][head] = table
    ordinary = ordinary_rows(rows)
    fine = np.array([row.split == "dev" and row.slices.get("twin") == "fine" for row in rows])
    levels = calibration.steps(scores["second"][ordinary], scores["second"][fine])
    acted = scores["second"] >= levels["review"]
    band, share, kept = calibration.bands(
        scores["fast"][ordinary], scores["fast"][dev], acted[dev], targets[dev] >= 0.5
    )
    found["band"] = {"ordinary_share": share, "kept": kept, "choices": []}
    for budget in calibration.BAND_CHOICES:
        _, own, holds = calibration.bands(
            scores["fast"][ordinary], scores["fast"][dev], acted[dev], targets[dev] >= 0.5, budget
        )
        found["band"]["choices"].append({"ordinary_share": own, "kept": holds})
    (work / "calibration.json").write_text(json.dumps(found, indent=1) + "\n")
    thresholds = calibration.table(band, levels)
    (work / "thresholds.json").write_text(
        json.dumps({k: asdict(v) for k, v in thresholds.items()}, indent=1) + "\n"
    )
    log.info("ordinary posts in the band: %.4f; kept of what the second model acts on: %.4f", share, kept)


def ordinary_rows(rows: Sequence[Example]) -> NDArray[np.bool_]:
    """Which rows are ordinary posts that nothing was trained on."""
    public = [row for row in rows if row.source in ORDINARY]
    assert public, "no ordinary posts"
    return np.array([row.source in ORDINARY for row in rows])


def fast_model(work: Path, pairs: Sequence[Sequence[float]] = PLAIN) -> FastModel:
    """The fast model of the work folder."""
    about = About(
        name="fast",
        version=VERSION,
        heads=HEADS,  # type: ignore[arg-type]
        calibration=tuple((float(a), float(b)) for a, b in pairs),
        languages=exporting.LANGUAGES,
    )
    return FastModel.load(work / "fast.npz", about)


def second_logits(work: Path, texts: Sequence[str], threads: int) -> Logits:
    """Logits of the second model as it ships: text by text, without padding."""
    from tokenizers import Tokenizer

    from worker.learned.runtime import open_session

    session = open_session(str(work / "second.onnx"))
    tokenizer = Tokenizer.from_file(str(work / "second.tokenizer.json"))

    def read_one(text: str) -> NDArray[np.float32]:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        logits: NDArray[np.float32] = session.run(
            ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        )[0][0]
        return logits

    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(read_one, texts, chunksize=64)), np.float64)


def export(work: Path, models: Path) -> None:
    """Writes the descriptions and copies all files that the worker loads."""
    rows = measured_rows(read(work / "public.jsonl.gz"), read(work / "corpus.jsonl.gz"))
    found = json.loads((work / "calibration.json").read_text())
    logits = np.load(work / "logits.npz", allow_pickle=False)
    trained = datetime.now(UTC).date()
    for name in ("fast", "second"):
        pairs = found[name]["calibration"]
        ordinary = calibration.probabilities(logits[name][ordinary_rows(rows)], pairs)
        exporting.write_about(work, name, VERSION, pairs, ordinary, trained)
    for path in exporting.install(work, models):
        log.info("wrote %s", path)


def evaluate(work: Path, cards: Path, threads: int) -> None:
    """Measures everything and writes `evaluation.json` and the tables of the model cards."""
    public, corpus = read(work / "public.jsonl.gz"), read(work / "corpus.jsonl.gz")
    rows = measured_rows(public, corpus)
    found = json.loads((work / "calibration.json").read_text())
    thresholds = json.loads((work / "thresholds.json").read_text())
    logits = np.load(work / "logits.npz", allow_pickle=False)
    pairs = {name: found[name]["calibration"] for name in ("fast", "second")}
    fast, second = (calibration.probabilities(logits[name], pairs[name]) for name in ("fast", "second"))
    levels = {
        step: np.array([thresholds[head].get(step) or 2.0 for head in HEADS])
        for step in ("band", "review", "label", "remove")
    }
    band = levels.pop("band")
    both = evaluation.cascade(fast, second, band, levels["review"])
    result: dict[str, Any] = {"calibration": found, "thresholds": thresholds}
    scores = {"ngrams": np.load(work / "ngrams.npy", allow_pickle=False), "fast": fast, "second": second}
    result["areas"] = evaluation.areas(rows, scores | {"cascade": both})
    result["flagged"] = {
        "second": evaluation.flagged(rows, second, levels),
        "cascade": evaluation.flagged(rows, both, levels),
    }
    result["band"] = {
        name: {"band": values["band"], "review": values["review"]}
        for name, values in evaluation.flagged(rows, fast, {"band": band, "review": levels["review"]}).items()
    }
    held = [number for number, row in enumerate(rows) if row.split in ("dev", "measure")]
    held_rows = [rows[number] for number in held]
    result["caught"] = {
        model: {
            step: {
                head: (r.hits, r.total)
                for head, r in evaluation.caught(held_rows, values[held], level).items()
            }
            for step, level in levels.items()
        }
        for model, values in (("second", second), ("cascade", both))
    }
    result["precision"] = {
        step: {
            head: (r.hits, r.total) for head, r in evaluation.precision(held_rows, both[held], level).items()
        }
        for step, level in levels.items()
    }
    small = fast_model(work, pairs["fast"])
    result["identity"] = _identity(work, small, pairs["second"], band, levels, threads)
    result["written"] = _written(work, small, pairs["second"], band, levels, threads)
    result["evasions"] = _evasions(work, rows, both, small, pairs["second"], band, levels["review"], threads)
    result["curve"] = _curve(work, corpus)
    (work / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n")
    cards.mkdir(parents=True, exist_ok=True)
    for name, text in report.tables(result).items():
        card = cards / f"{name}.md"
        before = card.read_text(encoding="utf-8") if card.exists() else f"# Model card: {name}\n\n"
        card.write_text(report.renewed(before, text), encoding="utf-8")


def _read_both(
    work: Path,
    texts: Sequence[str],
    small: FastModel,
    pairs: Sequence[Sequence[float]],
    band: NDArray[np.float64],
    review: NDArray[np.float64],
    threads: int,
) -> tuple[Logits, Logits]:
    """The second model's probabilities, and what the cascade decides by."""
    fast = small.score(texts)
    second = calibration.probabilities(second_logits(work, texts, threads), pairs)
    return second, evaluation.cascade(fast, second, band, review)


def _identity(
    work: Path,
    small: FastModel,
    pairs: Sequence[Sequence[float]],
    band: NDArray[np.float64],
    levels: dict[str, NDArray[np.float64]],
    threads: int,
) -> dict[str, Any]:
    """False positives on neutral and positive statements about groups, per group and dialect."""
    path = MEASURING / "identity.tsv"
    if not path.exists():
        return {}
    statements = list(read_table(path))
    texts = [prepared(row["text"]) for row in statements]
    found: dict[str, Any] = {}
    for model, scores in zip(
        ("second", "cascade"),
        _read_both(work, texts, small, pairs, band, levels["review"], threads),
        strict=True,
    ):
        found[model] = {
            step: {
                kind: {
                    name: (ratio.hits, ratio.total)
                    for name, ratio in evaluation.per_group(
                        [row[kind] for row in statements], scores, level
                    ).items()
                }
                for kind in ("group", "category", "dialect")
            }
            for step, level in levels.items()
            if step in ("review", "label")
        }
    return found


def _written(
    work: Path,
    small: FastModel,
    pairs: Sequence[Sequence[float]],
    band: NDArray[np.float64],
    levels: dict[str, NDArray[np.float64]],
    threads: int,
) -> dict[str, Any]:
    """Posts written to measure on only: by what a statement about a group does, of all policies mixed, questions."""

    def scored(name: str) -> tuple[list[dict[str, str]], Logits, Logits]:
        rows = list(read_table(MEASURING / f"{name}.tsv"))
        texts = [prepared(row["text"]) for row in rows]
        return rows, *_read_both(work, texts, small, pairs, band, levels["review"], threads)

    found: dict[str, Any] = {}
    hate = HEADS.index("hateful-conduct")
    rows, second, both = scored("functions")
    for step in ("review", "label"):
        figures = evaluation.functions(rows, second[:, hate], float(levels[step][hate]))
        found[f"functions, {step}"] = {
            "area": figures["area"],
            "right": (figures["right"].hits, figures["right"].total),
            "by": {name: (each.hits, each.total) for name, each in figures["by"].items()},
        }
    rows, second, both = scored("mixed")
    found["mixed"] = {}
    for column, head in enumerate(HEADS):
        truth = np.array([head in row["labels"].replace(",", " ").split() for row in rows])
        if truth.sum() >= evaluation.LEAST_POSITIVES:
            found["mixed"][head] = {
                "areas": {
                    name: evaluation.area(truth, scores[:, column])
                    for name, scores in (("second", second), ("cascade", both))
                },
                "positives": int(truth.sum()),
                "rows": len(truth),
            }
    clean = np.array([row["labels"] == "-" for row in rows])
    found["nothing broken"] = {
        step: (int((both[clean] >= level).any(1).sum()), int(clean.sum())) for step, level in levels.items()
    }
    rows, second, both = scored("prompts")
    safe = np.array([row["safe"] == "yes" for row in rows])
    found["safe questions"] = {
        step: (int((second[safe] >= level).any(1).sum()), int(safe.sum())) for step, level in levels.items()
    }
    return found


def _evasions(
    work: Path,
    rows: Sequence[Example],
    scores: Logits,
    small: FastModel,
    pairs: Sequence[Sequence[float]],
    band: NDArray[np.float64],
    review: NDArray[np.float64],
    threads: int,
) -> dict[str, float]:
    """Of the violations that the cascade finds in clean spelling, the share it still finds in each disguise."""
    targets, weights = matrices(rows)
    dev = np.array([row.split == "dev" for row in rows])
    hit = (targets >= 0.5) & (weights > 0.5) & (scores >= review) & dev[:, None]
    chosen = np.flatnonzero(hit.any(1))
    chosen = np.random.default_rng(5).permutation(chosen)[:400]
    some = [rows[number] for number in chosen]
    found = {}
    for kind in evaluation.EVASIONS:
        _, both = _read_both(work, evaluation.disguised(some, kind), small, pairs, band, review, threads)
        found[kind] = float(((both >= review) & hit[chosen]).any(1).mean())
    return found


def _curve(work: Path, corpus: Sequence[Example]) -> list[dict[str, Any]]:
    """The learning curve over frozen embeddings of the encoder before it saw the corpus."""
    from training import encoder

    start = work / "first.pt"
    model = encoder.load(start) if start.exists() else encoder.new(encoder.FIRST)
    pairs = [row for row in corpus if row.source == "corpus"]
    read = encoder.embeddings_of(model, [prepared(row.text) for row in pairs])
    train_rows = np.array([row.split == "train" for row in pairs])
    return evaluation.curve(
        [row for row in pairs if row.split == "train"],
        read[train_rows],
        [row for row in pairs if row.split == "dev"],
        read[~train_rows],
    )
