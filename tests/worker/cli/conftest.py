from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.worker.engine.helpers import CACHE
from worker.cli.app import main

PACK = Path(__file__).parents[2] / "packs" / "plain"


@dataclass(frozen=True, slots=True)
class Ran:
    """One command as it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Moderator = Callable[..., Ran]


@pytest.fixture(scope="session")
def pattern_cache() -> Path:
    """The engine tests' own: what is compiled is kept by its content, and the bundled pack takes 45 seconds."""
    return CACHE


@pytest.fixture
def moderator(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], pattern_cache: Path
) -> Moderator:
    """Runs the program in this process: `moderator("check", "text", stdin=b"…")`."""
    monkeypatch.setenv("MODERATOR_CACHE_DIR", str(pattern_cache))
    monkeypatch.setenv("MODERATOR_POLICIES", str(PACK))

    def run(*arguments: str, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ending:
            main(list(arguments))
        captured = capsysbinary.readouterr()
        code = ending.value.code
        assert isinstance(code, int)
        return Ran(code, captured.out.decode(), captured.err.decode())

    return run
