from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.cli.conftest import PACK


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _run(*arguments: str, cache: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`moderator run` in a process of its own: it sets signals and logging up."""
    return subprocess.run(
        [sys.executable, "-m", "worker.cli", "run", "--broker", f"127.0.0.1:{_closed_port()}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "MODERATOR_CACHE_DIR": str(cache),
            "MODERATOR_CONNECT_TIMEOUT": "1",
            "MODERATOR_POLICIES": str(PACK),
            **environment,
        },
    )


def test_a_pack_with_faults_is_told_when_no_broker_answers(tmp_path: Path, pattern_cache: Path) -> None:
    (tmp_path / "pack.toml").write_text("id = 1")
    ran = _run("--policies", str(tmp_path), cache=pattern_cache)
    assert ran.returncode == 2
    assert f"{tmp_path}/pack.toml:1: id" in ran.stderr


@pytest.mark.parametrize(
    "name", ["BATCH", "HTTP_PORT", "LOG_LEVEL", "DECISIONS", "GUARANTEE", "GROUP", "LINGER"]
)
def test_an_empty_variable_is_no_mistake(name: str, pattern_cache: Path) -> None:
    ran = _run(cache=pattern_cache, **{f"MODERATOR_{name}": ""})
    assert ran.returncode == 3, ran.stderr


def test_the_log_level_may_be_in_capitals(pattern_cache: Path) -> None:
    assert _run("--log-level", "ERROR", cache=pattern_cache).returncode == 3


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MODERATOR_MODEL_URL": "https://ann:s3cret@model.example/"}, "MODERATOR_MODEL_URL"),
        (
            {"MODERATOR_MODEL_URL": "http://127.0.0.1:1/", "MODERATOR_MODEL_TOKEN_FILE": "/nowhere/token"},
            "MODERATOR_MODEL_TOKEN_FILE",
        ),
    ],
)
def test_a_model_that_cannot_be_asked_is_told_at_the_start(
    variables: dict[str, str], told: str, pattern_cache: Path
) -> None:
    ran = _run(cache=pattern_cache, **variables)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert "s3cret" not in ran.stderr
