"""Decisions that an operator takes by a command: made as `reviews` records, sent to whom they concern, waited for."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from schemas.base import encode, format_time
from schemas.reviews import Review, ReviewAction
from worker.cluster import BrokerUnreachable, ClusterError, connect, refusals_named
from worker.engine.ids import digest, partition_of

if TYPE_CHECKING:
    from schemas.enforcement import Enforcement

TOPIC = "reviews"
LONGEST_NAME = 64
_PORTION = 500  # records sent before the acknowledgements are waited for
_ACKNOWLEDGED_SECONDS = 30.0


class BadName(ValueError):  # noqa: N818 - what a reader sees is the sentence
    """A name that cannot stand in a record as who decided."""


class NotAllSent(Exception):  # noqa: N818 - what a reader sees is the sentence
    """The cluster took only some of the records. `acknowledged` is how many; they count, and must not be undone."""

    def __init__(self, acknowledged: int, total: int, detail: str) -> None:
        super().__init__(f"{acknowledged} of {total} reviews were acknowledged: {detail}")
        self.acknowledged = acknowledged


def reviewer(name: str) -> str:
    """Who an operator is in `reviewer_id`: `operator:<name>`.

    Raises:
        BadName: the name is empty, too long, or holds what is no letter, digit, or one of `. _ @ -`.
    """
    plain = unicodedata.normalize("NFC", name.strip())
    if not plain or len(plain) > LONGEST_NAME:
        raise BadName(f"a name has 1 to {LONGEST_NAME} characters")
    if not all(character.isalnum() or character in "._@-" for character in plain):
        raise BadName("a name is made of letters, digits and . _ @ -")
    return f"operator:{plain}"


def review_id(target: str, command: str, at: datetime) -> str:
    """The id of what a command decides about one item or action at a time: repeating it gives the same id."""
    return digest("operator-review", command, target, format_time(at))


def on_item(
    item_id: str,
    account_id: str,
    outcome: Literal["uphold", "dismiss"],
    *,
    command: str,
    by: str,
    at: datetime,
    note: str | None = None,
) -> Review:
    """A decision on a queued item. `by` is what `reviewer` gave, `command` e.g. `breakers release`."""
    return Review(
        schema_version=1,
        review_id=review_id(item_id, command, at),
        reviewer_id=by,
        account_id=account_id,
        item_id=item_id,
        outcome=outcome,
        note=note,
        created_at=at,
    )


def reversal(action: Enforcement, *, command: str, by: str, at: datetime, note: str | None = None) -> Review:
    """The decision that an applied action is reversed."""
    return Review(
        schema_version=1,
        review_id=review_id(action.action_id, command, at),
        reviewer_id=by,
        account_id=action.account_id,
        subject=action.subject,
        outcome="act",
        action=ReviewAction(
            operation="reverse",
            kind=action.kind,
            label=action.label,
            mode=action.mode,
            policy=action.policy,
            action_id=action.action_id,
        ),
        note=note,
        created_at=at,
    )


def publish(
    bootstrap: str,
    reviews: Iterable[Review],
    prefix: str = "",
    *,
    total: int,
    per_second: int | None = None,
    told: Callable[[int], None] = lambda acknowledged: None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Sends reviews in their order, each to its account's partition, and waits until the cluster has them.

    Args:
        bootstrap: "HOST:PORT", or several with commas.
        reviews: what to send; read as it is sent.
        prefix: of the topic's name.
        total: how many there are, for messages.
        per_second: at most so many a second; None: as fast as the cluster takes them.
        told: is called with how many are acknowledged so far.
        sleep: waits so many seconds.

    Returns:
        How many were acknowledged: all.

    Raises:
        BrokerUnreachable: nobody answers at the address.
        ClusterError: the topic is missing, or the cluster refuses to take anything.
        NotAllSent: it took some and then no more.
    """
    from kafka import KafkaProducer

    with connect(bootstrap):
        pass  # says in words what is wrong with the address; the producer itself would only time out
    topic, acknowledged = prefix + TOPIC, 0
    with refusals_named(bootstrap):
        producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","),
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=10_000,
            delivery_timeout_ms=int(_ACKNOWLEDGED_SECONDS * 1000),
            max_block_ms=10_000,
        )
    try:
        with refusals_named(bootstrap):
            numbers = producer.partitions_for(topic)
            if not numbers:
                raise ClusterError(f"{topic}: the topic is missing. Create it: moderator topics create")
        for portion in _portions(reviews, _PORTION if per_second is None else min(_PORTION, per_second)):
            began = time.monotonic()
            taken = 0
            try:
                with refusals_named(bootstrap):
                    for future in _send(producer, topic, len(numbers), portion):
                        future.get(timeout=_ACKNOWLEDGED_SECONDS)
                        taken += 1
            except (BrokerUnreachable, ClusterError) as error:
                if not acknowledged + taken:
                    raise
                raise NotAllSent(acknowledged + taken, total, str(error)) from error
            acknowledged += taken
            told(acknowledged)
            if per_second is not None and acknowledged < total:
                sleep(max(0.0, len(portion) / per_second - (time.monotonic() - began)))
    finally:
        producer.close(timeout=_ACKNOWLEDGED_SECONDS)
    return acknowledged


def _portions(reviews: Iterable[Review], size: int) -> Iterator[Sequence[Review]]:
    rest = iter(reviews)
    while portion := list(islice(rest, size)):
        yield portion


def _send(producer: Any, topic: str, partitions: int, reviews: Sequence[Review]) -> list[Any]:
    """Sends, and gives what to wait for, one for each review."""
    futures = []
    for review in reviews:
        key = review.account_id.encode()
        # The partition is told, so that no default of a client can send it elsewhere.
        futures.append(
            producer.send(topic, value=encode(review), key=key, partition=partition_of(key, partitions))
        )
    producer.flush(timeout=_ACKNOWLEDGED_SECONDS)
    return futures
