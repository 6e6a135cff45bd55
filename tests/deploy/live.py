"""A real Prometheus that scrapes real workers under load, for the tests of queries; none is installed by them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kafka.waiting import wait_until
from worker.embedded.settings import HOST, free_port

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "rules.yml"
STEP = 2  # seconds between two points of a picture


def find_prometheus() -> str | None:
    """The program: what MODERATOR_PROMETHEUS names, or the one on PATH."""
    return os.environ.get("MODERATOR_PROMETHEUS") or shutil.which("prometheus")


class Prometheus:
    """One that answers; `jobs` are those that it scrapes."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[Any]:
        """The instant vector of an expression.

        Raises:
            AssertionError: Prometheus does not take it.
        """
        return self._ask("query", {"query": expression})

    def between(self, expression: str, start: float, end: float) -> list[Any]:
        """The matrix of an expression, a point every `STEP` seconds."""
        return self._ask("query_range", {"query": expression, "start": start, "end": end, "step": STEP})

    def _ask(self, what: str, arguments: Mapping[str, Any]) -> list[Any]:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                told = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{arguments['query']}: {error.read().decode()}") from error
        result: list[Any] = told["data"]["result"]
        return result

    def targets_up(self) -> float:
        """How many targets answer."""
        return sum(float(each["value"][1]) for each in self.query("up"))


@contextmanager
def prometheus(program: str, folder: Path, jobs: Mapping[str, list[int]]) -> Iterator[Prometheus]:
    """Starts one that scrapes each job's ports on the loopback interface every second, and ends it."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [f"{HOST}:{each}" for each in ports]}]}
            for job, ports in jobs.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    command = [
        program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={HOST}:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    server = Prometheus(f"http://{HOST}:{port}")
    try:
        wait_until(lambda: _ready(server.url), 30, "Prometheus to be ready")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def concrete(expression: str, job: str) -> str:
    """A dashboard's expression with its variables set."""
    for name, value in {"$__rate_interval": "15s", "$job": job, "$instance": ".*"}.items():
        expression = expression.replace(name, value)
    # Windows of minutes and hours answer from the first two samples on; none needs to be shortened. What a panel hides
    # while it is 0 must be there all the same.
    return re.sub(r"\s+", " ", expression).removesuffix(" > 0")


def now() -> float:
    """The time as Prometheus counts it."""
    return time.time()
