"""Banks match by their rules, and are read again without a moment in which there are none."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from schemas.media_signals import BankMatch
from schemas.posts import Frame
from tests.worker.media.bank_helpers import digits, make_bank, near, pdq_like, video
from tests.worker.media.test_tlsh import OF_TEXT, text
from worker.media.bank_files import entry_id
from worker.media.banks import MOST_MATCHES, BankFolder, Banks
from worker.media.item import Found
from worker.media.tlsh import tlsh

ONE, TWO, THREE = pdq_like("one"), pdq_like("two"), pdq_like("three")


def read(folder: Path) -> Banks:
    banks = BankFolder(folder)
    banks.reload()
    assert banks.faults == ()
    return banks.current


def match(folder: Path, **found: Any) -> list[BankMatch]:
    return list(read(folder).match(Found(**found)))


def frames(*hashes: str, quality: int | None = 80) -> tuple[Frame, ...]:
    return tuple(Frame(at_seconds=i, pdq=one, pdq_quality=quality) for i, one in enumerate(hashes))


@pytest.mark.parametrize(("distance", "quality", "matches"), [
    (0, 100, True), (31, 50, True), (32, 100, False), (31, 49, False), (0, 49, False), (0, None, True), (1, None, False),
])  # fmt: skip
def test_pictures_match_by_distance_and_quality(
    tmp_path: Path, distance: int, quality: int | None, matches: bool
) -> None:
    make_bank(tmp_path, "goods", pdq=[TWO, ONE])
    found = match(tmp_path, pdq=near(ONE, distance), pdq_quality=quality)
    if not matches:
        assert found == []
        return
    (hit,) = found
    assert (hit.bank, hit.policy, hit.opinion, hit.kind) == ("goods", "illegal-goods", "confirmed", "pdq")
    assert (hit.distance, hit.entry, hit.source, hit.share) == (
        distance,
        entry_id("pdq", ONE),
        "the test",
        None,
    )


def test_files_match_by_their_exact_hashes(tmp_path: Path) -> None:
    # Two hashes that begin alike, so that one search finds both and must tell them apart.
    alike = [digits("a")[:32] + digits(str(i))[:32] for i in range(3)]
    make_bank(tmp_path, "goods", sha256=alike, md5=[f"{digits('m', 32)}\tm-1"])
    (hit,) = match(tmp_path, sha256=alike[1])
    assert (hit.kind, hit.distance, hit.entry) == ("sha256", 0, entry_id("sha256", alike[1]))
    assert [hit.entry for hit in match(tmp_path, md5=digits("m", 32))] == ["m-1"]
    assert match(tmp_path, sha256=digits("a"), md5=digits("n", 32)) == []
    assert match(tmp_path) == []


def test_documents_match_by_tlsh(tmp_path: Path) -> None:
    make_bank(tmp_path, "manifestos", policy="violent-extremism", tlsh=[f"{OF_TEXT[400]}\td-7", OF_TEXT[40]])
    whole = text(400, "t")
    (hit,) = match(tmp_path, tlsh=tlsh(whole[:1500] + b" and so on " + whole[1500:]))
    assert (hit.kind, hit.distance, hit.entry, hit.policy) == ("tlsh", 28, "d-7", "violent-extremism")
    assert match(tmp_path, tlsh=tlsh(text(400, "u"))) == []


FRAMES = [pdq_like(f"frame {i}") for i in range(20)]


@pytest.mark.parametrize(
    ("same", "others", "share"), [(10, 0, 1.0), (8, 2, 0.8), (7, 3, None), (4, 1, 0.8), (3, 1, None)]
)
def test_videos_match_by_the_share_of_their_frames(
    tmp_path: Path, same: int, others: int, share: float | None
) -> None:
    make_bank(tmp_path, "clips", videos=[video("v-1", FRAMES), video("v-2", FRAMES[10:])])
    asked = [near(one, 20) for one in FRAMES[:same]] + [pdq_like(f"other {i}") for i in range(others)]
    found = match(tmp_path, frames=frames(*asked))
    assert [(hit.kind, hit.entry, hit.share, hit.distance) for hit in found] == (
        [] if share is None else [("vpdq", "v-1", share, 20)]
    )


def test_frames_of_low_quality_do_not_count_and_repeated_ones_count_once(tmp_path: Path) -> None:
    make_bank(tmp_path, "clips", videos=[video("v-1", FRAMES)])
    weak = frames(*(pdq_like(f"weak {i}") for i in range(9)), quality=49)
    (hit,) = match(tmp_path, frames=frames(*FRAMES[:4], pdq_like("other")) + weak)
    assert hit.share == 0.8
    repeated = frames(FRAMES[0], *[pdq_like("other")] * 1, *[FRAMES[0]] * 30)
    assert match(tmp_path, frames=repeated) == []  # one of two different frames
    assert match(tmp_path, frames=weak) == []


def test_a_still_shot_of_a_thousand_frames_is_one_match(tmp_path: Path) -> None:
    shot = [ONE[:60] + f"{i:04x}" for i in range(1_000)]
    make_bank(
        tmp_path, "clips", videos=[video("still", shot), video("other", FRAMES), video("part", shot[:3])]
    )
    found = match(tmp_path, frames=frames(*shot[::10], *FRAMES[:10]))
    assert [(hit.entry, hit.share, hit.distance) for hit in found] == [
        ("still", 0.9091, 0),
        ("part", 0.9091, 0),
    ]


def test_the_shares_are_the_banks_own(tmp_path: Path) -> None:
    asked = frames(*FRAMES[:5], *(pdq_like(f"other {i}") for i in range(5)))
    make_bank(tmp_path, "clips", more="query_frames = 0.5", videos=[video("v-1", FRAMES)])
    assert [hit.share for hit in match(tmp_path, frames=asked)] == [0.5]
    make_bank(tmp_path, "clips", more="query_frames = 0.5\nentry_frames = 0.3", videos=[video("v-1", FRAMES)])
    assert match(tmp_path, frames=asked) == []


def test_a_picture_of_a_bank_is_found_in_a_video(tmp_path: Path) -> None:
    make_bank(tmp_path, "logos", policy="third-party-ads", pdq=[f"{ONE}\tlogo-1"])
    (hit,) = match(tmp_path, frames=frames(TWO, near(ONE, 9), near(ONE, 4), THREE))
    assert (hit.kind, hit.entry, hit.distance) == ("pdq", "logo-1", 4)


def test_a_still_is_not_taken_for_a_video(tmp_path: Path) -> None:
    make_bank(tmp_path, "clips", videos=[video("v-1", FRAMES)])
    assert match(tmp_path, pdq=FRAMES[0], pdq_quality=100) == []


def test_of_an_entry_only_the_best_match_is_told_and_confirmed_ones_come_first(tmp_path: Path) -> None:
    make_bank(tmp_path, "both", sha256=[f"{digits('f')}\te-1"], pdq=[f"{ONE}\te-1", f"{near(ONE, 5)}\te-2"])
    make_bank(tmp_path, "seeds", opinion="seed", pdq=[ONE])
    found = match(tmp_path, sha256=digits("f"), pdq=ONE, pdq_quality=90)
    assert [(hit.bank, hit.entry, hit.kind, hit.opinion) for hit in found] == [
        ("both", "e-1", "sha256", "confirmed"),
        ("both", "e-2", "pdq", "confirmed"),
        ("seeds", entry_id("pdq", ONE), "pdq", "seed"),
    ]


@pytest.mark.parametrize(("bank", "lines", "expected"), [
    ("confirmed", [""], "confirmed"), ("confirmed", ["\t\tseed"], "seed"), ("seed", [""], "seed"),
    ("seed", ["\t\tconfirmed"], "seed"), ("confirmed", ["\t\tnegative"], None), ("confirmed", ["\t\tdisputed"], None),
    ("confirmed", ["", "\t\tnegative"], None), ("confirmed", ["\t\tseed", "\t\tconfirmed"], "confirmed"),
    ("seed", ["\t\tnegative", ""], None), ("confirmed", ["\t\tdisputed", "\t\tconfirmed"], None),
])  # fmt: skip
def test_opinions_are_summed_up_and_never_surer_than_the_bank(
    tmp_path: Path, bank: str, lines: list[str], expected: str | None
) -> None:
    make_bank(tmp_path, "b", opinion=bank, pdq=[ONE + line for line in lines])
    found = match(tmp_path, pdq=ONE, pdq_quality=90)
    assert [hit.opinion for hit in found] == ([] if expected is None else [expected])


def test_a_bank_that_is_not_enabled_or_rolled_out_to_nobody_matches_nothing(tmp_path: Path) -> None:
    for more in ("enabled = false", "share = 0.0"):
        make_bank(tmp_path, "b", pdq=[ONE], more=more)
        assert match(tmp_path, pdq=ONE, pdq_quality=90) == []


def test_a_larger_share_holds_all_that_a_smaller_one_does(tmp_path: Path) -> None:
    hashes = [pdq_like(str(i)) for i in range(200)]
    before: set[str] = set()
    for share in (0.1, 0.3, 0.7, 1.0):
        make_bank(tmp_path, "b", pdq=hashes, more=f"share = {share}")
        banks = read(tmp_path)
        live = {one for one in hashes if banks.match(Found(pdq=one, pdq_quality=90))}
        assert before <= live
        assert abs(len(live) / 200 - share) < 0.12
        assert banks.entries == {("illegal-goods", "pdq"): len(live)}
        before = live


def test_entries_are_counted_by_policy_and_kind(tmp_path: Path) -> None:
    make_bank(tmp_path, "a", pdq=[ONE, TWO, f"{THREE}\t\tdisputed"], md5=[digits("m", 32)])
    make_bank(tmp_path, "b", pdq=[ONE], videos=[video("v", FRAMES)])
    make_bank(tmp_path, "c", policy="copyright", sha256=[digits("s")])
    assert dict(read(tmp_path).entries) == {
        ("illegal-goods", "pdq"): 3,
        ("illegal-goods", "md5"): 1,
        ("illegal-goods", "vpdq"): 1,
        ("copyright", "sha256"): 1,
    }


def test_a_bank_of_near_copies_does_not_flood_a_record(tmp_path: Path) -> None:
    make_bank(tmp_path, "b", pdq=[ONE[:60] + f"{i:04x}" for i in range(2_000)])
    found = match(tmp_path, pdq=ONE, pdq_quality=90)
    assert len(found) == MOST_MATCHES
    assert [hit.distance for hit in found] == sorted(hit.distance for hit in found)


def test_a_folder_is_empty_until_it_is_read(tmp_path: Path) -> None:
    make_bank(tmp_path, "b", pdq=[ONE])
    banks = BankFolder(tmp_path)
    assert banks.current.match(Found(pdq=ONE, pdq_quality=90)) == ()
    assert banks.reload()
    assert len(banks.current.match(Found(pdq=ONE, pdq_quality=90))) == 1
    nowhere = BankFolder(None)
    assert not nowhere.reload()
    assert dict(nowhere.current.entries) == {}


def test_what_changes_is_read_again_and_nothing_else(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=[ONE])
    make_bank(tmp_path, "other", sha256=[digits("s")])
    banks = BankFolder(tmp_path)
    assert banks.reload()
    before = banks.current
    assert not banks.reload()
    os.utime(path / "pdq.txt", ns=(1, 1))  # touched, not changed
    assert not banks.reload()
    assert banks.current is before
    make_bank(tmp_path, "b", pdq=[ONE, TWO])
    assert banks.reload()
    assert before.match(Found(pdq=TWO, pdq_quality=90)) == ()  # a snapshot stays what it is
    assert len(banks.current.match(Found(pdq=TWO, pdq_quality=90))) == 1
    make_bank(tmp_path, "third", md5=[digits("m", 32)])
    assert banks.reload()
    for file in path.iterdir():
        file.unlink()
    path.rmdir()
    assert banks.reload()
    assert banks.current.names == ("other", "third")


def test_a_faulty_file_leaves_its_bank_as_it_was_and_says_where(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=[ONE])
    make_bank(tmp_path, "other", pdq=[TWO])
    banks = BankFolder(tmp_path)
    banks.reload()
    (path / "pdq.txt").write_text(f"# new\n{THREE}\n{THREE[:-1]}\nxyz\n")
    make_bank(tmp_path, "other", pdq=[THREE])
    assert banks.reload()  # the other one
    assert [fault.partition(": ")[0] for fault in banks.faults] == [f"{path / 'pdq.txt'}:{n}" for n in (3, 4)]
    assert "xyz" not in "".join(banks.faults)
    assert len(banks.current.match(Found(pdq=ONE, pdq_quality=90))) == 1
    assert [hit.bank for hit in banks.current.match(Found(pdq=THREE, pdq_quality=90))] == ["other"]
    assert not banks.reload()
    assert len(banks.faults) == 2  # still so
    (path / "pdq.txt").write_text(f"{THREE}\n")
    assert banks.reload()
    assert banks.faults == ()
    assert [hit.bank for hit in banks.current.match(Found(pdq=THREE, pdq_quality=90))] == ["b", "other"]


def test_a_bank_that_was_never_right_matches_nothing(tmp_path: Path) -> None:
    make_bank(tmp_path, "b", policy="no-such-policy", pdq=[ONE])
    (tmp_path / "empty").mkdir()
    banks = BankFolder(tmp_path)
    assert not banks.reload()
    assert banks.current.names == ()
    assert len(banks.faults) == 2


def test_the_folder_itself_may_vanish(tmp_path: Path) -> None:
    make_bank(tmp_path / "banks", "b", pdq=[ONE])
    banks = BankFolder(tmp_path / "banks")
    banks.reload()
    (tmp_path / "banks").rename(tmp_path / "away")
    with pytest.raises(OSError, match="banks"):
        banks.reload()
    assert len(banks.current.match(Found(pdq=ONE, pdq_quality=90))) == 1


@pytest.mark.parametrize("policy", ["child-sexual-exploitation", "non-consensual-nudity"])
@pytest.mark.parametrize("file", ["pictures/a.jpg", "a.jpg", "notes.md"])
def test_where_only_hashes_may_be_a_bank_with_more_is_not_used(
    tmp_path: Path, policy: str, file: str
) -> None:
    path = make_bank(tmp_path, "b", policy=policy, pdq=[ONE])
    assert len(match(tmp_path, pdq=ONE, pdq_quality=90)) == 1
    (path / file).parent.mkdir(exist_ok=True)
    (path / file).write_bytes(b"\xff\xd8")
    banks = BankFolder(tmp_path)
    banks.reload()
    assert banks.current.names == ()
    assert "hashes and nothing else" in banks.faults[0]


def test_looking_up_goes_on_while_the_folder_is_read(tmp_path: Path) -> None:
    make_bank(tmp_path, "b", pdq=[ONE])
    banks = BankFolder(tmp_path)
    banks.reload()
    stop, missed = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            if len(banks.current.match(Found(pdq=ONE, pdq_quality=90))) != 1:
                missed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for i in range(20):
            make_bank(tmp_path, "other", pdq=[pdq_like(f"{i} {k}") for k in range(100)])
            assert banks.reload()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert missed == []
