from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.worker.cli.conftest import PACK, Moderator
from worker import __version__
from worker.cli.app import app

COMMANDS = [
    ["run"],
    ["check"],
    ["score"],
    ["replay"],
    ["explain"],
    ["evaluate"],
    ["backtest"],
    ["policies", "list"],
    ["policies", "lint"],
    ["policies", "test"],
    ["policies", "diff"],
    ["policies", "pages"],
    ["policies", "print"],
    ["policies", "publish"],
    ["policies", "promote"],
    ["policies", "abort"],
    ["policies", "rollback"],
    ["policies", "status"],
    ["topics", "create"],
    ["topics", "check"],
    ["dead-letters", "list"],
    ["dead-letters", "show"],
    ["dead-letters", "replay"],
    ["media", "hash"],
    ["media", "check"],
    ["media", "bank", "add"],
    ["media", "bank", "list"],
    ["media", "bank", "lint"],
    ["statements", "export"],
    ["reverse"],
    ["breakers", "list"],
    ["breakers", "release"],
    ["breakers", "discard"],
    ["simulate"],
    ["doctor"],
    ["demo"],
    ["bench"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_takes_json(moderator: Moderator, command: list[str]) -> None:
    helped = moderator(*command, "--help")
    assert helped.code == 0
    assert helped.out.startswith("Usage: moderator ")
    assert "--json" in helped.out


def test_the_list_above_is_complete(moderator: Moderator) -> None:
    offered = {info.name for info in app.registered_commands} | {
        group.name for group in app.registered_groups
    }
    assert offered == {command[0] for command in COMMANDS}


def test_without_arguments_it_shows_its_help(moderator: Moderator) -> None:
    ran = moderator()
    assert ran.code == 0
    assert "Commands:" in ran.out


def test_the_version_is_the_packages(moderator: Moderator) -> None:
    assert moderator("--version").out == f"moderator {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["chek", "x"], "No such command 'chek'"),
        (["check"], "text"),
        (["check", "x", "--colour"], "No such option"),
        (["topics", "create", "--partitions", "many"], "--partitions"),
        (["replay", "x", "--decisions", "some"], "--decisions"),
    ],
)
def test_a_mistake_in_usage_is_named_with_code_2(
    moderator: Moderator, arguments: list[str], named: str
) -> None:
    ran = moderator(*arguments)
    assert ran.code == 2
    assert named in ran.err
    assert "--help" in ran.err
    assert ran.out == ""


def test_a_missing_file_is_named_without_a_traceback(moderator: Moderator) -> None:
    ran = moderator("score", "/no/such/file.jsonl")
    assert ran.code == 2
    assert "/no/such/file.jsonl: No such file or directory" in ran.err
    assert "Traceback" not in ran.err


def test_a_missing_pack_is_named(moderator: Moderator) -> None:
    ran = moderator("check", "x", "--policies", "/no/such/pack")
    assert ran.code == 2
    assert "/no/such/pack: no such folder" in ran.err


def test_nobody_at_the_brokers_address_is_code_3(moderator: Moderator) -> None:
    for command in (["topics", "check"], ["topics", "create"], ["dead-letters", "list"]):
        ran = moderator(*command, "--broker", "127.0.0.1:1")
        assert ran.code == 3
        assert "127.0.0.1:1" in ran.err
        assert "Traceback" not in ran.err


def _start(*arguments: str, cache: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "worker.cli", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MODERATOR_POLICIES": str(PACK), "MODERATOR_CACHE_DIR": str(cache)},
    )


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, pattern_cache: Path) -> None:
    posts = tmp_path / "posts.jsonl"
    posts.write_text('{"id": "a", "text": "nothing here"}\n' * 5_000)
    process = _start("score", str(posts), cache=pattern_cache)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(100)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0
    process.communicate()


def test_ctrl_c_ends_it_quietly_with_code_130(pattern_cache: Path) -> None:
    process = _start("score", "-", cache=pattern_cache)
    assert process.stdin is not None
    assert process.stdout is not None
    # A thousand lines are one batch: when its answers come, the program waits for more input.
    process.stdin.write(b'{"id": "a", "text": "nothing here"}\n' * 1_000)
    process.stdin.flush()
    process.stdout.readline()
    deadline = time.monotonic() + 30
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
    assert process.returncode == 130
    assert complaints == b""
