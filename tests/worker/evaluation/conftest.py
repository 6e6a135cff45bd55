from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.engine.helpers import PACK
from worker.engine.registry import Pack, load_pack
from worker.evaluation.evaluate import Evaluation

Line = dict[str, Any]
Evaluate = Callable[..., Evaluation]


@pytest.fixture(scope="session")
def pack() -> Pack:
    """Violence on made-up words: blip is doubtful, zip, zap and zonk are violations; a shadow policy on zork."""
    return load_pack(PACK, backend="re2")


def row(text: str, *labels: str, covers: tuple[str, ...] = ("violence",), **more: Any) -> Line:
    """A labelled line, covered by its source for violence."""
    return {"id": more.pop("id", text), "text": text, "labels": list(labels), "covers": list(covers), **more}


def encoded(*lines: Line | bytes) -> list[bytes]:
    return [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]


@pytest.fixture
def evaluated(pack: Pack) -> Evaluate:
    """An evaluation of these lines."""

    def run(*lines: Line | bytes, evasions: bool = False) -> Evaluation:
        evaluation = Evaluation(pack, evasions=evasions)
        evaluation.add_lines(encoded(*lines))
        return evaluation

    return run
