"""Makes and checks the contract's topics on a cluster; says what is wrong, where, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.cluster import BrokerUnreachable, ClusterError, connect, refusals_named
from worker.topics import BY_NAME, MAX_OUTPUT_BYTES, Direction, Topic, invalid_characters, wanted

_UNKNOWN_TOPIC = 3
_NO_ERROR = 0
_TOPIC_EXISTS = 36
_DURABLE_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the cluster's topics that keeps the worker from being right.

    `what` names the fault, `where` the topic (with its prefix) or the setting, `action` what to do.
    """

    what: str
    where: str
    action: str

    def __str__(self) -> str:
        """All of it in one line, for a message."""
        return f"{self.where}: {self.what}. {self.action}"


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What `create_topics` did. Names carry their prefix, in the order of the contract's table."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    problems: tuple[Problem, ...]


def create_topics(
    bootstrap: str,
    prefix: str = "",
    partitions: int = 6,
    replication_factor: int = -1,
    *,
    statements: bool = True,
    client_options: Mapping[str, Any] | None = None,
    timeout_seconds: float = 10.0,
) -> TopicReport:
    """Makes the topics that do not exist yet, waits until they have leaders, and checks all of them.

    Safe to repeat, also by several at once: what exists is left as it is and only reported.

    Args:
        bootstrap: "HOST:PORT", or several with commas.
        prefix: put in front of every name.
        partitions: of every topic but `policies`. It cannot be changed later without moving accounts.
        replication_factor: -1 for the cluster's own default. From 3 on, a write needs two replicas.
        statements: whether to make the optional `statements` topic.
        client_options: further settings of the Kafka client, for example for SASL and TLS.
        timeout_seconds: bounds the connection, and again the creation.

    Raises:
        BrokerUnreachable: nobody answers at the address.
        ClusterError: bad arguments, or the cluster refuses to make a topic.
    """
    _check_arguments(prefix, partitions, replication_factor)
    topics = wanted(statements=statements)
    with (
        connect(bootstrap, client_options=client_options, timeout_seconds=timeout_seconds) as admin,
        refusals_named(bootstrap),
    ):
        present = _describe(admin, topics, prefix)
        missing = [topic for topic in topics if topic.name not in present]
        if missing:
            _refuse_second_count(present, topics, prefix, partitions)
        requests = {
            topic.full_name(prefix): {
                "num_partitions": topic.partition_count(partitions),
                "replication_factor": replication_factor,
                "configs": _settings(topic, replication_factor),
            }
            for topic in missing
        }
        created = _create(admin, requests, timeout_seconds)
        problems = _check(admin, topics, prefix, partitions)
    names = [topic.full_name(prefix) for topic in topics]
    return TopicReport(
        created=tuple(name for name in names if name in created),
        existing=tuple(name for name in names if name not in created),
        problems=problems,
    )


def check_topics(
    bootstrap: str,
    prefix: str = "",
    *,
    partitions: int | None = None,
    statements: bool = False,
    client_options: Mapping[str, Any] | None = None,
    timeout_seconds: float = 10.0,
) -> tuple[Problem, ...]:
    """What is wrong with the topics; empty when the worker can start.

    Args:
        bootstrap: as for `create_topics`, like the other arguments that it shares.
        prefix: put in front of every name.
        partitions: the count that the topics should have; None to take the one of `posts`.
        statements: whether the optional `statements` topic must exist.
        client_options: further settings of the Kafka client.
        timeout_seconds: bounds the connection, and again each answer.

    Raises:
        BrokerUnreachable: nobody answers at the address.
        ClusterError: a bad prefix, or the cluster refuses to say.
    """
    _check_arguments(prefix, partitions or 1, 1)
    with (
        connect(bootstrap, client_options=client_options, timeout_seconds=timeout_seconds) as admin,
        refusals_named(bootstrap),
    ):
        return _check(admin, wanted(statements=statements), prefix, partitions)


def _check_arguments(prefix: str, partitions: int, replication_factor: int) -> None:
    if bad := invalid_characters(prefix):
        shown = " ".join(repr(character) for character in bad)
        msg = f"the topic prefix {prefix!r} has characters that Kafka does not take: {shown}. Use letters, digits, '.', '_' and '-'."
        raise ClusterError(msg)
    if partitions < 1:
        msg = f"{partitions} partitions are not possible: give 1 or more (--partitions)"
        raise ClusterError(msg)
    if replication_factor < 1 and replication_factor != -1:
        msg = f"a replication factor of {replication_factor} is not possible: give 1 or more, or -1 for the cluster's default"
        raise ClusterError(msg)


def _describe(admin: Any, topics: Sequence[Topic], prefix: str) -> dict[str, int]:
    """Partition counts of those topics that exist, by contract name."""
    counts: dict[str, int] = {}
    names = {topic.full_name(prefix): topic.name for topic in topics}
    for entry in admin.describe_topics(list(names)):
        if entry["error_code"] == _UNKNOWN_TOPIC:
            continue
        if entry["error_code"] != _NO_ERROR:
            from kafka.errors import for_code

            raise for_code(entry["error_code"])(entry["name"])
        counts[names[entry["name"]]] = len(entry["partitions"])
    return counts


def _refuse_second_count(
    present: Mapping[str, int], topics: Sequence[Topic], prefix: str, partitions: int
) -> None:
    """Half a set of topics must not get a second partition count from a repeated command."""
    counts = {present[topic.name] for topic in topics if topic.name in present and not topic.single_partition}
    if len(counts) == 1 and counts != {partitions}:
        count = counts.pop()
        msg = (
            f"the topics {prefix}* that exist have {_partitions(count)}, so the missing ones cannot get {partitions}: "
            f"all must have the same count. Use --partitions {count}."
        )
        raise ClusterError(msg)


def _create(admin: Any, requests: Mapping[str, Mapping[str, Any]], timeout_seconds: float) -> set[str]:
    """Makes the topics and waits for their leaders; returns those that nobody else made first."""
    if not requests:
        return set()
    timeout_ms = int(timeout_seconds * 1000)
    answer = admin.create_topics(dict(requests), timeout_ms=timeout_ms, raise_errors=False)
    created = set()
    for entry in answer["topics"]:
        if entry["error_code"] == _NO_ERROR:
            created.add(entry["name"])
        elif entry["error_code"] != _TOPIC_EXISTS:
            from kafka.errors import for_code

            reason = entry["error_message"] or for_code(entry["error_code"]).__name__
            msg = f"cannot create the topic {entry['name']}: {reason}"
            raise ClusterError(msg)
    admin.wait_for_topics(list(requests), timeout_ms=timeout_ms)
    return created


def _settings(topic: Topic, replication_factor: int) -> dict[str, str]:
    settings = dict(topic.broker_config())
    if replication_factor >= _DURABLE_REPLICAS:
        settings["min.insync.replicas"] = "2"
    return settings


def _check(admin: Any, topics: Sequence[Topic], prefix: str, partitions: int | None) -> tuple[Problem, ...]:
    counts = _describe(admin, topics, prefix)
    if not counts:
        todo = "Create them: moderator topics create, or name the right prefix (MODERATOR_TOPIC_PREFIX)"
        return (Problem("none of the topics exists", f"{prefix}*", todo),)
    shared = {name: count for name, count in counts.items() if not BY_NAME[name].single_partition}
    if partitions is not None and len(set(shared.values())) == 1 and partitions not in shared.values():
        common = next(iter(shared.values()))
        odd = [_wrong_total(prefix, common, partitions)]
        expected: int | None = common
    else:
        odd = []
        expected = partitions or counts.get("posts") or _most_common(shared.values())
    present = [topic for topic in topics if topic.name in counts]
    settings = _read_settings(admin, present, prefix)
    create = f"moderator topics create{f' --partitions {expected}' if expected else ''}"
    missing = [topic.full_name(prefix) for topic in topics if topic.name not in counts]
    problems = odd + [Problem("the topic is missing", name, f"Create it: {create}") for name in missing]
    for topic in present:
        name, count = topic.full_name(prefix), counts[topic.name]
        should = topic.partition_count(expected or count)
        if count != should:
            problems.append(_wrong_count(topic, name, count, should))
        problems += _wrong_settings(topic, name, settings.get(name, {}))
    return tuple(problems)


def _most_common(counts: Iterable[int]) -> int | None:
    """The count that most topics have, the lowest on a tie; None where there are none."""
    ordered = sorted(counts)
    return max(ordered, key=ordered.count) if ordered else None


def _wrong_total(prefix: str, count: int, should: int) -> Problem:
    return Problem(
        f"the topics have {_partitions(count)}, not {should}",
        f"{prefix}*",
        f"Go on with {count}, or delete and create them again: accounts cannot move to another partition",
    )


def _wrong_count(topic: Topic, name: str, count: int, should: int) -> Problem:
    if topic.single_partition:
        return Problem(
            f"it has {_partitions(count)}, but pack files are only in order on 1",
            name,
            "Delete and create it again, then publish the pack again",
        )
    if count < should:
        todo = f"Add partitions while the topic is empty (to {should}), or delete and create it again"
    else:
        todo = f"Partitions cannot be taken away: give every other topic {count} while they are empty, or create this one again"
    return Problem(
        f"it has {_partitions(count)}, the others {should}; an account's records would be on different numbers",
        name,
        todo,
    )


def _partitions(count: int) -> str:
    return f"{count} partition" if count == 1 else f"{count} partitions"


def _wrong_settings(topic: Topic, name: str, settings: Mapping[str, str]) -> list[Problem]:
    problems = []
    cleanup = settings.get("cleanup.policy")
    should = "compact" if topic.compacted else "delete"
    if cleanup is not None and should not in cleanup.split(","):
        loss = "it would lose its oldest records" if topic.compacted else "it would drop records by key"
        problems.append(_wrong_setting(name, "cleanup.policy", cleanup, should, loss))
    elif cleanup is not None and topic.compacted and "delete" in cleanup.split(","):
        loss = "records would go by age"
        problems.append(_wrong_setting(name, "cleanup.policy", cleanup, should, loss))
    largest = settings.get("max.message.bytes")
    if topic.direction is not Direction.INPUT and largest is not None and int(largest) < MAX_OUTPUT_BYTES:
        loss = "a large record would be refused and hold up its partition"
        problems.append(_wrong_setting(name, "max.message.bytes", largest, str(MAX_OUTPUT_BYTES), loss))
    return problems


def _wrong_setting(name: str, setting: str, value: str, should: str, loss: str) -> Problem:
    return Problem(
        f"{setting} is {value}, so {loss}",
        name,
        f"Set it: kafka-configs --alter --topic {name} --add-config {setting}={should}",
    )


def _read_settings(admin: Any, topics: Sequence[Topic], prefix: str) -> dict[str, dict[str, str]]:
    """The settings that matter, by full topic name; none where this client may not read them."""
    from kafka.admin import ConfigResource, ConfigResourceType
    from kafka.errors import AuthorizationError

    if not topics:
        return {}
    keys = {"cleanup.policy": None, "max.message.bytes": None}
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, topic.full_name(prefix), configs=keys) for topic in topics
    ]
    with contextlib.suppress(AuthorizationError):  # a worker's own account often lacks DescribeConfigs
        found = admin.describe_configs(resources, config_filter="all").get("topic", {})
        return {
            name: {key: str(entry["value"]) for key, entry in entries.items() if entry["value"] is not None}
            for name, entries in found.items()
        }
    return {}


__all__ = ["BrokerUnreachable", "ClusterError", "Problem", "TopicReport", "check_topics", "create_topics"]
