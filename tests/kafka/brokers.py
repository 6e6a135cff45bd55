"""Which Apache Kafka the tests use: one that is named, one in Docker, or the embedded one."""

from __future__ import annotations

import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.embedded import EmbeddedKafka, prepare_fast_start
from worker.embedded.lock import read_lock
from worker.embedded.settings import HOST, free_port

VARIABLE = "MODERATOR_TEST_BROKER"
_DOCKER_SECONDS = 3
_START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Choice:
    """One rung of the ladder: `kind` is "address", "docker" or "embedded"; `text` is for people."""

    kind: str
    text: str
    address: str = ""


def choose_broker(environ: Mapping[str, str]) -> Choice:
    """Takes the first rung that holds. Starts nothing; asking for Docker takes at most three seconds.

    `MODERATOR_TEST_BROKER` is an address, or one of the words "docker" and "embedded" to force that rung.
    """
    named = environ.get(VARIABLE, "").strip()
    version = read_lock().kafka_version
    embedded = f"embedded Apache Kafka {version}"
    if named == "embedded":
        return Choice("embedded", f"{embedded} ({VARIABLE})")
    if named and named != "docker":
        return Choice("address", f"{named} ({VARIABLE})", named)
    reason = _why_no_docker(environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    if not reason:
        return Choice("docker", f"apache/kafka:{version} in Docker")
    if named == "docker":
        return Choice("docker", f"apache/kafka:{version} in Docker ({VARIABLE}), although {reason}")
    return Choice("embedded", f"{embedded} ({reason})")


@contextmanager
def run_broker(choice: Choice, folder: Path) -> Iterator[str]:
    """Starts what was chosen and yields its bootstrap address; ends it afterwards."""
    if choice.kind == "address":
        yield choice.address
    elif choice.kind == "docker":
        with _docker_broker() as address:
            yield address
    else:
        prepare_fast_start()  # once for each machine; some tests start brokers of their own
        with EmbeddedKafka(folder) as kafka:
            yield kafka.bootstrap


def _why_no_docker(host: str) -> str:
    """Empty when a Docker daemon answers at the address, in the spelling of DOCKER_HOST."""
    scheme, _, place = host.partition("://")
    try:
        if scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_DOCKER_SECONDS)
                connection.connect(place)
                connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return "" if b"OK" in connection.recv(4096) else "the Docker daemon does not answer"
        name, _, port = place.rstrip("/").rpartition(":")
        socket.create_connection((name, int(port)), timeout=_DOCKER_SECONDS).close()
    except (OSError, ValueError):
        return "no Docker daemon answers"
    return ""


@contextmanager
def _docker_broker() -> Iterator[str]:
    """The image that docker-compose.yml uses, with its port published on the loopback interface."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own modules
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy
    port = free_port()
    container = DockerContainer(f"apache/kafka:{read_lock().kafka_version}")
    container.with_bind_ports(port, (HOST, port))
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    for name, value in settings.items():
        container.with_env(name, value)
    ready = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_START_SECONDS)
    with container.waiting_for(ready):
        yield f"{HOST}:{port}"
