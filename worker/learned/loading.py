"""Reads the models that a pack declares: what is not what the pack says it is gets refused, what is missing is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from worker.engine.policy import Policy
from worker.engine.tomlfile import Problem
from worker.learned.cascade import Cascade
from worker.learned.fast import FastModel
from worker.learned.model import ModelError, read_about
from worker.learned.transformer import Transformer

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FastFiles(_Strict):
    """The files of the fast model, relative to the pack."""

    weights: str
    about: str


class SecondFiles(FastFiles):
    """The files of the second model; `weights` is an ONNX file (see `worker.learned.transformer`)."""

    tokenizer: str


class Declared(_Strict):
    """The table `models` of `pack.toml`. `sha256` names every file; `share` and `burst` bound the second model."""

    fast: FastFiles
    second: SecondFiles | None = None
    sha256: dict[str, Sha256]
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.03
    burst: Annotated[int, Field(ge=1)] = 1_000


@dataclass(frozen=True, slots=True)
class Models:
    """What could be loaded. `degraded` names the models of which a file is missing: `fast`, `second`.

    `sha256` holds the hash of each file that the pack names.
    """

    cascade: Cascade | None = None
    degraded: tuple[str, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)

    @property
    def warning(self) -> str | None:
        """What a person should know about missing models; None when all are there."""
        if not self.degraded:
            return None
        if "fast" in self.degraded:
            return "degraded: the trained models' files are missing; only the rules judge"
        return "degraded: the second model's files are missing; nothing is acted on by models, what is likely goes to review"


def load_models(
    root: Path, declared: Declared, policies: Sequence[Policy], problems: list[Problem]
) -> Models:
    """Loads the models of the pack in `root`; faults are added to `problems`.

    A missing file is no fault: without the second model nothing is acted on by models, without the fast one
    there are none, and the worker says so.
    """
    pack_file = root / "pack.toml"
    missing: list[str] = []
    for name, files in (("fast", declared.fast), ("second", declared.second)):
        if files is None:
            continue
        own = [str(file) for file in files.model_dump().values()]
        for file in own:
            if file not in declared.sha256:
                problems.append(Problem(pack_file, None, f'models.sha256 does not name "{file}"'))
            elif not (root / file).is_file():
                missing.append(name)
            elif (found := _sha256(root / file)) != declared.sha256[file]:
                problems.append(
                    Problem(
                        root / file, None, f"is not the model that pack.toml names: its SHA-256 is {found}"
                    )
                )
    degraded = tuple(dict.fromkeys(missing))
    if problems or "fast" in degraded:
        return Models(None, degraded, declared.sha256)
    try:
        fast = FastModel.load(root / declared.fast.weights, read_about(root / declared.fast.about))
        second = None
        if declared.second is not None and "second" not in degraded:
            second = Transformer(
                root / declared.second.weights,
                root / declared.second.tokenizer,
                read_about(root / declared.second.about),
            )
    except ModelError as error:
        problems.append(Problem(pack_file, None, f"a model cannot be used: {error}"))
        return Models(None, degraded, declared.sha256)
    cascade = Cascade(policies, fast, second, share=declared.share, burst=declared.burst)
    return Models(cascade, degraded, declared.sha256)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
