"""A process that examines files for the sandbox, one after another: `python -m worker.media.child SETTINGS`.

It reads requests from its standard input and answers on its standard output, each a length of four bytes (big-endian)
and as many bytes of JSON. It ends when its input does. Whatever a file makes of it, the sandbox outlives it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import IO

from worker.media.confinement import confine

_LONGEST_REQUEST = 65_536


def read_message(stream: IO[bytes], longest: int) -> bytes | None:
    """The next message; None at the end of the stream.

    Raises:
        ValueError: it is longer than allowed, or cut off.
    """
    head = stream.read(4)
    if not head:
        return None
    if len(head) < 4:
        raise ValueError("a message is cut off")
    (length,) = struct.unpack(">I", head)
    if length > longest:
        raise ValueError("a message is longer than allowed")
    body = stream.read(length)
    if len(body) < length:
        raise ValueError("a message is cut off")
    return body


def write_message(stream: IO[bytes], body: bytes) -> None:
    """Writes one message."""
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


def limit_memory(more_bytes: int) -> None:
    """Lets the process take as much address space more as this, and no further."""
    with open("/proc/self/statm", encoding="ascii") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + more_bytes, taken + more_bytes))


def main() -> int:
    """Examines what it is asked to until its input ends."""
    told = json.loads(sys.argv[1])
    missing = confine(told["readable"])
    # Only now: numpy and the decoders start threads.
    from pydantic import TypeAdapter

    from worker.media.examine import examine
    from worker.media.item import Asked, Found, Limits, Refusal, RefusedError
    from worker.media.previews import with_extras

    limits, classifier = Limits(**told["limits"]), None
    if told["classifier"] is not None:
        from worker.media.classifier import ClassifierChoice, load_classifier

        classifier = load_classifier(ClassifierChoice.model_validate(told["classifier"]))
    # Answers go out by a copy, so that a library that prints cannot break them.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    encode = TypeAdapter(Found).dump_json
    limit_memory(limits.memory_bytes)
    write_message(answers, json.dumps({"ready": True, "missing": missing}).encode())
    while (request := read_message(sys.stdin.buffer, _LONGEST_REQUEST)) is not None:
        told = json.loads(request)
        path, asked = Path(told.pop("path")), Asked(**told)
        # Should the parent be gone, nobody else ends a file that never ends.
        signal.setitimer(signal.ITIMER_REAL, limits.examine_seconds * 2)
        try:
            found = with_extras(path, asked, limits, examine(path, asked, limits, classifier))
            answer = b'{"found":' + encode(found) + b"}"
        except RefusedError as error:
            answer = json.dumps({"refused": error.reason, "detail": error.detail}).encode()
        except MemoryError:
            answer = json.dumps(
                {"refused": Refusal.MEMORY, "detail": "examining it takes more memory than allowed"}
            ).encode()
        except Exception as error:  # noqa: BLE001  # a fault of this program over one file, which costs that file only
            detail = f"examining it failed: {type(error).__name__}"
            answer = json.dumps({"refused": Refusal.CRASHED, "detail": detail}).encode()
        signal.setitimer(signal.ITIMER_REAL, 0)
        write_message(answers, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
