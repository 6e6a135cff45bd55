"""One partition: batches in order, each once, named records, clean ends."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.worker.shell import Bench, CountingJudge, records
from worker.adapters.memory import MemoryPublisher
from worker.attempts import Mark, Suspect
from worker.engine.records import Judged, Output, Question, Record
from worker.partitions import HoleError, JudgeFailedError, Partition
from worker.ports import PublishError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


async def settle() -> None:
    """Lets the partition's task run until it waits."""
    for _ in range(200):
        await asyncio.sleep(0)


def shell_of(bench: Bench) -> Any:
    """What the partition's own record says now."""
    record = bench.publisher.state[b"p:0"]
    assert record is not None
    return json.loads(record)["shell"]


def run(
    bench: Bench, mark: Mark, *puts: tuple[int, int, int | None], floor: dict[str, int] | None = None
) -> Bench:
    """Takes over with this mark, then handles these batches (first, last, follows)."""

    async def main() -> None:
        await bench.partition.take_over(mark, floor or {})
        bench.epoch += 1
        for first, last, follows in puts:
            bench.put(first, last, follows=follows)
        await settle()

    asyncio.run(main())
    return bench


def test_each_batch_is_one_transaction_with_its_offsets() -> None:
    bench = run(Bench(), Mark(running=True), (0, 4, None), (5, 6, 4))
    taking_over, first, second = bench.publisher.transactions
    assert taking_over[0] == ()
    assert [output.value for output in first[0]] == [b"1", b"2", b"3", b"4", b"5"]
    assert first[1] == {b"a:u1": b"5"}
    assert first[2] == {"posts": 5}
    assert second[2] == {"posts": 7}
    assert (bench.released, bench.begun, bench.failures) == (2, 2, [])


def test_topics_of_a_number_share_the_judge() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        bench.epoch += 1
        bench.put(0, 1, topic="posts")
        bench.put(0, 1, topic="reports")
        await settle()

    asyncio.run(main())
    assert bench.publisher.offsets == {"posts": 2, "reports": 2}
    assert bench.publisher.state[b"a:u1"] == b"4"


def test_records_below_the_committed_offset_are_dropped() -> None:
    bench = run(Bench(), Mark(running=True), (0, 9, None), floor={"posts": 7})
    assert bench.judge.batches == [[7, 8, 9]]
    assert bench.publisher.offsets == {"posts": 10}


def test_a_batch_below_the_committed_offset_is_only_let_go_of() -> None:
    bench = run(Bench(), Mark(running=True), (0, 4, None), floor={"posts": 7})
    assert bench.judge.batches == []
    assert bench.released == 1


def test_a_batch_that_went_missing_ends_the_process() -> None:
    bench = run(Bench(), Mark(running=True), (0, 4, None), (8, 9, 7))
    assert [type(error) for error in bench.failures] == [HoleError]
    assert bench.publisher.offsets == {"posts": 5}


def test_a_first_batch_that_follows_another_one_is_a_hole_too() -> None:
    bench = run(Bench(), Mark(running=True), (5, 9, 4))
    assert [type(error) for error in bench.failures] == [HoleError]


def test_a_batch_fetched_before_the_consumer_went_back_is_let_go_of() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        bench.epoch += 2
        bench.put(0, 4, epoch=bench.epoch - 1)
        bench.put(0, 2)
        await settle()

    asyncio.run(main())
    assert bench.judge.batches == [[0, 1, 2]]
    assert bench.released == 2


def test_a_batch_that_comes_between_taking_over_and_the_seek_is_let_go_of() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        bench.put(0, 4)
        await settle()
        assert bench.judge.batches == []
        bench.epoch += 1
        bench.put(0, 4)
        await settle()

    asyncio.run(main())
    assert bench.judge.batches == [[0, 1, 2, 3, 4]]
    assert bench.failures == []


def test_no_record_is_judged_twice_when_the_consumer_goes_back_too_far() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        bench.epoch += 1
        bench.put(0, 4)
        await settle()
        bench.epoch += 1
        bench.put(2, 7)
        await settle()

    asyncio.run(main())
    assert bench.judge.batches == [[0, 1, 2, 3, 4], [5, 6, 7]]


def test_owning_is_marked_before_anything_is_judged_and_a_clean_end_after() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True, offsets={"posts": 3}), {"posts": 3})
        assert shell_of(bench)["running"] is True
        assert shell_of(bench)["offsets"] == {"posts": 3}
        await bench.partition.release()

    bench.publisher.started = True
    asyncio.run(main())
    assert shell_of(bench)["running"] is False
    assert bench.publisher.started is False
    assert bench.partition.state_end == bench.publisher.log


def test_the_engines_part_of_the_record_is_kept() -> None:
    bench = Bench()
    bench.judge.restore(b"p:0", b'{"breakers":[1],"shell":{"running":true}}')
    run(bench, Mark(running=True))
    record = bench.publisher.state[b"p:0"]
    assert record is not None
    assert json.loads(record)["breakers"] == [1]


def test_draining_finishes_the_batch_in_hand_and_drops_those_behind_it() -> None:
    held = asyncio.Event()

    class Slow(MemoryPublisher):
        async def publish(
            self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
        ) -> int | None:
            if offsets:
                await held.wait()
            return await super().publish(outputs, state, offsets)

    bench = Bench()
    bench.publisher = Slow()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        bench.epoch += 1
        bench.put(0, 1)
        bench.put(2, 3, follows=1)
        await settle()
        bench.partition.drain()
        bench.put(4, 5, follows=3)
        assert bench.released == 2
        held.set()
        await bench.partition.release()

    asyncio.run(main())
    assert bench.judge.batches == [[0, 1]]
    assert bench.publisher.offsets == {"posts": 2}
    assert bench.released == 3
    assert not bench.partition.queued()


def test_what_cannot_be_published_ends_the_process_and_is_not_let_go_of() -> None:
    class Broken(MemoryPublisher):
        async def publish(
            self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
        ) -> int | None:
            if offsets:
                raise PublishError("no")
            return await super().publish(outputs, state, offsets)

    bench = Bench()
    bench.publisher = Broken()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True), (0, 4, None), (5, 9, 4))
    assert [type(error) for error in bench.failures] == [PublishError]
    assert bench.released == 0
    assert bench.judge.batches == [[0, 1, 2, 3, 4]]


def test_a_judge_that_raises_ends_the_process_and_the_message_quotes_nobody() -> None:
    class Raising(CountingJudge):
        def judge(self, batch: Any) -> Judged:
            raise ValueError("the text of a post")

    bench = Bench()
    bench.judge = Raising()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True), (0, 4, None))
    (failure,) = bench.failures
    assert isinstance(failure, JudgeFailedError)
    assert "ValueError at " in str(failure)
    assert "text of a post" not in "".join(traceback.format_exception(failure))
    assert bench.released == 0


def test_suspicious_records_are_named_before_they_are_judged() -> None:
    named: list[Any] = []

    class Watching(CountingJudge):
        def judge(self, batch: Any) -> Judged:
            named.append(shell_of(bench)["suspect"])
            return super().judge(batch)

    bench = Bench()
    bench.judge = Watching()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True, careful={"posts": 2}), (0, 4, None))
    assert bench.judge.batches == [[0], [1], [2, 3, 4]]
    assert named == [
        {"topic": "posts", "offset": 0, "attempts": 2},
        {"topic": "posts", "offset": 1, "attempts": 2},
        None,
    ]
    assert shell_of(bench) == {"running": True, "offsets": {}, "careful": {}, "suspect": None}
    assert [offsets for _, _, offsets in bench.publisher.transactions] == [
        {}, {}, {"posts": 1}, {"posts": 2}, {"posts": 5},
    ]  # fmt: skip
    assert [output.value for output in bench.publisher.outputs] == [b"1", b"2", b"3", b"4", b"5"]


def test_no_record_stays_named_while_the_worker_waits_for_more() -> None:
    bench = run(Bench(), Mark(running=True, careful={"posts": 10}), (0, 1, None))
    assert shell_of(bench)["suspect"] is None
    assert shell_of(bench)["careful"] == {"posts": 8}
    assert bench.publisher.offsets == {"posts": 2}


def test_a_named_record_that_survives_its_trial_is_judged() -> None:
    mark = Mark(running=True, careful={"posts": 3}, suspect=Suspect("posts", 0))
    bench = run(Bench(), mark, (0, 2, None))
    assert bench.tried == [0]
    assert bench.judge.batches == [[0], [1], [2]]
    assert all(output.topic == "decisions" for output in bench.publisher.outputs)


def test_its_third_attempt_is_noted_before_it_is_judged_again() -> None:
    seen: list[int] = []

    class Watching(CountingJudge):
        def judge(self, batch: Any) -> Judged:
            seen.append(shell_of(bench)["suspect"]["attempts"])
            return super().judge(batch)

    bench = Bench()
    bench.judge = Watching()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True, careful={"posts": 2}, suspect=Suspect("posts", 0)), (0, 1, None))
    assert seen == [3, 2]


def test_a_named_record_that_dies_in_its_trial_becomes_one_dead_letter() -> None:
    bench = Bench()
    bench.survives = lambda record: False
    mark = Mark(running=True, careful={"posts": 3}, suspect=Suspect("posts", 0))
    run(bench, mark, (0, 2, None))
    assert bench.judge.batches == [[1], [2]]
    assert [(output.topic, output.value) for output in bench.publisher.outputs] == [
        ("dead-letter", b"crashed_worker 0 3"),
        ("decisions", b"1"),
        ("decisions", b"2"),
    ]
    assert bench.publisher.offsets == {"posts": 3}
    assert bench.metrics.value("moderator_dead_letters_total", "posts", "crashed_worker") == 1


def test_a_fourth_attempt_is_a_dead_letter_without_a_trial() -> None:
    mark = Mark(running=True, careful={"posts": 2}, suspect=Suspect("posts", 0, attempts=3))
    bench = run(Bench(), mark, (0, 1, None))
    assert bench.tried == []
    assert bench.publisher.outputs[0].value == b"crashed_worker 0 4"


def test_timers_publish_without_offsets_and_only_when_something_is_due() -> None:
    bench = Bench()

    async def main() -> None:
        await bench.partition.take_over(Mark(running=True), {})
        await bench.partition.expire(NOW)
        assert len(bench.publisher.transactions) == 1
        bench.judge.due = [Output("enforcement.suspend", b"u1", b"{}")]
        await bench.partition.expire(NOW)

    asyncio.run(main())
    assert bench.publisher.transactions[-1] == ((Output("enforcement.suspend", b"u1", b"{}"),), {}, {})


def test_timers_of_a_partition_that_was_given_away_do_nothing() -> None:
    bench = Bench()
    bench.judge.due = [Output("notices", b"u1", b"{}")]
    asyncio.run(bench.partition.expire(NOW))
    assert bench.publisher.transactions == []


def test_end_to_end_time_is_measured_for_records_that_were_acted_on() -> None:
    class Acting(CountingJudge):
        def judge(self, batch: Any) -> Judged:
            return Judged([Output("enforcement.label", b"u1", b"{}")], acted=[batch[0].timestamp])

    bench = Bench()
    bench.judge = Acting()
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True), (0, 4, None))
    samples = {
        sample.name: sample.value
        for family in bench.metrics.collect()
        for sample in family.samples
        if sample.name.startswith("moderator_end_to_end_seconds") and not sample.labels
    }
    assert samples["moderator_end_to_end_seconds_count"] == 1


@pytest.mark.parametrize("count", [1, 3])
def test_what_waits_is_counted_by_topic(count: int) -> None:
    bench = Bench()
    for index in range(count):
        bench.put(index * 10, index * 10 + 4)
    assert bench.partition.queued() == {"posts": 5 * count}
    assert len(records(0, 4)) == 5


def test_without_transactions_the_state_says_last_what_it_has_taken_in() -> None:
    bench = Bench()
    bench.publisher = MemoryPublisher(atomic=False)
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    run(bench, Mark(running=True, done={"posts": 3}), (0, 4, None), floor={"posts": 3})
    taking_over, batch = bench.publisher.transactions
    assert taking_over[2] == {"posts": 3}  # the group's offset follows the state's
    assert bench.judge.batches == [[3, 4]]
    assert list(batch[1]) == [b"a:u1", b"p:0"]
    assert shell_of(bench)["done"] == {"posts": 5}
    asyncio.run(bench.partition.release())
    assert shell_of(bench)["done"] == {"posts": 5}
    assert shell_of(bench)["running"] is False


class Questioned(CountingJudge):
    """Has a question about each record."""

    def judge(self, records: Sequence[Record]) -> Judged:
        judged = super().judge(records)
        judged.questions = [
            Question(f"p{record.offset}", "", "u1", None, NOW, "is it?", {}) for record in records
        ]
        return judged


class Asked:
    """Keeps what it is asked, with how many batches were published by then."""

    def __init__(self, bench: Bench) -> None:
        self.questions: list[tuple[int, str, int]] = []
        self._bench = bench

    def ask(self, partition: int, questions: Sequence[Question]) -> None:
        published = len(self._bench.publisher.transactions)
        self.questions += [(partition, question.post_id, published) for question in questions]


def asking(publisher: MemoryPublisher | None = None) -> tuple[Bench, Asked]:
    bench = Bench()
    bench.judge = Questioned()
    bench.publisher = publisher or bench.publisher
    bench.tools.endpoint = asked = Asked(bench)
    bench.partition = Partition(0, bench.judge, bench.publisher, bench.tools)
    return bench, asked


def test_an_operators_model_is_asked_once_the_batch_is_published() -> None:
    bench, asked = asking()
    run(bench, Mark(running=True), (0, 2, None))
    assert asked.questions == [(0, "p0", 2), (0, "p1", 2), (0, "p2", 2)]


def test_it_is_asked_about_records_that_are_judged_one_by_one_too() -> None:
    bench, asked = asking()
    run(bench, Mark(running=True, careful={"posts": 2}), (0, 2, None))
    assert [post_id for _, post_id, _ in asked.questions] == ["p0", "p1", "p2"]


def test_it_is_not_asked_about_what_could_not_be_published() -> None:
    class Broken(MemoryPublisher):
        async def publish(
            self, outputs: Iterable[Output], state: Mapping[bytes, bytes | None], offsets: Mapping[str, int]
        ) -> int | None:
            if offsets:
                raise PublishError("no")
            return await super().publish(outputs, state, offsets)

    bench, asked = asking(Broken())
    run(bench, Mark(running=True), (0, 2, None))
    assert asked.questions == []


def test_where_nobody_is_to_be_asked_questions_go_nowhere() -> None:
    bench, _ = asking()
    bench.tools.endpoint = None
    run(bench, Mark(running=True), (0, 2, None))
    assert bench.publisher.offsets == {"posts": 3}
