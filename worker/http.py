"""The worker's own HTTP endpoint: `/metrics`, `/healthz`, `/readyz`, in a thread of its own.

It answers while the event loop is busy or hung, which is when it matters. It listens on loopback unless
told otherwise, has no authentication and serves nothing but operational figures.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from worker.health import Health

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16 * 1024  # request line and headers; a scrape needs a few hundred
REQUEST_SECONDS = 5.0  # to send the whole request, and again to take the whole answer
MAX_CONNECTIONS = 16  # served at a time; more are closed at once

_LINGER_SECONDS = 0.5

_PATHS = ("/metrics", "/healthz", "/readyz")
_INDEX = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>moderator</title>'
    "<h1>moderator</h1><ul>"
    + "".join(f'<li><a href="{path}">{path}</a></li>' for path in _PATHS)
    + "</ul></html>\n"
).encode()
_HTML = "text/html; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class PortError(OSError):
    """The endpoint cannot listen where it was told to; the message says what to do."""


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A threading TCP server (not `http.server`'s own, whose bind asks the resolver for a host name)."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, registry: CollectorRegistry, health: Health) -> None:
        self.registry = registry
        self.health = health
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up or stalls is its own problem; a fault of ours is logged, without its address."""
        if not isinstance(sys.exception(), OSError):
            log.exception("a request to the metrics endpoint failed")


class _Handler(BaseHTTPRequestHandler):
    """One request, one answer, then the connection closes."""

    server_version = "moderator"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    command = ""  # until a request line was read

    def setup(self) -> None:
        """Reads the whole head first, so that neither its size nor the time it takes is the client's choice."""
        connection = cast("socket.socket", self.request)
        self.connection = connection
        self._refusal: HTTPStatus | None = None
        self.rfile = BytesIO(self._read_head(connection))
        connection.settimeout(REQUEST_SECONDS)
        self.wfile = socketserver._SocketWriter(connection)  # type: ignore[attr-defined]  # what StreamRequestHandler uses; typeshed leaves it out

    def _read_head(self, connection: socket.socket) -> bytes:
        deadline = time.monotonic() + REQUEST_SECONDS
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                self._refusal = HTTPStatus.REQUEST_TIMEOUT
                break
            connection.settimeout(remaining)
            try:
                chunk = connection.recv(4096)
            except TimeoutError:
                self._refusal = HTTPStatus.REQUEST_TIMEOUT
                break
            if not chunk:
                break  # half a request, or none: the parser answers or gives up
            head += chunk
            if len(head) > MAX_REQUEST_BYTES:
                self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                break
        return head

    def handle(self) -> None:
        self.close_connection = True
        if self._refusal is not None:
            self.requestline = ""
            self._answer(self._refusal, _TEXT, f"{self._refusal.phrase}\n".encode())
            return
        self.handle_one_request()

    def finish(self) -> None:
        """Takes what a refused client still sends, within limits.

        Closing on unread bytes would reset the connection and could take the answer with it.
        """
        if self._refusal is None and self.command in {"GET", "HEAD"}:
            return
        deadline = time.monotonic() + _LINGER_SECONDS
        left = 16 * MAX_REQUEST_BYTES
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (remaining := deadline - time.monotonic()) > 0:
                self.connection.settimeout(remaining)
                chunk = self.connection.recv(65536)
                if not chunk:
                    return
                left -= len(chunk)

    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        path = self.path.partition("?")[0]
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, content_type, encode(server.registry))
        elif path == "/healthz":
            alive = server.health.alive()
            self._answer_json(
                alive,
                {
                    "status": "alive" if alive else "hung",
                    "beat_age_seconds": round(server.health.beat_age(), 3),
                    "stall_seconds": server.health.stall_seconds,
                },
            )
        elif path == "/readyz":
            readiness = server.health.readiness()
            components = {
                name: {"ready": component.ok, "detail": component.detail}
                for name, component in readiness.components.items()
            }
            self._answer_json(
                readiness.ready,
                {"status": "ready" if readiness.ready else "not ready", "components": components},
            )
        elif path == "/":
            self._answer(HTTPStatus.OK, _HTML, _INDEX)
        else:
            self._answer(HTTPStatus.NOT_FOUND, _TEXT, f"not found; there is {', '.join(_PATHS)}\n".encode())

    do_HEAD = do_GET  # noqa: N815  # the name that the base class calls; the same headers; `_answer` leaves the body out

    def _answer_json(self, ok: bool, body: dict[str, object]) -> None:
        status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
        self._answer(status, _JSON, json.dumps(body).encode() + b"\n")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.close_connection = True
        self.request_version = (
            "HTTP/1.1"  # for HTTP/0.9, as which bad request lines count, headers are left out
        )
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Errors of the parser (bad request line, method other than GET and HEAD) as one plain line."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED and self.command:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._answer(status, _TEXT, f"{status.phrase}\n".encode())

    def end_headers(self) -> None:
        if self.command not in {"GET", "HEAD", "", None}:
            self.send_header("Allow", "GET, HEAD")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not news, and a client's address stays out of the log."""


class Endpoint:
    """The running endpoint.

    Args:
        registry: what `/metrics` shows.
        health: what `/healthz` and `/readyz` answer.
        host: the address to listen on; loopback by default, because there is no authentication.
        port: 0 takes any free port; `port` and `url` tell which.

    Raises:
        PortError: the address is taken, not allowed or not one of this machine's.
    """

    def __init__(
        self, registry: CollectorRegistry, health: Health, *, host: str = "127.0.0.1", port: int = 8000
    ) -> None:
        try:
            self._server = _Server(host, port, registry, health)
        except (OSError, OverflowError) as error:
            raise PortError(
                f"cannot serve metrics on {host}:{port}: {_reason(error)}. "
                "Choose another with --http-port (0 takes any free one) or --http-host"
            ) from error
        self.host = host
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.2},
            name="moderator-http",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where `/metrics` is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """Stops listening; may be called twice."""
        with contextlib.suppress(OSError):
            self._server.shutdown()
            self._server.server_close()
        self._thread.join(timeout=2)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _reason(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "a port is a number from 0 to 65535"
    text = getattr(error, "strerror", None) or str(error)
    return "the port is in use" if "in use" in text.lower() else text.lower()
