"""The stage of the media worker's tests: topics, files on disk, banks, both kinds of worker and what came out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

from tests.kafka.oracle import Oracle, OutputRecord
from tests.kafka.traffic import Traffic
from tests.kafka.workers import WorkerProcess, Workers
from tests.worker.media.pictures import Picture, landscape
from tests.worker.media.records import account, item, post
from worker.admin import create_topics

TOPICS = (
    "media.signals",
    "dead-letter",
    "decisions",
    "review.queue",
    "enforcement.label",
    "enforcement.remove",
    "enforcement.suspend",
)


class MediaScene:
    """A context manager; `signals` and `letters` read on until there are so many.

    Args:
        broker: the broker's address.
        prefix: of this test's topics.
        folder: for logs, files and banks.
        workers: starts processes.
        partitions: of every topic.
    """

    def __init__(
        self, broker: str, prefix: str, folder: Path, workers: Workers, *, partitions: int = 2
    ) -> None:
        self.files = folder / "media"
        self.banks = folder / "banks"
        self.files.mkdir()
        self.banks.mkdir()
        self._folder = folder
        self._workers = workers
        create_topics(broker, prefix, partitions)
        self.traffic = Traffic(broker, prefix)
        self.oracle = Oracle(broker, prefix, TOPICS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.oracle.__exit__(kind, error, trace)
        self.traffic.__exit__(kind, error, trace)

    # --- what goes in

    def picture(self, name: str, picture: Picture, **options: Any) -> str:
        """Writes a picture, in the format of the name's ending; its URI."""
        path = self.files / name
        Image.fromarray(picture).save(path, **options)
        return path.as_uri()

    def pictures(self, count: int, first: int = 0) -> list[str]:
        """The URIs of so many small pictures, all different."""
        return [
            self.picture(f"{number}.jpg", landscape(number, (320, 240)), quality=85)
            for number in range(first, first + count)
        ]

    def file(self, name: str, content: bytes) -> str:
        """Writes a file; its URI."""
        path = self.files / name
        path.write_bytes(content)
        return path.as_uri()

    def post(self, post_id: str, *media: Mapping[str, Any], author: str = "u1", **fields: Any) -> None:
        """Sends a post with these items."""
        body = post(post_id, *map(dict, media), author=author, **fields)
        self.traffic.send_raw(json.dumps(body).encode(), key=author.encode())

    def account(self, account_id: str, **fields: Any) -> None:
        """Sends an account's snapshot."""
        body = account(account_id, **fields)
        self.traffic.send_raw(json.dumps(body).encode(), topic="accounts", key=account_id.encode())

    # --- workers

    def media_worker(self, **settings: str) -> WorkerProcess:
        """Starts a media worker that may read this scene's files and banks."""
        return self._workers.start(
            "--media",
            settings={
                "MEDIA_SCHEMES": "file",
                "MEDIA_FOLDERS": str(self.files),
                "MEDIA_BANKS": str(self.banks),
                "MEDIA_WORK_DIR": str(self._folder / "work"),
                "MEDIA_PROCESSES": "1",
                **settings,
            },
        )

    # --- what comes out

    def wait(self, count: int, what: str = "items", timeout_seconds: float = 60.0) -> None:
        """Reads on until so many items became a record or a dead letter."""
        self.oracle.wait_for(
            lambda records: len(of_media(records)) >= count,
            timeout_seconds,
            f"{count} {what}; {[process.log()[-600:] for process in self._workers.started[-2:]]}",
        )

    def items(self) -> Counter[tuple[str, str]]:
        """How often each item, by post and media id, became a record or a dead letter, up to now."""
        return Counter(map(_item_of, of_media(self.oracle.read_to_end())))

    def of(self, topic: str) -> list[dict[str, Any]]:
        """The bodies of a topic's records, up to now."""
        return [record.body for record in self.oracle.read_to_end() if record.topic == topic]


def of_media(records: list[OutputRecord]) -> list[OutputRecord]:
    """Records and dead letters of media items."""
    return [
        record
        for record in records
        if record.topic == "media.signals"
        or (record.topic == "dead-letter" and record.body["reason"] == "media_refused")
    ]


def _item_of(record: OutputRecord) -> tuple[str, str]:
    if record.topic == "media.signals":
        return str(record.body["post_id"]), str(record.body["media_id"])
    post_id, _, media_id = str(record.body["subject"]["id"]).partition("/")
    return post_id, media_id


__all__ = ["TOPICS", "MediaScene", "account", "item", "of_media", "post"]
