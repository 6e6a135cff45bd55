"""A post is found by its id however its line writes that id."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.worker.engine.helpers import CACHE, PACK, post
from tests.worker.engine.media import MEDIA, found, picture, shown
from worker.engine.explaining import explain
from worker.engine.registry import Pack, load_pack
from worker.trial import find_post, find_signals

ID = "at://ann/post/é1"


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack(PACK, backend="re2")


def plain(value: object) -> bytes:
    return json.dumps({"topic": "posts", "value": value}, ensure_ascii=False).encode()


def escaped(value: object) -> bytes:
    return json.dumps({"topic": "posts", "value": value}).encode()


def slashes_escaped(value: object) -> bytes:
    return plain(value).replace(b"/", b"\\/")


def in_base64(value: object) -> bytes:
    data = base64.b64encode(json.dumps(value).encode()).decode()
    return json.dumps({"topic": "posts", "value_base64": data}).encode()


@pytest.mark.parametrize("write", [plain, escaped, slashes_escaped, in_base64])
def test_every_line_that_replay_reads_can_be_explained(pack: Pack, write: Callable[[object], bytes]) -> None:
    lines = [write(post("zap", "0")), write(post("zap again", ID))]
    assert find_post(pack, lines, ID).post.text == "zap again"


def test_what_was_found_in_the_media_is_on_trial_as_the_account_stood_then() -> None:
    pack = load_pack(MEDIA, cache_dir=CACHE)
    post = shown("realword", picture(), picture("m2"))
    made: Any = {"provenance": {"ai_generated": True}}
    values = [
        found(post, "m2", **made),
        post,
        found(None, "m1", **made),
        found(post, "m9"),
        shown(post_id="2"),
    ]
    topics = ["media.signals", "posts", "media.signals", "media.signals", "posts"]
    lines = [json.dumps({"topic": t, "value": v}).encode() for t, v in zip(topics, values, strict=True)]
    trials = find_signals(pack, lines, "1")
    assert [(trial.signals.media_id, trial.ahead) for trial in trials] == [("m2", True), ("m1", False)]
    first, second = (explain(pack, trial.subject, trial.now) for trial in trials)
    assert (first.ruling.outcome, second.ruling.outcome) == ("violation", "violation")
    (part,) = [one for one in second.policies if one.judgement.notable]
    assert part.judgement.loaded.policy.id == "synthetic-media"
    assert {item.field for item in part.judgement.evidence} == {"media[0]", "text"}
    assert find_signals(pack, lines, "2") == []
