"""The media worker on a real broker: every item once, whatever happens to the workers; files are real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.kafka.media_scene import MediaScene, item
from tests.kafka.workers import Workers
from tests.worker.media.pictures import landscape

pytestmark = pytest.mark.kafka

SLOW_FRAMES = 60


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path, workers: Workers) -> Iterator[MediaScene]:
    with MediaScene(broker, topic_prefix, tmp_path, workers) as made:
        yield made


def send_posts(scene: MediaScene, uris: list[str], first: int = 0) -> set[tuple[str, str]]:
    """A post for each file, with others between them; the items that must come out."""
    for number, uri in enumerate(uris, first):
        scene.post(f"plain-{number}", author=f"u{number % 7}")
        kind = "gif" if uri.endswith(".gif") else "image"
        scene.post(f"p{number}", item("m1", uri, kind=kind), author=f"u{number % 7}")
    return {(f"p{number}", "m1") for number in range(first, first + len(uris))}


def slow_file(scene: MediaScene, name: str) -> str:
    """An animation that takes a second or more to look at."""
    frames = [Image.fromarray(landscape(number % 3, (640, 480))).quantize(64) for number in range(3)]
    path = scene.files / name
    frames[0].save(
        path,
        save_all=True,
        append_images=(frames * (SLOW_FRAMES // 3))[1:],
        duration=[100 + n % 7 for n in range(SLOW_FRAMES)],
    )
    return path.as_uri()


def test_a_media_worker_that_is_killed_in_the_middle_loses_and_repeats_nothing(scene: MediaScene) -> None:
    wanted = send_posts(scene, [*scene.pictures(40), scene.file("broken.jpg", b"no picture at all")])
    first = scene.media_worker(MEDIA_BATCH="6")
    scene.wait(4)
    assert first.kill() == -9
    assert scene.items().keys() < wanted, "killed too late to prove anything"
    second = scene.media_worker(MEDIA_BATCH="6")
    scene.wait(len(wanted))
    assert second.stop() == 0
    assert scene.items() == dict.fromkeys(wanted, 1)
    (letter,) = scene.of("dead-letter")
    assert letter["subject"]["id"] == "p40/m1"
    # What the killed one left in the working folder is gone, and so is what the other one had there.
    assert not [path for path in (scene.files.parent / "work").rglob("*") if path.suffix != ".lock"]


def test_partitions_that_move_while_a_long_file_is_examined_lose_and_repeat_nothing(
    scene: MediaScene,
) -> None:
    slow = [slow_file(scene, f"slow-{number}.gif") for number in range(4)]
    uris = scene.pictures(24)
    mixed = [
        uri
        for number, uri in enumerate(uris)
        for uri in ([uri, slow[number // 6]] if number % 6 == 3 else [uri])
    ]
    wanted = send_posts(scene, mixed)
    first = scene.media_worker(MEDIA_BATCH="4", MEDIA_CACHE="0")
    scene.wait(3)
    second = scene.media_worker(MEDIA_BATCH="4", MEDIA_CACHE="0").wait_ready()
    scene.wait(min(12, len(wanted)))
    assert second.stop(15.0) == 0
    scene.wait(len(wanted))
    assert first.stop(15.0) == 0
    assert scene.items() == dict.fromkeys(wanted, 1)


@pytest.mark.slow
def test_at_least_once_loses_nothing(scene: MediaScene) -> None:
    wanted = send_posts(scene, scene.pictures(30))
    first = scene.media_worker(GUARANTEE="at-least-once", MEDIA_BATCH="4")
    scene.wait(4)
    first.kill()
    second = scene.media_worker(GUARANTEE="at-least-once", MEDIA_BATCH="4")
    scene.oracle.wait_for(lambda records: scene.items().keys() >= wanted, 60.0, "every item at least once")
    assert second.stop() == 0


def test_a_media_worker_that_may_load_nothing_says_so(scene: MediaScene) -> None:
    closed = scene.media_worker(MEDIA_SCHEMES="")
    assert closed.wait(30.0) == 2
    assert "MODERATOR_MEDIA_SCHEMES" in closed.log()
    homeless = scene.media_worker(MEDIA_FOLDERS="")
    assert homeless.wait(30.0) == 2
    assert "MODERATOR_MEDIA_FOLDERS" in homeless.log()
