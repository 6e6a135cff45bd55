"""A labelled line says what its source knows, and nothing of what it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.evaluation.rows import BadRowError, Row, read_row


def _read(**fields: Any) -> Row:
    return read_row(json.dumps({"id": "r1", "text": "hello", **fields}).encode())


def test_a_covered_policy_without_a_label_is_a_true_negative() -> None:
    row = _read(labels=["violence"], covers=["violence", "abuse-harassment"])
    assert (row.truth("violence"), row.truth("abuse-harassment")) == (True, False)


def test_what_a_source_does_not_cover_is_unknown_never_negative() -> None:
    assert _read(labels=[], covers=["violence"]).truth("hateful-conduct") is None


def test_a_label_without_cover_is_a_positive() -> None:
    assert _read(labels=["violence"]).truth("violence") is True


@pytest.mark.parametrize("labels", [[], ["violence"]])
def test_weak_says_nothing_with_certainty(labels: list[str]) -> None:
    assert _read(labels=labels, covers=["violence"], weak=["violence"]).truth("violence") is None


def test_posts_that_nobody_labelled_are_presumed_harmless() -> None:
    assert _read(labels=[], covers=["violence"], weak=["violence"]).presumed_benign
    assert not _read(labels=[], covers=["violence"]).presumed_benign
    assert not _read(labels=["violence"], weak=["hateful-conduct"]).presumed_benign
    assert not _read(labels=[]).presumed_benign


def test_slices_are_what_the_row_names() -> None:
    row = _read(source="made", lang="es", genre="chat", evasion="leet", orig={"functionality": "negation"})
    assert row.slices == {
        "source": "made",
        "language": "es",
        "genre": "chat",
        "functionality": "negation",
        "evasion": "leet",
    }


def test_a_whole_post_can_carry_labels() -> None:
    post = {
        "schema_version": 1,
        "post_id": "p1",
        "author_id": "u1",
        "created_at": "2026-11-22T09:30:00Z",
        "text": "hi",
        "lang": "en",
    }
    row = read_row(json.dumps({**post, "labels": ["violence"], "covers": ["violence"]}).encode())
    assert (row.id, row.post.author_id, row.slices["language"]) == ("p1", "u1", "en")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense", "not JSON"),
        (b"[]", "expected an object"),
        (b'{"id": "1"}', "text: missing"),
        (b'{"text": "x", "labels": "violence"}', "labels: expected a list"),
        (b'{"text": "x", "covers": [1]}', "covers: expected a list"),
        (b'{"text": "x", "weak": ["rudeness"]}', "no such policy: rudeness"),
        (b'{"post_id": "1", "text": "secret words"}', "schema_version"),
    ],
)
def test_a_bad_line_says_why_and_never_repeats_its_text(line: bytes, why: str) -> None:
    with pytest.raises(BadRowError, match=why) as caught:
        read_row(line)
    assert "secret" not in str(caught.value)
