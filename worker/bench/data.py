"""The records of the benchmark: contract posts of about 300 bytes with the bundled texts.

The bundled posts are there to show decisions: one in fifteen is acted on or doubtful, far more than any platform
sees. Here it is one in a hundred; near misses, which are the dear ones among the harmless, stay as frequent as they are.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from schemas.base import format_time
from worker.demo.source import samples
from worker.engine.assess import Assessor
from worker.engine.contract import Subject
from worker.engine.registry import load_pack

VALUE_BYTES = 300
FORWARDED = 10  # bare loops and the no-op worker forward one record in so many
OTHERS_SHARE = 0.01  # of posts whose text is acted on or doubtful
_SEED = 7
_FILLING = "likes long walks and short books. "
_SPAN = timedelta(days=30)  # over how much event time a fill is spread: daily quotas must not decide the load


def posts(count: int, accounts: int, start: datetime, prefix: str = "b") -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of posts by this many accounts, a few of which post much more than the others.

    The same arguments give the same posts. Ids begin with `prefix`; times run from `start` over a month.
    """
    chance = random.Random(_SEED)  # noqa: S311 - a benchmark's load, not a secret
    harmless, others = _texts()
    step = _SPAN / max(count, 1)
    for number in range(count):
        author = f"{prefix}{min(int(accounts * chance.random() ** 2), accounts - 1)}"
        text = chance.choice(others if chance.random() < OTHERS_SHARE else harmless)
        yield (
            author.encode(),
            value(f"{prefix}-{number}", author, start + number * step, text),
        )


@functools.cache
def _texts() -> tuple[list[str], list[str]]:
    """The bundled texts: those that the bundled pack finds nothing in, and the others."""
    texts = [sample.text for sample in samples() if sample.post is not None and sample.text]
    subjects = [Subject("post", "1", "u1", {"text": text}, "en") for text in texts]
    pack = load_pack(backend="re2")  # compiles at once; which engine finds them does not matter here
    found = Assessor(pack).assess_subjects(subjects, [datetime(2000, 1, 1, tzinfo=UTC)] * len(texts))
    harmless = [text for text, each in zip(texts, found, strict=True) if each.outcome == "clear"]
    return harmless, [text for text, each in zip(texts, found, strict=True) if each.outcome != "clear"]


def value(post_id: str, author: str, time: datetime, text: str) -> bytes:
    """One post of at least 300 bytes, exactly so many where the text is short enough."""
    post = {
        "schema_version": 1,
        "post_id": post_id,
        "author_id": author,
        "created_at": format_time(time),
        "text": text,
        "lang": "en",
        "surface": "post",
        "author": {"handle": author, "bio": ""},
    }
    missing = VALUE_BYTES - len(to_json(post))
    if missing > 0:
        post["author"] = {"handle": author, "bio": (_FILLING * (missing // len(_FILLING) + 1))[:missing]}
    return to_json(post)


def now() -> datetime:
    """The time for posts of which the latency is measured."""
    return datetime.now(UTC)
