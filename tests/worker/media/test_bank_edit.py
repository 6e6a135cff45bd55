"""Banks are made and changed by whole files, and what is wrong in them is found, with its line."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.media.bank_helpers import digits, make_bank, pdq_like, video
from tests.worker.media.test_tlsh import OF_TEXT
from worker.media.bank_edit import Edit, add_entries, add_picture, create_bank, picture_of
from worker.media.bank_files import BankError, BankInfo, Kind, entry_id, read_bank, summed_up
from worker.media.bank_lint import counts, lint
from worker.media.banks import BankFolder
from worker.media.exchange_format import Change
from worker.media.item import Found

ONE, TWO, THREE = pdq_like("one"), pdq_like("two"), pdq_like("three")
JPEG = b"\xff\xd8\xff\xd9"
CHILDREN = "child-sexual-exploitation"


def info(policy: Any = "illegal-goods", opinion: Any = "confirmed", **more: Any) -> BankInfo:
    return BankInfo(policy=policy, source='the "test"', opinion=opinion, **more)


def reasons(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in lint(folder)]


def test_a_bank_is_made_filled_and_matches(tmp_path: Path) -> None:
    stated = info(description="a\nb", read_at=date(2026, 11, 24), share=0.5, enabled=False)
    path = create_bank(tmp_path, "goods", stated)
    assert read_bank(path).info == stated
    create_bank(tmp_path, "live", info())
    clip = json.dumps([f"{pdq_like(str(i))},90,{i}.0" for i in range(3)])
    edit = add_entries(
        tmp_path,
        "live",
        [
            Change("pdq", ONE, "e-1", quality=90),
            Change("sha256", digits("s")),
            Change("md5", digits("m", 32)),
            Change("tlsh", OF_TEXT[400][2:].lower(), opinion="seed"),
            Change("vpdq", clip, "v-1"),
        ],
    )
    assert edit == Edit(added=5)
    assert counts(tmp_path)["live"] == {"sha256": 1, "md5": 1, "pdq": 1, "vpdq": 1, "tlsh": 1}
    assert (tmp_path / "live" / "pdq.txt").read_text() == f"{ONE}\te-1\t\t90\n"
    assert (tmp_path / "live" / "tlsh.txt").read_text() == f"{OF_TEXT[400]}\t\tseed\n"
    banks = BankFolder(tmp_path)
    banks.reload()
    assert [hit.entry for hit in banks.current.match(Found(pdq=ONE, pdq_quality=80))] == ["e-1"]
    assert [hit.opinion for hit in banks.current.match(Found(tlsh=OF_TEXT[400]))] == ["seed"]
    assert {file.name for file in tmp_path.iterdir()} == {"goods", "live"}  # nothing is left lying about


def test_a_bank_cannot_be_made_twice_or_with_another_kind_of_name(tmp_path: Path) -> None:
    create_bank(tmp_path, "goods", info())
    for name in ("goods", "../x", "Goods", ".x", ""):
        with pytest.raises(BankError):
            create_bank(tmp_path, name, info())
    with pytest.raises(BankError, match="no such bank"):
        add_entries(tmp_path, "nowhere", [])


def test_lines_that_are_not_concerned_stay_as_they_are(tmp_path: Path) -> None:
    path = make_bank(
        tmp_path, "b", pdq=["# from the first list", ONE.upper(), "", f"{TWO}\te-2\tseed\t80", THREE]
    )
    before = (path / "pdq.txt").read_bytes()
    assert add_entries(tmp_path, "b", [Change("pdq", ONE), Change("pdq", TWO, "other")]) == Edit(unchanged=2)
    assert (path / "pdq.txt").read_bytes() == before
    edit = add_entries(
        tmp_path,
        "b",
        [
            Change("pdq", TWO, opinion="confirmed"),
            Change("pdq", THREE, deleted=True),
            Change("pdq", pdq_like("4")),
        ],
    )
    assert edit == Edit(added=1, changed=1, removed=1)
    expected = ["# from the first list", ONE.upper(), "", f"{TWO}\te-2\t\t80", pdq_like("4")]
    assert (path / "pdq.txt").read_text().splitlines() == expected


def test_videos_are_changed_and_removed_by_their_ids(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", videos=[video("v-1", [ONE]), video("v-2", [TWO])])
    same = json.dumps([f"{ONE},90,0.000"])
    assert add_entries(tmp_path, "b", [Change("vpdq", same, "v-1")]) == Edit(unchanged=1)
    edit = add_entries(
        tmp_path,
        "b",
        [
            Change("vpdq", same, "v-1", "disputed"),
            Change("vpdq", "", "v-2", deleted=True),
            Change("vpdq", same),
        ],
    )
    assert (edit.added, edit.changed, edit.removed) == (1, 1, 1)
    bank = read_bank(path)
    assert (len(bank.videos), bank.refuted) == (1, 1)


def test_deleting_an_entry_deletes_all_its_hashes(tmp_path: Path) -> None:
    make_bank(
        tmp_path, "b", pdq=[f"{ONE}\te-1", TWO], md5=[f"{digits('m', 32)}\te-1"], videos=[video("e-1", [ONE])]
    )
    assert add_entries(tmp_path, "b", [Change("md5", "", "e-1", deleted=True)]) == Edit(removed=3)
    assert {kind: n for kind, n in counts(tmp_path)["b"].items() if n} == {"pdq": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change("pdq", ONE, quality=49), "quality"),
        (Change("pdq", "0" * 64), "plain picture"),
        (Change("pdq", "f" * 64, quality=100), "plain picture"),
        (Change("sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "nothing"),
        (Change("md5", "d41d8cd98f00b204e9800998ecf8427e"), "nothing"),
        (Change("md5", digits("m", 32), "two words"), "id"),
        (Change("md5", digits("m", 32), "no\u00a0break"), "id"),
        (Change("md5", digits("m", 32), "tab\there"), "id"),
        (Change("md5", digits("m", 32), "line\u2028end"), "id"),
        (Change("md5", digits("m", 32), "x" * 129), "id"),
        (Change("vpdq", json.dumps([f"{ONE},49,0.0"])), "quality"),
        (Change("vpdq", "[]"), "frames"),
    ],
)
def test_what_would_match_too_much_is_refused(tmp_path: Path, change: Change, reason: str) -> None:
    make_bank(tmp_path, "b", pdq=[TWO])
    edit = add_entries(tmp_path, "b", [change])
    assert (edit.added, len(edit.refused)) == (0, 1)
    assert reason in edit.refused[0][1]


def test_a_faulty_file_is_not_written_over(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=[ONE, "what?"])
    with pytest.raises(BankError, match=r"pdq\.txt:2"):
        add_entries(tmp_path, "b", [Change("pdq", TWO)])
    assert (path / "pdq.txt").read_text() == f"{ONE}\nwhat?\n"


@pytest.mark.parametrize("policy", [CHILDREN, "non-consensual-nudity"])
def test_where_only_hashes_may_be_pictures_and_names_are_refused(tmp_path: Path, policy: str) -> None:
    create_bank(tmp_path, "b", info(policy))
    with pytest.raises(BankError, match="hashes and nothing else"):
        add_picture(tmp_path, "b", "e-1", JPEG)
    edit = add_entries(tmp_path, "b", [Change("pdq", ONE, "anna-berlin-2"), Change("pdq", TWO, "id:4711-ab")])
    assert (edit.added, [entry for entry, _ in edit.refused]) == (1, ["anna-berlin-2"])
    pictures = tmp_path / "b" / "pictures"
    pictures.mkdir()
    (pictures / "id-4711-ab.jpg").write_bytes(JPEG)
    assert picture_of(tmp_path, "b", "id:4711-ab") is None
    with pytest.raises(BankError, match="hashes and nothing else"):
        add_entries(tmp_path, "b", [])
    assert any("hashes and nothing else" in reason for reason in reasons(tmp_path))


def test_pictures_are_kept_by_entry_or_hash(tmp_path: Path) -> None:
    make_bank(tmp_path, "b", pdq=[f"{ONE}\te:1", TWO])
    add_picture(tmp_path, "b", "e:1", JPEG)
    assert picture_of(tmp_path, "b", TWO, "e:1") == tmp_path / "b" / "pictures" / "e-1.jpg"
    add_picture(tmp_path, "b", entry_id("pdq", TWO), JPEG)
    assert picture_of(tmp_path, "b", entry_id("pdq", TWO)) is not None
    (tmp_path / "b" / "outside.jpg").write_bytes(JPEG)
    assert picture_of(tmp_path, "b", "../outside", "..", ".", "") is None
    (tmp_path / "b" / "outside.jpg").unlink()
    assert picture_of(tmp_path, "../b", "e:1") is None
    for name, data in (
        ("../x", JPEG),
        ("..", JPEG),
        ("", JPEG),
        ("a", b"GIF89a"),
        ("a", JPEG + bytes(5 * 1024 * 1024)),
    ):
        with pytest.raises(BankError):
            add_picture(tmp_path, "b", name, data)
    assert not [reason for reason in reasons(tmp_path) if "picture" in reason]


def test_what_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    make_bank(
        tmp_path,
        "b",
        pdq=[
            "# list",
            ONE,
            ONE.upper(),
            f"{TWO}\t\t\t30",
            "0" * 64,
            "zz",
            f"{THREE}\ta b",
            f"{THREE}\t\tsure",
        ],
        md5=["d41d8cd98f00b204e9800998ecf8427e", f"{digits('m', 32)}\t\t\t90"],
        tlsh=[OF_TEXT[40][:-1]],
    )
    (tmp_path / "b" / "notes.txt").write_text("x")
    (tmp_path / "b" / "pictures").mkdir()
    (tmp_path / "b" / "pictures" / "other.jpg").write_bytes(JPEG)
    (tmp_path / "stray.txt").write_text("x")
    with (tmp_path / "b" / "vpdq.jsonl").open("w") as file:
        good = json.dumps(video("v", [ONE]))
        for line in (good, good, "{", "[]", '{"entry": "w"}', '{"entry": "w", "frames": ["x,1,2"]}',
                     json.dumps(video("low", [ONE], quality=10)), json.dumps(video("x", [ONE], extra=1))):  # fmt: skip
            file.write(line + "\n")
    assert sorted(reason.partition(": ")[0] for reason in reasons(tmp_path)) == sorted(
        ["b/bank.toml"] * 2
        + [f"b/pdq.txt:{n}" for n in (3, 4, 5, 6, 7, 8)]
        + ["b/md5.txt:1", "b/md5.txt:2", "b/tlsh.txt:1", "b/notes.txt", "b/pictures/other.jpg", "stray.txt"]
        + [f"b/vpdq.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7, 8)]
    )


@pytest.mark.parametrize(
    ("more", "policy", "reason"),
    [
        ("", "no-such", "policy"),
        ("what = 1", "copyright", "what"),
        ("share = 2.0", "copyright", "share"),
        ("reviewed_at = 2026-11-01", "copyright", "read_at"),
        ("read_at = 2026-11-01", "copyright", "reviewed_at"),
    ],
)
def test_what_a_bank_says_of_itself_is_checked(tmp_path: Path, more: str, policy: str, reason: str) -> None:
    make_bank(tmp_path, "b", policy=policy, more=more, pdq=[ONE])
    assert [found for found in reasons(tmp_path) if reason in found]


def test_a_bank_without_source_hashes_or_a_proper_name_is_told(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "No_Name")
    (path / "bank.toml").write_text('policy = "copyright"\nopinion = "seed"\nsource = ""\n')
    found = reasons(tmp_path)
    for reason in ("source", "holds no hashes", "a bank's name"):
        assert [one for one in found if reason in one]


def test_a_bank_in_order_has_no_problems(tmp_path: Path) -> None:
    dates = "read_at = 2026-11-20\nreviewed_at = 2026-11-21"
    make_bank(
        tmp_path,
        "b",
        policy=CHILDREN,
        more=dates,
        pdq=[f"{ONE}\t4711\tseed\t80", TWO],
        videos=[video("9", [ONE])],
    )
    (tmp_path / "README.md").write_text("what these are")
    assert reasons(tmp_path) == []


def test_a_file_of_other_bytes_is_named(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=[ONE])
    (path / "pdq.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BankError, match="not UTF-8"):
        read_bank(path)


def test_only_the_first_faults_of_a_file_are_told(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=["x"] * 10_000)
    with pytest.raises(BankError) as caught:
        read_bank(path)
    assert len(caught.value.problems) == 50


def test_a_large_file_is_read_in_seconds(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b", pdq=[f"{i * 0x9E3779B97F4A7C15:064x}" for i in range(100_000)])
    begin = time.process_time()
    assert len(read_bank(path).hashes["pdq"]) == 100_000
    assert time.process_time() - begin < 2  # measured: 0.1 s


CATEGORIES = ("negative", "seed", "confirmed", "disputed")


@given(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=6))
@settings(max_examples=60)
def test_opinions_are_summed_up_in_any_order(opinions: list[Any]) -> None:
    total = opinions[0]
    for one in opinions[1:]:
        total = summed_up(total, one)
    known = set(opinions)
    if "disputed" in known or ("negative" in known and len(known) > 1):
        assert total == "disputed"
    else:
        assert total == ("confirmed" if "confirmed" in known else opinions[0])


KINDS_OF_LINES: tuple[tuple[Kind, int], ...] = (("pdq", 64), ("md5", 32), ("sha256", 64))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS_OF_LINES),
            st.integers(0, 12),
            st.sampled_from([None, *CATEGORIES]),
            st.booleans(),
        ),
        max_size=40,
    )
)
@settings(max_examples=30, deadline=None)
def test_after_adding_a_bank_holds_what_was_said_last(
    tmp_path_factory: pytest.TempPathFactory, said: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("banks")
    create_bank(folder, "b", info())
    expected: dict[tuple[str, str], str | None] = {}
    for (kind, length), seed, opinion, deleted in said:
        value = pdq_like(str(seed))[:length]
        add_entries(folder, "b", [Change(kind, value, opinion=opinion, deleted=deleted)])
        if deleted:
            expected.pop((kind, value), None)
        else:
            before = expected.get((kind, value))
            expected[kind, value] = before if opinion is None else opinion
    held = read_bank(folder / "b")
    for kind, _ in KINDS_OF_LINES:
        live = {
            value
            for (k, value), opinion in expected.items()
            if k == kind and opinion not in ("negative", "disputed")
        }
        found = held.hashes.get(kind)
        assert {found.digits(row) for row in range(len(found))} == live if found else not live
