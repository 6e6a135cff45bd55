"""Exports of hash exchanges are read in the forms in which their own tools write them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.media.bank_helpers import digits, make_bank, pdq_like
from tests.worker.media.test_tlsh import OF_TEXT
from worker.media.bank_edit import add_entries
from worker.media.exchange_format import Change, ExchangeError, kind_of, read_export

pytest.importorskip("defusedxml")

ONE, TWO, MD5, SHA = pdq_like("one"), pdq_like("two"), digits("m", 32), digits("s")


def export(folder: Path, text: str, name: str = "export.json") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def update(
    value: str = ONE, kind: str = "HASH_PDQ", *descriptors: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """A record of `threat_updates`, with the fields that python-threatexchange asks for."""
    record = {
        "id": "1",
        "indicator": value,
        "type": kind,
        "last_updated": 1_700_000_000,
        "should_delete": False,
    }
    return {**record, "descriptors": {"data": list(descriptors)}, **more}


def descriptor(owner: int, status: str, *reactions: tuple[str, str], tags: Any = ()) -> dict[str, Any]:
    said = [{"key": key, "value": value} for key, value in reactions]
    return {"id": f"{owner}0", "owner": {"id": str(owner)}, "status": status, "reactions": said, "tags": tags}


@pytest.mark.parametrize(
    ("descriptors", "opinion"),
    [
        ([descriptor(1, "MALICIOUS")], "confirmed"),
        ([descriptor(1, "SUSPICIOUS")], "seed"),
        ([descriptor(1, "UNKNOWN"), descriptor(2, "MALICIOUS")], "confirmed"),
        ([descriptor(1, "NON_MALICIOUS")], "negative"),
        ([descriptor(1, "MALICIOUS"), descriptor(2, "NON_MALICIOUS")], "disputed"),
        ([descriptor(1, "MALICIOUS", ("DISAGREE_WITH_TAGS", "2,3"))], "disputed"),
        ([descriptor(1, "UNKNOWN", ("HELPFUL", "2"))], "confirmed"),
        (
            [descriptor(1, "MALICIOUS", ("DISAGREE_WITH_TAGS", "1"))],
            "confirmed",
        ),  # a member's descriptor outweighs it
        ([descriptor(1, "MALICIOUS", tags={"data": [{"text": "a"}]})], "confirmed"),
    ],
)
def test_what_the_members_of_an_exchange_say_becomes_one_opinion(
    tmp_path: Path, descriptors: list[dict[str, Any]], opinion: str
) -> None:
    for text in (
        json.dumps([update(ONE, "HASH_PDQ", *descriptors)]),
        json.dumps(update(ONE, "HASH_PDQ", *descriptors)),
    ):
        (change,) = read_export(export(tmp_path, text))
        assert change == Change("pdq", ONE, "1", opinion)


def test_deleted_records_say_so_in_either_way(tmp_path: Path) -> None:
    gone = [update(should_delete=True), {k: v for k, v in update(TWO).items() if k != "descriptors"}]
    changes = read_export(export(tmp_path, "\n".join(json.dumps(record) for record in gone)))
    assert [(change.value, change.deleted) for change in changes] == [(ONE, True), (TWO, True)]


def test_types_are_read_and_others_counted(tmp_path: Path) -> None:
    clip = json.dumps([f"{ONE},90,0.0", f"{TWO},100,1.5"])
    member = descriptor(1, "MALICIOUS")
    records = [
        update(ONE.upper(), "HASH_PDQ", member),
        update(MD5, "HASH_MD5", member),
        update(digits("v", 32), "HASH_VIDEO_MD5", member),
        update(SHA, "HASH_SHA256", member),
        update(OF_TEXT[40], "HASH_TEXT_TLSH", member),
        update(clip, "HASH_VIDEO_PDQ", member),
        update("https://example.com", "URI", member),
        update(digits("t", 40), "HASH_SHA1", member),
        update("abc", "HASH_PDQ", member),
        update("a type with\nmore in it", "x y", member),
    ]
    skipped: Counter[str] = Counter()
    changes = read_export(export(tmp_path, json.dumps({"data": records, "paging": {}})), skipped=skipped)
    assert [(change.kind, change.value) for change in changes] == [
        ("pdq", ONE), ("md5", MD5), ("md5", digits("v", 32)), ("sha256", SHA), ("tlsh", OF_TEXT[40][2:].lower()),
        ("vpdq", json.dumps([f"{ONE},90,0.000", f"{TWO},100,1.500"])),
    ]  # fmt: skip
    assert skipped == {"type URI": 1, "type HASH_SHA1": 1, "not a hash of its type": 1, "type unknown": 1}
    assert kind_of("HASH_PDQ") == "pdq"
    assert kind_of("HASH_TMK") is None


def test_descriptors_of_one_hash_become_one_opinion(tmp_path: Path) -> None:
    records = [{"id": str(i), "raw_indicator": ONE, "type": "HASH_PDQ", "status": status, "owner": {"id": str(i)}}
               for i, status in enumerate(("MALICIOUS", "NON_MALICIOUS"))]  # fmt: skip
    assert [change.opinion for change in read_export(export(tmp_path, json.dumps(records)))] == ["disputed"]


def test_what_stopncii_sends_is_a_seed_until_a_platform_confirms_it(tmp_path: Path) -> None:
    def record(value: str, status: str, *feedback: str, kind: str = "ImagePDQ") -> dict[str, Any]:
        said = [{"feedbackValue": one, "source": "a", "tags": []} for one in feedback]
        return {"lastModtimestamp": 1, "signalType": kind, "hashValue": value, "hashStatus": status,
                "caseNumbers": {"1": status}, "CSPFeedbacks": said}  # fmt: skip

    values = [pdq_like(str(i)) for i in range(4)]
    records = [record(values[0], "Active"), record(values[1], "Active", "Blocked"), record(values[2], "Active", "NotBlocked"),
               record(values[3], "Withdrawn", "Blocked"), record(MD5, "Active", kind="VideoMD5")]  # fmt: skip
    body = {"count": 5, "nextPageToken": None, "hasMoreRecords": False, "hashRecords": records}
    changes = read_export(export(tmp_path, json.dumps(body)))
    assert [(change.kind, change.opinion, change.deleted) for change in changes] == [
        ("pdq", "seed", False), ("pdq", "confirmed", False), ("pdq", "disputed", False), ("pdq", "confirmed", True),
        ("md5", "seed", False),
    ]  # fmt: skip


def test_the_other_lists_in_json_are_read(tmp_path: Path) -> None:
    tat = {"count": 2, "results": [
        {"id": 7, "hash_digest": MD5, "algorithm": "MD5", "file_type": "mp4", "deleted": False},
        {"id": 8, "hash_digest": ONE, "algorithm": "PDQ", "file_type": "jpg", "deleted": True},
    ]}  # fmt: skip
    assert read_export(export(tmp_path, json.dumps(tat))) == [
        Change("md5", MD5, "7", "seed"), Change("pdq", ONE, "8", "seed", deleted=True)
    ]  # fmt: skip
    hma = {"id": 3, "signals": {"pdq": ONE, "video_md5": MD5, "photodna": "x"}}
    assert [(one.kind, one.entry) for one in read_export(export(tmp_path, json.dumps(hma)))] == [
        ("pdq", "3"),
        ("md5", "3"),
    ]
    plain = {"type": "pdq", "hash": ONE, "opinions": [{"category": "POSITIVE_CLASS"}], "quality": 80}
    assert read_export(export(tmp_path, json.dumps(plain))) == [Change("pdq", ONE, None, "confirmed", 80)]


def test_the_csv_of_the_tool_is_read(tmp_path: Path) -> None:
    rows = ["signal_type,signal_str,collab,category,tags", f"pdq,{ONE},c,POSITIVE_CLASS,a b", f"video_md5,{MD5},c,DISPUTED,",
            f"pdq,{TWO},c,INVESTIGATION_SEED,", f"pdq,{TWO},d,NEGATIVE_CLASS,", "url,https://x.example,c,POSITIVE_CLASS,"]  # fmt: skip
    skipped: Counter[str] = Counter()
    changes = read_export(export(tmp_path, "\r\n".join(rows), "collab.csv"), skipped=skipped)
    assert [(change.value, change.opinion) for change in changes] == [
        (ONE, "confirmed"),
        (MD5, "disputed"),
        (TWO, "disputed"),
    ]
    assert skipped == {"type url": 1}


def test_the_tools_cache_files_are_read(tmp_path: Path) -> None:
    text = f"{ONE},12,2020-07-01T18:31:15+0000,true_positive a\n{TWO},13,mine,false_positive\n"
    changes = read_export(export(tmp_path, text, "simple.HASH_PDQ.te"))
    assert [(change.entry, change.opinion) for change in changes] == [("12", "confirmed"), ("13", "negative")]
    hma = f"{MD5},99,12,2020-07-01T18:31:15+0000,a\n"
    assert read_export(export(tmp_path, hma, "simple.HASH_MD5.te")) == [Change("md5", MD5, "99", "seed")]
    with pytest.raises(ExchangeError, match="name"):
        read_export(export(tmp_path, text, "other.te"))


def test_files_of_the_file_exchange_are_read(tmp_path: Path) -> None:
    changes = read_export(
        export(tmp_path, f"# mine\npdq {ONE}\nvideo_md5 {MD5}\nurl https://x.example\n", "list.txt")
    )
    assert [(change.kind, change.opinion) for change in changes] == [("pdq", "seed"), ("md5", "seed")]
    bare = export(tmp_path, f"{ONE}\n{TWO}\n", "bare.txt")
    assert [change.value for change in read_export(bare, "pdq")] == [ONE, TWO]
    with pytest.raises(ExchangeError, match="line 1"):
        read_export(bare)


NCMEC = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">
  <images count="2" maxTimestamp="2017-10-24T15:10:00Z">
    <image><member id="42">Example</member><timestamp>2017-10-24T15:00:00Z</timestamp><id>image1</id>
      <classification>A1</classification>
      <fingerprints><md5>{MD5}</md5><sha1>a1</sha1><pdq>{ONE}</pdq></fingerprints>
      <feedback><negativeFeedback type="Md5"><reasons/></negativeFeedback></feedback></image>
    <deletedImage><member id="43">Other</member><id>image4</id><timestamp>2017-10-24T15:10:00Z</timestamp></deletedImage>
  </images>
  <videos count="1"><video><member id="42">E</member><id>video1</id>
    <fingerprints><md5>{digits("v", 32)}</md5></fingerprints></video></videos>
  <paging><next>/v2/entries</next></paging>
</queryResult>"""


def test_the_xml_of_ncmec_is_read(tmp_path: Path) -> None:
    skipped: Counter[str] = Counter()
    changes = read_export(export(tmp_path, NCMEC, "entries.xml"), skipped=skipped)
    assert changes == [
        Change("md5", MD5, "image1", "disputed"),
        Change("pdq", ONE, "image1", "confirmed"),
        Change("md5", "", "image4", deleted=True),
        Change("md5", digits("v", 32), "video1", "confirmed"),
    ]
    assert skipped == {"type sha1": 1}


def test_xml_that_grows_or_reaches_out_is_refused(tmp_path: Path) -> None:
    for bad in (
        '<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "<a>",
    ):
        with pytest.raises(ExchangeError, match="no XML"):
            read_export(export(tmp_path, bad, "entries.xml"))


@pytest.mark.parametrize("text", ['[{"type": "pdq"', '{"a": 1}\n{"b"', "[" * 100_000, '{"a":' * 50_000])
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ExchangeError, match="JSON"):
        read_export(export(tmp_path, text))


def test_an_export_goes_into_a_bank_and_later_deletes_from_it(tmp_path: Path) -> None:
    path = make_bank(tmp_path, "b")
    first = [
        update(ONE, "HASH_PDQ", descriptor(1, "MALICIOUS")),
        update(TWO, "HASH_PDQ", descriptor(1, "NON_MALICIOUS")),
    ]
    edit = add_entries(tmp_path, "b", read_export(export(tmp_path, json.dumps(first))))
    assert edit.added == 2
    assert (path / "pdq.txt").read_text() == f"{ONE}\t1\n{TWO}\t1\tnegative\n"
    assert add_entries(tmp_path, "b", read_export(export(tmp_path, json.dumps(first)))).unchanged == 2
    later = [update(ONE, should_delete=True), update(TWO, "HASH_PDQ", descriptor(1, "MALICIOUS"))]
    edit = add_entries(tmp_path, "b", read_export(export(tmp_path, json.dumps(later))))
    assert (edit.removed, edit.changed) == (1, 1)
    assert (path / "pdq.txt").read_text() == f"{TWO}\t1\n"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.sampled_from(["pdq", "HASH_MD5", ONE, MD5, "MALICIOUS", "", "x,y"]),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "signal_type",
                    "indicator",
                    "hashValue",
                    "descriptors",
                    "data",
                    "status",
                    "owner",
                    "id",
                    "reactions",
                    "key",
                    "value",
                    "opinions",
                    "category",
                    "should_delete",
                    "signals",
                    "quality",
                    "CSPFeedbacks",
                    "feedbackValue",
                    "tags",
                    "frames",
                ]
            ),
            inside,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_whatever_the_json_holds_it_is_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.mktemp("export") / "export.json"
    path.write_text(json.dumps([value]))
    for change in read_export(path):
        assert change.kind in {"pdq", "md5", "vpdq"}
