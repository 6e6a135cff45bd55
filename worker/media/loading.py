"""Media files by their URIs, from where an operator allows it, into a folder, within limits of bytes and time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from worker.media.fetching import CHUNK_BYTES, Deadline, Fetcher, Target, parse_target
from worker.media.item import Limits, Refusal, RefusedError

STORES: Final = frozenset(("s3", "gs", "az"))
MAX_URI: Final = 8192  # characters
_PORTS: Final = {"http": 80, "https": 443}
_RANGE_BYTES: Final = 4 * CHUNK_BYTES  # of an object asked for at once
_NO_NAME: Final = frozenset((errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL))  # no file can have it
_ATTEMPTS: Final = 2
_PAUSE_SECONDS: Final = 0.25  # before the second


class MediaSettings(Protocol):
    """The settings that say where media may lie."""

    @property
    def media_schemes(self) -> Iterable[str]: ...
    @property
    def media_folders(self) -> Iterable[Path]: ...
    @property
    def media_hosts(self) -> Iterable[str]: ...
    @property
    def media_allow_private(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where media may be loaded from. The default allows nothing."""

    schemes: frozenset[str] = frozenset()  # of file, https, http, s3, gs, az
    folders: tuple[Path, ...] = ()  # `file:` URIs may lie below these
    hosts: frozenset[str] = frozenset()  # `cdn.example.com` (the scheme's own port) or `cdn.example.com:8443`
    buckets: frozenset[str] = frozenset()  # `s3://bucket`, `gs://bucket`, `az://container`
    allow_private: bool = False  # hosts may have loopback and private addresses
    store_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By scheme, what an object store is told beyond what its environment variables say; see `obstore.store`."""

    @classmethod
    def from_settings(cls, settings: MediaSettings) -> Sources:
        """The sources that an operator allows.

        `media_s3_endpoint`, where the settings have one, is the address of a store that speaks S3.
        """
        names = [name.strip().lower().rstrip("/") for name in settings.media_hosts if name.strip()]
        options: dict[str, Mapping[str, Any]] = {}
        if endpoint := str(getattr(settings, "media_s3_endpoint", "") or ""):
            options["s3"] = {"endpoint": endpoint, "virtual_hosted_style_request": False}
        return cls(
            schemes=frozenset(scheme.strip().lower() for scheme in settings.media_schemes),
            folders=tuple(Path(folder) for folder in settings.media_folders),
            hosts=frozenset(name for name in names if "://" not in name),
            buckets=frozenset(name for name in names if "://" in name),
            allow_private=settings.media_allow_private,
            store_options=options,
        )


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A copy of a media file, which belongs to the caller. Hashes are hex digits in lower case."""

    path: Path
    bytes: int
    sha256: str
    md5: str


Chunks = Callable[[Deadline], Generator[bytes]]


class Loader:
    """Loads files by their URIs. Blocks; any number of threads may use one."""

    def __init__(self, sources: Sources, limits: Limits, *, fetcher: Fetcher | None = None) -> None:
        self._sources = sources
        self._limits = limits
        self._folders = tuple(os.path.realpath(folder) for folder in sources.folders)
        self._fetcher = fetcher or Fetcher(allow_private=sources.allow_private)
        self._stores: dict[str, Any] = {}

    def load(self, uri: str, folder: Path) -> LoadedFile:
        """A copy of the file in `folder`, under a new name, with its hashes.

        Raises:
            RefusedError: it may not be loaded, is not there, or is larger or slower than allowed; nothing is left
                in the folder then.
            OSError: the copy cannot be written, which is no fault of the file.
        """
        deadline = Deadline(self._limits.load_seconds)
        chunks = self._source(uri)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._spool(chunks(deadline), folder)
            except RefusedError as refusal:
                if refusal.reason is not Refusal.UNREACHABLE or attempt == _ATTEMPTS:
                    raise
                if deadline.remaining() < 2 * _PAUSE_SECONDS:
                    raise
                time.sleep(_PAUSE_SECONDS)
        raise AssertionError("the last attempt returns or raises")

    def _source(self, uri: str) -> Chunks:
        if len(uri) > MAX_URI or any(
            char <= " " or char in "\\\x7f" or "\ud800" <= char <= "\udfff" for char in uri
        ):
            raise RefusedError(Refusal.HOST, "its address is malformed")
        scheme = uri.partition(":")[0].lower()
        if scheme not in self._sources.schemes:
            raise RefusedError(Refusal.SCHEME, "its scheme is not allowed")
        if scheme == "file":
            path = self._file_path(uri)
            return lambda deadline: self._read_file(path, deadline)
        if scheme in _PORTS:
            target = parse_target(uri)
            self._check_host(target)
            return lambda deadline: self._fetcher.fetch(target, self._limits.file_bytes, deadline)
        if scheme in STORES:
            bucket, key = self._bucket_and_key(uri, scheme)
            return lambda deadline: self._read_object(scheme, bucket, key, deadline)
        raise RefusedError(Refusal.SCHEME, "its scheme is not known")

    def _spool(self, chunks: Generator[bytes], folder: Path) -> LoadedFile:
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="media-")
        try:
            # Closing: the source lets go of its connection at once, also where reading ends early.
            with open(descriptor, "wb") as file, contextlib.closing(chunks):
                for chunk in chunks:
                    size += len(chunk)
                    if size > self._limits.file_bytes:
                        raise RefusedError(
                            Refusal.TOO_LARGE, f"it has more than {self._limits.file_bytes} bytes"
                        )
                    sha256.update(chunk)
                    md5.update(chunk)
                    file.write(chunk)
        except BaseException:
            os.unlink(name)
            raise
        return LoadedFile(Path(name), size, sha256.hexdigest(), md5.hexdigest())

    # Files

    def _file_path(self, uri: str) -> str:
        """The path of a `file:` URI (RFC 8089), not yet looked at on disk."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise RefusedError(Refusal.HOST, "its address is malformed") from None
        if parts.netloc not in ("", "localhost"):
            raise RefusedError(Refusal.HOST, "its address names a host, which file addresses may not")
        if parts.query or parts.fragment or not parts.path.startswith("/"):
            raise RefusedError(Refusal.HOST, "its address is malformed")
        raw = unquote_to_bytes(parts.path)
        if b"\0" in raw:
            raise RefusedError(Refusal.HOST, "its address is malformed")
        return os.fsdecode(raw)

    def _read_file(self, path: str, deadline: Deadline) -> Generator[bytes]:
        outside = RefusedError(Refusal.HOST, "it does not lie below a folder that is allowed")
        # Where it really lies decides first, so that nobody learns what exists elsewhere.
        real = os.path.realpath(path)
        if not self._is_below(real):
            raise outside
        try:
            if not stat.S_ISREG(os.lstat(real).st_mode):
                raise RefusedError(Refusal.UNSUPPORTED, "it is not a regular file")
            # Non-blocking: opening a pipe would wait for its other end.
            descriptor = os.open(
                real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            )
        except (FileNotFoundError, NotADirectoryError):
            raise RefusedError(Refusal.NOT_FOUND, "there is no such file") from None
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in _NO_NAME:  # nobody need ask again
                raise RefusedError(Refusal.NOT_FOUND, "there is no such file") from None
            raise RefusedError(Refusal.UNREACHABLE, "the file cannot be opened") from None
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            # A folder on the way may have become a link since: the kernel knows what was opened.
            with contextlib.suppress(OSError):
                if not self._is_below(os.readlink(f"/proc/self/fd/{descriptor}")):
                    raise outside
            if not stat.S_ISREG(status.st_mode):
                raise RefusedError(Refusal.UNSUPPORTED, "it is not a regular file")
            if status.st_size > self._limits.file_bytes:
                raise RefusedError(Refusal.TOO_LARGE, f"it has more than {self._limits.file_bytes} bytes")
            while chunk := self._read(file.read):
                deadline.remaining()
                yield chunk
            after = os.fstat(descriptor)
            if (after.st_size, after.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
                # The copy may be half of one file and half of another, which never was shown.
                raise RefusedError(Refusal.UNREACHABLE, "the file changed while it was read")

    def _is_below(self, path: str) -> bool:
        return any(os.path.commonpath((path, folder)) == folder for folder in self._folders if path != folder)

    @staticmethod
    def _read(read: Callable[[int], bytes | None]) -> bytes:
        try:
            return read(CHUNK_BYTES) or b""
        except OSError:
            raise RefusedError(Refusal.UNREACHABLE, "reading it failed") from None

    # Hosts

    def _check_host(self, target: Target) -> None:
        names = {f"{target.host}:{target.port}"}
        if target.port == _PORTS[target.scheme]:
            names.add(target.host)
        if names.isdisjoint(self._sources.hosts):
            raise RefusedError(Refusal.HOST, "its host is not allowed")

    # Object stores

    def _bucket_and_key(self, uri: str, scheme: str) -> tuple[str, str]:
        """Bucket and key of an object; keys are taken literally, as the stores' own tools do."""
        bucket, _, key = uri[len(scheme) + 1 :].removeprefix("//").partition("/")
        if f"{scheme}://{bucket.lower()}" not in self._sources.buckets or not bucket.isascii():
            raise RefusedError(Refusal.HOST, "its bucket is not allowed")
        if not key or any(part in ("", ".", "..") for part in key.split("/")):
            raise RefusedError(Refusal.HOST, "its address is malformed")
        return bucket, key

    def _read_object(self, scheme: str, bucket: str, key: str, deadline: Deadline) -> Generator[bytes]:
        from obstore.exceptions import BaseError, NotFoundError

        path = f"{bucket}/{key}"
        try:
            deadline.remaining()
            # By ranges, not by an open file: one that cannot be opened complains again when it is collected.
            size = int(self._store(scheme).info(path)["size"])
            if size > self._limits.file_bytes:
                raise RefusedError(Refusal.TOO_LARGE, f"it has more than {self._limits.file_bytes} bytes")
            for start in range(0, size, _RANGE_BYTES):
                deadline.remaining()
                end = min(start + _RANGE_BYTES, size)
                part = bytes(self._store(scheme).cat_file(path, start, end))
                if len(part) != end - start:
                    raise RefusedError(Refusal.UNREACHABLE, "its store sent less than it announced")
                yield part
        except (FileNotFoundError, NotFoundError):
            raise RefusedError(Refusal.NOT_FOUND, "there is no such object") from None
        except (BaseError, OSError, ValueError):
            deadline.remaining()
            raise RefusedError(Refusal.UNREACHABLE, "its store did not answer, or with an error") from None

    def _store(self, scheme: str) -> Any:
        """The file system of one kind of store (fsspec over obstore), with credentials of the environment."""
        store = self._stores.get(scheme)
        if store is None:
            from obstore.fsspec import FsspecStore

            options = dict(self._sources.store_options.get(scheme, {}))
            seconds = timedelta(seconds=self._limits.load_seconds)
            store = FsspecStore(
                scheme,
                config=options or None,  # type: ignore[call-overload]  # one of several typed dictionaries
                client_options={
                    "timeout": seconds,  # of one request
                    "connect_timeout": min(seconds, timedelta(seconds=5)),
                    **(
                        {"allow_http": True} if str(options.get("endpoint", "")).startswith("http://") else {}
                    ),
                },
                retry_config={"max_retries": _ATTEMPTS - 1, "retry_timeout": seconds},
                skip_instance_cache=True,
            )
            self._stores[scheme] = store
        return store
