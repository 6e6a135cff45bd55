from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import Moderator
from worker.engine.dsa import KEYWORDS
from worker.filing import BATCH, BadStatementError, Filing, read_statement

# Written by hand in the shape of the database's documentation (docs/statements.md names it).
EXAMPLE: dict[str, Any] = {
    "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
    "end_date_visibility_restriction": "2026-12-24",
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "decision_ground_reference_url": "https://www.example.com/rules",
    "incompatible_content_ground": "You may not sell prohibited goods.",
    "incompatible_content_explanation": "The post offers goods that may not be sold.",
    "incompatible_content_illegal": "No",
    "category": "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
    "category_addition": ["STATEMENT_CATEGORY_CONSUMER_INFORMATION"],
    "category_specification": ["KEYWORD_PROHIBITED_PRODUCTS", "KEYWORD_HIDDEN_ADVERTISEMENT"],
    "content_type": ["CONTENT_TYPE_TEXT", "CONTENT_TYPE_OTHER"],
    "content_type_other": "poll",
    "content_language": "DE",
    "content_date": "2026-11-20",
    "application_date": "2026-11-22",
    "territorial_scope": ["DE", "AT", "NO"],
    "decision_facts": "Automated means found an offer of such goods in the text of the post.",
    "source_type": "SOURCE_ARTICLE_16",
    "automated_detection": "No",
    "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
    "puid": "TK421",
}


def example(**changes: Any) -> dict[str, Any]:
    """The example with other fields; None takes one out."""
    return {name: value for name, value in {**EXAMPLE, **changes}.items() if value is not None}


def _lines(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def test_the_documented_shape_is_taken() -> None:
    assert read_statement(EXAMPLE).puid == "TK421"
    filing = Filing()
    filing.take({"schema_version": 1, "category_specification_other": None, **EXAMPLE})
    assert [json.loads(line) for line in filing.statements()] == [EXAMPLE]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"puid": "a b"}, "puid"),
        ({"puid": "x" * 501}, "puid"),
        ({"puid": None}, "puid: Field required"),
        ({"category": "STATEMENT_CATEGORY_KITTENS"}, "category: the database has no STATEMENT_CATEGORY_KITTENS"),
        ({"category_specification": ["KEYWORD_NUDITY"]}, "KEYWORD_NUDITY does not belong"),
        ({"category_addition": None}, "KEYWORD_HIDDEN_ADVERTISEMENT does not belong"),
        ({"category_specification": ["KEYWORD_OTHER"]}, "category_specification_other: must be there"),
        ({"decision_visibility": None, "end_date_visibility_restriction": None}, "no decision"),
        ({"decision_visibility": ["DECISION_VISIBILITY_OTHER"]}, "decision_visibility_other: must be there"),
        ({"content_type": ["CONTENT_TYPE_TEXT"]}, "content_type_other: must be there exactly"),
        ({"content_type": []}, "content_type"),
        ({"content_language": "german"}, "content_language"),
        ({"content_date": "1999-12-31"}, "content_date: must be after 2000-01-01"),
        ({"content_date": "22.11.2026"}, "content_date"),
        ({"application_date": "2019-01-01"}, "application_date: must be after 2020-01-01"),
        ({"end_date_visibility_restriction": "2026-11-21"}, "lies before application_date"),
        ({"end_date_account_restriction": "2026-12-24"}, "there is no such restriction"),
        ({"territorial_scope": ["DE", "US"]}, "no countries of the EU or the EEA: US"),
        ({"incompatible_content_explanation": None}, "incompatible_content_explanation: must be there"),
        ({"decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT"}, "illegal_content_legal_ground: must be there"),
        ({"illegal_content_legal_ground": "a law"}, "illegal_content_legal_ground: does not go with"),
        ({"source_type": "SOURCE_VOLUNTARY", "source_identity": "x"}, "source_identity"),
        ({"decision_facts": ""}, "decision_facts"),
        ({"automated_detection": True}, "automated_detection"),
        ({"invented": 1}, "fields that no statement has: 1"),
    ],
)  # fmt: skip
def test_what_the_database_would_refuse_is_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadStatementError) as refused:
        read_statement(example(**changes))
    assert reason in str(refused.value)


def test_every_category_takes_its_own_keywords() -> None:
    plain: dict[str, Any] = {"category_addition": None, "category_specification": []}
    for category, keywords in KEYWORDS.items():
        for keyword in keywords:
            other = "something" if keyword == "KEYWORD_OTHER" else None
            fields = {
                "category": category,
                "category_specification": [keyword],
                "category_specification_other": other,
            }
            assert read_statement(example(**{**plain, **fields}))


def test_illegal_content_needs_its_own_fields() -> None:
    fields = {
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "incompatible_content_ground": None,
        "incompatible_content_explanation": None,
        "incompatible_content_illegal": None,
        "illegal_content_legal_ground": "section 130 of the criminal code",
        "illegal_content_explanation": "It incites.",
    }
    assert read_statement(example(**fields))
    with pytest.raises(BadStatementError, match="illegal_content_explanation: must be there"):
        read_statement(example(**{**fields, "illegal_content_explanation": None}))


def test_batches_hold_at_most_a_hundred_in_the_same_order_whatever_came_first(
    moderator: Moderator, tmp_path: Path
) -> None:
    values = [
        example(puid=f"p{n:03}", application_date=f"2026-11-{20 + n % 3}", content_date="2026-11-01")
        for n in range(2 * BATCH + 7)
    ]
    folders = []
    for name, order in (("a", values), ("b", values[::-1])):
        ran = moderator(
            "statements", "export", "--from", "-", "--out", str(tmp_path / name), stdin=_lines(*order)
        )
        assert ran.code == 0
        folders.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert folders[0] == folders[1]
    bodies = [json.loads(folders[0][name]) for name in sorted(folders[0])]
    assert [len(body["statements"]) for body in bodies] == [BATCH, BATCH, 7]
    assert all(set(body) == {"statements"} for body in bodies)
    flat = [(s["application_date"], s["puid"]) for body in bodies for s in body["statements"]]
    assert flat == sorted((v["application_date"], v["puid"]) for v in values)
    assert "207 statements in 3 files" in ran.err


def test_an_earlier_export_is_not_mixed_with_this_one(moderator: Moderator, tmp_path: Path) -> None:
    arguments = ("statements", "export", "--from", "-", "--out", str(tmp_path))
    assert moderator(*arguments, stdin=_lines(EXAMPLE)).code == 0
    again = moderator(*arguments, stdin=_lines(EXAMPLE))
    assert again.code == 2
    assert "holds statements-00001.json of an earlier export" in again.err


def test_duplicates_are_dropped_and_days_chosen(moderator: Moderator) -> None:
    values = [example(puid=f"p{day}", application_date=f"2026-11-{day}") for day in (21, 22, 23, 24)]
    ran = moderator(
        "statements", "export", "--from", "-", "--since", "2026-11-22", "--until", "2026-11-23",
        stdin=_lines(*values, *values),
    )  # fmt: skip
    assert ran.code == 0
    assert [line["puid"] for line in ran.lines] == ["p22", "p23"]
    assert "2 statements; 2 came again, 4 of other days" in ran.err
    assert moderator("statements", "export", "--from", "-", "--since", "yesterday").code == 2


def test_bad_records_are_named_and_the_good_ones_exported(moderator: Moderator, tmp_path: Path) -> None:
    data = _lines(EXAMPLE, example(puid="worse", category="STATEMENT_CATEGORY_X"), 7) + b"{nope\n\n"
    data += _lines(example(puid="last"))
    ran = moderator(
        "statements", "export", "--from", "-", "--out", str(tmp_path / "new" / "deep"), "--json", stdin=data
    )
    assert ran.code == 2
    assert ran.json["statements"] == 2
    assert [fault["place"] for fault in ran.json["bad"]] == ["line 2", "line 3", "line 4"]
    assert "line 2: category: the database has no STATEMENT_CATEGORY_X" in ran.err
    assert "line 4: no JSON" in ran.err
    written = json.loads((tmp_path / "new" / "deep" / "statements-00001.json").read_bytes())
    assert [s["puid"] for s in written["statements"]] == ["TK421", "last"]


def test_a_key_makes_puids_that_nobody_can_work_out(moderator: Moderator, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a secret of enough bytes\n")
    arguments = ("statements", "export", "--from", "-", "--key-file", str(key))
    first, again = (moderator(*arguments, stdin=_lines(EXAMPLE)).lines for _ in range(2))
    assert first == again
    assert first[0]["puid"] != "TK421"
    assert read_statement(first[0])
    key.write_text("another secret of enough bytes")
    assert moderator(*arguments, stdin=_lines(EXAMPLE)).lines[0]["puid"] != first[0]["puid"]
    key.write_text("short")
    refused = moderator(*arguments, stdin=_lines(EXAMPLE))
    assert refused.code == 2
    assert "shorter than 16 bytes" in refused.err


def test_what_replay_writes_can_be_exported(moderator: Moderator) -> None:
    posts = [
        {"schema_version": 1, "post_id": f"17900{n}", "author_id": "u1", "created_at": f"2026-11-22T0{n}:00:00Z",
         "text": "zap", "lang": "en"}
        for n in range(3)
    ]  # fmt: skip
    lines = _lines(*({"topic": "posts", "value": post} for post in posts))
    assert not any(line["topic"] == "statements" for line in moderator("replay", "-", stdin=lines).lines)
    replayed = moderator("replay", "-", "--statements", stdin=lines)
    actions = [line for line in replayed.lines if line["topic"].startswith("enforcement.")]
    ran = moderator("statements", "export", "--from", "-", stdin=replayed.out.encode())
    assert ran.code == 0
    assert len(ran.lines) == len(actions) >= 3
    for line in ran.lines:
        assert "schema_version" not in line
        assert all(value not in (None, [], "") for value in line.values())
        assert line["content_language"] == "EN"
    again = moderator("replay", "-", "--statements", stdin=lines)
    assert moderator("statements", "export", "--from", "-", stdin=again.out.encode()).out == ran.out


def test_a_missing_broker_ends_with_code_3(moderator: Moderator) -> None:
    assert moderator("statements", "export", "--broker", "127.0.0.1:1").code == 3
