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
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.posts import Provenance
from worker.media.child import write_message
from worker.media.confinement import FENCES
from worker.media.item import Asked, Found, Limits, Refusal, RefusedError

if TYPE_CHECKING:
    from worker.media.classifier import ClassifierChoice

log = logging.getLogger(__name__)

_START_SECONDS: Final = 60.0  # importing the decoders, on a busy machine
_FILES: Final = 200  # after which a child is replaced: what a decoder leaks ends with it
_LONGEST_ANSWER: Final = 4 * 1024 * 1024
_MOST: Final = 1_000  # scores, markers and codes of one file
_LONGEST_NAME: Final = 200  # characters
_HEX: Final = frozenset("0123456789abcdef")
_MISSING: Final = {  # by what `confine` could not give up
    "network": "the network",
    "files": "other files of this user",
    "calls": "system calls that examining never makes",
}
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
    missing: tuple[str, ...] = FENCES
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
    too long or took too much memory, or when the trust list has changed.

    Args:
        limits: of one file.
        processes: children at once.
        classifier: the model that they load; None: none.
        folder: where the files lie that are examined; children can read none elsewhere, as far as the system lets a
            process give that up. None: they lie anywhere.
    """

    def __init__(
        self,
        limits: Limits,
        processes: int,
        classifier: ClassifierChoice | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._limits = limits
        self._classifier = classifier
        self._readable = None if folder is None else _readable(folder, limits, classifier)
        self._turns = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._closed = False
        self._told: set[str] = set()  # what the children could not be kept from

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
                sound = answer.found is not None and _is_sound(answer.found, asked, self._limits)
                keep = (
                    (sound or answer.refused is not None)
                    and answer.refused is not Refusal.MEMORY
                    and child.files < _FILES
                )
            except _LateError:
                raise RefusedError(Refusal.TIME, "examining it takes longer than allowed") from None
            except _GoneError:
                raise RefusedError(Refusal.CRASHED, "examining it ended the process") from None
            finally:
                self._give(child, keep=keep)
        if answer.refused is not None:
            raise RefusedError(answer.refused, _plain(answer.detail))
        if answer.found is None or not sound:
            raise RefusedError(Refusal.CRASHED, "examining it gave an answer that makes no sense")
        return answer.found

    def close(self) -> None:
        """Ends all children, busy ones too; what they had in hand is refused as CRASHED."""
        with self._lock:
            self._closed = True
            idle, busy = [*self._idle], [*self._busy]
            self._idle.clear()
        for child in idle:
            child.end()
        for child in busy:
            child.kill()  # the thread that waits for it closes what it reads from

    def _take(self) -> _Child:
        with self._lock:
            if self._closed:
                raise RefusedError(Refusal.CRASHED, "the sandbox is closed")
            trust = _stamp(self._limits.c2pa_trust)
            child = self._idle.pop() if self._idle else None
            if child is not None and child.trust != trust:
                child.end()  # it may read the list that was there when it began, and no other
                child = None
            child = child or _Child(self._limits, self._classifier, self._readable, trust)
            self._busy.add(child)
        try:
            missing = child.wait_ready()
        except (_GoneError, _LateError):
            self._give(child, keep=False)
            raise RefusedError(Refusal.CRASHED, "a process to examine it in does not start") from None
        for name in FENCES:
            if name in missing and name not in self._told:
                self._told.add(name)
                log.warning("this system does not let the sandbox's processes give up %s", _MISSING[name])
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

    def __init__(
        self,
        limits: Limits,
        classifier: ClassifierChoice | None,
        readable: Sequence[str] | None,
        trust: tuple[int, ...],
    ) -> None:
        told = {
            "readable": readable,
            "limits": asdict(limits),
            "classifier": None if classifier is None else classifier.model_dump(mode="json"),
        }
        self.files = 0
        self.trust = trust  # as the list of signers was when it began
        self._missing: tuple[str, ...] | None = None  # None until it is ready
        self._lock = threading.Lock()
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

    def wait_ready(self) -> tuple[str, ...]:
        """Waits until it can be asked; what it could not give up, of `confinement.FENCES`."""
        if self._missing is None:
            answer = self._answer(time.monotonic() + _START_SECONDS)
            if not answer.ready:
                raise _GoneError
            self._missing = answer.missing
        return self._missing

    def ask(self, request: Mapping[str, object], seconds: float) -> _Answer:
        """Its answer, within this time."""
        self.files += 1
        assert self._process.stdin is not None
        if self._has_more():  # an answer that nobody asked for must not be taken for that to the next file
            raise _GoneError
        try:
            write_message(self._process.stdin, json.dumps(request).encode())
        except (OSError, ValueError):
            raise _GoneError from None
        return self._answer(time.monotonic() + seconds)

    def kill(self) -> None:
        """Ends it at once, with whatever it started; any thread may."""
        with self._lock:
            if self._process.returncode is not None:
                return  # its number may be another's by now
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Ends it and lets go of it; only the thread that uses it may."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _has_more(self) -> bool:
        assert self._process.stdout is not None
        ready = select.poll()
        ready.register(self._process.stdout.fileno(), select.POLLIN)
        return bool(ready.poll(0))

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
        except OSError:
            raise _GoneError from None
        return bytes(parts)


def _readable(folder: Path, limits: Limits, classifier: ClassifierChoice | None) -> tuple[str, ...]:
    """All that a child has to read besides Python and its packages."""
    models = () if classifier is None else (classifier, *classifier.also)
    lists = () if limits.c2pa_trust is None else (limits.c2pa_trust,)
    return (str(folder), *lists, *(str(model.file) for model in models))


def _stamp(path: str | None) -> tuple[int, ...]:
    """What tells one version of a file from another."""
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return ()
    return () if status is None else (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _plain(detail: str) -> str:
    """A child's own words, as far as they can do no harm where a person reads them."""
    return "".join(char if " " <= char <= "~" else "?" for char in detail[:_LONGEST_NAME])


def _is_sound(found: Found, asked: Asked, limits: Limits) -> bool:
    """Whether it can be what examining a file found: a child that a file took over may say anything."""
    hashes = (
        (found.sha256, 64),
        (found.md5, 32),
        (found.pdq, 64),
        (found.inner_pdq, 64),
        *((frame.pdq, 64) for frame in found.frames),
    )
    made = found.provenance or Provenance()
    names = (
        *(found.format, found.classifier, made.c2pa, made.digital_source_type, made.generator, made.signer),
        *(*made.c2pa_failures, *found.scores, *(marker.kind for marker in found.ad_markers)),
    )
    return (
        all(value is None or (len(value) == digits and _HEX.issuperset(value)) for value, digits in hashes)
        and (found.tlsh is None or len(found.tlsh) <= 72)
        and all(_HEX.issuperset(value) and len(value) == 64 for value in found.turned)
        and all(name is None or (len(name) <= _LONGEST_NAME and name.isprintable()) for name in names)
        and max(len(found.scores), len(found.ad_markers), len(made.c2pa_failures)) <= _MOST
        and all(0.0 <= score <= 1.0 for score in found.scores.values())
        and 0 <= (found.pdq_quality or 0) <= 100
        and 0 <= (found.inner_pdq_quality or 0) <= 100
        and 0 <= (found.width or 0) <= limits.side_pixels
        and 0 <= (found.height or 0) <= limits.side_pixels
        and 0 <= (found.duration_seconds or 0.0) < float("inf")
        and len(found.frames) <= limits.frames + 1
        and len(found.turned) <= 8
        and (asked.preview_pixels > 0 or found.preview is None)
    )
