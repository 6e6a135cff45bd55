"""A process that gave up what examining does not need reaches nothing, even if a file takes it over."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.media.confinement import _DENIED, _filter

PROBE = """
    import ctypes, json, os, signal, socket, subprocess, sys, threading
    from worker.media import confinement

    folder, other, fences = sys.argv[1:]
    for fence in fences.split():
        setattr(confinement, fence, lambda *told: False)
    missing = confinement.confine([folder] if folder else None)

    def can(attempt):
        try:
            attempt()
        except (OSError, MemoryError, RuntimeError):
            return False
        return True

    def connect():
        with socket.socket() as made:
            made.connect(("127.0.0.1", int(os.environ["PORT"])))

    def write(path):
        with open(path, "w") as file:
            file.write("x")

    def start(thread):
        thread.start()
        thread.join()

    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    answers = {
        "missing": missing,
        "connect": can(connect),
        "resolve": can(lambda: socket.getaddrinfo("example.com", 80)),
        "own file": can(lambda: open(os.path.join(folder or other, "own")).read()),
        "other file": can(lambda: open(other + "/secret").read()),
        "passwords": can(lambda: open("/etc/passwd").read()),
        "worker's environment": can(lambda: open(f"/proc/{parent}/environ").read()),
        "worker's memory": can(lambda: open(f"/proc/{parent}/mem", "rb").read(0)),
        "worker's files": can(lambda: os.readlink(f"/proc/{parent}/fd/0")),
        "trace": libc.ptrace(16, parent, 0, 0) == 0,
        "signal": can(lambda: os.kill(parent, 0)),
        "limit": can(lambda: __import__("resource").prlimit(parent, 7)),
        "write": can(lambda: write(other + "/new")),
        "remove": can(lambda: os.unlink(other + "/secret")),
        "remove own": can(lambda: os.unlink(os.path.join(folder or other, "own"))),
        "open up": can(lambda: os.chmod(other + "/secret", 0o777)),
        "fork": can(lambda: os._exit(0) if os.fork() == 0 else os.wait()),
        "run": can(lambda: subprocess.run(["/bin/true"], check=True)),
        "replace": can(lambda: os.execv("/bin/true", ["true"])),
        "thread": can(lambda: start(threading.Thread(target=lambda: None))),
        "devices": can(lambda: open("/dev/null", "w").write("x")),
        "own limits": can(lambda: __import__("resource").getrlimit(7)),
        "modules": can(lambda: __import__("decimal")),
    }
    print(json.dumps(answers))
"""
ALLOWED = {"own file", "thread", "devices", "own limits", "modules"}


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def probe(tmp_path: Path, port: int, *, everywhere: bool = False, without: str = "") -> dict[str, object]:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "own").write_text("own")
    (other / "secret").write_text("secret")
    code = textwrap.dedent(PROBE)
    result = subprocess.run(  # this very program
        [sys.executable, "-B", "-c", code, "" if everywhere else str(own), str(other), without],
        capture_output=True,
        check=True,
        text=True,
        env={"PORT": str(port), "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def fences(answers: dict[str, object]) -> None:
    missing = answers.pop("missing")
    if missing:
        pytest.skip(f"this system has no fence for {missing}")


def test_a_confined_process_reaches_its_own_folder_and_nothing_else(tmp_path, port) -> None:
    answers = probe(tmp_path, port)
    fences(answers)
    assert {name for name, able in answers.items() if able} == ALLOWED
    assert (tmp_path / "other" / "secret").exists()
    assert (tmp_path / "own" / "own").exists()


def test_a_process_that_may_read_everything_still_changes_and_reaches_nothing(tmp_path, port) -> None:
    answers = probe(tmp_path, port, everywhere=True)
    fences(answers)
    assert {name for name, able in answers.items() if able} == ALLOWED | {"other file", "passwords"}


@pytest.mark.parametrize(
    ("without", "missing", "more"),
    [
        ("_restrict_calls", ["calls"], {"fork"}),
        ("_restrict_files", ["files"], {"other file", "passwords"}),
    ],
)
def test_where_one_fence_is_missing_the_others_stand(tmp_path, port, without, missing, more) -> None:
    whole = probe(tmp_path, port)
    fences(whole)
    for folder in (tmp_path / "own", tmp_path / "other"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    answers = probe(tmp_path, port, without=without)
    assert answers.pop("missing") == missing
    able = {name for name, able in answers.items() if able}
    assert more <= able
    assert not able & {
        "connect", "resolve", "worker's environment", "worker's memory", "worker's files", "trace", "write", "run",
    }  # fmt: skip


HIDDEN = """
    import ctypes, json, os, sys
    from worker.media.confinement import hide

    if os.getuid() == 0:  # root reads everything: what counts is a worker that is not
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # changing the user hides, too
    if sys.argv[1] == "hide":
        hide()
    read, write = os.pipe()
    if os.fork() == 0:  # a process of the same user, with no fence of its own
        seen = 0
        for name in ("environ", "maps"):
            try:
                with open(f"/proc/{os.getppid()}/{name}") as file:
                    seen += bool(file.read(1))
            except OSError:
                pass
        os.write(write, bytes([seen]))
        os._exit(0)
    os.wait()
    print(json.dumps([os.read(read, 1)[0], bool(os.listdir("/proc/self/fd"))]))
"""


@pytest.mark.parametrize("does", ["hide", "not"])
def test_what_hides_is_not_read_by_processes_of_its_own_user(does) -> None:
    result = subprocess.run(  # this very program
        [sys.executable, "-B", "-c", textwrap.dedent(HIDDEN), does],
        capture_output=True,
        check=True,
        text=True,
        env={"SECRET": "x", "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    seen, own = json.loads(result.stdout)
    assert own, "it still sees its own files"
    if does == "hide":
        assert seen == 0
    elif not seen:
        pytest.skip("this system hides every process")


def run_filter(machine: str, number: int, first: int = 0, *, arch: int | None = None) -> str:
    """What the filter makes of a call, by going through its steps as the kernel does."""
    column, own = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}[machine]
    steps = list(_filter(column, own, 4711))
    data = {0: number, 4: own if arch is None else arch, 16: first}
    at = value = 0
    while True:
        code, yes, no, operand = steps[at]
        if code == 0x06:
            return {0x7FFF0000: "allowed", 0x80000000: "killed", 0x50001: "EPERM", 0x50026: "ENOSYS"}[operand]
        if code == 0x20:
            value, at = data[operand], at + 1
        else:
            held = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            at += 1 + (yes if held else no)


@pytest.mark.parametrize(
    ("machine", "calls"),
    [
        ("x86_64", {"read": 0, "mmap": 9, "openat": 257, "futex": 202, "exit_group": 231, "getrandom": 318,
                    "setrlimit": 160, "setitimer": 38, "statx": 332}),
        ("aarch64", {"read": 63, "mmap": 222, "openat": 56, "futex": 98, "exit_group": 94, "getrandom": 278,
                     "setrlimit": 164, "setitimer": 103, "statx": 291}),
    ],
)  # fmt: skip
def test_the_filter_lets_through_what_decoders_need(machine, calls) -> None:
    assert {run_filter(machine, number) for number in calls.values()} == {"allowed"}


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        ("x86_64", (41, 53, 57, 59, 62, 101, 272, 310, 321, 425)),
        ("aarch64", (198, 199, 221, 129, 117, 97, 270, 280, 425)),
    ],
)
def test_the_filter_stops_what_reaches_further(machine, numbers) -> None:
    assert {run_filter(machine, number) for number in numbers} == {"EPERM"}
    assert run_filter(machine, 435) == "ENOSYS"
    assert run_filter(machine, 0, arch=0x40000003) == "killed", "a call of another architecture"
    if machine == "x86_64":
        assert run_filter(machine, 0x40000000 + 41) == "killed", "a call of the x32 ABI"


@pytest.mark.parametrize(
    ("machine", "clone", "tgkill", "prlimit"), [("x86_64", 56, 234, 302), ("aarch64", 220, 131, 261)]
)
def test_threads_signals_and_limits_are_the_processs_own(machine, clone, tgkill, prlimit) -> None:
    assert run_filter(machine, clone, 0x3D0F00) == "allowed"
    assert run_filter(machine, clone, 0x01200011) == "EPERM"
    assert run_filter(machine, tgkill, 4711) == "allowed"
    assert run_filter(machine, tgkill, 1) == "EPERM"
    assert run_filter(machine, prlimit, 0) == "allowed"
    assert run_filter(machine, prlimit, 1) == "EPERM"


@pytest.mark.parametrize(
    ("header", "column"),
    [("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 1), ("/usr/include/asm-generic/unistd.h", 2)],
    ids=["x86-64", "arm64"],
)
def test_numbers_are_those_of_the_systems_own_headers(header, column) -> None:
    if not Path(header).exists():
        pytest.skip("no such header here")
    told = {}
    for line in Path(header).read_text().splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] == "#define" and words[1].startswith("__NR_") and words[2].isdigit():
            told[words[1].removeprefix("__NR_")] = int(words[2])
    known = {row[0]: row[column] for row in _DENIED if row[0] in told}
    assert len(known) > 50
    assert known == {name: told[name] for name in known}
