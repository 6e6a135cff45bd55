from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Moderator

pytestmark = pytest.mark.kafka


def test_no_worker_only_streams(moderator: Moderator, broker: str, topic_prefix: str) -> None:
    where = ["--broker", broker, "--topic-prefix", topic_prefix]
    missing = moderator("demo", "--no-worker", *where, "--rounds", "1", "--rate", "0")
    assert missing.code == 2
    assert "moderator topics create" in missing.err
    moderator("topics", "create", *where, "--partitions", "2")
    ran = moderator("demo", "--no-worker", *where, "--rounds", "1", "--rate", "0", "--json")
    assert ran.code == 0
    assert ran.json["sent"] > 2_000


def test_a_worker_that_cannot_start_is_named_with_the_end_of_its_log(
    moderator: Moderator, broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.toml").write_text("id = 3\n")
    started = time.monotonic()
    ran = moderator(
        "demo",
        "--broker",
        broker,
        "--topic-prefix",
        topic_prefix,
        "--policies",
        str(pack),
        "--out",
        str(tmp_path / "out"),
    )
    assert ran.code == 1
    assert "the worker ended with exit code 2" in ran.err
    assert "pack.toml" in ran.err
    assert time.monotonic() - started < 30
