"""A message of Faust's is a batch; offsets are what the shell says is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import aiokafka.client
import pytest
from aiokafka.protocol.metadata import MetadataRequest
from faust.types import TP

from tests.worker.shell import records
from worker.agents import Ownership
from worker.app import JUDGED, ShellApp, build
from worker.settings import Settings
from worker.transport import Batch, BatchConsumer, BatchConsumerThread, never_create_topics

POSTS = TP("t.posts", 0)
REPORTS = TP("t.reports", 1)
SETTINGS = Settings(topic_prefix="t.", broker="127.0.0.1:1", batch=123, session_timeout=7.0)


def with_consumer(work: Callable[[ShellApp, BatchConsumer], Awaitable[None]]) -> None:
    """Runs `work` with a consumer that never connects."""

    async def main() -> None:
        app = build(SETTINGS, cast("Ownership", SimpleNamespace(accept=None)), lambda error: None)
        consumer = app.batches
        consumer._set_active_tps({POSTS, REPORTS})
        try:
            await work(app, consumer)
        finally:
            consumer._thread.thread_loop.close()

    asyncio.run(main())


def batch(tp: TP, first: int, last: int, *, epoch: int = 0, follows: int | None = None) -> Batch:
    topic = tp.topic.removeprefix("t.")
    return Batch(topic, tp.partition, records(first, last, topic, tp.partition), epoch, follows)


async def fetch(consumer: BatchConsumer, found: dict[TP, list[Batch]]) -> list[tuple[TP, Any]]:
    """What `getmany` yields when the thread brings this."""

    async def bring(active_partitions: Any, timeout: float) -> dict[TP, list[Batch]]:
        return found

    consumer._getmany = bring
    return [each async for each in consumer.getmany(1.0)]


def test_one_message_is_all_that_a_fetch_brought_of_a_partition() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        brought = batch(POSTS, 10, 12)
        ((tp, message),) = await fetch(consumer, {POSTS: [brought]})
        assert tp == POSTS
        assert (message.offset, message.value, message.key) == (12, brought, None)

    with_consumer(work)


def test_a_batch_of_before_the_last_seek_is_dropped() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        consumer._thread.epoch = 3
        found = {POSTS: [batch(POSTS, 0, 5, epoch=2)], REPORTS: [batch(REPORTS, 0, 1, epoch=3)]}
        assert [tp for tp, _ in await fetch(consumer, found)] == [REPORTS]

    with_consumer(work)


def test_nothing_comes_out_once_a_rebalance_stopped_the_flow() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        async def bring(active_partitions: Any, timeout: float) -> dict[TP, list[Batch]]:
            consumer.stop_flow()
            return {POSTS: [batch(POSTS, 0, 5)]}

        consumer._getmany = bring
        assert [each async for each in consumer.getmany(1.0)] == []

    with_consumer(work)


def test_a_partition_with_enough_waiting_is_not_fetched_until_a_batch_is_begun() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        await fetch(consumer, {POSTS: [batch(POSTS, 0, 5)]})
        assert POSTS in consumer._get_active_partitions()
        await fetch(consumer, {POSTS: [batch(POSTS, 6, 9, follows=5)]})
        assert POSTS not in consumer._get_active_partitions()
        assert REPORTS in consumer._get_active_partitions()
        consumer.begun(POSTS)
        assert POSTS in consumer._get_active_partitions()

    with_consumer(work)


def test_faust_acknowledging_a_message_commits_nothing() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        ((_, message),) = await fetch(consumer, {POSTS: [batch(POSTS, 0, 5)]})
        consumer.track_message(message)
        assert consumer.unacked
        assert consumer.ack(message) is True
        assert consumer.ack(message) is False
        assert not consumer.unacked
        assert consumer._filter_committable_offsets([POSTS]) == {}

    with_consumer(work)


def test_what_is_marked_as_done_is_committed_once() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        consumer.mark_done(POSTS, 1)
        assert list(consumer._filter_tps_with_pending_acks()) == [POSTS]
        assert consumer._filter_committable_offsets([POSTS]) == {POSTS: 1}
        consumer._committed_offset[POSTS] = 1
        assert consumer._filter_committable_offsets([POSTS]) == {}
        # A first batch of one record is where Faust's own account stops for ever.
        consumer.mark_done(POSTS, 2001)
        assert consumer._filter_committable_offsets([POSTS]) == {POSTS: 2001}

    with_consumer(work)


def test_a_revocation_first_lets_go_of_what_waits() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        order: list[str] = []

        async def faust_revokes(revoked: set[TP]) -> None:
            order.append("commits " + str(consumer._new_offset(POSTS)))

        consumer._on_partitions_revoked = faust_revokes
        consumer.on_revocation = lambda: order.append("drains")
        consumer.mark_done(POSTS, 6)
        await consumer.on_partitions_revoked({POSTS})
        assert order == ["drains", "commits 6"]
        assert consumer._new_offset(POSTS) is None

    with_consumer(work)


def test_the_consumer_reads_committed_and_has_the_settings() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        made = consumer._thread._create_worker_consumer(app.transport)
        try:
            assert made._isolation_level == "read_committed"
            assert made._group_id == "moderator"
            assert made._enable_auto_commit is False
            assert made._max_poll_records == 123
            assert made._session_timeout_ms == 7000
            assert made._auto_offset_reset == "earliest"
            # Faust's own assignor, which keeps a number of all topics together; not its round robin.
            assert consumer._thread._assignor is app.assignor
            assert consumer.in_transaction is False
        finally:
            await made.stop()

    with_consumer(work)


def test_a_drained_fetch_says_what_it_follows_until_the_next_seek() -> None:
    class Fetcher:
        def __init__(self) -> None:
            self._closed = False
            self._subscriptions = self
            self.next = 0

        def fetch_context(self) -> Any:
            import contextlib

            return contextlib.nullcontext()

        async def fetched_records(self, active: Any, timeout: float, max_records: int) -> dict[TP, list[Any]]:
            first, self.next = self.next, self.next + 3
            drained = [
                SimpleNamespace(offset=offset, timestamp=1, key=b"u1", value=b"{}", headers=())
                for offset in range(first, self.next)
            ]
            return {POSTS: drained}

    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        thread: BatchConsumerThread = consumer._thread
        source = SimpleNamespace(_closed=False, _fetcher=Fetcher())
        first = (await thread._fetch_records(source, {POSTS}, 1.0, 3))[POSTS][0]
        second = (await thread._fetch_records(source, {POSTS}, 1.0, 3))[POSTS][0]
        assert (first.epoch, first.follows, first.last_offset) == (0, None, 2)
        assert (second.epoch, second.follows, second.last_offset) == (0, 2, 5)
        assert second.topic == "posts"
        assert isinstance(second.records[0].value, bytes)

    with_consumer(work)


def test_every_input_topic_has_an_agent_with_concurrency_one() -> None:
    async def work(app: ShellApp, consumer: BatchConsumer) -> None:
        assert {agent.name for agent in app.agents.values()} == {f"worker.agents.{topic}" for topic in JUDGED}
        assert all(agent.concurrency == 1 for agent in app.agents.values())
        assert app.batched_topics == {"t." + topic: topic for topic in JUDGED}
        assert app.conf.web_enabled is False
        assert app.conf.table_standby_replicas > 0

    with_consumer(work)


def test_no_client_asks_the_broker_to_create_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka.client, "MetadataRequest", MetadataRequest)
    never_create_topics()
    request = aiokafka.client.MetadataRequest(["missing"])
    assert request._allow_auto_topic_creation is False
