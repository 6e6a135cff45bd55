"""What the embedded broker is told: its settings, its log's settings, and which ports it takes."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Mapping
from pathlib import Path

HOST = "127.0.0.1"

# A laptop's broker: one node, few internal partitions, small caches. The defaults would take 128 MB for
# the cleaner alone. Topics are never made by accident: a missing topic must look like one.
_BROKER_CONFIG: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # After a crash the controller waits for the dead registration to expire before it takes the new one.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "log.index.size.max.bytes": str(2 << 20),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
}

_LOG_CONFIG = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log_path}
appender.file.filePattern = {log_path}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = warn
rootLogger.appenderRefs = file
rootLogger.appenderRef.file.ref = file
"""


def broker_properties(
    folder: Path,
    port: int,
    controller_port: int,
    config: Mapping[str, str],
    listeners: Mapping[str, tuple[str, int]] | None = None,
) -> str:
    """The text of `server.properties`, ASCII: a small broker on the loopback interface.

    `config` is laid over ours. `listeners` are further ones: protocol and port by name.
    """
    further = (listeners or {}).items()
    own = "".join(f",{name}://{HOST}:{number}" for name, (_, number) in further)
    protocols = "".join(f",{name}:{protocol}" for name, (protocol, _) in further)
    settings = {
        **_BROKER_CONFIG,
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}{own}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}{own}",
        "listener.security.protocol.map": _BROKER_CONFIG["listener.security.protocol.map"] + protocols,
        "log.dirs": str(folder / "log"),
        **config,
    }
    return "".join(f"{name}={_escape(value)}\n" for name, value in settings.items())


def log_properties(folder: Path) -> str:
    """The text of the broker's `log4j2.properties`, ASCII: warnings and worse, to `server.log`."""
    return _LOG_CONFIG.format(log_path=_escape(str(folder / "server.log")))


def _escape(value: str) -> str:
    """A value as a Java properties file wants it: ASCII, other characters as UTF-16 escapes."""
    escaped = []
    for character in value.replace("\\", "\\\\"):
        if character.isascii():
            escaped.append(character)
        else:
            units = character.encode("utf-16-be")
            escaped += [f"\\u{units[n]:02x}{units[n + 1]:02x}" for n in range(0, len(units), 2)]
    return "".join(escaped)


def free_port() -> int:
    """A port that nobody listens on, below the range from which outgoing connections get theirs.

    A port of that range would be a trap: while the broker is down, a client that keeps connecting to it
    can be given that very port for its own end, connects to itself, and the broker never gets it back.
    """
    candidates = list(range(20000, _first_ephemeral_port()))
    for port in random.sample(candidates, k=min(200, len(candidates))):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _first_ephemeral_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        return max(20000, int(text.split()[0]))
    except (OSError, ValueError):
        return 32768
