"""An operator's own model beside a real worker: what it says comes back as a record and is acted on."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kafka.oracle import Oracle
from tests.kafka.traffic import PACK, Traffic, make_post
from tests.kafka.workers import Workers
from worker.admin import create_topics
from worker.engine.judge import PartitionJudge
from worker.engine.records import Record
from worker.engine.registry import load_pack

pytestmark = pytest.mark.kafka

POLICY = "hateful-conduct"
TOPICS = ("posts", "findings", "enforcement.remove", "dead-letter")


def unsure_of_everything(folder: Path) -> Path:
    """The pack of made-up policies with a fast model that gives every text the same probability, 0.4."""
    shutil.copytree(PACK.parent / "opinions", folder)
    policy = folder / "hateful_conduct" / "policy.toml"
    policy.write_text(
        policy.read_text().replace("remove = 3,", "remove = 100, minute = { remove = 100 },")
    )  # of its breaker
    table = np.zeros((2, 1), np.int8)
    one = np.ones((1, 1))
    np.savez(
        folder / "fast.npz", table=table, joints=1, scale=np.ones(1), hidden=one, hidden_bias=np.zeros(1),
        hidden_steps=1.0, out=np.zeros((2, 1)), out_bias=np.log([0.4 / 0.6]), out_steps=1.0,
    )  # fmt: skip
    about = {
        "name": "unsure",
        "version": "1",
        "heads": [POLICY],
        "calibration": [[1, 0]],
        "languages": ["en"],
    }
    (folder / "fast.json").write_text(json.dumps(about))
    hashes = "".join(
        f'"{name}" = "{hashlib.sha256((folder / name).read_bytes()).hexdigest()}"\n'
        for name in ("fast.npz", "fast.json")
    )
    with (folder / "pack.toml").open("a") as file:
        file.write('[models.fast]\nweights = "fast.npz"\nabout = "fast.json"\n[models.sha256]\n' + hashes)
    return folder


@contextmanager
def model(seen: list[dict[str, Any]]) -> Iterator[str]:
    """A model that finds every "worse" text and fails the first time it is asked; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(request)
            scores = [
                {"id": text["id"], "scores": {POLICY: 0.93 if "worse" in text["text"] else 0.02}}
                for text in request["texts"]
            ]
            body = json.dumps({"scores": scores}).encode()
            self.send_response(500 if len(seen) == 1 else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keeps the test's output quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/score"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("guarantee", ["exactly-once", "at-least-once"])
def test_a_worker_acts_on_what_an_operators_model_says(
    broker: str, topic_prefix: str, workers: Workers, tmp_path: Path, guarantee: str
) -> None:
    pack = unsure_of_everything(tmp_path / "pack")
    create_topics(broker, topic_prefix, 2)
    posts = [
        make_post(f"p{number}", f"u{number}", "worse than ever" if number % 4 == 0 else "a fine day")
        for number in range(40)
    ]
    requests: list[dict[str, Any]] = []
    with (
        model(requests) as address,
        Traffic(broker, topic_prefix) as traffic,
        Oracle(broker, topic_prefix, TOPICS) as oracle,
    ):
        settings = {"POLICIES": str(pack), "MODEL_URL": address, "GUARANTEE": guarantee}
        worker = workers.start(settings=settings).wait_ready()
        traffic.send(posts)
        records = oracle.wait_for(
            lambda read: sum(each.topic == "enforcement.remove" for each in read) >= 10, 30.0, "ten removals"
        )
        assert worker.metric("moderator_endpoint_requests_total", result="error") == 1
        assert worker.metric("moderator_endpoint_dropped_total") == 0
        assert worker.stop() == 0
        oracle.read_to_end()
    removed = [record for record in records if record.topic == "enforcement.remove"]
    assert {record.body["post_id"] for record in removed} == {f"p{number}" for number in range(0, 40, 4)}
    assert all(record.body["record"]["topic"] == "findings" for record in removed)
    assert all(record.body["evidence"][0]["signal"] == f"learned.{POLICY}" for record in removed)
    sent = json.dumps(requests)
    assert not any(f'"{name}{number}"' in sent for name in "pu" for number in range(40))
    # The records of both topics again, without anybody to ask: the same bytes.
    again = []
    for number in range(2):
        judge = PartitionJudge(load_pack(pack), number, 2)
        for topic in ("posts", "findings"):
            own = [each for each in records if (each.topic, each.partition) == (topic, number)]
            judged = judge.judge(
                [Record(topic, number, each.offset, 0, each.key, each.value) for each in own]
            )
            again += [output.value for output in judged.outputs if output.topic == "enforcement.remove"]
    assert sorted(each.value or b"" for each in removed) == sorted(value or b"" for value in again)
