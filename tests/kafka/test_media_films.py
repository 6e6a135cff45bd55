"""Advertisements in real videos, and sensitive media by a model, decided end to end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import worker.policies
from tests.kafka.media_scene import MediaScene, item
from tests.kafka.workers import Workers
from tests.worker.media.films import insert_cues, splice_insert, write_video
from tests.worker.media.pictures import Picture, landscape, logo, still_life, texture
from tests.worker.media.test_classifier import describe, save_model
from worker.media.pdq import pdq

pytestmark = pytest.mark.kafka

SIZE = (320, 240)
BUNDLED = Path(worker.policies.__file__).parent


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path, workers: Workers) -> Iterator[MediaScene]:
    with MediaScene(broker, topic_prefix, tmp_path, workers, partitions=1) as made:
        yield made


def tinted(picture: Picture, red: float) -> Picture:
    """The picture's pattern in a colour of which the test's model gives so much as "nudity"."""
    pattern = picture.astype(float)[..., :1] / 255 - 0.5
    colour = np.array([red, 0.2, 0.2]) * 255
    return np.clip(colour + pattern * 40, 0, 255).astype(np.uint8)


def decided(
    scene: MediaScene, workers: Workers, records: int, **settings: str
) -> dict[str, list[dict[str, Any]]]:
    """The actions that follow from media, by account, once so many records of media have been judged."""
    processes = [
        scene.media_worker(**settings),
        workers.start(settings={"JUDGE": "tests.kafka.media_judges:judges", "POLICIES": str(BUNDLED)}),
    ]
    scene.oracle.wait_for(
        lambda all_of: (
            sum(
                record.topic == "decisions" and record.body["record"]["topic"] == "media.signals"
                for record in all_of
            )
            >= records
        ),
        90.0,
        f"decisions on {records} records; {[process.log()[-800:] for process in processes]}",
    )
    assert [process.stop() for process in processes] == [0, 0]
    assert scene.of("dead-letter") == []
    actions: dict[str, list[dict[str, Any]]] = {}
    for record in scene.oracle.read_to_end():
        if record.topic.startswith("enforcement.") and record.body["record"]["topic"] == "media.signals":
            actions.setdefault(record.body["account_id"], []).append(record.body)
    return actions


def test_advertisements_in_videos_are_found_in_their_files(scene: MediaScene, workers: Workers) -> None:
    scenes = [landscape(1, SIZE), still_life(2, SIZE), texture(3, SIZE)]
    sponsor = logo(7, SIZE)
    folder = scene.banks.parent / "sponsors"
    folder.mkdir()
    (folder / "bank.toml").write_text(
        'policy = "third-party-ads"\nsource = "made for this test"\nopinion = "confirmed"\n'
    )
    (folder / "pdq.txt").write_text(f"{pdq(sponsor).hash}\n")
    folder.rename(scene.banks / "sponsors")

    def video(name: str, *shown: Picture) -> str:
        return write_video(scene.files / name, shown).as_uri()

    plain = video("plain.ts", *scenes)
    announced = video("announced.ts", *scenes)
    insert_cues(scene.files / "announced.ts", [splice_insert(None)])
    shown = video("shown.mp4", scenes[0], sponsor, scenes[2])
    scene.post("p1", item("m1", plain, kind="video"), author="plain", text="our trip, part one")
    scene.post("p2", item("m1", announced, kind="video"), author="announced", text="last night's match")
    scene.post("p3", item("m1", shown, kind="video"), author="shown", text="last night's match")
    actions = decided(scene, workers, 3)
    assert actions.keys() == {"announced", "shown"}
    (label,) = actions["announced"]
    assert (label["policy"], label["kind"], label["label"]) == (
        "third-party-ads",
        "label",
        "limited-visibility",
    )
    assert label["evidence"][0]["signal"] == "media.ad-marker"
    (removal,) = actions["shown"]
    assert (removal["policy"], removal["kind"]) == ("third-party-ads", "remove")
    assert removal["evidence"][0]["signal"] == "hash.third-party-ads"
    signals = {body["post_id"]: body for body in scene.of("media.signals")}
    assert signals["p2"]["ad_markers"] == [{"at_seconds": 0.0, "kind": "scte35"}]
    (match,) = signals["p3"]["matches"]
    assert match["kind"] == "pdq"  # of a frame: the bank holds a picture, not a video
    assert [len(signals[name]["frames"]) for name in ("p1", "p2", "p3")] == [3, 3, 3]


def test_sensitive_media_are_scored_by_the_operators_model_and_graded_by_place(
    scene: MediaScene, workers: Workers
) -> None:
    models = scene.banks.parent / "model"
    models.mkdir()
    model = describe(models, save_model(models), classes='{ nudity = ["red"] }')
    loud = scene.picture("loud.png", tinted(landscape(1, SIZE), 0.95))
    scene.post("marked", item("m1", loud, kind="image", marked_sensitive=True), author="marked")
    scene.post("unmarked", item("m1", loud, kind="image"), author="unmarked")
    live = write_video(scene.files / "live.avi", [tinted(texture(2, SIZE), 0.95)]).as_uri()
    scene.post("live", item("m1", live, kind="live_video", placement="live"), author="live")
    scene.post("calm", item("m1", scene.picture("calm.png", tinted(landscape(4, SIZE), 0.2))), author="calm")
    scene.account("header", header=item("h1", loud, kind="image"))
    actions = decided(scene, workers, 5, MEDIA_MODEL=str(model))
    kinds = {
        account: sorted({(action["kind"], action["policy"]) for action in of_account})
        for account, of_account in actions.items()
    }
    policy = "sensitive-media"
    assert kinds == {
        "unmarked": [("label", policy)],
        "live": [("remove", policy)],
        "header": [("remove", policy)],
    }
    (label,) = actions["unmarked"]
    assert label["evidence"][0]["signal"] == "media.nudity"
    assert {body["classifier"] for body in scene.of("media.signals")} == {"colours"}
