"""The lock file: which jars make up the embedded Kafka, and how a new version is locked.

Run `python -m worker.embedded.lock 4.4.0` to resolve that version again and rewrite the lock file
beside this module. Nothing in the product calls that part: a start only ever reads the lock.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.embedded.errors import ExtraMissingError

LOCK_PATH = Path(__file__).with_name("kafka.lock.toml")

# Kafka logs through SLF4J 1.7 but leaves the binding to its distribution. Without one a broker that
# fails to start says nothing at all. This is the binding that the distribution itself ships; its
# version follows the log4j-core that the resolution found.
_LOG_BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl")
_LOG_CORE = ("org.apache.logging.log4j", "log4j-core")


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the class path.

    `sha256` is lower-case hex over the whole file, `size_bytes` its length.
    """

    group: str
    artifact: str
    version: str
    sha256: str
    size_bytes: int

    @property
    def filename(self) -> str:
        """The file's name in a repository and in the cache; unique within one lock."""
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class Lock:
    """All jars of one Kafka version, in class path order. `digest` names this exact set."""

    kafka_version: str
    jars: tuple[Jar, ...]

    @property
    def digest(self) -> str:
        """Hex SHA-256 over the jars' names and hashes: another set never shares a cache folder."""
        lines = "\n".join(f"{jar.group}:{jar.filename}:{jar.sha256}" for jar in self.jars)
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def size_bytes(self) -> int:
        """What a cold cache has to download."""
        return sum(jar.size_bytes for jar in self.jars)


def read_lock(path: Path = LOCK_PATH) -> Lock:
    """Reads a lock file as `write_lock` wrote it.

    Raises:
        OSError: the file cannot be read.
        tomllib.TOMLDecodeError, KeyError: it is not a lock file. Both mean a broken installation.
    """
    with path.open("rb") as file:
        data = tomllib.load(file)
    jars = tuple(
        Jar(
            group=str(item["group"]),
            artifact=str(item["artifact"]),
            version=str(item["version"]),
            sha256=str(item["sha256"]),
            size_bytes=int(item["bytes"]),
        )
        for item in data["jar"]
    )
    return Lock(kafka_version=str(data["kafka"]), jars=jars)


def render_lock(lock: Lock) -> str:
    """The lock file's text: TOML, one jar a block, so that a diff shows what changed."""
    lines = [
        "# The jars of the embedded Apache Kafka. Made by `python -m worker.embedded.lock VERSION`; do not edit.",
        f'kafka = "{lock.kafka_version}"',
    ]
    for jar in lock.jars:
        lines += [
            "",
            "[[jar]]",
            f'group = "{jar.group}"',
            f'artifact = "{jar.artifact}"',
            f'version = "{jar.version}"',
            f'sha256 = "{jar.sha256}"',
            f"bytes = {jar.size_bytes}",
        ]
    return "\n".join(lines) + "\n"


def resolve_lock(kafka_version: str) -> Lock:
    """Resolves Kafka's runtime dependencies from the repositories and hashes every jar.

    Slow (it reads every POM and downloads about 45 MB); for maintainers only.

    Raises:
        ExtraMissingError: jgo is not installed.
    """
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        msg = "locking needs jgo: install the `embedded` extra (pip install 'moderation-worker[embedded]')"
        raise ExtraMissingError(msg) from error
    with tempfile.TemporaryDirectory(prefix="moderator-lock-") as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        root = context.create_dependency(f"org.apache.kafka:kafka_2.13:jar:{kafka_version}:compile")
        resolved, transitive = context.resolver.resolve([root])
        artifacts = [dependency.artifact for dependency in (*resolved, *transitive)]
        core = next(a for a in artifacts if (a.groupId, a.artifactId) == _LOG_CORE)
        artifacts.append(context.project(*_LOG_BINDING).at_version(core.version).artifact())
        jars = []
        for artifact in artifacts:
            content = Path(artifact.resolve()).read_bytes()
            jars.append(
                Jar(
                    group=artifact.groupId,
                    artifact=artifact.artifactId,
                    version=artifact.version,
                    sha256=hashlib.sha256(content).hexdigest(),
                    size_bytes=len(content),
                )
            )
        return Lock(kafka_version=kafka_version, jars=tuple(jars))


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrites the lock file for the version named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker.embedded.lock", description=__doc__)
    parser.add_argument("version", help="the Apache Kafka version to lock, for example 4.4.0")
    kafka_version = parser.parse_args(arguments).version
    lock = resolve_lock(kafka_version)
    LOCK_PATH.write_text(render_lock(lock), encoding="utf-8")
    sys.stderr.write(f"{LOCK_PATH}: {len(lock.jars)} jars, {lock.size_bytes} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
