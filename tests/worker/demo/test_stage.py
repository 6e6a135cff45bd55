from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.worker.cli.conftest import PACK
from worker.admin import create_topics
from worker.demo import stage


class AlwaysReady(BaseHTTPRequestHandler):
    """What another worker answers on the port that it took before ours."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def somebody_elses_endpoint() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), AlwaysReady) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.kafka
def test_a_port_that_somebody_takes_meanwhile_is_replaced(
    broker: str, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(broker, topic_prefix, 1)
    real = stage.free_port
    with somebody_elses_endpoint() as taken:
        monkeypatch.setattr(
            stage, "free_port", lambda *, preferred=True: taken if preferred else real(preferred=False)
        )
        with stage.worker(
            bootstrap=broker, prefix=topic_prefix, group=topic_prefix, policies=PACK, log=tmp_path / "log"
        ) as running:
            running.check()
            assert f":{taken}/" not in str(running.metrics_url)


def test_other_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(stage.StageError, match="exit code"),
        stage.worker(
            bootstrap="127.0.0.1:1",
            prefix="p.",
            group="g",
            policies=tmp_path / "no-pack",
            log=tmp_path / "log",
        ),
    ):
        pass
