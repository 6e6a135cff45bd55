"""The core stays pure: a test reads its imports and says so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ("worker/engine", "worker/learned", "worker/signals", "worker/policies")
# What talks to the world, asks the clock, rolls dice or reads its surroundings.
FORBIDDEN = frozenset(
    ("faust", "mode", "aiokafka", "kafka", "confluent_kafka", "socket", "ssl", "asyncio", "http", "urllib", "requests",
     "aiohttp", "time", "random", "secrets", "uuid", "environ", "pickle", "marshal", "shelve", "prometheus_client", "typer",
     "rich", "uvloop", "logging")
)  # fmt: skip
# Modules of this project that belong to the shell around the core.
SHELL = frozenset(
    f"worker.{path.stem}"
    for path in (ROOT / "worker").iterdir()
    if path.stem not in {"engine", "learned", "signals", "policies", "__init__", "__pycache__"}
)


def _files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            yield f"{node.func.value.id}.{node.func.attr}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


@pytest.mark.parametrize("folder", CORE)
def test_the_core_imports_nothing_that_reaches_outside(folder: str) -> None:
    files = _files(folder)
    assert files
    for path in files:
        for name in _imports(_parse(path)):
            assert name.partition(".")[0] not in FORBIDDEN, f"{path.relative_to(ROOT)} imports {name}"
            assert not any(name == module or name.startswith(f"{module}.") for module in SHELL), (
                f"{path.relative_to(ROOT)} imports {name}, which is not part of the core"
            )


@pytest.mark.parametrize("folder", CORE)
def test_the_core_reads_neither_clock_nor_environment(folder: str) -> None:
    forbidden = {
        "os.environ",
        "os.getenv",
        "os.urandom",
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
    }
    for path in _files(folder):
        for name in _calls(_parse(path)):
            assert name not in forbidden, f"{path.relative_to(ROOT)} uses {name}"


def test_patterns_are_never_given_to_an_engine_that_backtracks() -> None:
    for path in _files("worker"):
        assert "re" not in {name.partition(".")[0] for name in _imports(_parse(path))}, (
            f"{path.relative_to(ROOT)} imports re"
        )


def test_schemas_import_nothing_of_the_worker() -> None:
    for path in _files("schemas"):
        for name in _imports(_parse(path)):
            assert name.partition(".")[0] != "worker", f"{path.relative_to(ROOT)} imports {name}"


def test_policies_import_only_the_contract_and_the_signals() -> None:
    allowed = (
        "worker.engine.contract",
        "worker.engine.policy",
        "worker.engine.facts",
        "worker.engine.scored",
        "worker.signals",
        "worker.policies",
        "schemas",
    )
    for path in _files("worker/policies"):
        for name in _imports(_parse(path)):
            if name.partition(".")[0] in {"worker", "schemas"}:
                assert name.startswith(allowed) or name in {"worker.engine"}, (
                    f"{path.relative_to(ROOT)} imports {name}"
                )
