"""`moderator media` as its users run it: real files through the sandbox, real banks, and what must never be shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import worker.policies
from tests.worker.cli.conftest import Moderator, Ran
from tests.worker.media.bank_helpers import digits, make_bank
from tests.worker.media.films import write_video, write_wav
from tests.worker.media.pictures import landscape, poster, texture
from tests.worker.media.test_classifier import describe, save_model
from worker.media.pdq import dihedral, pdq

SIZE = (320, 240)
ABOUT = ("--policy", "copyright", "--opinion", "confirmed", "--source", "our own works")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    picture = landscape(1, SIZE)
    Image.fromarray(picture).save(folder / "a.jpg", quality=90)
    Image.fromarray((picture * 0.8).astype(np.uint8)).resize((200, 150)).save(folder / "again.png")
    Image.fromarray(texture(9, SIZE)).save(folder / "other.webp")
    return folder


@pytest.fixture
def banks(tmp_path: Path) -> Path:
    folder = tmp_path / "banks"
    folder.mkdir()
    return folder


def by_name(ran: Ran) -> dict[str, dict[str, object]]:
    return {Path(one["file"]).name: one for one in ran.json["files"]}


# ---------------------------------------------------------------- hash


def test_hash_says_what_is_in_pictures_videos_sound_and_documents(moderator: Moderator, files: Path) -> None:
    write_video(files / "v.mp4", [landscape(1, SIZE), texture(2, SIZE)])
    write_wav(files / "s.wav", 1.5)
    (files / "d.txt").write_text(" ".join(str(number * number) for number in range(400)))
    (files / ".hidden").write_text("not looked at")
    ran = moderator("media", "hash", str(files), "--json")
    assert ran.code == 0
    found = {name: one["found"] for name, one in by_name(ran).items()}
    assert found.keys() == {"a.jpg", "again.png", "other.webp", "v.mp4", "s.wav", "d.txt"}
    with Image.open(files / "other.webp") as image:
        assert found["other.webp"]["pdq"] == pdq(np.asarray(image.convert("RGB"))).hash
    assert len(found["v.mp4"]["frames"]) == 2
    assert found["s.wav"]["duration_seconds"] == 1.5
    assert found["d.txt"]["tlsh"]
    shown = moderator("media", "hash", str(files / "v.mp4"), str(files / "s.wav"))
    assert "video, mp4, 320 × 240 pixels, 2.0 s" in shown.out
    assert found["v.mp4"]["frames"][1]["pdq"] in shown.out
    assert "audio, wav, 1.5 s" in shown.out


def test_hash_gives_the_turned_and_mirrored_hashes(moderator: Moderator, files: Path) -> None:
    found = by_name(moderator("media", "hash", str(files / "other.webp"), "--dihedral", "--json"))
    turned = found["other.webp"]["found"]["turned"]
    with Image.open(files / "other.webp") as image:
        assert list(turned.values()) == [one.hash for one in dihedral(np.asarray(image.convert("RGB")))]
    assert list(turned)[:2] == ["as it is", "turned 90°"]


def test_hash_asks_an_operators_model(moderator: Moderator, files: Path, tmp_path: Path) -> None:
    model = describe(tmp_path, save_model(tmp_path))
    Image.new("RGB", (64, 64), (255, 0, 0)).save(files / "red.png")
    ran = moderator("media", "hash", str(files / "red.png"), "--model", str(model))
    assert "gore 0.00, nudity 1.00  by colours" in ran.out


def test_refused_files_are_named_and_the_others_are_hashed(moderator: Moderator, files: Path) -> None:
    (files / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (files / "list.m3u8").write_text("#EXTM3U\nhttp://10.0.0.1/a.ts\n")
    ran = moderator("media", "hash", str(files), "--json")
    assert ran.code == 2
    refused = {name: one["refused"]["reason"] for name, one in by_name(ran).items() if "refused" in one}
    assert refused == {"bad.jpg": "unreadable", "list.m3u8": "playlist"}
    assert "bad.jpg: refused: unreadable: " in ran.err
    assert "10.0.0.1" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["nowhere.jpg"], "No such file"),
        (["/dev/zero"], "neither a file nor a folder"),
        (["."], "no files in the folders"),
        (["f", "--model", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_hash_tells_what_it_cannot_use(
    moderator: Moderator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], told: str
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if given[0] == "f":
        (folder / "f").write_text("x")
    ran = moderator("media", "hash", *given)
    assert ran.code == 2
    assert told in ran.err
    assert "Traceback" not in ran.err


def test_a_name_that_would_move_the_cursor_is_shown_as_text(moderator: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[2Jb.txt"
    path.write_text("text")
    ran = moderator("media", "hash", str(path))
    assert "\x1b[2J" not in ran.out


# ---------------------------------------------------------------- bank add, list, lint


def test_a_bank_is_made_filled_and_listed(moderator: Moderator, files: Path, banks: Path) -> None:
    ran = moderator("media", "bank", "add", "works", str(files / "a.jpg"), "--banks", str(banks), *ABOUT)
    assert ran.code == 0, ran.err
    assert "works: made; 3 hashes added" in ran.err
    again = moderator(
        "media", "bank", "add", "works", str(files / "a.jpg"), "--banks", str(banks), "--json"
    ).json
    assert (again["added"], again["unchanged"]) == (0, 3)
    listed = moderator("media", "bank", "list", "--banks", str(banks), "--json").json["banks"]
    (bank,) = listed
    assert (bank["bank"], bank["policy"], bank["opinion"]) == ("works", "copyright", "confirmed")
    assert bank["entries"] == {"sha256": 1, "md5": 1, "pdq": 1}
    assert "works" in moderator("media", "bank", "list", "--banks", str(banks)).out


def test_a_video_becomes_an_entry_of_frames(moderator: Moderator, tmp_path: Path, banks: Path) -> None:
    video = write_video(
        tmp_path / "v.avi", [landscape(1, SIZE), texture(2, SIZE), poster(3, "X")[:240, :320]]
    )
    ran = moderator("media", "bank", "add", "films", str(video), "--banks", str(banks), *ABOUT, "--json")
    assert ran.code == 0, ran.err
    (bank,) = moderator("media", "bank", "list", "--banks", str(banks), "--json").json["banks"]
    assert bank["entries"]["vpdq"] == 1
    copy = write_video(tmp_path / "copy.mkv", [landscape(1, SIZE), texture(2, SIZE)])
    (checked,) = moderator("media", "check", str(copy), "--banks", str(banks), "--json").json["files"]
    kinds = {match["kind"]: match for match in checked["matches"]}
    assert kinds["vpdq"]["share"] == 1


def test_hashes_are_added_by_value_and_from_lists(moderator: Moderator, tmp_path: Path, banks: Path) -> None:
    lines = tmp_path / "list.txt"
    lines.write_text(f"# ours\n{digits('one', 32)}\n{digits('two', 32)}\n")
    ran = moderator(
        "media", "bank", "add", "works", "--banks", str(banks), *ABOUT, "--hash", f"pdq:{pdq(landscape(2)).hash}",
        "--hashes", str(lines), "--kind", "md5", "--json",
    )  # fmt: skip
    assert ran.json["added"] == 3
    dry = moderator(
        "media",
        "bank",
        "add",
        "works",
        "--banks",
        str(banks),
        "--hash",
        f"md5:{digits('three', 32)}",
        "--dry-run",
    )
    assert "1 hashes would be added" in dry.err
    (bank,) = moderator("media", "bank", "list", "--banks", str(banks), "--json").json["banks"]
    assert bank["entries"] == {"md5": 2, "pdq": 1}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["x"], "nothing to add"),
        (["x", "--hash", "md5:zz", *ABOUT], "no hash"),
        (["x", "--hash", f"md5:{'a' * 32}"], "there is no bank 'x'"),
        (["X/../y", "--hash", f"md5:{'a' * 32}", *ABOUT], "small letters"),
        (["x", "--hash", f"md5:{'a' * 32}", "--policy", "spam", *ABOUT[2:]], "no such policy"),
        (["x", "--hash", f"md5:{'a' * 32}", *ABOUT[:2], "--opinion", "sure", *ABOUT[4:]], "--opinion"),
        (["x", "--hashes", "list.txt"], "--hashes needs --kind"),
        (["x", "--hash", f"md5:{'a' * 32}", "--kind", "sha3"], "no such kind"),
        (["x", "--hash", f"md5:{'a' * 32}", "--entry", "a b", *ABOUT], "without spaces"),
        (["x", "--exchange", "none.json", *ABOUT], "No such file"),
    ],
)
def test_bank_add_tells_what_it_cannot_use_and_makes_nothing(
    moderator: Moderator, banks: Path, given: list[str], told: str
) -> None:
    ran = moderator("media", "bank", "add", *given, "--banks", str(banks))
    assert ran.code == 2
    assert told in ran.err
    assert list(banks.iterdir()) == []


def test_lint_names_the_file_and_the_line(moderator: Moderator, banks: Path) -> None:
    make_bank(banks, "works", policy="copyright", pdq=[digits("a"), "nonsense"])
    ran = moderator("media", "bank", "lint", "--banks", str(banks))
    assert ran.code == 1
    assert "pdq.txt:2" in ran.err
    assert moderator("media", "bank", "lint", "--banks", str(banks / "none")).code == 2


def test_lint_says_when_nothing_follows_from_a_bank(moderator: Moderator, banks: Path) -> None:
    """Only policies with a finding for it read matches; a list for another one would lie there unused."""
    about = "read_at = 2026-11-20\nreviewed_at = 2026-11-21\n"
    for policy in ("illegal-goods", "violent-extremism"):
        make_bank(banks, policy, policy=policy, more=about, md5=[digits(policy, 32)])
    bundled = Path(worker.policies.__file__).parent
    problems = moderator(
        "media", "bank", "lint", "--banks", str(banks), "--policies", str(bundled), "--json"
    ).json
    (only,) = problems["problems"]
    assert "illegal-goods has no finding hash.illegal-goods" in only["reason"]


# ---------------------------------------------------------------- check


def test_check_finds_altered_copies_and_draws_them(
    moderator: Moderator, files: Path, banks: Path, tmp_path: Path
) -> None:
    moderator(
        "media", "bank", "add", "works", str(files / "a.jpg"), "--banks", str(banks), *ABOUT, "--picture"
    )
    page = tmp_path / "page.html"
    ran = moderator("media", "check", str(files), "--banks", str(banks), "--html", str(page), "--json")
    assert ran.code == 1
    matches = {name: one["matches"] for name, one in by_name(ran).items()}
    assert matches["other.webp"] == []
    assert next(match["kind"] for match in matches["a.jpg"]) == "sha256"
    (again,) = matches["again.png"]
    assert again["kind"] == "pdq"
    assert len(again["bits"]["differing"]) == again["distance"] <= 31
    html = page.read_text()
    assert html.count("data:image/jpeg;base64,") == 4  # both files, and the bank's picture beside each
    assert "Content-Security-Policy" in html
    assert "<script" not in html
    assert "http" not in html.replace('http-equiv="Content-Security-Policy"', "")
    table = moderator("media", "check", str(files), "--banks", str(banks)).out
    assert "the same file" in table


def test_without_a_match_the_code_is_0(moderator: Moderator, files: Path, banks: Path) -> None:
    make_bank(banks, "works", policy="copyright", pdq=[digits("nothing like it")])
    ran = moderator("media", "check", str(files), "--banks", str(banks))
    assert ran.code == 0
    assert "No match in 3 files." in ran.out


def test_a_faulty_bank_is_told_and_is_code_2(moderator: Moderator, files: Path, banks: Path) -> None:
    make_bank(banks, "works", policy="copyright", pdq=["nonsense"])
    ran = moderator("media", "check", str(files), "--banks", str(banks))
    assert ran.code == 2
    assert "works" in ran.err


@pytest.mark.parametrize("policy", ["child-sexual-exploitation", "non-consensual-nudity"])
def test_what_matches_a_bank_of_hashes_only_is_never_shown(
    moderator: Moderator, files: Path, banks: Path, tmp_path: Path, policy: str
) -> None:
    """Not by another bank either, whose picture would be of the same thing."""
    moderator(
        "media", "bank", "add", "works", str(files / "a.jpg"), "--banks", str(banks), *ABOUT, "--picture"
    )
    refused = moderator(
        "media", "bank", "add", "held", str(files / "a.jpg"), "--banks", str(banks), "--policy", policy,
        "--opinion", "confirmed", "--source", "a hotline", "--picture",
    )  # fmt: skip
    assert refused.code == 2
    assert "holds hashes and nothing else" in refused.err
    moderator(
        "media", "bank", "add", "held", str(files / "a.jpg"), "--banks", str(banks), "--policy", policy,
        "--opinion", "confirmed", "--source", "a hotline",
    )  # fmt: skip
    assert not [path for path in (banks / "held").rglob("*") if path.suffix in {".jpg", ".jpeg", ".png"}]
    page = tmp_path / "page.html"
    ran = moderator(
        "media", "check", str(files / "a.jpg"), "--banks", str(banks), "--html", str(page), "--json"
    )
    assert ran.code == 1
    (one,) = ran.json["files"]
    assert {match["bank"] for match in one["matches"]} == {"works", "held"}
    assert all(match["hidden"] and match["bits"] is None for match in one["matches"])
    html = page.read_text()
    assert "data:image" not in html
    assert "<img" not in html
    assert "<svg" not in html
    assert "do not open the file" in html
    assert "held" in html


def test_names_are_escaped_on_the_page(moderator: Moderator, tmp_path: Path, banks: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    path = folder / '<img src=x onerror="1">.jpg'
    Image.fromarray(landscape(1, SIZE)).save(path, "JPEG")
    moderator("media", "bank", "add", "works", str(path), "--banks", str(banks), *ABOUT)
    page = tmp_path / "page.html"
    moderator("media", "check", str(folder), "--banks", str(banks), "--html", str(page))
    assert "<img src=x" not in page.read_text()


def test_check_tells_a_page_that_cannot_be_written(moderator: Moderator, files: Path, banks: Path) -> None:
    ran = moderator(
        "media", "check", str(files), "--banks", str(banks), "--html", str(banks / "no" / "page.html")
    )
    assert ran.code == 2
    assert "not a file in a folder that exists" in ran.err
