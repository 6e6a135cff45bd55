"""The records of the benchmark: contract posts of about 300 bytes with the bundled texts.

The bundled posts are there to show decisions: one in ten is acted on or doubtful, one in ten a near miss.
A stream has far fewer: of 41 353 ordinary tweets a rule was asked about 0.3 %, and nothing was acted on. Here one post
in two hundred is acted on or doubtful, and one in a hundred is a near miss that a rule has to clear. Of how many the
fast model is unsure, so that the second one reads them, is given with the posts: one in a hundred if nobody says.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from pydantic_core import to_json

from schemas.base import format_time
from worker.demo.source import samples
from worker.engine.assess import Assessor
from worker.engine.cases import read_cases
from worker.engine.contract import Subject
from worker.engine.registry import Pack, load_pack

VALUE_BYTES = 300
UNCERTAIN = 0.01  # the share of posts that the second model reads, where nothing else is said
FORWARDED = 10  # bare loops and the no-op worker forward one record in so many
_SHARES = {"harmless": 0.985, "near miss": 0.01, "acted on or doubtful": 0.005}
_UNCERTAIN = "uncertain"
_SEED = 7
_FILLING = "likes long walks and short books. "
_SPAN = timedelta(days=30)  # over how much event time a fill is spread: daily quotas must not decide the load


def posts(
    count: int, accounts: int, start: datetime, prefix: str = "b", uncertain: float = UNCERTAIN
) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of posts by this many accounts, a few of which post much more than the others.

    `uncertain` is the share of those that the second model is to read. The same arguments give the same posts. Ids begin with `prefix`; times run from `start` over a month.
    """
    chance = random.Random(_SEED)  # noqa: S311 - a benchmark's load, not a secret
    kinds = _texts()
    step = _SPAN / max(count, 1)
    for number in range(count):
        author = f"{prefix}{min(int(accounts * chance.random() ** 2), accounts - 1)}"
        (kind,) = chance.choices(tuple(_SHARES), tuple(_SHARES.values()))
        if chance.random() < uncertain and kinds[_UNCERTAIN]:
            kind = _UNCERTAIN
        text = chance.choice(kinds[kind])
        yield (
            author.encode(),
            value(f"{prefix}-{number}", author, start + number * step, text),
        )


@functools.cache
def _texts() -> dict[str, list[str]]:
    """The bundled texts by what the bundled pack makes of them.

    Those that the fast model is unsure of are a kind of their own; the policies' cases are among them, too.
    """
    texts = [sample.text for sample in samples() if sample.post is not None and sample.text]
    subjects = [Subject("post", "1", "u1", {"text": text}, "en") for text in texts]
    pack = load_pack(backend="re2")  # compiles at once; which engine finds them does not matter here
    found = Assessor(pack).assess_subjects(subjects, [datetime(2000, 1, 1, tzinfo=UTC)] * len(texts))
    kinds: dict[str, list[str]] = {kind: [] for kind in (*_SHARES, _UNCERTAIN)}
    unsure = _unsure(pack, texts)
    cases = [case.text for loaded in pack.policies for case in read_cases(loaded).case if case.lang == "en"]
    kinds[_UNCERTAIN] = sorted(unsure | _unsure(pack, [text for text in cases if text]))
    for text, each in zip(texts, found, strict=True):
        if text in unsure:
            continue
        if each.outcome != "clear":
            kinds["acted on or doubtful"].append(text)
        elif any(judgement.asked for judgement in each.judgements):
            kinds["near miss"].append(text)
        else:
            kinds["harmless"].append(text)
    return kinds


def _unsure(pack: Pack, texts: Sequence[str]) -> set[str]:
    """Those of the texts that the second model would read."""
    if pack.models.cascade is None:
        return set()
    subjects = [Subject("post", "1", "u1", {"text": text}, "en") for text in texts]
    asked = pack.models.cascade.first(subjects, pack.signals.measure(subjects))
    return {texts[asked.texts[row].subject] for row in asked.questions}


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
