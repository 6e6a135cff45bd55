"""Examines media files in processes of their own, each with limits; whatever a file does there, this process goes on."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.media.child import write_message
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError

if TYPE_CHECKING:
    from worker.media.classifier import ClassifierChoice

log = logging.getLogger(__name__)

_START_SECONDS: Final = 60.0  # importing the decoders, on a busy machine
_FILES: Final = 200  # after which a child is replaced: what a decoder leaks ends with it
_LONGEST_ANSWER: Final = 4 * 1024 * 1024
# One thread for each child: the operator says how many children there are.
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "LC_ALL": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class _Answer(BaseModel):
    """What a child may answer; one that a file took over must not make this process believe anything else."""

    model_config = ConfigDict(extra="forbid")

    ready: bool = False
    network: bool = True
    found: Found | None = None
    refused: Refusal | None = None
    detail: str = ""


class _GoneError(Exception):
    """The child ended, or no longer answers as it should."""


class _LateError(Exception):
    """The child did not answer in time."""


class Sandbox:
    """Children that examine files, at most `processes` at once; they are started when they are needed.

    Any number of threads may use it. A child is replaced after 200 files, and after every file that ended it, kept it
    too long or took too much memory.
    """

    def __init__(self, limits: Limits, processes: int, classifier: ClassifierChoice | None = None) -> None:
        self._limits = limits
        self._classifier = classifier
        self._turns = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False
        self._told = False  # what the children could not be kept from

    def examine(self, path: Path, asked: Asked) -> Found:
        """What is in the file.

        Raises:
            RefusedError: it cannot be examined; CRASHED also when the sandbox is closed meanwhile.
        """
        with self._turns:
            child = self._take()
            keep = False
            try:
                answer = child.ask({"path": str(path), **asdict(asked)}, self._limits.examine_seconds)
                keep = answer.refused is not Refusal.MEMORY and child.files < _FILES
            except _LateError:
                raise RefusedError(Refusal.TIME, "examining it takes longer than allowed") from None
            except _GoneError:
                raise RefusedError(Refusal.CRASHED, "examining it ended the process") from None
            finally:
                self._give(child, keep=keep)
        if answer.refused is not None:
            raise RefusedError(answer.refused, answer.detail[:200])
        if answer.found is None:
            raise RefusedError(Refusal.CRASHED, "examining it gave no answer")
        return answer.found

    def close(self) -> None:
        """Ends all children, busy ones too; what they had in hand is refused as CRASHED."""
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._busy]
            self._idle.clear()
        for child in children:
            child.end()

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise RefusedError(Refusal.CRASHED, "the sandbox is closed")
            child = self._idle.pop() if self._idle else _Child(self._limits, self._classifier)
            self._busy.add(child)
        try:
            network = child.wait_ready()
        except (_GoneError, _LateError):
            self._give(child, keep=False)
            raise RefusedError(Refusal.CRASHED, "a process to examine it in does not start") from None
        if network and not self._told:
            self._told = True
            log.warning("this system does not let the sandbox's processes give up the network")
        return child

    def _give(self, child: _Child, *, keep: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            keep = keep and not self._closed
            if keep:
                self._idle.append(child)
        if not keep:
            child.end()


class _Child:
    """One process of `worker.media.child`, used by one thread at a time."""

    def __init__(self, limits: Limits, classifier: ClassifierChoice | None) -> None:
        told = {
            "limits": asdict(limits),
            "classifier": None if classifier is None else classifier.model_dump(mode="json"),
        }
        self.files = 0
        self._network: bool | None = None  # None until it is ready
        self._process = subprocess.Popen(  # noqa: S603  # this very program
            # Isolated: neither the environment nor the folder that this runs in can bring other code in.
            [sys.executable, "-I", "-B", "-m", "worker.media.child", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(_ENVIRONMENT),
            umask=0o077,
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's to answer
        )

    def wait_ready(self) -> bool:
        """Waits until it can be asked; whether it still has the network."""
        if self._network is None:
            answer = self._answer(time.monotonic() + _START_SECONDS)
            if not answer.ready:
                raise _GoneError
            self._network = answer.network
        return self._network

    def ask(self, request: Mapping[str, object], seconds: float) -> _Answer:
        """Its answer, within this time."""
        self.files += 1
        assert self._process.stdin is not None
        try:
            write_message(self._process.stdin, json.dumps(request).encode())
        except (OSError, ValueError):
            raise _GoneError from None
        return self._answer(time.monotonic() + seconds)

    def end(self) -> None:
        """Ends it at once, with whatever it started."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()

    def _answer(self, deadline: float) -> _Answer:
        (length,) = struct.unpack(">I", self._read(4, deadline))
        if length > _LONGEST_ANSWER:
            raise _GoneError
        try:
            return _Answer.model_validate_json(self._read(length, deadline))
        except ValidationError:
            raise _GoneError from None

    def _read(self, count: int, deadline: float) -> bytes:
        parts = bytearray()
        stream = self._process.stdout
        assert stream is not None
        try:
            handle = stream.fileno()
            ready = select.poll()
            ready.register(handle, select.POLLIN)
            while len(parts) < count:
                left = deadline - time.monotonic()
                if left <= 0 or not ready.poll(left * 1000):
                    raise _LateError
                part = os.read(handle, count - len(parts))
                if not part:
                    raise _GoneError
                parts += part
        except (OSError, ValueError):  # it was closed meanwhile
            raise _GoneError from None
        return bytes(parts)
