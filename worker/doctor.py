"""Examines what a worker needs: broker, topics, permissions, producers' partitioners, clocks, lag, pack, models, disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.decode import DecodeError, decode
from worker import security
from worker.admin import check_topics
from worker.cluster import BrokerUnreachable, ClusterError, connect, refusals_named
from worker.engine.ids import partition_of
from worker.engine.intake import ACCOUNT_OF
from worker.engine.lint import lint
from worker.engine.registry import Pack
from worker.engine.tomlfile import PackError
from worker.reading import reader
from worker.settings import Settings
from worker.tls import CredentialError
from worker.topics import TOPICS, Direction, Topic

State = Literal["ok", "warning", "failed"]

_SAMPLE = 500  # newest records of a topic that are looked at
_CLOCKS_DIFFER_SECONDS = 120.0
_LITTLE_DISK_BYTES = 1024**3
_SAMPLED = ("posts", "accounts")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `advice` says what to do; empty where nothing is."""

    check: str
    state: State
    detail: str
    advice: str = ""


def examine(settings: Settings, load: Callable[[Path | None], Pack]) -> Iterator[Finding]:
    """All findings, as they come; a check that needs what another did not find is left out.

    `load` gives the pack and raises PackError. Nothing is written, and no group is joined.
    """
    yield from _pack(settings, load)
    yield from _disk(settings)
    try:
        options = security.for_kafka_python(settings)
        with connect(settings.broker, client_options=options) as admin, refusals_named(settings.broker):
            cluster = admin.describe_cluster()
            brokers = len(cluster.get("brokers", ()))
            yield Finding(
                "broker", "ok", f"{brokers} broker{'' if brokers == 1 else 's'} at {settings.broker}"
            )
            problems = check_topics(
                settings.broker,
                settings.topic_prefix,
                statements=settings.statements,
                client_options=options,
            )
            for problem in problems:
                yield Finding("topics", "failed", f"{problem.where}: {problem.what}", problem.action)
            if not problems:
                yield Finding("topics", "ok", "all there, with equal partition counts and the right settings")
            yield from _permissions(admin, settings)
            if not problems:
                yield from _lag(admin, settings)
    except (BrokerUnreachable, ClusterError, CredentialError) as error:
        advice = "Check --broker, the listener that it advertises, and the way to it (docs/operations.md)."
        yield Finding("broker", "failed", str(error), advice)
        return
    if not problems:
        yield from _records(settings, options)


def _pack(settings: Settings, load: Callable[[Path | None], Pack]) -> Iterator[Finding]:
    try:
        pack = load(settings.policies)
    except (PackError, OSError) as error:
        first, *more = str(error).splitlines() or [""]
        rest = f" (and {len(more)} more)" if more else ""
        yield Finding("pack", "failed", first + rest, "moderator policies lint names every fault.")
        return
    notes = len(lint(pack))
    detail = f"{pack.id}, {len(pack.policies)} policies"
    if notes:
        yield Finding(
            "pack", "warning", f"{detail}, {notes} notes by lint", "moderator policies lint names them."
        )
    else:
        yield Finding("pack", "ok", detail)
    if pack.models.warning is not None:
        advice = "Rules judge alone until the model files are back (docs/models.md)."
        yield Finding("models", "warning", pack.models.warning, advice)
    else:
        yield Finding("models", "ok", "loaded, as their SHA-256 says")


def _disk(settings: Settings) -> Iterator[Finding]:
    if settings.state_dir is None:
        return
    folder = settings.state_dir
    existing = next((path for path in (folder, *folder.absolute().parents) if path.is_dir()), Path("/"))
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1024**3:.1f} GiB free for {folder}"
    if free < _LITTLE_DISK_BYTES:
        yield Finding(
            "disk", "warning", detail, "Make room: state that finds none stays in memory (docs/state.md)."
        )
    else:
        yield Finding("disk", "ok", detail)


def _needed(topic: Topic) -> tuple[str, ...]:
    if topic.direction is Direction.INPUT:
        return ("READ", "DESCRIBE")
    return ("WRITE", "DESCRIBE") if topic.direction is Direction.OUTPUT else ("READ", "WRITE", "DESCRIBE")


def _permissions(admin: Any, settings: Settings) -> Iterator[Finding]:
    """What the cluster says that this client may do; without an authorizer it may do everything."""
    prefix = settings.topic_prefix
    allowed = {
        topic["name"]: {
            str(operation).rpartition(".")[2].upper()
            for operation in topic.get("authorized_operations") or ()
        }
        for topic in admin.describe_topics([prefix + topic.name for topic in TOPICS])
    }
    if not any(allowed.values()):
        advice = "Compare the client's ACLs with docs/operations.md."
        yield Finding("permissions", "warning", "the cluster does not say what this client may do", advice)
        return
    missing = [
        (prefix + topic.name, name)
        for topic in TOPICS
        for name in _needed(topic)
        if allowed.get(prefix + topic.name) and name not in allowed[prefix + topic.name]
    ]
    for topic, operation in missing:
        yield Finding(
            "permissions", "failed", f"{topic}: {operation} is not allowed", f"Allow {operation} on {topic}."
        )
    if not missing:
        yield Finding("permissions", "ok", "every topic may be read and written as it has to be")


def _lag(admin: Any, settings: Settings) -> Iterator[Finding]:
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec
    from kafka.errors import CoordinatorNotAvailableError

    try:
        committed = admin.list_group_offsets(settings.group).get(settings.group) or {}
    except CoordinatorNotAvailableError:  # a cluster on which no group has ever been
        committed = {}
    places = {place: offset.offset for place, offset in committed.items() if offset.offset >= 0}
    if not places:
        advice = f"Start workers with --group {settings.group}, or name the group that they have."
        yield Finding(
            "lag", "warning", f"no worker of the group {settings.group} has committed anything", advice
        )
        return
    ends = admin.list_partition_offsets(
        {TopicPartition(place.topic, place.partition): OffsetSpec.LATEST for place in places}
    )
    waiting = sum(max(0, ends[place].offset - offset) for place, offset in places.items() if place in ends)
    yield Finding(
        "lag",
        "ok",
        f"{waiting:,} records wait for the group {settings.group}, markers of transactions included",
    )


def _records(settings: Settings, options: Mapping[str, Any]) -> Iterator[Finding]:
    """What the newest records of posts and accounts tell of their producers."""
    try:
        with reader(settings.broker, _SAMPLED, settings.topic_prefix, client_options=options) as topic:
            records = topic.latest(_SAMPLE)
            counts = {name: topic.partition_count(name) for name in _SAMPLED}
    except (BrokerUnreachable, ClusterError) as error:
        yield Finding("producers", "failed", str(error), "Allow READ on the input topics.")
        return
    if not records:
        yield Finding(
            "producers", "warning", "there are no posts and no accounts to look at", "Run it again later."
        )
        return
    misrouted, unreadable = 0, 0
    for record in records:
        try:
            account = getattr(decode(record.topic, record.value, record.key).model, ACCOUNT_OF[record.topic])
        except DecodeError:
            unreadable += 1
            continue
        key = str(account).encode()
        misrouted += record.key != key or record.partition != partition_of(key, counts[record.topic])
    looked = f"of the newest {len(records)} posts and accounts"
    if misrouted:
        advice = "Set the producers' partitioner to murmur2 (murmur2_random in librdkafka) and key by the account's id."
        yield Finding("producers", "failed", f"{misrouted} {looked} lie in the wrong partition", advice)
    if unreadable:
        advice = "moderator dead-letters list says why."
        yield Finding("producers", "warning", f"{unreadable} {looked} cannot be read", advice)
    if not misrouted and not unreadable:
        yield Finding("producers", "ok", f"all {looked} are readable and where they belong")
    yield from _clock([record.timestamp for record in records])


def _clock(timestamps: Sequence[int]) -> Iterator[Finding]:
    ahead = max(timestamps) / 1000 - time.time()
    if ahead > _CLOCKS_DIFFER_SECONDS:
        advice = "Set the clocks of brokers, producers and workers by NTP: windows and timers follow the records' times."
        yield Finding("clock", "failed", f"the newest record is {ahead:.0f} s ahead of this machine", advice)
    else:
        yield Finding("clock", "ok", "no record is ahead of this machine")
