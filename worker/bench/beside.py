"""What a busy media worker costs the judging workers beside it: the same load alone, beside one, and alone again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from worker.bench import data
from worker.demo.stage import StageError, free_port, stop

PICTURES = 240
SHARE = (
    0.05  # of the posts that have a picture: far more than a media worker can look at while they are judged
)
SIDE = (1600, 1200)  # pixels
_READY_SECONDS = 90.0
_BUSY_ITEMS = 20  # examined before the clock starts


def media_files(folder: str) -> dict[str, Any]:
    """Writes pictures of the size that people post, all different."""
    import numpy as np
    from PIL import Image

    from worker.bench.pictures import landscape

    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    base = landscape(1, SIDE)
    size = 0
    for number in range(PICTURES):
        # Rolled and darkened: as many pixels of as much detail in each, at a fraction of the cost of drawing.
        rolled = np.roll(base, (number * 37) % SIDE[0], axis=1)
        picture = (rolled * (0.7 + 0.3 * number / PICTURES)).astype(np.uint8)
        path = root / f"{number}.jpg"
        Image.fromarray(picture).save(path, quality=85)
        size += path.stat().st_size
    return {"posts": PICTURES, "details": {"bytes_a_picture": round(size / PICTURES)}}


def fill_with_media(broker: str, topic: str, count: int, accounts: int, folder: str) -> dict[str, Any]:
    """Puts so many posts on the topic, one in twenty of them with a picture."""

    async def run() -> None:
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20, max_batch_size=512 * 1024)
        await producer.start()
        every = round(1 / SHARE)
        try:
            for number, (key, value) in enumerate(data.posts(count, accounts, data.now())):
                await producer.send(
                    topic, value if number % every else _with_picture(value, number // every, folder), key=key
                )
            await producer.flush()
        finally:
            await producer.stop()

    asyncio.run(run())
    return {"posts": count}


def _with_picture(value: bytes, number: int, folder: str) -> bytes:
    post = json.loads(value)
    uri = (Path(folder) / f"{number % PICTURES}.jpg").as_uri()
    post["media"] = [{"media_id": f"m{number}", "kind": "image", "uri": uri}]
    return json.dumps(post, separators=(",", ":")).encode()


class MediaWorker:
    """A media worker process under measurement."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log

    def metric(self, name: str) -> float:
        """The sum of a metric's series; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0] == name)

    def items(self) -> float:
        """Media items done so far."""
        return self.metric("moderator_media_items_total")

    def check(self) -> None:
        """Raises StageError when it has ended."""
        if self.process.poll() is not None:
            raise StageError(
                f"the media worker ended with exit code {self.process.returncode}; see {self._log}"
            )


@contextmanager
def media_worker(broker: str, prefix: str, pictures: Path, log: Path) -> Iterator[MediaWorker]:
    """A media worker that is busy when this is entered, and decodes every picture that it meets."""
    port = free_port()
    environment = {
        **os.environ,
        "MODERATOR_MEDIA_SCHEMES": "file",
        "MODERATOR_MEDIA_FOLDERS": str(pictures.absolute()),
        "MODERATOR_MEDIA_CACHE": "0",
    }
    command = [
        sys.executable, "-m", "worker.cli", "run", "--media", "--broker", broker, "--topic-prefix", prefix,
        "--group", f"{prefix}beside", "--http-port", str(port), "--log-level", "warning",
    ]  # fmt: skip
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdout=file, stderr=file, start_new_session=True, env=environment
        )
        try:
            worker = MediaWorker(process, port, log)
            deadline = time.monotonic() + _READY_SECONDS
            while worker.items() < _BUSY_ITEMS:
                worker.check()
                if time.monotonic() > deadline:
                    raise StageError(f"the media worker did not begin to examine; see {log}")
                time.sleep(0.2)
            yield worker
        finally:
            stop(process)
