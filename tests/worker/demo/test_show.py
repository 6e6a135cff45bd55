from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from worker.engine.policy import POLICY_IDS

pytestmark = pytest.mark.kafka


def test_the_demonstration_answers_every_record_and_leaves_its_outputs(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    command = [
        sys.executable, "-m", "worker.cli", "demo", "--json", "--broker", broker, "--topic-prefix", topic_prefix,
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=360, check=False)
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["records"] == report["answered"] >= 2_000
    assert report["dead_letters"]["bad_utf8"] == 1
    assert report["policies"]["violence"]["violation"] >= 10
    assert report["policies"]["private-information"]["violation"] >= 5
    assert set(report["followed"]) == set(POLICY_IDS)
    assert report["followed"]["suicide-self-harm"]["help"] >= report["notices"]["support"] >= 3
    decisions = (tmp_path / "out" / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(decisions) + sum(report["dead_letters"].values()) == report["records"]
    assert "[" in ran.stderr, "evidence is marked in the plain lines"


def test_ctrl_c_ends_it_quietly_and_nothing_stays_behind(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "worker.cli",
            "demo",
            "--broker",
            broker,
            "--topic-prefix",
            topic_prefix,
            "--out",
            str(out),
            "--rate",
            "20",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    worker = None
    for line in process.stdout:
        if line.startswith("The worker is ready"):
            worker = _child_of(process.pid)
            break
    assert worker is not None
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaints == ""
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def _child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None
