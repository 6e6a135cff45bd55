"""Bytes over HTTP from hosts that are allowed: addresses pinned, redirects on the same host, time bounded."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from worker.media.addresses import Resolver, resolve
from worker.media.item import Refusal, RefusedError

MAX_REDIRECTS: Final = 3
CHUNK_BYTES: Final = 256 * 1024
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_GONE: Final = frozenset((404, 410))
_KEPT: Final = "/%:@!$&'()*+,;=~-._?"  # left as it is in a path; anything else is percent-encoded


class Deadline:
    """A moment by which something is to be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, more than 0.

        Raises:
            RefusedError: TOO_SLOW once there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise RefusedError(Refusal.TOO_SLOW, "loading it took longer than allowed")
        return left


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str  # lower case, without brackets
    port: int
    path: str  # with the query

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to stay the same over redirects."""
        return self.scheme, self.host, self.port


def parse_target(uri: str) -> Target:
    """The parts of an http or https URI.

    Raises:
        RefusedError: HOST for a URI with a user, a host that is not ASCII, or characters that no URI has.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise RefusedError(Refusal.HOST, "its address is malformed") from None
    if "@" in parts.netloc or not parts.hostname or not parts.hostname.isascii():
        raise RefusedError(Refusal.HOST, "its address is malformed")
    query = "?" + parts.query if parts.query else ""
    return Target(parts.scheme, parts.hostname.lower(), port, quote((parts.path or "/") + query, safe=_KEPT))


class _PinnedConnection(http.client.HTTPConnection):
    """A connection to an address that was chosen beforehand; the name serves for the certificate alone."""

    def __init__(
        self, target: Target, addresses: tuple[str, ...], context: ssl.SSLContext | None, deadline: Deadline
    ) -> None:
        super().__init__(target.host, target.port, timeout=deadline.remaining())
        self._addresses = addresses
        self._tls = context
        self._deadline = deadline

    def connect(self) -> None:
        for address in self._addresses:
            try:
                self.sock = socket.create_connection((address, self.port), timeout=self._deadline.remaining())
                break
            except OSError as error:
                failure = error
        else:
            raise failure
        if self._tls is not None:
            self.sock.settimeout(self._deadline.remaining())
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """Ends whatever waits for this connection, from another thread."""
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Fetcher:
    """Fetches files from hosts; made once, used from any thread."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolver: Resolver | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._context = context or ssl.create_default_context()

    def fetch(self, target: Target, limit: int, deadline: Deadline) -> Generator[bytes]:
        """The bytes of what the target gives, of at most 256 KiB each, not checked for their sum.

        The host is resolved once; redirects have to stay on the same scheme, host and port.

        Raises:
            RefusedError: PRIVATE_ADDRESS, REDIRECT, NOT_FOUND, TOO_LARGE (by the announced length), TOO_SLOW,
                UNSUPPORTED for a body that is compressed on the way, UNREACHABLE for all other failures.
        """
        addresses = self._resolve(target, deadline)
        for _ in range(MAX_REDIRECTS + 1):
            connection = _PinnedConnection(target, addresses, self._tls(target), deadline)
            # A server that sends a byte a second never runs into the timeout of a single read.
            watchdog = threading.Timer(deadline.remaining(), connection.cut)
            watchdog.daemon = True
            watchdog.start()
            try:
                try:
                    response = self._ask(connection, target)
                    if response.status in _REDIRECTS:
                        target = _redirected(target, response.headers.get("Location", ""))
                        continue
                    _check(response, limit)
                    yield from _body(response, deadline)
                except RefusedError:
                    deadline.remaining()  # the deadline may be what broke it
                    raise
                except ssl.SSLCertVerificationError:
                    raise RefusedError(Refusal.UNREACHABLE, "its host's certificate is not trusted") from None
                except (OSError, http.client.HTTPException, ValueError, AttributeError):
                    # AttributeError: http.client of a connection that was cut while it was being set up.
                    deadline.remaining()
                    raise RefusedError(
                        Refusal.UNREACHABLE, "its host did not answer, or not in HTTP"
                    ) from None
                return
            finally:
                watchdog.cancel()
                connection.close()
        raise RefusedError(Refusal.REDIRECT, f"it redirects more than {MAX_REDIRECTS} times")

    def _tls(self, target: Target) -> ssl.SSLContext | None:
        return self._context if target.scheme == "https" else None

    def _ask(self, connection: _PinnedConnection, target: Target) -> http.client.HTTPResponse:
        connection.request(
            "GET",
            target.path,
            headers={"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "moderator"},
        )
        return connection.getresponse()

    def _resolve(self, target: Target, deadline: Deadline) -> tuple[str, ...]:
        """The host's addresses. The system's resolver takes no timeout, so it runs in a thread that can be left."""
        outcome: list[tuple[str, ...] | RefusedError] = []

        def ask() -> None:
            try:
                outcome.append(
                    resolve(
                        target.host, target.port, allow_private=self._allow_private, resolver=self._resolver
                    )
                )
            except RefusedError as refusal:
                outcome.append(refusal)
            except Exception:  # noqa: BLE001  # whatever a resolver makes of a name
                outcome.append(RefusedError(Refusal.UNREACHABLE, "the host's name cannot be resolved"))

        thread = threading.Thread(target=ask, name="media-resolver", daemon=True)
        thread.start()
        thread.join(deadline.remaining())
        if not outcome:
            raise RefusedError(Refusal.TOO_SLOW, "resolving its host took longer than allowed")
        if isinstance(outcome[0], RefusedError):
            raise outcome[0]
        return outcome[0]


def _redirected(target: Target, location: str) -> Target:
    base = f"{target.scheme}://[{target.host}]" if ":" in target.host else f"{target.scheme}://{target.host}"
    try:
        new = parse_target(urljoin(f"{base}:{target.port}{target.path}", location))
    except (RefusedError, ValueError):
        raise RefusedError(Refusal.REDIRECT, "it redirects to a malformed address") from None
    if not location or new.origin != target.origin:
        raise RefusedError(Refusal.REDIRECT, "it redirects to another host")
    return new


def _check(response: http.client.HTTPResponse, limit: int) -> None:
    if response.status in _GONE:
        raise RefusedError(Refusal.NOT_FOUND, "its host says that it is not there")
    if response.status != http.HTTPStatus.OK:
        raise RefusedError(Refusal.UNREACHABLE, f"its host answered with status {response.status}")
    encodings = response.headers.get_all("Content-Encoding", [])
    if any(encoding.strip().lower() not in ("", "identity") for encoding in encodings):
        raise RefusedError(Refusal.UNSUPPORTED, "its host sends it compressed, though it was not asked to")
    if response.length is not None and response.length > limit:
        raise RefusedError(Refusal.TOO_LARGE, f"it has more than {limit} bytes")


def _body(response: http.client.HTTPResponse, deadline: Deadline) -> Iterator[bytes]:
    expected, received = response.length, 0
    while chunk := response.read1(CHUNK_BYTES):
        received += len(chunk)
        deadline.remaining()
        yield chunk
    deadline.remaining()
    if expected is not None and received != expected:
        raise RefusedError(Refusal.UNREACHABLE, "its host sent less than it announced")
