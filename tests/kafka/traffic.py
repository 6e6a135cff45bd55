"""Synthetic posts with a known outcome, and a producer that partitions them as Java clients do.

The texts are for the pack `tests/packs/traffic`: one made-up word removes a post, everything else is clear.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaProducer
from kafka.partitioner import DefaultPartitioner
from kafka.partitioner.default import murmur2

PACK = Path(__file__).parent.parent / "packs" / "traffic"
"""The policy pack whose words the posts use; for `MODERATOR_POLICIES`."""

REMOVE_WORD = "zap"
FATAL_WORD = "fatalword"  # the process that judges it dies
HANG_WORD = "hangword"  # the process that judges it hangs

_START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_SUBJECTS = (
    "The bakery",
    "Our train",
    "The match",
    "This recipe",
    "My neighbour's dog",
    "The library",
    "Tonight's sky",
)
_VERBS = ("was", "looked", "seemed", "turned out", "felt")
_WORDS = (
    "lovely",
    "late again",
    "better than last week",
    "quiet",
    "worth the wait",
    "a bit loud",
    "full of people",
)


@dataclass(frozen=True, slots=True)
class SyntheticPost:
    """One post: its key and value as produced, and the kind of action that must follow (None: none)."""

    post_id: str
    author_id: str
    value: bytes
    kind: str | None

    @property
    def key(self) -> bytes:
        return self.author_id.encode()


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the broker put a record."""

    partition: int
    offset: int


def make_posts(
    count: int,
    *,
    accounts: int = 200,
    violating_share: float = 0.1,
    seed: int = 1,
    first: int = 0,
    text_bytes: int = 0,
) -> Iterator[SyntheticPost]:
    """Posts with the numbers `first` to `first + count`; the same arguments give the same bytes.

    Args:
        count: how many.
        accounts: over how many authors they are spread, evenly.
        violating_share: how many of them, 0 to 1, must be removed.
        seed: another seed, other texts.
        first: number of the first post; ids hold seed and number, so that two calls need not clash.
        text_bytes: texts are filled up to this length; 0 leaves them at about 40.
    """
    for number in range(first, first + count):
        chance = random.Random(f"{seed}/{number}")
        violating = chance.random() < violating_share
        text = f"{chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_WORDS)}"
        if violating:
            text += f", {REMOVE_WORD} it"
        while len(text) < text_bytes:
            text += f". {chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_WORDS)}"
        kind = "remove" if violating else None
        author = f"account-{number % accounts}"
        yield make_post(
            f"post-{seed}-{number}", author, text, kind=kind, at=_START + timedelta(milliseconds=number)
        )


def make_post(
    post_id: str, author_id: str, text: str, *, kind: str | None = None, at: datetime = _START
) -> SyntheticPost:
    """One post with a text of the caller's; `kind` is the action that must follow."""
    body = {
        "schema_version": 1,
        "post_id": post_id,
        "author_id": author_id,
        "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "text": text,
        "lang": "en",
        "surface": "post",
    }
    return SyntheticPost(post_id, author_id, json.dumps(body).encode(), kind)


def _fast_producer(bootstrap: str) -> Any:
    """A librdkafka producer with Java's partitioner; None where the package is not installed."""
    try:
        from confluent_kafka import Producer
    except ImportError:
        return None
    settings = {
        "bootstrap.servers": bootstrap,
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "linger.ms": 5,
        "log_level": 0,  # it would write of brokers that a test takes away on the terminal
    }
    return Producer(settings)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition number that Java clients give a key: murmur2, sign bit off, modulo the count."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


class Traffic:
    """Sends posts and other records; a context manager.

    Many posts at once go through librdkafka where it is installed (the `bench` extra): it takes a thirtieth
    of kafka-python's CPU time, which the workers under test need. Both choose partitions as Java does.

    Args:
        bootstrap: the broker.
        prefix: the topics' prefix.
        transactional_id: for producers whose records come in transactions, as some upstreams do.
        max_request_bytes: raise it for records that are too large on purpose.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        *,
        transactional_id: str | None = None,
        max_request_bytes: int = 4 << 20,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            linger_ms=5,
            batch_size=256 << 10,
            max_request_size=max_request_bytes,
            partitioner=DefaultPartitioner(),
            transactional_id=transactional_id,
            allow_auto_create_topics=False,
        )
        self._fast = None
        if transactional_id is not None:
            self._producer.init_transactions()
        else:
            self._fast = _fast_producer(bootstrap)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.close(timeout=10)
        self._fast = None  # librdkafka ends its threads with the last reference

    def send(self, posts: Iterable[SyntheticPost]) -> list[SyntheticPost]:
        """Sends posts and returns them as a list when the broker has acknowledged all of them."""
        sent = list(posts)
        if self._fast is not None:
            self._send_fast(self._fast, sent)
            return sent
        topic = self._prefix + "posts"
        futures = [self._producer.send(topic, key=post.key, value=post.value) for post in sent]
        self._producer.flush(timeout=60)
        for future in futures:
            future.get(timeout=10)
        return sent

    def _send_fast(self, producer: Any, posts: Sequence[SyntheticPost]) -> None:
        topic = self._prefix + "posts"
        failures: list[object] = []

        def delivered(error: object, _message: object) -> None:
            if error is not None:
                failures.append(error)

        for post in posts:
            while True:
                try:
                    producer.produce(topic, post.value, post.key, on_delivery=delivered)
                    break
                except BufferError:  # its queue is full
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(60)
        assert not failures, failures[0]
        assert not left, f"{left} posts were not acknowledged"

    def send_raw(
        self,
        value: bytes | None,
        *,
        topic: str = "posts",
        key: bytes | None = b"account-raw",
        partition: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Placement:
        """Sends any bytes; returns where they were put, once acknowledged."""
        future = self._producer.send(
            self._prefix + topic, key=key, value=value, partition=partition, headers=list(headers)
        )
        self._producer.flush(timeout=60)
        metadata = future.get(timeout=10)
        return Placement(metadata.partition, metadata.offset)

    def send_in_transaction(self, posts: Iterable[SyntheticPost], *, commit: bool) -> list[SyntheticPost]:
        """Sends posts in one transaction and commits or aborts it; needs a `transactional_id`."""
        self._producer.begin_transaction()
        sent = self.send(posts)
        if commit:
            self._producer.commit_transaction()
        else:
            self._producer.abort_transaction()
        return sent
