"""The media worker's ports without files and processes: what was put in is what is found."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.media_signals import BankMatch
from worker.media.item import Asked, Found, Refusal, RefusedError


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A `worker.ports.Loaded` with made-up hashes of its contents' own."""

    path: Path
    bytes: int
    sha256: str
    md5: str


class MemoryLoader:
    """A `worker.ports.MediaLoader` over a mapping of URIs to contents, or to what is raised instead.

    `loaded` has the URIs in the order in which they were asked for.
    """

    def __init__(self, contents: Mapping[str, bytes | Exception]) -> None:
        self.contents = dict(contents)
        self.loaded: list[str] = []
        self._lock = threading.Lock()

    def load(self, uri: str, folder: Path) -> MemoryFile:
        """Writes the contents into the folder."""
        with self._lock:
            self.loaded.append(uri)
            number = len(self.loaded)
        content = self.contents.get(uri)
        if content is None:
            raise RefusedError(Refusal.NOT_FOUND, "there is no such file")
        if isinstance(content, Exception):
            raise content
        path = folder / f"file-{number}"
        path.write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return MemoryFile(path, len(content), hashlib.sha256(content).hexdigest(), md5)


class MemorySandbox:
    """A `worker.ports.MediaSandbox` that finds by the file's contents what it was told to.

    `examined` has the contents in the order in which they came; `on_examine` is called before each answer.
    """

    def __init__(self, found: Mapping[bytes, Found | Exception]) -> None:
        self.found = dict(found)
        self.examined: list[bytes] = []
        self.closed = threading.Event()
        self.on_examine: Callable[[bytes], None] = lambda content: None
        self._lock = threading.Lock()

    def examine(self, path: Path, asked: Asked) -> Found:
        """What was put in for these contents; contents that nobody knows cannot be read."""
        content = path.read_bytes()
        with self._lock:
            self.examined.append(content)
        self.on_examine(content)
        found = self.found.get(content)
        if found is None:
            raise RefusedError(Refusal.UNREADABLE, "it cannot be read")
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed.set()


class MemoryBanks:
    """A `worker.ports.MediaBanks` that knows files by their SHA-256 and pictures by the very same PDQ hash."""

    def __init__(self, entries: Mapping[str, BankMatch] | None = None) -> None:
        self._by_hash = dict(entries or {})

    def match(self, found: Found) -> tuple[BankMatch, ...]:
        """The entries of the item's own hashes and of its frames'."""
        hashes = (found.sha256, found.pdq, *(frame.pdq for frame in found.frames))
        return tuple(self._by_hash[each] for each in dict.fromkeys(hashes) if each in self._by_hash)

    @property
    def entries(self) -> Mapping[tuple[str, str], int]:
        """As `MediaBanks.entries`."""
        return Counter((match.policy or "none", match.kind or "sha256") for match in self._by_hash.values())
