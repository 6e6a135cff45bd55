"""Publishing: all in one transaction, the same again after an abort, nothing after a fence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError, ProducerFenced, RequestTimedOutError
from aiokafka.structs import RecordMetadata, TopicPartition

from worker import transactions
from worker.engine.records import Output
from worker.ports import FencedError, PublishError
from worker.settings import Settings
from worker.transactions import AcknowledgedPublisher, TransactionalPublisher

SETTINGS = Settings(topic_prefix="t.", group="g")


class Builder:
    """A batch builder that is full after three records."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None]] = []

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None) -> object | None:
        if len(self.records) == 3:
            return None
        self.records.append((key, value))
        return object()

    def close(self) -> None:
        """Nothing to do."""

    def record_count(self) -> int:
        return len(self.records)


class Producer:
    """What aiokafka's producer does, as far as a publisher calls it; errors come where a test wants them."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []
        self.errors: dict[str, list[BaseException]] = {}
        self.ends: dict[str, int] = {}
        self.fatal = False
        self._txn_manager = self

    def is_fatal_error(self) -> bool:
        return self.fatal

    def _do(self, *entry: Any) -> None:
        self.log.append(entry)
        errors = self.errors.get(entry[0])
        if errors:
            raise errors.pop(0)

    async def start(self) -> None:
        self._do("start")

    async def stop(self) -> None:
        self._do("stop")

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(
        self, builder: Builder, topic: str, *, partition: int
    ) -> asyncio.Future[RecordMetadata]:
        self._do("send", topic, partition, tuple(builder.records))
        base = self.ends.get(topic, 0)
        self.ends[topic] = base + len(builder.records)
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        tp = TopicPartition(topic, partition)
        future.set_result(RecordMetadata(topic, partition, tp, base, 0, 0, 0))
        return future

    async def begin_transaction(self) -> None:
        self._do("begin")

    async def send_offsets_to_transaction(self, offsets: Any, group: str) -> None:
        self._do("offsets", {tuple(tp): value.offset for tp, value in offsets.items()}, group)

    async def commit_transaction(self) -> None:
        self._do("commit")

    async def abort_transaction(self) -> None:
        self._do("abort")

    @property
    def verbs(self) -> list[str]:
        return [entry[0] for entry in self.log]


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    made = Producer()
    monkeypatch.setattr(transactions.kafka, "producer", lambda settings, **options: made)
    monkeypatch.setattr(transactions, "_BACKOFF_SECONDS", 0.0)
    return made


def publish(attempts: list[str] | None = None) -> int | None:
    """One batch of two outputs, a record of state, and offsets, through a fresh publisher."""
    note: Callable[[str], None] = attempts.append if attempts is not None else lambda result: None

    async def main() -> int | None:
        publisher = TransactionalPublisher(SETTINGS, 3, on_attempt=note)
        await publisher.start()
        return await publisher.publish(
            [Output("decisions", b"u1", b"1"), Output("notices", b"u1", b"2")],
            {b"a:u1": b"s", b"a:u2": None},
            {"posts": 8},
        )

    return asyncio.run(main())


def test_the_transactional_id_names_prefix_group_and_partition() -> None:
    assert TransactionalPublisher(SETTINGS, 3).transactional_id == "t.g-3"


def test_outputs_state_and_offsets_go_into_one_transaction_on_the_inputs_partition(
    producer: Producer,
) -> None:
    attempts: list[str] = []
    end = publish(attempts)
    assert producer.log == [
        ("start",),
        ("begin",),
        ("send", "t.decisions", 3, ((b"u1", b"1"),)),
        ("send", "t.notices", 3, ((b"u1", b"2"),)),
        ("send", "t.state", 3, ((b"a:u1", b"s"), (b"a:u2", None))),
        ("offsets", {("t.posts", 3): 8}, "g"),
        ("commit",),
    ]
    assert end == 3  # two records at 0 and 1, the marker at 2
    assert attempts == ["committed"]


def test_a_transaction_without_state_says_nothing_about_its_end(producer: Producer) -> None:
    async def main() -> int | None:
        publisher = TransactionalPublisher(SETTINGS, 0)
        await publisher.start()
        return await publisher.publish([Output("decisions", b"u1", b"1")], {}, {})

    assert asyncio.run(main()) is None
    assert "offsets" not in producer.verbs


def test_records_of_a_topic_stay_in_order_when_they_need_several_batches(producer: Producer) -> None:
    async def main() -> int | None:
        publisher = TransactionalPublisher(SETTINGS, 0)
        await publisher.start()
        state: dict[bytes, bytes | None] = {b"a:%d" % index: b"x" for index in range(7)}
        return await publisher.publish([], state, {})

    assert asyncio.run(main()) == 8
    sent = [entry[3] for entry in producer.log if entry[0] == "send"]
    assert [len(records) for records in sent] == [3, 3, 1]
    assert [key for records in sent for key, _ in records] == [b"a:%d" % index for index in range(7)]


def test_what_can_be_tried_again_is_aborted_and_published_again_unchanged(producer: Producer) -> None:
    producer.errors = {"commit": [RequestTimedOutError()], "offsets": [KafkaTimeoutError()]}
    attempts: list[str] = []
    publish(attempts)
    assert attempts == ["aborted", "aborted", "committed"]
    sent = [entry for entry in producer.log if entry[0] == "send"]
    assert sent[:3] == sent[3:6] == sent[6:]
    assert producer.verbs.count("abort") == 2


def test_it_gives_up_after_a_few_attempts(producer: Producer) -> None:
    producer.errors = {"commit": [RequestTimedOutError() for _ in range(10)]}
    with pytest.raises(PublishError, match="partition 3"):
        publish()
    assert producer.verbs.count("begin") == 4


def test_a_fatal_error_is_not_tried_again(producer: Producer) -> None:
    producer.errors = {"commit": [RequestTimedOutError()]}
    producer.fatal = True
    with pytest.raises(PublishError):
        publish()
    assert producer.verbs.count("begin") == 1


@pytest.mark.parametrize("where", ["begin", "send", "offsets", "commit"])
def test_a_fenced_worker_publishes_nothing_more(producer: Producer, where: str) -> None:
    producer.errors = {where: [ProducerFenced()]}
    attempts: list[str] = []
    with pytest.raises(FencedError, match="another owner"):
        publish(attempts)
    assert producer.verbs[-1] == where
    assert attempts == ["fenced"]


def test_a_worker_that_is_fenced_while_it_aborts_is_fenced(producer: Producer) -> None:
    producer.errors = {"commit": [RequestTimedOutError()], "abort": [ProducerFenced()]}
    with pytest.raises(FencedError):
        publish()


def test_a_producer_that_cannot_start_is_an_error_that_names_the_partition(producer: Producer) -> None:
    producer.errors = {"start": [KafkaTimeoutError()]}
    with pytest.raises(PublishError, match="partition 3"):
        publish()


def test_stopping_never_raises(producer: Producer) -> None:
    producer.errors = {"stop": [KafkaTimeoutError()]}

    async def main() -> None:
        publisher = TransactionalPublisher(SETTINGS, 3)
        await publisher.start()
        await publisher.stop()
        await publisher.stop()

    asyncio.run(main())
    assert producer.verbs == ["start", "stop"]


def test_at_least_once_sends_outputs_then_state_then_tells_the_offset() -> None:
    producer = Producer()
    done: list[tuple[str, int, int]] = []

    def mark_done(topic: str, partition: int, offset: int) -> None:
        assert producer.verbs == ["send", "send"]
        done.append((topic, partition, offset))

    async def main() -> int | None:
        publisher = AcknowledgedPublisher(SETTINGS, 3, producer, mark_done)
        await publisher.start()
        end = await publisher.publish([Output("decisions", b"u1", b"1")], {b"a:u1": b"s"}, {"posts": 8})
        await publisher.stop()
        return end

    assert asyncio.run(main()) == 1
    assert [entry[1] for entry in producer.log] == ["t.decisions", "t.state"]
    assert done == [("posts", 3, 8)]


def test_at_least_once_tells_no_offset_when_the_broker_does_not_acknowledge() -> None:
    producer = Producer()
    producer.errors = {"send": [RequestTimedOutError()]}
    done: list[Any] = []

    async def main() -> None:
        publisher = AcknowledgedPublisher(SETTINGS, 3, producer, lambda *entry: done.append(entry))
        await publisher.publish([Output("decisions", b"u1", b"1")], {b"a:u1": b"s"}, {"posts": 8})

    with pytest.raises(PublishError):
        asyncio.run(main())
    assert done == []
    assert len(producer.log) == 1


def test_what_names_another_partition_goes_there_in_the_same_transaction(producer: Producer) -> None:
    async def main() -> int | None:
        publisher = TransactionalPublisher(SETTINGS, 3)
        await publisher.start()
        return await publisher.publish(
            [
                Output("observations", b"fp:1", b"1", 5),
                Output("decisions", b"u1", b"2"),
                Output("observations", b"fp:2", b"3", 0),
                Output("observations", b"fp:3", b"4", 5),
                Output("observations", b"fp:4", b"5", 3),
            ],
            {b"a:u1": b"s"},
            {"posts": 8},
        )

    end = asyncio.run(main())
    assert [entry for entry in producer.log if entry[0] == "send"] == [
        ("send", "t.observations", 5, ((b"fp:1", b"1"), (b"fp:3", b"4"))),
        ("send", "t.decisions", 3, ((b"u1", b"2"),)),
        ("send", "t.observations", 0, ((b"fp:2", b"3"),)),
        ("send", "t.observations", 3, ((b"fp:4", b"5"),)),
        ("send", "t.state", 3, ((b"a:u1", b"s"),)),
    ]
    assert producer.verbs[-1] == "commit"
    assert end == 2


def test_a_full_batch_for_another_partition_is_sent_and_the_next_one_begun(producer: Producer) -> None:
    last = asyncio.run(
        transactions._send_all(
            producer, "", 0, [Output("findings", b"u%d" % n, b"v", n % 2) for n in range(8)]
        )
    )
    sent = [(entry[2], len(entry[3])) for entry in producer.log if entry[0] == "send"]
    assert sorted(sent) == [(0, 1), (0, 3), (1, 1), (1, 3)]
    assert set(last) == {"findings"}
