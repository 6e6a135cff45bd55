"""Publishing packs: what is on the `policies` topic, what is to be written to change it, and what workers answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic_core import from_json

from schemas.base import encode
from schemas.coordination import Finding, PackSwitch
from schemas.decode import DecodeError, decode
from schemas.policies import (
    CURRENT_KEY,
    MAX_PIECE_BYTES,
    PackFile,
    PolicyCurrent,
    PolicyFile,
    Release,
    Rollout,
)
from worker.engine.registry import Pack
from worker.pack_files import files_of, key_of, pack_sha256, pieces_of
from worker.reading import TopicReader, reader
from worker.sending import Sent

TOPIC = "policies"
KEPT = 5  # packs that were in force before, to which one can go back
_MILLISECOND = timedelta(milliseconds=1)
_POLL_SECONDS = 0.5


class PublishingError(ValueError):
    """What was asked for cannot be published; the message says why and what to do."""


@dataclass(slots=True)
class Published:
    """What the topic holds: the last pointer, None if there is none, and the pieces by key, each with its SHA-256."""

    current: PolicyCurrent | None = None
    pieces: dict[bytes, str] = field(default_factory=dict)

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """Takes one record of the topic; what cannot be read counts as absent."""
        key = key or b""
        if value is None:
            self.pieces.pop(key, None)
            return
        try:
            model = decode(TOPIC, value, key).model
        except DecodeError:
            return
        if isinstance(model, PolicyCurrent):
            self.current = model
        elif isinstance(model, PolicyFile):
            self.pieces[key] = model.sha256.lower()


def read_published(broker: str, prefix: str = "") -> Published:
    """What the topic holds now.

    Raises:
        BrokerUnreachable, ClusterError: as `worker.reading.reader`.
    """
    published = Published()
    with reader(broker, [TOPIC], prefix) as topic:
        for record in topic.everything():
            published.take(record.key, record.value)
    return published


@dataclass(frozen=True, slots=True)
class Bundle:
    """A pack that can travel: its release, and where its files lie."""

    release: Release
    places: Mapping[str, Path]


def bundle(pack: Pack, at: datetime, by: str) -> Bundle:
    """What of a loaded pack is published.

    Raises:
        PackFilesError: it holds code that workers do not have.
    """
    found = files_of(pack.folder)
    files = tuple(file for file, _ in found)
    release = Release(pack=pack.id, sha256=pack_sha256(files), files=files, published_at=at, published_by=by)
    return Bundle(release, {file.path: place for file, place in found})


def release_of(current: PolicyCurrent) -> Release:
    """The pack in force."""
    return Release(
        pack=current.pack,
        sha256=current.sha256,
        files=current.files,
        published_at=current.published_at,
        published_by=current.published_by,
    )


def pointer(
    before: PolicyCurrent | None, base: Release, rollout: Rollout | None, now: datetime, by: str
) -> PolicyCurrent:
    """The next pointer, later than the one before whatever the clock says."""
    if before is not None:
        now = max(now, before.published_at + _MILLISECOND)
    previous = () if before is None else before.previous
    if before is not None and before.sha256.lower() != base.sha256.lower():
        known = (release_of(before), *previous)
        previous = tuple(each for each in known if each.sha256.lower() != base.sha256.lower())[:KEPT]
    return PolicyCurrent(
        schema_version=1,
        pack=base.pack,
        sha256=base.sha256,
        files=base.files,
        published_at=now,
        published_by=by,
        rollout=rollout,
        previous=previous,
    )


def releases(current: PolicyCurrent | None) -> list[Release]:
    """Every pack that a pointer names."""
    if current is None:
        return []
    return [release_of(current), *current.previous, *([current.rollout] if current.rollout else [])]


def known_release(current: PolicyCurrent | None, bundle: Bundle) -> bool:
    """Whether the pack was published already.

    Raises:
        PublishingError: one with the same id was, with other content.
    """
    for release in releases(current):
        if release.pack == bundle.release.pack:
            if release.sha256.lower() == bundle.release.sha256:
                return True
            raise PublishingError(
                f"a pack with the id {release.pack} was published with other content: give this one an id of its own "
                "in pack.toml"
            )
    return False


def records(published: Published, current: PolicyCurrent, bundle: Bundle | None = None) -> Iterator[Sent]:
    """What is to be sent, in this order: the pieces of a new pack, the pointer, tombstones of packs nobody names."""
    wanted = {
        key_of(release.pack, file.path, n)
        for release in releases(current)
        for file in release.files
        for n in range(_pieces(file))
    }
    if bundle is not None:
        for file in bundle.release.files:
            for key, value in pieces_of(bundle.release.pack, file, bundle.places[file.path].read_bytes()):
                yield Sent(TOPIC, key, value)
    yield Sent(TOPIC, CURRENT_KEY, encode(current))
    for key in sorted(published.pieces.keys() - wanted):
        yield Sent(TOPIC, key, None)


def _pieces(file: PackFile) -> int:
    return max(1, -(-file.bytes // MAX_PIECE_BYTES))


# --- what workers answer


def switches(values: Iterable[tuple[int, bytes | None, bytes | None]]) -> Iterator[tuple[int, PackSwitch]]:
    """The switches among records of `findings`, given as partition, key and value; each with its partition."""
    for partition, key, value in values:
        if key is None or value is None or not key.startswith(b"partition:") or b'"switch":{' not in value:
            continue
        try:
            finding = Finding.model_validate(from_json(value))
        except ValueError:
            continue
        if finding.switch is not None:
            yield partition, finding.switch


class Answers:
    """What the partitions' owners say of one pointer, read from `findings` from the moment this is made."""

    def __init__(self, topic: TopicReader, version: int) -> None:
        self._topic = topic
        self._version = version
        self.partitions = topic.partition_count("findings")
        self.switched: set[int] = set()
        self.refused: dict[int, str] = {}

    def wait(self, seconds: float) -> Iterator[None]:
        """Yields whenever something new was said; ends when every partition answered, or the time is over."""
        end = time.monotonic() + seconds
        while len(self.switched | self.refused.keys()) < self.partitions and time.monotonic() < end:
            found = [(r.partition, r.key, r.value) for r in self._topic.poll(_POLL_SECONDS)]
            news = [(number, said) for number, said in switches(found) if said.version == self._version]
            for number, said in news:
                if said.refused is None:
                    self.switched.add(number)
                    self.refused.pop(number, None)
                else:
                    self.refused[number] = said.refused
            if news:
                yield


def last_switches(topic: TopicReader, since: int) -> Mapping[int, PackSwitch]:
    """The last switch of each partition that is of a version or newer, among all that `findings` still holds."""
    found: dict[int, PackSwitch] = {}
    rows: Sequence[tuple[int, PackSwitch]] = list(
        switches((record.partition, record.key, record.value) for record in topic.everything())
    )
    for number, said in rows:
        if said.version >= since:
            found[number] = said
    return found
