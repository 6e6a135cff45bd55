"""The second model works on its own thread: batches wait for it, the event loop does not."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from tests.worker.shell import Bench, CountingJudge
from worker.attempts import Mark
from worker.engine.records import Begun, Judged, Record
from worker.partitions import JudgeFailedError, Partition
from worker.watchdog import Watchdog


class Thinking(CountingJudge):
    """Finishes a batch only after it was thought about; notes on which thread that was."""

    def __init__(self, think: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.threads: list[str] = []
        self.thought: list[int] = []
        self._think = think

    def begin(self, records: Sequence[Record]) -> Begun:
        begun = Begun(records)

        def think() -> None:
            self.threads.append(threading.current_thread().name)
            self._think()
            self.thought.append(records[0].offset)

        begun.think = think
        return begun

    def finish(self, begun: Begun) -> Judged:
        assert begun.records[0].offset in self.thought
        return self.judge(begun.records)


def _wait(event: threading.Event) -> None:
    event.wait(10)


def bench_of(judge: CountingJudge) -> Bench:
    bench = Bench()
    bench.judge = judge
    bench.partition = Partition(0, judge, bench.publisher, bench.tools)
    return bench


async def judged(bench: Bench, *batches: tuple[int, int, int | None]) -> None:
    await bench.partition.take_over(Mark(), {})
    bench.epoch += 1
    for first, last, follows in batches:
        bench.put(first, last, follows=follows)
    async with asyncio.timeout(10):
        while bench.released < len(batches) and not bench.failures:
            await asyncio.sleep(0.001)
    if not bench.failures:
        await bench.partition.release()


def test_the_slices_of_a_batch_are_thought_about_elsewhere_and_finished_in_order() -> None:
    judge = Thinking()
    bench = bench_of(judge)
    asyncio.run(judged(bench, (0, 599, None), (600, 602, 599)))
    assert [batch[0] for batch in judge.batches] == [0, 250, 500, 600]
    assert judge.thought == [0, 250, 500, 600]
    assert threading.current_thread().name not in judge.threads
    assert bench.publisher.offsets == {"posts": 603}
    samples = [sample for metric in bench.metrics.collect() for sample in metric.samples]
    times = {s.labels["stage"]: s.value for s in samples if s.name == "moderator_model_seconds_count"}
    assert times == {"queue": 4.0, "read": 4.0}


def test_the_loop_goes_on_while_the_second_model_reads() -> None:
    goes_on = threading.Event()
    bench = bench_of(Thinking(partial(_wait, goes_on)))

    async def main() -> None:
        done = asyncio.create_task(judged(bench, (0, 3, None)))
        await asyncio.sleep(0.05)
        assert not bench.publisher.offsets  # nothing is committed before everything is known
        goes_on.set()
        await done

    asyncio.run(main())
    assert bench.publisher.offsets == {"posts": 4}


def test_a_second_model_that_hangs_ends_the_process() -> None:
    ended: list[str] = []
    release = threading.Event()
    bench = bench_of(Thinking(partial(_wait, release)))
    bench.tools.think_limit = 0.05
    bench.tools.watchdog = Watchdog(0.05, end=ended.append)
    asyncio.run(judged(bench, (0, 3, None)))
    release.set()
    assert len(ended) == 1
    assert "posts-0" in ended[0]
    assert [type(error) for error in bench.failures] == [JudgeFailedError]
    assert bench.released == 0


def test_a_fault_of_the_judges_thinking_ends_the_process_and_quotes_nobody() -> None:
    def fail() -> None:
        raise ValueError("the text of a post")

    bench = bench_of(Thinking(fail))
    asyncio.run(judged(bench, (0, 3, None)))
    (failure,) = bench.failures
    assert isinstance(failure, JudgeFailedError)
    assert "text of a post" not in "".join(traceback.format_exception(failure))
    assert bench.released == 0
