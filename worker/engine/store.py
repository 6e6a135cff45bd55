"""Where the bytes of a partition's records lie: in memory, or where somebody puts a store of another kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class StoreError(RuntimeError):
    """A store cannot be read or written any more; what it held is in the `state` topic, so the process must end."""


class Store(Protocol):
    """Bytes by key, of one partition: a copy of what stands in the `state` topic, and never the truth.

    Keys are those of the topic (`a:<account>`, `x:<action>`), and a few that only the engine's own indexes use.
    Every method may raise `StoreError`.
    """

    def get(self, key: bytes) -> bytes | None:
        """What was put last; None when nothing was, or it was deleted."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Keeps a value in the place of any earlier one."""
        ...

    def delete(self, key: bytes) -> None:
        """Forgets a key; one that is not there is no error."""
        ...

    def __contains__(self, key: bytes) -> bool: ...

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """All keys that begin so, in no order. A walk over the whole store: not for every record."""
        ...

    def check(self) -> None:
        """Raises `StoreError` when it cannot go on, though nothing has failed yet; cheap enough for every batch."""
        ...

    @property
    def disk_bytes(self) -> int | None:
        """Bytes on disk, nearly; None when it keeps everything in memory."""
        ...

    def close(self) -> None:
        """Lets go of everything that it holds; never raises. Nothing else may be called afterwards."""
        ...


class MemoryStore:
    """Keeps everything in memory."""

    disk_bytes: int | None = None

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """As `Store.get`."""
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """As `Store.put`."""
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        """As `Store.delete`."""
        self._values.pop(key, None)

    def __contains__(self, key: bytes) -> bool:
        return key in self._values

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """As `Store.keys`, in the order in which they were first put."""
        return iter([key for key in self._values if key.startswith(prefix)])

    def check(self) -> None:
        """As `Store.check`; memory that is there is there."""

    def close(self) -> None:
        """As `Store.close`."""
        self._values.clear()
