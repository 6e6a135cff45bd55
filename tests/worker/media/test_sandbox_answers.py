"""What a child may do that a file took over: it costs that file, and the worker believes nothing that makes no sense."""

from __future__ import annotations

import os
import stat
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
from worker.media.sandbox import Sandbox

HELPERS = """
    import json, os, struct, sys, time

    def say(text):
        body = text if isinstance(text, bytes) else json.dumps(text).encode()
        os.write(1, struct.pack(">I", len(body)) + body)

    def hear():
        head = sys.stdin.buffer.read(4)
        if not head:
            sys.exit()
        return json.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))

    GOOD = {"found": {"kind": "image", "format": "png"}}
    READY = {"ready": True, "missing": []}
"""

Taken = Callable[[str], Sandbox]


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taken]:
    """A sandbox whose children run this code; `first` tells whether it is the first of them."""
    made: list[Sandbox] = []

    def make(code: str) -> Sandbox:
        marker = tmp_path / "first"
        script = tmp_path / "child"
        first = f"first = not os.path.exists({str(marker)!r})\nopen({str(marker)!r}, 'w').close()\n"
        after = "\nwhile hear():\n    say(GOOD)\n"
        lines = (
            f"#!{sys.executable} -B\n",
            textwrap.dedent(HELPERS),
            first,
            "if first:\n",
            textwrap.indent(code, "    "),
        )
        script.write_text("".join(lines) + "\nsay(READY)" + after)
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(script))
        made.append(Sandbox(Limits(examine_seconds=0.4), 1))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.close()


def refusal(sandbox: Sandbox) -> RefusedError:
    with pytest.raises(RefusedError) as told:
        sandbox.examine(Path("/none"), Asked())
    return told.value


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("say(READY); hear(); time.sleep(60)", Refusal.TIME),
        ("say(READY); hear(); os.write(1, b'\\0\\0\\0\\x40{'); time.sleep(60)", Refusal.TIME),
        ("say(READY); hear()\n[(os.write(1, b'\\0'), time.sleep(0.15)) for _ in range(60)]", Refusal.TIME),
        ("say(READY); hear(); os.close(1); time.sleep(60)", Refusal.CRASHED),
        ("say(READY); hear(); os.abort()", Refusal.CRASHED),
        ("say(READY); hear(); os.write(1, b'rubbish' * 1000)", Refusal.CRASHED),
        ("say(READY); hear(); os.write(1, b'\\xff\\xff\\xff\\xff'); time.sleep(60)", Refusal.CRASHED),
        ("say(READY); hear(); say(b'[' * 100_000)", Refusal.CRASHED),
        ("say(READY); hear(); say({'ready': True})", Refusal.CRASHED),
        ("say(READY); hear(); say({'found': 7})", Refusal.CRASHED),
        ("say(READY); hear(); say({'found': GOOD['found'], 'more': 1})", Refusal.CRASHED),
        ("say(READY); hear(); say({'refused': 'because'})", Refusal.CRASHED),
        ("say(GOOD)", Refusal.CRASHED),
        ("sys.exit()", Refusal.CRASHED),
        *(
            (f"say(READY); hear(); GOOD['found'].update({more}); say(GOOD)", Refusal.CRASHED)
            for more in (
                "{'sha256': 'x' * 64}", "{'sha256': '0' * 63}", "{'pdq': '../../etc'}", "{'format': 'x' * 201}",
                "{'format': 'a\\nb'}", "{'scores': {'nudity': float('nan')}}", "{'scores': {'nudity': 1e9}}",
                "{'scores': {str(n): 0.5 for n in range(5000)}}", "{'scores': {'x' * 999: 0.5}}",
                "{'width': -1}", "{'width': 10**12}", "{'pdq_quality': 101}", "{'inner_pdq': 'x'}", "{'duration_seconds': float('inf')}",
                "{'frames': [{'at_seconds': 0}] * 5000}", "{'turned': ['x']}", "{'preview': 'AAAA'}",
                "{'provenance': {'generator': 'x' * 5000}}", "{'ad_markers': [{'kind': 'x'}] * 5000}", "{'tlsh': 'x' * 99}",
            )
        ),
    ],
)  # fmt: skip
def test_it_costs_its_file_and_the_next_child_examines_the_next(taken, code, reason) -> None:
    sandbox = taken(code)
    began = time.monotonic()
    assert refusal(sandbox).reason is reason
    assert time.monotonic() - began < 5
    assert sandbox.examine(Path("/none"), Asked()) == Found(kind="image", format="png")


def test_an_answer_that_nobody_asked_for_is_not_taken_for_that_to_the_next_file(taken) -> None:
    sandbox = taken("say(READY); hear(); say(GOOD); say({'found': {'format': 'forged'}}); time.sleep(60)")
    assert sandbox.examine(Path("/none"), Asked()).format == "png"
    time.sleep(0.05)
    assert refusal(sandbox).reason is Refusal.CRASHED
    assert sandbox.examine(Path("/none"), Asked()).format == "png"


def test_what_it_says_of_a_refusal_is_shown_without_what_could_do_harm(taken) -> None:
    sandbox = taken(
        "say(READY); hear(); say({'refused': 'unreadable', 'detail': '\\x1b[2J\\u202e' + 'x' * 999}); hear()"
    )
    error = refusal(sandbox)
    assert error.reason is Refusal.UNREADABLE
    assert error.detail.startswith("?[2J?xxx")
    assert len(error.detail) <= 200


def test_what_it_started_ends_with_it(taken, tmp_path) -> None:
    """Where the system lets it start a process at all; that one holds on to the pipe for its answers."""
    note = tmp_path / "pid"
    sandbox = taken(
        f"say(READY); hear()\nif os.fork() == 0:\n    open({str(note)!r}, 'w').write(str(os.getpid()))\n"
        "    while True: time.sleep(1)\ntime.sleep(0.2); os._exit(1)"
    )
    assert refusal(sandbox).reason in {Refusal.TIME, Refusal.CRASHED}
    grandchild = int(note.read_text())
    for _ in range(100):
        if _ended(grandchild):
            break
        time.sleep(0.02)
    assert _ended(grandchild)


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_closing_does_not_wait_for_a_child_that_hangs(taken) -> None:
    import threading

    sandbox = taken("say(READY); hear(); time.sleep(60)")
    outcome: list[Refusal] = []
    before = len(os.listdir("/proc/self/fd"))
    thread = threading.Thread(target=lambda: outcome.append(refusal(sandbox).reason))
    thread.start()
    while not sandbox._busy:
        time.sleep(0.005)
    sandbox.close()
    thread.join(5)
    assert outcome == [Refusal.CRASHED]
    assert len(os.listdir("/proc/self/fd")) == before, "nothing of it stays open"


def test_a_changed_trust_list_is_read_by_a_new_child(tmp_path, taken) -> None:
    sandbox = taken("say(READY)\nwhile hear(): say(GOOD)")
    trust = tmp_path / "trust.pem"
    trust.write_text("one")
    sandbox._limits = Limits(examine_seconds=5.0, c2pa_trust=str(trust))
    sandbox.examine(Path("/none"), Asked())
    (child,) = sandbox._idle
    sandbox.examine(Path("/none"), Asked())
    assert sandbox._idle == [child]
    trust.write_text("another")
    sandbox.examine(Path("/none"), Asked())
    assert child not in sandbox._idle
