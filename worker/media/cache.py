"""What was found in files of late, so that a repost, an edit or a second reading decodes nothing twice."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from schemas.posts import MediaKind
from worker.media.item import Found, Refusal, RefusedError

LASTING = frozenset(
    (
        Refusal.TOO_LARGE,
        Refusal.UNSUPPORTED,
        Refusal.MISLABELLED,
        Refusal.UNREADABLE,
        Refusal.TOO_MANY_PIXELS,
        Refusal.TOO_MANY_FRAMES,
        Refusal.PLAYLIST,
    )
)
"""Refusals that follow from the bytes alone. Only these are remembered, and only of known bytes; others may pass."""

Result = Found | RefusedError


class FoundCache:
    """By the bytes of a file for as long as there is room, and by its URI for a short time. Any thread may ask.

    What is found depends on what the record says the file is, so that is part of both keys.

    Args:
        room: pictures and frames that are remembered; 0 remembers nothing. What was used last goes last.
        uri_seconds: how long a URI is taken to hold the same bytes.
        clock: monotonic seconds.
    """

    def __init__(self, room: int, uri_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._uri_seconds = uri_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._files: OrderedDict[tuple[str, MediaKind | None], Result] = OrderedDict()
        self._uris: OrderedDict[str, tuple[str, float]] = OrderedDict()  # to SHA-256 and until when
        self._held = 0

    def of_uri(self, uri: str, kind: MediaKind | None) -> Found | None:
        """What was found lately under the URI, None when it has to be loaded. Never a refusal."""
        with self._lock:
            known = self._uris.get(uri)
            if known is None:
                return None
            sha256, until = known
            if self._clock() >= until:
                del self._uris[uri]
                return None
        found = self.of_file(sha256, kind)
        return found if isinstance(found, Found) else None

    def of_file(self, sha256: str, kind: MediaKind | None) -> Result | None:
        """What was found in these bytes, or why they were refused; None when they have to be examined."""
        with self._lock:
            result = self._files.get((sha256, kind))
            if result is not None:
                self._files.move_to_end((sha256, kind))
            return result

    def keep(self, uri: str, sha256: str, kind: MediaKind | None, result: Result) -> None:
        """Remembers a result, unless it is a refusal that may pass."""
        if isinstance(result, RefusedError) and result.reason not in LASTING:
            return
        weight = _weight(result)
        if weight > self._room:
            return
        with self._lock:
            old = self._files.pop((sha256, kind), None)
            self._held += weight - (0 if old is None else _weight(old))
            self._files[sha256, kind] = result
            while self._held > self._room:
                _, gone = self._files.popitem(last=False)
                self._held -= _weight(gone)
            self._uris[uri] = (sha256, self._clock() + self._uri_seconds)
            self._uris.move_to_end(uri)
            while len(self._uris) > self._room:
                self._uris.popitem(last=False)


def _weight(result: Result) -> int:
    return 1 + len(result.frames) if isinstance(result, Found) else 1
