from __future__ import annotations

import json

import pytest

from tests.worker.cli.conftest import PACK
from worker.engine.registry import Pack, load_pack
from worker.scoring import Scorer


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK)


def test_an_empty_batch_gives_nothing(pack: Pack) -> None:
    assert Scorer(pack).score([]) == b""


def test_batches_give_the_same_as_one_by_one(pack: Pack) -> None:
    lines = [
        json.dumps({"id": n, "text": text}).encode()
        for n, text in enumerate(["zap", "fine", "blip", "zonk"] * 5)
    ]
    lines.insert(3, b"nope")
    single = Scorer(pack)
    assert Scorer(pack).score(lines) == b"".join(single.score([line]) for line in lines)
    assert (single.lines, single.bad) == (21, 1)
    assert single.summary() == "10 violation, 5 clear, 5 review"


def test_an_id_may_be_a_whole_number_or_a_string_and_comes_back_as_it_was(pack: Pack) -> None:
    out = Scorer(pack).score(
        [b'{"id": 7, "text": "x"}', b'{"id": "", "text": "x"}', b'{"id": true, "text": "x"}']
    )
    assert [json.loads(line)["id"] for line in out.splitlines()] == [7, "", None]


def test_a_deletion_is_clear_whatever_its_text_says(pack: Pack) -> None:
    post = {
        "schema_version": 1,
        "post_id": "p1",
        "author_id": "u1",
        "created_at": "2026-11-01T00:00:00Z",
        "text": "zap",
    }
    lines = [
        json.dumps(each).encode() for each in ({**post, "deleted": True}, post, {"id": 3, "text": "zap"})
    ]
    scorer = Scorer(pack)
    gone, judged, bare = (json.loads(line) for line in scorer.score(lines).splitlines())
    assert (gone["id"], gone["outcome"], gone["actions"]) == ("p1", "clear", [])
    assert gone["scores"].keys() == judged["scores"].keys()
    assert set(gone["scores"].values()) == {None}
    assert (judged["outcome"], bare["outcome"]) == ("violation", "violation")
    assert scorer.summary() == "2 violation, 1 clear"
