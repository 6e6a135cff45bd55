"""Every topic of the wire contract in one table: who writes it, what keys it, what is kept.

Pure data. `worker.admin` makes and checks them; the streaming shell takes its subscriptions from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_DAY_SECONDS = 24 * 60 * 60

MAX_OUTPUT_BYTES = 2 * 1024 * 1024
"""The largest batch that topics written by the worker take (`max.message.bytes`).

The largest single record is a dead letter: 512 KiB of value in base64 (683 KiB), its key, headers and
envelope; about 700 KiB. A producer's batch is at most one megabyte beyond that.
"""


class Direction(StrEnum):
    """Who writes a topic: others, the worker for others, or the worker for itself."""

    INPUT = "input"
    OUTPUT = "output"
    INTERNAL = "internal"


class Key(StrEnum):
    """What the record key is."""

    ACCOUNT = "account"
    STATE = "state"  # a:<account> x:<action_id> f:<feature> p:<partition>, on the owner's partition
    FEATURE = "feature"  # fp: domain: device: network: reporter: cap:
    PACK_FILE = "pack file"  # <pack>/<path>/<n> and "current"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, by its contract name (without prefix).

    `retention_seconds` is None where compaction, not age, removes records. `single_partition` is the
    exception `policies`: all other topics share one partition count, because an account's records must
    have one partition number everywhere. `optional` topics may be missing while their feature is off.
    """

    name: str
    direction: Direction
    key: Key
    purpose: str
    retention_seconds: int | None
    single_partition: bool = False
    optional: bool = False

    @property
    def compacted(self) -> bool:
        """Whether the broker keeps the last record of each key, whatever its age."""
        return self.retention_seconds is None

    def full_name(self, prefix: str) -> str:
        """The name on the broker: the prefix is put in front as it is, without a separator."""
        return prefix + self.name

    def partition_count(self, partitions: int) -> int:
        """How many partitions it gets where the cluster's topics have `partitions`."""
        return 1 if self.single_partition else partitions

    def broker_config(self) -> Mapping[str, str]:
        """The topic settings it is made with, as the broker spells them."""
        settings = {"cleanup.policy": "compact" if self.compacted else "delete"}
        if self.direction is not Direction.INPUT or self.single_partition:
            settings["max.message.bytes"] = str(MAX_OUTPUT_BYTES)
        if self.retention_seconds is None:
            # Small segments, or the newest gigabyte is never compacted; and a bound on how long the
            # erased state of a deleted account can stay on disk.
            settings["segment.bytes"] = str(64 * 1024 * 1024)
            settings["min.cleanable.dirty.ratio"] = "0.2"
            settings["max.compaction.lag.ms"] = str(_DAY_SECONDS * 1000)
        else:
            settings["retention.ms"] = str(self.retention_seconds * 1000)
        return settings


def _input(name: str, purpose: str) -> Topic:
    return Topic(name, Direction.INPUT, Key.ACCOUNT, purpose, 7 * _DAY_SECONDS)


def _output(name: str, purpose: str, *, days: int = 30, optional: bool = False) -> Topic:
    return Topic(name, Direction.OUTPUT, Key.ACCOUNT, purpose, days * _DAY_SECONDS, optional=optional)


TOPICS: tuple[Topic, ...] = (
    _input("posts", "new posts, edits, deletions by the author"),
    _input("accounts", "new accounts and changed profiles"),
    _input("reports", "what people report"),
    _input("appeals", "appeals against an action"),
    _input("reviews", "decisions of moderators"),
    _input("media.signals", "what was found in a media item after its post was judged"),
    Topic("policies", Direction.INPUT, Key.PACK_FILE, "published policy packs", None, single_partition=True),
    _output("enforcement.label", "labels applied and reversed"),
    _output("enforcement.remove", "removals applied and reversed"),
    _output("enforcement.suspend", "suspensions applied and reversed"),
    _output("review.queue", "what a person must look at"),
    _output("notices", "what affected accounts are told"),
    _output("decisions", "the audit record of each judged record"),
    _output("statements", "statements of reasons for the DSA transparency database", optional=True),
    _output("dead-letter", "records that could not be judged", days=14),
    Topic("state", Direction.INTERNAL, Key.STATE, "account state, actions in force", None),
    Topic("observations", Direction.INTERNAL, Key.FEATURE, "features seen across accounts", 7 * _DAY_SECONDS),
    Topic("findings", Direction.INTERNAL, Key.ACCOUNT, "what follows for an account", 7 * _DAY_SECONDS),
)

BY_NAME: Mapping[str, Topic] = {topic.name: topic for topic in TOPICS}

JUDGED: tuple[str, ...] = (
    *(topic.name for topic in TOPICS if topic.direction is Direction.INPUT and not topic.single_partition),
    "observations",
    "findings",
)
"""The topics whose records the engine judges; every release subscribes to all of them."""

OUTPUTS: tuple[str, ...] = tuple(topic.name for topic in TOPICS if topic.direction is Direction.OUTPUT)
"""The topics that other systems read, in the order in which `replay` writes them for one record."""


def wanted(*, statements: bool = False) -> tuple[Topic, ...]:
    """The topics that must exist: all, less the optional ones whose feature is off."""
    return tuple(topic for topic in TOPICS if statements or not topic.optional)


def strip_prefix(full_name: str, prefix: str) -> str:
    """The contract name of a broker's topic.

    Raises:
        ValueError: the topic does not have the prefix.
    """
    if not full_name.startswith(prefix):
        msg = f"topic {full_name!r} does not begin with the prefix {prefix!r}"
        raise ValueError(msg)
    return full_name[len(prefix) :]


def invalid_characters(prefix: str) -> Iterable[str]:
    """The characters of a prefix that Kafka does not take in a topic name, each once, in order."""
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    return tuple(dict.fromkeys(character for character in prefix if character not in allowed))
