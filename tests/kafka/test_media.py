"""Every clause about media decided end to end: posts with real files, real workers of both kinds, real banks."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import worker.policies
from tests.kafka.media_scene import MediaScene, item
from tests.kafka.workers import WorkerProcess, Workers
from tests.worker.media.pictures import Picture, landscape, poster, still_life, texture
from worker.media.pdq import pdq

pytestmark = pytest.mark.kafka

SIZE = (640, 480)
PERSON = "Rosalind Harbourlight"
"""An invented person whom the test's pack protects."""


def known(seed: int) -> Picture:
    """A picture that a bank of the test holds."""
    return landscape(seed, SIZE)


def altered(picture: Picture) -> Picture:
    """The picture as somebody posts it again: darker, and smaller by a tenth."""
    darker = (picture * 0.9).astype(np.uint8)
    rows = np.linspace(0, len(darker) - 1, len(darker) * 9 // 10).astype(int)
    columns = np.linspace(0, darker.shape[1] - 1, darker.shape[1] * 9 // 10).astype(int)
    return darker[rows][:, columns]


@dataclass(frozen=True)
class Clause:
    """A post that breaks a clause by its media alone, or by its media with its text."""

    policy: str
    make: Callable[[MediaScene], Mapping[str, Any]]
    kind: str  # of action
    text: str = "from my walk today"
    fields: Mapping[str, Any] = field(default_factory=dict)


def _reposted(seed: int, scene: MediaScene) -> Mapping[str, Any]:
    """A picture of a bank, altered and encoded anew."""
    return item("m1", scene.picture(f"reposted-{seed}.jpg", altered(known(seed)), quality=70), kind="image")


def _said_to_be_generated(scene: MediaScene) -> Mapping[str, Any]:
    """A picture with the parameters that a generator writes into its files."""
    uri = scene.picture("generated.png", poster(3, "RESULTS"))
    path = scene.files / "generated.png"
    text = b"parameters\0a crowd at a polling station, photorealistic\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 640x480, Model: sd_xl"
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk + data[33:])  # after the header
    return item("m1", uri, kind="image")


BANKS = {
    "known-cse": ("child-sexual-exploitation", 11),
    "known-ncii": ("non-consensual-nudity", 12),
    "attack-media": ("perpetrators-of-attacks", 13),
    "protected-works": ("copyright", 14),
    "counterfeits": ("trademark", 15),
}
CLAUSES = {
    **{policy: Clause(policy, partial(_reposted, seed), "remove") for policy, seed in BANKS.values()},
    "synthetic-media": Clause(
        "synthetic-media",
        _said_to_be_generated,
        "remove",
        text="Caught on camera: poll workers burning ballots in Harlan County. This is not AI, see for yourself",
    ),
}


@pytest.fixture
def scene(broker: str, topic_prefix: str, tmp_path: Path, workers: Workers) -> Iterator[MediaScene]:
    with MediaScene(broker, topic_prefix, tmp_path, workers, partitions=1) as made:
        yield made


def write_bank(
    scene: MediaScene, name: str, policy: str, *pictures: Picture, opinion: str = "confirmed"
) -> None:
    """A bank of the pictures' PDQ hashes, as an operator writes it: beside the folder, then moved into it."""
    folder = scene.banks.parent / f"new-{name}"
    folder.mkdir()
    about = f'policy = "{policy}"\nsource = "made for this test"\nopinion = "{opinion}"\n'
    (folder / "bank.toml").write_text(about)
    (folder / "pdq.txt").write_text("".join(f"{pdq(picture).hash}\n" for picture in pictures))
    folder.rename(scene.banks / name)


def pack_with(folder: Path, avatar: Picture) -> Path:
    """The bundled pack, which also protects an invented person with this picture."""
    bundled = Path(worker.policies.__file__).parent
    pack = folder / "pack"
    shutil.copytree(bundled, pack, copy_function=os.link, ignore=shutil.ignore_patterns("__pycache__"))
    facts = pack / "facts" / "protected_identities.toml"
    text = facts.read_text(encoding="utf-8")
    facts.unlink()  # a link to the bundled one
    facts.write_text(
        f"""{text}
[[identity]]
name = "{PERSON}"
kind = "person"
account_ids = ["the-real-one"]
handles = ["rharbourlight"]
display_names = ["{PERSON}"]
avatar = {{ pdq = "{pdq(avatar).hash}" }}
read_at = 2026-11-23
source = "https://example.com/"
""",
        encoding="utf-8",
    )
    return pack


def judging_worker(workers: Workers, pack: Path) -> WorkerProcess:
    return workers.start(settings={"JUDGE": "tests.kafka.media_judges:judges", "POLICIES": str(pack)})


def test_every_clause_about_media_is_decided_from_a_post_with_a_real_file(
    scene: MediaScene, workers: Workers, tmp_path: Path
) -> None:
    face = still_life(5, SIZE)
    pack = pack_with(tmp_path, face)
    for name, (policy, seed) in BANKS.items():
        write_bank(scene, name, policy, known(seed))
    processes = [scene.media_worker(), judging_worker(workers, pack)]
    for policy, clause in CLAUSES.items():
        scene.post(f"post-{policy}", clause.make(scene), author=policy, text=clause.text, **clause.fields)
    scene.post("harmless", item("m1", scene.picture("plain.jpg", texture(2, SIZE))), author="harmless")
    impostor = {
        "handle": "rosalind_h_official",
        "display_name": PERSON,
        "bio": "",
        "created_at": "2026-11-20T00:00:00Z",
    }
    avatar = item("a1", scene.picture("avatar.jpg", altered(face)), kind="image")
    scene.account("impostor", profile=impostor, avatar=avatar)
    wanted = len(CLAUSES) + 2

    def judged(records: list[Any]) -> bool:
        done = [
            record
            for record in records
            if record.topic == "decisions"
            and record.body["record"]["topic"] in {"posts", "accounts", "media.signals"}
        ]
        return len(done) >= 2 * wanted

    scene.oracle.wait_for(judged, 60.0, f"all decisions; {[process.log()[-800:] for process in processes]}")
    assert [process.stop() for process in processes] == [0, 0]
    actions = [
        record.body
        for record in scene.oracle.read_to_end()
        if record.topic.startswith("enforcement.") and record.body["record"]["topic"] == "media.signals"
    ]
    for policy, clause in CLAUSES.items():
        of_post = [action for action in actions if action["post_id"] == f"post-{policy}"]
        assert {action["policy"] for action in of_post} == {policy}, f"{policy}: {of_post}"
        assert clause.kind in {action["kind"] for action in of_post}, policy
        assert all(action["evidence"] for action in of_post)
        assert any(each["field"].startswith("media[0]") for each in of_post[0]["evidence"]), policy
    assert not [action for action in actions if action["account_id"] == "harmless"]
    (impersonation, *_) = [action for action in actions if action["account_id"] == "impostor"]
    assert impersonation["policy"] == "misleading-identities"
    assert any(each["field"] == "profile.avatar" for each in impersonation["evidence"])
    # The posts themselves were judged at once, and clear but for what their texts say.
    of_posts = {
        body["subject"]["id"]: body["outcome"]
        for body in scene.of("decisions")
        if body["record"]["topic"] == "posts"
    }
    assert of_posts["post-child-sexual-exploitation"] == "clear"
    assert of_posts["post-copyright"] == "clear"


def test_a_hostile_file_is_a_dead_letter_of_its_own_and_its_post_is_judged_as_always(
    scene: MediaScene, workers: Workers, tmp_path: Path
) -> None:
    # A picture that says it has 60 000 by 60 000 pixels.
    scene.picture("bomb.png", texture(1, (64, 64)))
    bomb = (scene.files / "bomb.png").read_bytes()
    header = b"IHDR" + struct.pack(">II", 60_000, 60_000) + bomb[24:29]
    scene.file("bomb.png", bomb[:12] + header + struct.pack(">I", zlib.crc32(header)) + bomb[33:])
    bad = [
        ("too_many_pixels", "image", (scene.files / "bomb.png").as_uri()),
        ("unreadable", "image", scene.file("cut.jpg", (scene.files / "bomb.png").read_bytes()[:40])),
        (
            "playlist",
            "video",
            scene.file("list.m3u8", b"#EXTM3U\n#EXTINF:9,\nhttp://169.254.169.254/latest\n"),
        ),
        ("mislabelled", "video", scene.picture("no-video.jpg", texture(4, SIZE))),
        ("host", "image", "file:///etc/passwd"),
        ("scheme", "image", "http://169.254.169.254/latest"),
        ("not_found", "image", (scene.files / "nowhere.jpg").as_uri()),
    ]
    for name, (policy, seed) in BANKS.items():
        write_bank(scene, name, policy, known(seed))
    processes = [scene.media_worker(), judging_worker(workers, pack_with(tmp_path, known(1)))]
    for reason, kind, uri in bad:
        scene.post(
            f"post-{reason}",
            item("m1", uri, kind=kind),
            author=reason,
            text="I will kill you tomorrow, coward",
        )
    # One bad file beside a good one.
    scene.post("two", item("bad", bad[0][2], kind="image"), _reposted(14, scene), author="two")
    scene.wait(len(bad) + 2)
    scene.oracle.wait_for(
        lambda records: sum(record.topic == "decisions" for record in records) >= len(bad) + 2,
        60.0,
        "the posts' decisions",
    )
    assert [process.stop() for process in processes] == [0, 0]
    letters = {letter["subject"]["id"]: letter for letter in scene.of("dead-letter")}
    assert letters.keys() == {f"post-{reason}/m1" for reason, _, _ in bad} | {"two/bad"}
    for reason, _, uri in bad:
        letter = letters[f"post-{reason}/m1"]
        assert letter["reason"] == "media_refused"
        assert letter["detail"].startswith(f"{reason}: "), letter["detail"]
        assert json.loads(base64.b64decode(letter["value_base64"]))["uri"] == uri
        assert uri not in letter["detail"]
    removed = {body["post_id"] for body in scene.of("enforcement.remove")}
    assert {f"post-{reason}" for reason, _, _ in bad} <= removed  # for what they say
    assert "two" in removed  # for its second item
    for process in processes:
        assert "169.254" not in process.log()
        assert "nowhere.jpg" not in process.log()


def test_a_bank_that_changes_counts_from_its_next_look_on(scene: MediaScene) -> None:
    media = scene.media_worker(MEDIA_BANK_RELOAD="0.2").wait_ready()
    uri = scene.picture("known.jpg", altered(known(21)))
    scene.post("before", item("m1", uri))
    scene.wait(1)
    write_bank(scene, "new", "copyright", known(21), opinion="seed")
    _until(media, 1)
    scene.post("after", item("m1", uri))
    scene.wait(2)
    # A faulty file keeps what was there.
    (scene.banks / "new" / "pdq.txt").write_text("no hash\n")
    _until_faulty(media)
    scene.post("still", item("m1", uri))
    scene.wait(3)
    assert media.stop() == 0
    matches = {body["post_id"]: body["matches"] for body in scene.of("media.signals")}
    assert matches["before"] == []
    for post_id in ("after", "still"):
        (match,) = matches[post_id]
        assert (match["bank"], match["policy"], match["opinion"]) == ("new", "copyright", "seed")
        assert match["kind"] == "pdq"
        assert match["distance"] <= 31


def _until(media: WorkerProcess, entries: int) -> None:
    from tests.kafka.waiting import wait_until

    wait_until(
        lambda: media.metric("moderator_media_bank_entries") == entries,
        20.0,
        f"{entries} entries",
        lambda: media.get("/readyz")[1] + media.log(),
    )


def _until_faulty(media: WorkerProcess) -> None:
    from tests.kafka.waiting import wait_until

    wait_until(lambda: media.metric("moderator_media_bank_faulty") == 1, 20.0, "a faulty file", media.log)
