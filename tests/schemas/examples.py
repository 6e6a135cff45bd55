"""The contract page's examples, written out by hand; what once was valid stays valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from schemas.decode import Decoded, DecodeError, decode

FOLDER = Path(__file__).parent / "fixtures" / "v1"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Property tests fail by what they find, not because the machine is busy."""


def topic_of(name: str) -> str:
    return name.partition("__")[0]


def value_of(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def content_of(name: str) -> dict[str, Any]:
    content = json.loads(value_of(name))
    assert isinstance(content, dict)
    return content


def post(**changes: Any) -> bytes:
    """A valid post with these fields changed or added, as bytes."""
    return json.dumps(content_of("posts__minimal") | changes).encode()


def judge(topic: str, value: bytes | None) -> Decoded | DecodeError:
    """What decoding comes to; any other exception is the test's failure."""
    try:
        return decode(topic, value)
    except DecodeError as error:
        return error
