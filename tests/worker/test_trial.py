"""A post is found by its id however its line writes that id."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.worker.engine.helpers import PACK, post
from worker.engine.registry import Pack, load_pack
from worker.trial import find_post

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
