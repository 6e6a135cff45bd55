"""What is measured in a process of its own: bare loops, feeders, the core. `python -m worker.bench.children NAME ARGS`.

Each child takes one JSON object on its command line and prints one JSON object, so that its CPU time and
peak memory are its own.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from worker.bench import data

_IDLE_SECONDS = 20.0  # a loop that gets nothing for so long gives up
_TICK_SECONDS = 0.005


def main() -> None:
    """Runs the child that the command line names."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = CHILDREN[name](**arguments)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**result, "peak_bytes": usage.ru_maxrss * 1024}), flush=True)  # noqa: T201 - the answer to the parent


def _cpu() -> float:
    return time.process_time()


def _loop_result(posts: int, started: float, cpu: float) -> dict[str, Any]:
    return {"posts": posts, "seconds": time.perf_counter() - started, "cpu_seconds": _cpu() - cpu}


def bare_confluent(broker: str, topic: str, target: str, count: int) -> dict[str, Any]:
    """Reads so many records with confluent-kafka and forwards one in ten."""
    from confluent_kafka import Consumer, Producer

    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": f"bench-confluent-{time.time_ns()}",
            "auto.offset.reset": "earliest",
        }
    )
    producer = Producer({"bootstrap.servers": broker, "queue.buffering.max.messages": 1_000_000})
    consumer.subscribe([topic])
    seen, started, cpu, heard = 0, 0.0, 0.0, time.monotonic()
    while seen < count and time.monotonic() - heard < _IDLE_SECONDS:
        messages = consumer.consume(1000, timeout=0.5)
        if not messages:
            continue
        heard = time.monotonic()
        if not started:
            started, cpu = time.perf_counter(), _cpu()
        for message in messages:
            if seen % data.FORWARDED == 0:
                producer.produce(target, message.value(), message.key())
            seen += 1
        producer.poll(0)
    producer.flush()
    result = _loop_result(seen, started, cpu)
    consumer.close()
    return result


def bare_aiokafka(broker: str, topic: str, target: str, count: int) -> dict[str, Any]:
    """Reads so many records with aiokafka in batches and forwards one in ten."""
    return asyncio.run(_bare_aiokafka(broker, topic, target, count))


async def _bare_aiokafka(broker: str, topic: str, target: str, count: int) -> dict[str, Any]:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=broker,
        group_id=f"bench-aiokafka-{time.time_ns()}",
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5)
    await consumer.start()
    await producer.start()
    seen, started, cpu, heard, sent = 0, 0.0, 0.0, time.monotonic(), None
    while seen < count and time.monotonic() - heard < _IDLE_SECONDS:
        batches = await consumer.getmany(timeout_ms=500, max_records=1000)
        if not batches:
            continue
        heard = time.monotonic()
        if not started:
            started, cpu = time.perf_counter(), _cpu()
        for records in batches.values():
            for record in records:
                if seen % data.FORWARDED == 0:
                    sent = await producer.send(target, record.value, key=record.key)
                seen += 1
    if sent is not None:
        await producer.flush()
    result = _loop_result(seen, started, cpu)
    await producer.stop()
    await consumer.stop()
    return result


def fill(
    broker: str, topic: str, count: int, accounts: int, uncertain: float = data.UNCERTAIN
) -> dict[str, Any]:
    """Puts so many posts on the topic, this share of them such that the second model reads them."""

    async def run() -> None:
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20, max_batch_size=512 * 1024)
        await producer.start()
        try:
            for key, value in data.posts(count, accounts, data.now(), uncertain=uncertain):
                await producer.send(topic, value, key=key)
            await producer.flush()
        finally:
            await producer.stop()

    asyncio.run(run())
    return {"posts": count}


def pace(broker: str, topic: str, rate: float, seconds: float) -> dict[str, Any]:
    """Sends posts at an even rate; each one's time is that of its sending."""
    return asyncio.run(_pace(broker, topic, rate, seconds))


async def _pace(broker: str, topic: str, rate: float, seconds: float) -> dict[str, Any]:
    from aiokafka import AIOKafkaProducer

    pool = [json.loads(value)["text"] for _, value in data.posts(2_000, 10, data.now())]
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=0)
    await producer.start()
    run, sent, started = time.time_ns(), 0, time.perf_counter()
    try:
        while (elapsed := time.perf_counter() - started) < seconds:
            while sent < elapsed * rate:
                author = f"l{sent % 5_000}"
                value = data.value(f"l{run}-{sent}", author, data.now(), pool[sent % len(pool)])
                await producer.send(topic, value, key=author.encode())
                sent += 1
            await asyncio.sleep(_TICK_SECONDS)
        await producer.flush()
    finally:
        await producer.stop()
    return {"posts": sent, "seconds": time.perf_counter() - started}


def watch(broker: str, topics: list[str], seconds: float) -> dict[str, Any]:
    """Sees committed outputs as a consumer would: milliseconds from each post's sending to its arrival here."""
    return asyncio.run(_watch(broker, topics, seconds))


async def _watch(broker: str, topics: list[str], seconds: float) -> dict[str, Any]:
    from aiokafka import AIOKafkaConsumer

    from schemas.base import parse_time

    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=broker,
        isolation_level="read_committed",
        auto_offset_reset="latest",
        fetch_max_wait_ms=5,
    )
    await consumer.start()
    delays: list[float] = []
    try:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        print("ready", flush=True)  # noqa: T201 - the parent waits for it
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            batches = await consumer.getmany(timeout_ms=20)
            arrived = data.now()
            for records in batches.values():
                for record in records:
                    value = json.loads(record.value or b"{}")
                    if record.key is not None and record.key.startswith(b"l"):
                        sent = parse_time(value.get("decided_at") or value["created_at"])
                        delays.append((arrived - sent).total_seconds() * 1000)
    finally:
        await consumer.stop()
    return {"outputs": len(delays), **percentiles(delays)}


def percentiles(delays: Sequence[float]) -> dict[str, float | None]:
    """The usual percentiles in milliseconds, None when nothing was seen."""
    ordered = sorted(delays)
    if not ordered:
        return {"p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {
        name: round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 2)
        for name, share in at.items()
    }


def core(
    count: int, accounts: int, batch: int, policies: str | None, cache_dir: str | None
) -> dict[str, Any]:
    """The engine without a broker: the whole, and its stages one by one on the same posts."""
    from worker.bench.core import measure

    return measure(
        count,
        accounts,
        batch,
        None if policies is None else Path(policies),
        None if cache_dir is None else Path(cache_dir),
    )


def lists(**arguments: Any) -> dict[str, Any]:
    """The core with and without a long word list."""
    from worker.bench import scale

    return scale.lists(**arguments)


def accounts(**arguments: Any) -> dict[str, Any]:
    """The core with the state of many accounts, and without any."""
    from worker.bench import accounts

    return accounts.accounts(**arguments)


def written(**arguments: Any) -> dict[str, Any]:
    """The records of many accounts, written."""
    from worker.bench import accounts

    return accounts.written(**arguments)


def restored(**arguments: Any) -> dict[str, Any]:
    """The restore of many accounts."""
    from worker.bench import scale

    return scale.restored(**arguments)


def media_files(**arguments: Any) -> dict[str, Any]:
    """Pictures for the media worker, written."""
    from worker.bench import beside

    return beside.media_files(**arguments)


def fill_with_media(**arguments: Any) -> dict[str, Any]:
    """As `fill`, with a picture in one post of twenty."""
    from worker.bench import beside

    return beside.fill_with_media(**arguments)


def media_hashed(**arguments: Any) -> dict[str, Any]:
    """Pictures, changed in every way and hashed."""
    from worker.bench import media_recall

    return media_recall.hashed(**arguments)


def media_examined(**arguments: Any) -> dict[str, Any]:
    """What examining files of a format and size takes."""
    from worker.bench import media_speed

    return media_speed.examined(**arguments)


def media_queried(**arguments: Any) -> dict[str, Any]:
    """What looking hashes up among so many takes."""
    from worker.bench import media_speed

    return media_speed.queried(**arguments)


CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    function.__name__: function
    for function in (
        bare_confluent,
        bare_aiokafka,
        fill,
        pace,
        watch,
        core,
        lists,
        accounts,
        written,
        restored,
        media_files,
        fill_with_media,
        media_hashed,
        media_examined,
        media_queried,
    )
}

if __name__ == "__main__":
    main()
