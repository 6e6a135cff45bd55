"""Every panel of the dashboard has data when a real Prometheus scrapes real workers under load."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.deploy.live import Prometheus, concrete, find_prometheus, now, prometheus
from tests.deploy.promql import read
from tests.deploy.test_queries import ALERTS, ROOT
from tests.kafka.traffic import Traffic
from tests.kafka.waiting import wait_until
from tests.kafka.workers import Workers
from tests.worker.engine.helpers import CACHE
from tests.worker.engine.test_rollout import LIVE, edition
from tests.worker.media.bank_helpers import make_bank
from tests.worker.media.pictures import landscape
from tests.worker.media.records import item, post
from worker.admin import create_topics
from worker.cli.app import _run as run_program
from worker.demo.source import samples
from worker.engine.registry import DEFAULT_PACK
from worker.media.pdq import pdq

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

PARTITIONS = 4
# Panels whose series begin with an incident that this load does not have.
QUIET = {
    "Drift": "one figure for every 20 000 scores of a worker, which take longer than this load lasts",
    "Failed signals": "no signal fails",
    "Overturned on appeal": "a share of the appeals that were decided, of which there are none",
}
JUDGING, MEDIA = "moderator", "moderator-media"


@dataclass
class Live:
    """What is running; `began` is when the load did."""

    server: Prometheus
    began: float


class Load(threading.Thread):
    """Sends the demonstration's records again and again, and posts with pictures among them."""

    def __init__(self, broker: str, prefix: str, pictures: Path) -> None:
        super().__init__(daemon=True)
        self._broker, self._prefix, self._pictures = broker, prefix, pictures
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with Traffic(self._broker, self._prefix) as traffic:
                self._send(traffic)
        except BaseException as error:  # told by the test that waits
            self.error = error

    def _send(self, traffic: Traffic) -> None:
        round_, everything = 0, samples()
        while not self.ended.is_set():
            round_ += 1
            for number, sample in enumerate(everything):
                if self.ended.is_set():
                    return
                value = sample.value(datetime.now(UTC), f"-{round_}")
                if value is not None:
                    key = sample.key
                    if sample.post is not None:
                        # Other people each time: a thousand posts of one account are an incident of their own.
                        value, key = _by_another(value, f"-{round_}")
                    traffic.send_raw(value, topic=sample.topic, key=key)
                if number % 40 == 0:
                    file = self._pictures / f"{number // 40 % 8}.jpg"
                    shown = post(f"pic-{round_}-{number}", item("m1", file.as_uri()), author="painter")
                    traffic.send_raw(json.dumps(shown).encode(), topic="posts", key=b"painter")
                if number % 20 == 0:
                    time.sleep(0.03)


def _by_another(value: bytes, suffix: str) -> tuple[bytes, bytes]:
    """A post under another author's name, and its key."""
    record = json.loads(value)
    record["author_id"] += suffix
    return json.dumps(record).encode(), record["author_id"].encode()


@pytest.fixture(scope="module")
def live(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    program = find_prometheus()
    if program is None:
        pytest.skip(
            "no prometheus on PATH, and MODERATOR_PROMETHEUS names none (Debian: apt install prometheus)"
        )
    folder = tmp_path_factory.mktemp("live")
    prefix = f"test-live-{os.getpid()}."
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(8):
        Image.fromarray(landscape(number, (320, 240))).save(pictures / f"{number}.jpg")
    create_topics(broker, prefix, PARTITIONS)
    settings = {
        "policies": str(DEFAULT_PACK),
        "cache_dir": str(CACHE),
        "expire_interval": "0.5",
        "statements": "0",
    }
    with Image.open(pictures / "0.jpg") as first:
        make_bank(folder / "banks", "known", pdq=[pdq(np.asarray(first.convert("RGB"))).hash])
    media = {"media_schemes": "file", "media_folders": str(pictures), "media_banks": str(folder / "banks")}
    with Workers(broker, prefix, folder, settings) as workers:
        judging = [workers.start().wait_ready(240) for _ in range(2)]
        looking = workers.start("--media", settings=media).wait_ready(120)
        jobs = {JUDGING: [worker.port for worker in judging], MEDIA: [looking.port]}
        with prometheus(program, folder, jobs) as server:
            load = Load(broker, prefix, pictures)
            load.start()
            began = now()
            try:
                wait_until(lambda: server.targets_up() == 3, 30, "all targets to be up")
                # A window of scores, after which drift is known.
                wait_until(
                    lambda: bool(server.query("moderator_model_drift_ratio")), 240, "the models to read"
                )
                _try_a_pack(broker, prefix, folder)
                wait_until(
                    lambda: bool(server.query("moderator_rollout_changes_total")) or load.error is not None,
                    60,
                    "a shadow to find something else",
                )
                time.sleep(20)
                assert load.error is None, load.error
                yield Live(server, began)
            finally:
                load.ended.set()
                load.join(30)


def _try_a_pack(broker: str, prefix: str, folder: Path) -> None:
    """Publishes a small pack, and another as its shadow: one finds what the other does not."""
    where = [
        "--broker",
        broker,
        "--topic-prefix",
        prefix,
        "--as",
        "ann",
        "--yes",
        "--unlinted",
        "--wait",
        "60",
    ]
    assert run_program(["policies", "publish", str(LIVE), *where]) == 0
    shadow = edition(folder / "shadow", 2, "the")
    assert run_program(["policies", "publish", str(shadow), "--shadow", *where]) == 0


def _job(expression: str) -> str:
    return MEDIA if "moderator_media_" in expression else JUDGING


def test_every_panel_has_data(live: Live) -> None:
    empty, answers, end = [], {}, now()
    for path in sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text(encoding="utf-8"))
        answers[path.stem] = {}
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                expression = concrete(target["expr"], _job(target["expr"]))
                if not live.server.query(expression) and panel["title"] not in QUIET:
                    empty.append(f"{path.stem}: {panel['title']}: {expression}")
                key = f"{panel['id']}{target['refId']}"
                answers[path.stem][key] = live.server.between(expression, live.began, end)
    if out := os.environ.get("MODERATOR_DASHBOARD_ANSWERS"):
        Path(out).write_text(json.dumps(answers), encoding="utf-8")
    assert not empty, "\n".join(empty)


def test_every_series_that_an_alert_reads_is_there_and_none_fires_that_should_not(live: Live) -> None:
    for rule in ALERTS:
        live.server.query(rule["expr"])  # Prometheus takes it
        for selector in read(rule["expr"]).selectors:
            if rule["alert"] == "ModeratorModelDrift":
                continue  # see QUIET
            assert live.server.query(selector.metric), f"{rule['alert']}: no {selector.metric}"
    firing = {each["metric"]["alertname"] for each in live.server.query('ALERTS{alertstate="firing"}')}
    assert firing <= {"ModeratorDeadLetters", "ModeratorActionsHeld", "ModeratorBreakerOpen"}, firing
