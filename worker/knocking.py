"""A first connection to a cluster that says in words what is wrong with the address, TLS or the credentials.

The Kafka clients themselves try again until their time is up, and then only say that it is.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from worker.tls import CredentialError

# Kafka's protocol: a request is its length, key, version, number and client (none), then its fields.
_API_VERSIONS, _SASL_HANDSHAKE, _SASL_AUTHENTICATE = (18, 0), (17, 1), (36, 0)
_NO_ERROR = 0
_UNSUPPORTED_MECHANISM = 33
_MAX_ANSWER_BYTES = 1 << 20


class ClusterError(Exception):
    """The cluster refused something; the message says what, where and what to do (exit code 2)."""


class AuthenticationRefused(ClusterError):  # noqa: N818 - what a reader sees is the sentence
    """The cluster does not take this client's credentials (exit code 2)."""

    def __init__(self, bootstrap: str, detail: str) -> None:
        """`detail` says what it refused, without a full stop; never the credentials."""
        super().__init__(
            f"the cluster at {bootstrap} does not let this client in: {detail} (docs/security.md)."
        )


class BrokerUnreachable(Exception):  # noqa: N818 - what a reader sees is the sentence
    """No broker answered within the time it was given (exit code 3)."""

    def __init__(self, bootstrap: str, detail: str) -> None:
        """`detail` is one sentence on what happened at the address, without a full stop."""
        super().__init__(
            f"no Kafka broker can be reached at {bootstrap}: {detail}. "
            "Check that the broker runs, that the address is the one it advertises to clients "
            "(--broker HOST:PORT or MODERATOR_BROKER), and whether it wants TLS or SASL."
        )
        self.bootstrap = bootstrap
        self.detail = detail


def knock(
    bootstrap: str,
    addresses: Sequence[tuple[str, int]],
    client_options: Mapping[str, Any],
    timeout_seconds: float,
) -> None:
    """Opens a connection as kafka-python would with these options, TLS and SASL included, and closes it.

    In a thread, because a name server that does not answer cannot be bounded otherwise.

    Raises:
        BrokerUnreachable: no address answers, or TLS fails.
        AuthenticationRefused: a broker answers and refuses the credentials.
        CredentialError: a password or token cannot be had.
    """
    complaints: list[str] = []
    refusals: list[Exception] = []
    reached = threading.Event()
    finished = threading.Event()
    deadline = time.monotonic() + timeout_seconds

    def attempt() -> None:
        for host, port in addresses:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                with socket.create_connection((host, port), timeout=left) as connection:
                    _enter(connection, host, client_options)
            except (_RefusedError, CredentialError) as refusal:
                refusals.append(refusal)
                break
            except OSError as error:
                complaints.append(f"{host}:{port} {_in_words(error)}")
            else:
                reached.set()
                break
        finished.set()

    threading.Thread(target=attempt, name="moderator-broker-check", daemon=True).start()
    finished.wait(timeout_seconds + 0.5)
    for refusal in refusals:
        if isinstance(refusal, _RefusedError):
            raise AuthenticationRefused(bootstrap, str(refusal)) from None
        raise refusal
    if not reached.is_set():
        detail = "; ".join(complaints) or f"no answer within {timeout_seconds:g} s"
        raise BrokerUnreachable(bootstrap, detail)


class _RefusedError(Exception):
    """What a broker did not accept."""


def _enter(connection: socket.socket, host: str, options: Mapping[str, Any]) -> None:
    """Agrees on TLS, then on who this is; with neither an open port is all that is asked for."""
    context: ssl.SSLContext | None = options.get("ssl_context")
    mechanism: str | None = options.get("sasl_mechanism")
    if context is not None:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            # With TLS 1.3 a server refuses a client's certificate only after the handshake.
            _ask(secured, _API_VERSIONS, b"")
            if mechanism is not None:
                _authenticate(secured, host, mechanism, options)
    elif mechanism is not None:
        _authenticate(connection, host, mechanism, options)


def _authenticate(connection: socket.socket, host: str, mechanism: str, options: Mapping[str, Any]) -> None:
    from kafka.net.sasl import get_sasl_mechanism

    name = mechanism.encode()
    answer = _ask(connection, _SASL_HANDSHAKE, struct.pack(">h", len(name)) + name)
    (code,) = struct.unpack_from(">h", answer)
    if code == _UNSUPPORTED_MECHANISM:
        raise _RefusedError(f"it does not take {mechanism}; check MODERATOR_SASL_MECHANISM")
    if code != _NO_ERROR:
        raise _RefusedError(f"it wants no SASL there (error {code}); check MODERATOR_SECURITY_PROTOCOL")
    exchange = get_sasl_mechanism(mechanism)(host=host, **options)
    while not exchange.is_done():
        token = exchange.auth_bytes()
        answer = _ask(connection, _SASL_AUTHENTICATE, struct.pack(">i", len(token)) + token)
        code, length = struct.unpack_from(">hh", answer)
        if code != _NO_ERROR:
            # Not its message: a broker's plug-in may put anything into it.
            raise _RefusedError(
                f"{mechanism} failed; check the name and what is in the password or token file"
            )
        start = 4 + max(0, length)
        (size,) = struct.unpack_from(">i", answer, start)
        proof = answer[start + 4 : start + 4 + size]
        if mechanism == "OAUTHBEARER" and proof:
            raise _RefusedError(
                "the token is not valid (any more); check the token file or the token endpoint"
            )
        try:
            exchange.receive(proof)
        except (ValueError, KeyError):
            # The last message of SCRAM proves that the broker knows the password too.
            raise _RefusedError("the broker could not prove that it knows the password") from None


def _ask(connection: socket.socket, request: tuple[int, int], fields: bytes) -> bytes:
    """One request's answer, without its length and number.

    Raises:
        OSError: the connection ended, or what answers does not speak Kafka.
    """
    body = struct.pack(">hhih", *request, 1, -1) + fields
    connection.sendall(struct.pack(">i", len(body)) + body)
    (size,) = struct.unpack(">i", _receive(connection, 4))
    if not 6 <= size <= _MAX_ANSWER_BYTES:
        raise ConnectionResetError
    return _receive(connection, size)[4:]


def _receive(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        chunk = connection.recv(size - len(found))
        if not chunk:
            raise ConnectionResetError
        found += chunk
    return found


def _in_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted here: {error.verify_message} (MODERATOR_TLS_CA_FILE)"
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or error).lower().replace("_", " ")
        if "alert" in reason and "certificate" in reason:
            return f"refuses this client's certificate, or wants one: {reason} (MODERATOR_TLS_CERT_FILE)"
        return f"does not agree on TLS: {reason} (MODERATOR_SECURITY_PROTOCOL)"
    if isinstance(error, ConnectionResetError):
        return (
            "closed the connection (is the listener there of the kind that MODERATOR_SECURITY_PROTOCOL says?)"
        )
    if isinstance(error, socket.gaierror):
        return "is not a known host name"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection (nothing listens on that port)"
    if isinstance(error, TimeoutError):
        return "does not answer"
    return f"cannot be connected to ({error.strerror or error})"
