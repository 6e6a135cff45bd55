"""Which dead letters are worth sending again, as what, and in what order."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.dead_letters import DeadLetter
from schemas.decode import DecodeError, decode
from worker.engine.intake import ACCOUNT_OF
from worker.sending import Sent

HEADER: Final = "moderator-replay-of"
"""Header of a record that was sent again: the id of its dead letter."""

# Why a letter is left out, as commands say it.
ITEM = "holds one media item, not the post: send the post again"
CUT = "kept only the beginning of its record"
INTERNAL = "is of a topic that only workers write"
REFUSED = "would be refused again"
KEY = "has another key than the account that it concerns"
TWICE = "is the same record as one sent already"

_SENT_FROM_OUTSIDE: Final = frozenset(ACCOUNT_OF) - {"findings"}


@dataclass(slots=True)
class Plan:
    """What is sent again, in order, and how many letters are left out for what reason.

    Records go topic by topic and partition by partition in the order of their offsets, so that of one account they come as
    they came at first. They come after everything that was sent since.
    """

    chosen: list[tuple[DeadLetter, Sent]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def plan_replay(letters: Iterable[DeadLetter]) -> Plan:
    """What of these letters this version of the program would judge.

    A record that was sent again and failed again is its own letter with the same content: it is sent once.
    """
    plan = Plan()
    seen: set[tuple[str, bytes, bytes | None]] = set()
    for letter in sorted(letters, key=lambda letter: (letter.topic, letter.partition, letter.offset)):
        problem, record = _as_record(letter)
        if record is not None and (record.topic, record.key, record.value) in seen:
            problem, record = TWICE, None
        if record is None:
            plan.left_out[problem] += 1
            continue
        seen.add((record.topic, record.key, record.value))
        plan.chosen.append((letter, record))
    return plan


def _as_record(letter: DeadLetter) -> tuple[str, Sent | None]:
    if letter.subject is not None:
        return ITEM, None
    if letter.truncated:
        return CUT, None
    if letter.topic not in _SENT_FROM_OUTSIDE:
        return INTERNAL, None
    value = None if letter.value_base64 is None else base64.b64decode(letter.value_base64)
    key = None if letter.key_base64 is None else base64.b64decode(letter.key_base64)
    try:
        model = decode(letter.topic, value, key).model
    except DecodeError:
        return REFUSED, None
    if value is None:
        return REFUSED, None
    account = str(getattr(model, ACCOUNT_OF[letter.topic])).encode()
    if key is not None and key != account:
        return KEY, None
    headers = tuple(
        (each.key, None if each.value_base64 is None else base64.b64decode(each.value_base64))
        for each in letter.headers
        if each.key != HEADER
    )
    return "", Sent(letter.topic, account, value, (*headers, (HEADER, letter.dead_letter_id.encode())))
