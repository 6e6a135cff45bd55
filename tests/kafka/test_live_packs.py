"""Packs published while workers judge: nothing is lost, each action names one pack, a bad pack changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.scene import Scene
from tests.worker.engine.test_rollout import LIVE, edition
from worker.cli.app import _run as run_program
from worker.reading import reader

_LEAK = "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
pytestmark = [pytest.mark.kafka, pytest.mark.filterwarnings(_LEAK)]


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Scene]:
    settings = {
        "policies": str(LIVE),
        "expire_interval": "0.2",
        "cache_dir": str(tmp_path / "cache"),
        "batch": "200",
    }
    with Scene(broker, topic_prefix, tmp_path, settings=settings) as scene:
        yield scene


def moderator(scene: Scene, *arguments: str) -> int:
    return run_program(["policies", *arguments, "--broker", scene.broker, "--topic-prefix", scene.prefix])


def publish(scene: Scene, folder: Path, *more: str) -> int:
    return moderator(
        scene, "publish", str(folder), "--as", "ann", "--yes", "--unlinted", "--wait", "90", *more
    )


def removals(scene: Scene) -> list[dict[str, Any]]:
    """Every removal, in the order of each partition; each has `partition`."""
    with reader(scene.broker, ["enforcement.remove"], scene.prefix) as topic:
        return [
            {**json.loads(record.value), "partition": record.partition}
            for record in topic.everything()
            if record.value is not None
        ]


class Sent:
    """The posts that were sent, and which of them must be removed."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.removed: set[str] = set()
        self.count = 0

    def post(self, count: int) -> None:
        for post in self._scene.post(count):
            self.count += 1
            if post.kind == "remove":
                self.removed.add(post.post_id)

    def wait(self) -> None:
        self._scene.wait(lambda: self._scene.decisions >= self.count, 120, "all posts to be decided")


def test_a_pack_changes_in_mid_stream_and_each_action_names_one(scene: Scene, tmp_path: Path) -> None:
    scene.start(2)
    sent = Sent(scene)
    sent.post(2000)
    sent.wait()
    second = edition(tmp_path / "second", 2)
    sent.post(4000)
    assert publish(scene, second) == 0
    sent.post(2000)
    sent.wait()
    found = removals(scene)
    assert {action["post_id"] for action in found} == sent.removed
    assert len(found) == len(sent.removed)
    by_pack = {"live-1": 1, "live-2": 2}
    assert all(action["policy_version"] == by_pack[action["pack"]] for action in found)
    for partition in range(scene.partitions):
        packs = [action["pack"] for action in found if action["partition"] == partition]
        assert packs == sorted(packs)  # from the first pack to the second, and never back
        assert set(packs) == {"live-1", "live-2"}
    for worker in scene.fleet:
        assert worker.metric("moderator_pack_refused") == 0
        assert 'pack="live-2"' in worker.get("/metrics")[1]


def test_a_broken_pack_changes_nothing_and_says_why_everywhere(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (worker,) = scene.start()
    sent = Sent(scene)
    assert publish(scene, edition(tmp_path / "second", 2)) == 0
    sent.post(1000)
    # What the publisher's own check would have found: so it is sent by something that does not check.
    third = edition(tmp_path / "third", 3)
    policy = third / "illegal_goods" / "policy.toml"
    policy.write_text(policy.read_text().replace("threshold = 0.8", "threshold = 8"))
    capsys.readouterr()
    assert publish(scene, third) == 2
    assert "illegal_goods/policy.toml:" in capsys.readouterr().err
    _publish_unchecked(scene, third)
    scene.wait(lambda: worker.metric("moderator_pack_refused") == 1, 60, "the worker to refuse the pack")
    assert worker.metric("moderator_pack_refusals_total", reason="faults") == 1
    code, ready = worker.get("/readyz")
    assert code == 200
    detail = json.loads(ready)["components"]["packs"]["detail"]
    assert detail.startswith("live-2; refused live-3: illegal_goods/policy.toml:")
    sent.post(1000)
    sent.wait()
    found = removals(scene)
    assert {action["post_id"] for action in found} == sent.removed
    assert {action["pack"] for action in found} == {"live-2"}
    scene.wait(lambda: _states(scene, capsys) == {"refused"}, 30, "the refusal to be told")
    # Back to what is good: the refusal is over, and nothing goes back a version.
    assert moderator(scene, "rollback", "--as", "ann", "--yes", "--wait", "90") == 0
    scene.wait(lambda: worker.metric("moderator_pack_refused") == 0, 30, "the refusal to be over")


def test_a_pack_is_tried_on_a_share_promoted_and_rolled_back(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (worker,) = scene.start()
    sent = Sent(scene)
    assert publish(scene, edition(tmp_path / "second", 2)) == 0
    assert publish(scene, edition(tmp_path / "third", 3), "--share", "30") == 0
    sent.post(3000)
    sent.wait()
    found = removals(scene)
    by_account: dict[str, set[str]] = {}
    for action in found:
        by_account.setdefault(action["account_id"], set()).add(action["pack"])
    assert all(len(packs) == 1 for packs in by_account.values())
    picked = sum(packs == {"live-3"} for packs in by_account.values())
    assert 0.15 * len(by_account) < picked < 0.45 * len(by_account)
    for role in ("base", "candidate"):
        assert worker.metric("moderator_rollout_verdicts_total", role=role, outcome="violation") > 0
    # A gauge is shown anew each second or so; the records may be faster.
    scene.wait(
        lambda: worker.metric("moderator_rollout_share_ratio") == pytest.approx(0.3),
        30,
        "the share to be shown",
    )
    assert moderator(scene, "promote", "--as", "ann", "--yes", "--wait", "60") == 0
    before = len(found)
    sent.post(500)
    sent.wait()
    assert {action["pack"] for action in _after(scene, before)} == {"live-3"}
    assert moderator(scene, "rollback", "--as", "ann", "--yes", "--wait", "60") == 0
    before = len(removals(scene))
    sent.post(500)
    sent.wait()
    assert {action["pack"] for action in _after(scene, before)} == {"live-2"}
    assert {action["post_id"] for action in removals(scene)} == sent.removed
    assert _states(scene, capsys) == {"switched"}


def test_a_worker_that_starts_later_judges_by_what_is_published(scene: Scene, tmp_path: Path) -> None:
    first = scene.start()[0]
    sent = Sent(scene)
    assert publish(scene, edition(tmp_path / "second", 2)) == 0
    sent.post(500)
    sent.wait()
    scene.dismiss(first)
    shutil.rmtree(tmp_path / "cache")
    scene.start()
    before = len(removals(scene))
    sent.post(500)
    sent.wait()
    assert {action["pack"] for action in _after(scene, before)} == {"live-2"}
    assert {action["post_id"] for action in removals(scene)} == sent.removed


def _after(scene: Scene, count: int) -> list[dict[str, Any]]:
    found = sorted(removals(scene), key=lambda action: int(action["post_id"].rpartition("-")[2]))
    return found[count:]


def _states(scene: Scene, capsys: pytest.CaptureFixture[str]) -> set[str]:
    capsys.readouterr()
    assert moderator(scene, "status", "--json") == 0
    return {row["state"] for row in json.loads(capsys.readouterr().out)["partitions"]}


def _publish_unchecked(scene: Scene, folder: Path) -> None:
    """As a program would that knows the contract and checks nothing."""
    from datetime import UTC, datetime

    from schemas.policies import Release
    from worker.pack_files import files_of, pack_sha256
    from worker.publishing_packs import Bundle, pointer, read_published, records
    from worker.sending import send_in_order

    now = datetime.now(UTC)
    files = files_of(folder)
    release = Release(
        pack="live-3",
        sha256=pack_sha256([file for file, _ in files]),
        files=tuple(file for file, _ in files),
        published_at=now,
        published_by="ann",
    )
    published = read_published(scene.broker, scene.prefix)
    current = pointer(published.current, release, None, now, "ann")
    new = Bundle(release, {file.path: place for file, place in files})
    sent = list(records(published, current, new))
    send_in_order(scene.broker, sent, scene.prefix, total=len(sent))
