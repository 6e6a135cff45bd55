"""Runs one child process that must not outlive its owner; a script of its own, standard library only.

Started as `python -I -S guardian.py LEFTOVER COMMAND...` by `worker.embedded.broker`. It is a process of its
own because the alternatives have holes: a parent-death signal fires when the *thread* that started
the child ends, and an exit handler does not run on SIGKILL. The owner holds the other end of standard
input; when the owner is gone, however it went, the kernel closes it and the child is ended here.

Over standard input come single bytes: `T` ends the child with SIGTERM, `K` with SIGKILL. Over standard
output goes one line, the child's process id; what the child prints goes to standard error. The exit code
is the child's, 128 + N when signal N ended it. LEFTOVER is a folder to remove when
the owner is gone and cannot do it any more; empty for none.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 10.0
_POLL_SECONDS = 2.0


def guard(leftover: str, command: list[str]) -> int:
    """Runs the command until it ends or the owner does; returns its exit code."""
    owner = os.getppid()
    wake_reader, wake_writer = os.pipe()
    for end in (wake_reader, wake_writer):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    # The owner decides when the child ends, not a terminal or a service manager that signals us all. The
    # handlers do nothing; unlike ignored signals they are back to normal in the child.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    child = subprocess.Popen(  # noqa: S603 - the owner's own command line, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=2,  # ours is for the process id: nobody reads on after it, and a full pipe would stop the child
        preexec_fn=_end_with_parent(),  # noqa: PLW1509 - this process has one thread
    )
    os.write(1, f"{child.pid}\n".encode())
    while child.poll() is None:
        ready, _, _ = select.select([0, wake_reader], [], [], _POLL_SECONDS)
        if wake_reader in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_reader, 512)
        if 0 in ready:
            order = os.read(0, 1)
            if order == b"K":
                child.kill()
            elif order == b"T":
                child.terminate()
            else:  # the owner is gone
                return _end(child, leftover)
        if os.getppid() != owner:  # a fork of the owner may still hold the pipe open
            return _end(child, leftover)
    return _exit_code(child)


def _end(child: subprocess.Popen[bytes], leftover: str) -> int:
    """Ends the child, politely, then not, and clears up after the owner."""
    child.terminate()
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if leftover:
        shutil.rmtree(leftover, ignore_errors=True)
    return _exit_code(child)


def _exit_code(child: subprocess.Popen[bytes]) -> int:
    return 128 - child.returncode if child.returncode < 0 else child.returncode


def _end_with_parent() -> Callable[[], None] | None:
    """What makes the kernel end the child if this process is killed; None where there is no such thing.

    Linux only (prctl). Here the trap of the parent-death signal is none: the thread that starts the child
    is the only one. The library is loaded before the fork, because loading is not safe after it.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
