"""Reaching a Kafka cluster within a bounded time, with errors that say what to do."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from worker.knocking import AuthenticationRefused, BrokerUnreachable, ClusterError, knock

_DEFAULT_PORT = 9092


@contextmanager
def connect(
    bootstrap: str,
    *,
    client_options: Mapping[str, Any] | None = None,
    timeout_seconds: float = 10.0,
) -> Iterator[Any]:
    """A kafka-python `KafkaAdminClient` that has spoken to a broker, closed at the end.

    Raises:
        BrokerUnreachable: nobody answers at the address within the timeout.
        ClusterError: the address or a client option is not one, or the credentials are refused.
    """
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaConfigurationError, KafkaError

    deadline = time.monotonic() + timeout_seconds
    addresses = _addresses(bootstrap)
    knock(bootstrap, addresses, client_options or {}, timeout_seconds)
    left_ms = max(1000, int((deadline - time.monotonic()) * 1000))
    options = {
        "bootstrap_timeout_ms": left_ms,
        "request_timeout_ms": max(1000, int(timeout_seconds * 1000)),
        **(client_options or {}),
        "bootstrap_servers": [f"{host}:{port}" for host, port in addresses],
    }
    with _quiet_client():
        try:
            admin = KafkaAdminClient(**options)
        except KafkaConfigurationError as error:
            msg = f"the Kafka client does not take these options: {error}"
            raise ClusterError(msg) from error
        except KafkaError as error:
            seconds = f"{timeout_seconds:g} s"
            detail = f"a port is open there, but nothing that speaks Kafka answered within {seconds}"
            raise BrokerUnreachable(bootstrap, detail) from error
    try:
        yield admin
    finally:
        admin.close()


def _addresses(bootstrap: str) -> list[tuple[str, int]]:
    """ "HOST:PORT,[IPV6]:PORT,HOST" as pairs; the port defaults to Kafka's 9092."""
    addresses = []
    for item in bootstrap.split(","):
        text = item.strip()
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]"):
            host, port = text, str(_DEFAULT_PORT)
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            msg = f"{bootstrap!r} is not a broker address: write HOST:PORT, several with commas"
            raise ClusterError(msg)
        addresses.append((host, int(port)))
    return addresses


@contextmanager
def _quiet_client() -> Iterator[None]:
    """The client warns of each attempt with the address in it; the exception says it once."""
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def refusals_named(bootstrap: str) -> Iterator[None]:
    """Turns what the client raises after the connection into our two errors."""
    from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, RequestTimedOutError

    try:
        yield
    except (KafkaTimeoutError, KafkaConnectionError, RequestTimedOutError) as error:
        detail = f"the connection was lost or timed out ({type(error).__name__})"
        raise BrokerUnreachable(bootstrap, detail) from error
    except KafkaError as error:
        msg = f"the cluster at {bootstrap} refused: {error}. Check the permissions of this client (ACLs)."
        raise ClusterError(msg) from error


__all__ = ["AuthenticationRefused", "BrokerUnreachable", "ClusterError", "connect", "refusals_named"]
