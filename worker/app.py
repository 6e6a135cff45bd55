"""The Faust app, built from the settings; nothing connects before it is started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import faust
from faust.types import TP
from yarl import URL

from worker import security
from worker.owning import feed
from worker.topics import JUDGED
from worker.transport import BatchConsumer, BatchTransport

if TYPE_CHECKING:
    from worker.owning import Owner
    from worker.settings import Settings


class ShellApp(faust.App):  # type: ignore[misc]  # Faust has no types here
    """A Faust app whose batches go to an `Owner`, and whose crash ends the process."""

    batched_topics: Mapping[str, str]  # the cluster's name of a topic to the contract's

    def __init__(self, *args: Any, on_crash: Callable[[BaseException], None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_crash = on_crash

    def _crash(self, reason: BaseException) -> None:
        # Whatever crashes in Faust reaches the root of its services, which is this.
        self._on_crash(reason)
        super()._crash(reason)

    def _create_directories(self) -> None:
        """None: there are no tables, so nothing is kept on disk."""

    @property
    def batches(self) -> BatchConsumer:
        """The consumer, as what it is."""
        return cast("BatchConsumer", self.consumer)


def build(
    settings: Settings,
    owner: Owner[Any],
    fail: Callable[[BaseException], None],
    *,
    topics: Iterable[str] = JUDGED,
    idle_seconds: float | None = None,
) -> ShellApp:
    """The app, not started: one agent for each input topic, take-over and release hooked into rebalances.

    Args:
        settings: what the operator set.
        owner: who gets the batches.
        fail: called with what must end the process.
        topics: what the group reads, by the contract's names; all its members must read the same.
        idle_seconds: how long batches in hand may keep all others from being fetched; by default somewhat longer
            than the watchdog allows one to last.
    """
    app = ShellApp(
        settings.group,
        on_crash=fail,
        broker=[URL(f"kafka://{address.strip()}") for address in settings.broker.split(",")],
        broker_credentials=security.for_faust(settings),
        broker_client_id=settings.client_id(),
        broker_max_poll_records=settings.batch,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 4,
        broker_request_timeout=max(30.0, settings.session_timeout + 5),
        # A batch may take as long as the watchdog allows; the session is kept by a thread of its own.
        broker_max_poll_interval=settings.batch_limit * 2 + 300 if idle_seconds is None else idle_seconds,
        broker_commit_interval=0.25,  # at least once only; with transactions there is nothing to commit
        consumer_auto_offset_reset="earliest",
        table_standby_replicas=1,  # without, Faust assigns round robin, and topics of a number part
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        stream_buffer_maxsize=1024,
        web_enabled=False,
        autodiscover=False,
        value_serializer="raw",
        key_serializer="raw",
        store="memory://",
        cache="memory://",
        logging_config=None,
        producer_acks=-1,
    )
    # Every version of a worker reads all its topics from the first release on: Faust groups topics by who
    # subscribes to them, and a worker that knew fewer would split partition numbers between two owners.
    # `policies` is not among them: it has one partition, and every worker reads all of it.
    topics = tuple(topics)
    app.batched_topics = {settings.topic(topic): topic for topic in topics}
    app.transport = BatchTransport(app.conf.broker_consumer, app)
    for topic in topics:
        name = settings.topic(topic)
        channel = app.topic(name, key_serializer="raw", value_serializer="raw", acks=True)
        app.agent(channel, name=f"worker.agents.{topic}", concurrency=1)(_agent(app, owner))
    _hook(app, owner, fail)
    return app


def _agent(app: ShellApp, owner: Owner[Any]) -> Callable[[Any], Awaitable[None]]:
    async def hand_over(stream: Any) -> None:
        await feed(owner, app.batches, stream)

    return hand_over


def _hook(app: ShellApp, owner: Owner[Any], fail: Callable[[BaseException], None]) -> None:
    """Takes partitions over when Faust is about to resume its streams, which is before it seeks."""

    async def on_complete(sender: Any, **kwargs: Any) -> None:
        app.batches.on_revocation = owner.drain
        await _or_fail(owner.take_over(app.batches.assignment(), app.batches), fail)

    async def on_revoked(sender: Any, revoked: Iterable[TP], **kwargs: Any) -> None:
        # Rebalances are eager: whatever is revoked, everything is.
        await _or_fail(owner.release(), fail)

    app.on_rebalance_complete.connect(on_complete, weak=False)
    app.on_partitions_revoked.connect(on_revoked, weak=False)


async def _or_fail(work: Awaitable[None], fail: Callable[[BaseException], None]) -> None:
    try:
        await work
    except Exception as error:
        # Faust would log it and go on without the partitions: the process must end instead.
        fail(error)
        raise
