"""Brings back the moment at which one post was judged: the post, and its account as it stood."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic_core import from_json, to_json

from schemas.base import Wire
from schemas.decode import DecodeError, decode
from schemas.media_signals import MediaSignals
from schemas.posts import Post
from worker.engine.contract import Subject
from worker.engine.media import choose
from worker.engine.media_subjects import media_subject
from worker.engine.records import Record
from worker.engine.registry import Pack
from worker.engine.state import Account, InForce
from worker.engine.subjects import post_subject
from worker.engine.times import EPOCH
from worker.replay import Replay


@dataclass(frozen=True, slots=True)
class Trial:
    """One post on trial. `strikes` holds (policy, weight, when it expires) of those active before it."""

    post: Post
    subject: Subject
    now: datetime
    strikes: tuple[tuple[str, int, datetime], ...]
    in_force: tuple[InForce, ...]
    records_before: int
    account: Account

    @property
    def active_strikes(self) -> int:
        """The weight of the active strikes."""
        return sum(weight for _, weight, _ in self.strikes)

    @property
    def by_policy(self) -> dict[str, int]:
        """The same for each policy that has some."""
        weights: dict[str, int] = {}
        for policy, weight, _ in self.strikes:
            weights[policy] = weights.get(policy, 0) + weight
        return weights


@dataclass(frozen=True, slots=True)
class MediaTrial:
    """What was found in one item of a post, on trial as its account stood then; `ahead`: the post came later."""

    signals: MediaSignals
    subject: Subject
    now: datetime
    account: Account
    ahead: bool


class PostNotFoundError(LookupError):
    """No line holds the post."""


def find_post(pack: Pack, lines: Iterable[bytes], post_id: str) -> Trial:
    """Replays what comes before the last judged version of a post, and stops there.

    Lines are bare posts, or `{"topic", "value"}` as `moderator replay` reads them; bad ones are passed over.

    Raises:
      PostNotFoundError: no line holds the post.
    """
    records = _records(lines)
    for place in range(len(records) - 1, -1, -1):
        post = _post(records[place], post_id)
        if post is not None:
            return _trial(pack, records[:place], records[place], post)
    raise PostNotFoundError(post_id)


def find_signals(pack: Pack, lines: Iterable[bytes], post_id: str) -> list[MediaTrial]:
    """Replays the lines up to each record of what was found in the post's media, in their order.

    Records from which nothing can follow are left out: the post does not show the item any more, or is deleted.
    """
    replay = Replay(pack)
    trials: list[MediaTrial] = []
    records = _records(lines)
    found = {
        place: signals
        for place, line in enumerate(records)
        if (signals := _signals(line, post_id)) is not None
    }
    before = 0
    for place, signals in found.items():
        for _ in replay.feed(records[before:place]):
            pass
        before = place
        trial = _media_trial(replay, records[place], signals)
        if trial is not None:
            trials.append(trial)
    return trials


def _media_trial(replay: Replay, line: bytes, signals: MediaSignals) -> MediaTrial | None:
    for _ in replay.finish():
        pass  # what came before is judged
    account = replay.account(from_json(line).get("partition") or 0, signals.account_id) or Account()
    time_us = max((signals.observed_at - EPOCH) // timedelta(microseconds=1), account.clock_us)
    chosen = choose(signals, media_subject(signals), account, time_us // 1000)
    if chosen is None or (signals.post_id is not None and account.has_deleted(signals.post_id)):
        return None
    assert signals.post_id is not None
    now = EPOCH + timedelta(microseconds=time_us)
    return MediaTrial(signals, chosen, now, account, not account.knows(signals.post_id))


def lines_of(records: Sequence[Record], account_id: str) -> list[bytes]:
    """Records of one account, read from topics, as lines for `find_post`; oldest first."""
    own = [record for record in records if record.key == account_id.encode() and record.value is not None]
    own.sort(key=lambda record: (record.timestamp, record.topic, record.offset))
    return [
        b'{"topic":%s,"partition":%d,"offset":%d,"key":%s,"value":%s}'
        % (to_json(r.topic), r.partition, r.offset, to_json(account_id), r.value)
        for r in own
    ]


def _records(lines: Iterable[bytes]) -> list[bytes]:
    """Lines as `replay` reads them: a bare post gets its topic."""
    return [
        line if _is_record(line) else b'{"topic":"posts","value":%s}' % line
        for line in map(bytes.strip, lines)
        if line
    ]


def _is_record(line: bytes) -> bool:
    try:
        data = from_json(line)
    except ValueError:
        return True  # replay says what is wrong with it
    return not isinstance(data, dict) or "topic" in data


def _post(line: bytes, post_id: str) -> Post | None:
    """The post of a line, None when it is another one, a deletion or no post."""
    post = _model(line, "posts")
    return post if isinstance(post, Post) and post.post_id == post_id and not post.deleted else None


def _signals(line: bytes, post_id: str) -> MediaSignals | None:
    """The media signals of a line, None when they are of another post or it holds none."""
    signals = _model(line, "media.signals")
    return signals if isinstance(signals, MediaSignals) and signals.post_id == post_id else None


def _model(line: bytes, topic: str) -> Wire | None:
    try:
        data = from_json(line)
    except ValueError:
        return None
    if not isinstance(data, dict) or data.get("topic") != topic:
        return None
    encoded = data.get("value_base64")
    try:
        value = to_json(data.get("value")) if encoded is None else base64.b64decode(encoded, validate=True)
        return decode(topic, value, None).model
    except (DecodeError, TypeError, ValueError):
        return None


def _trial(pack: Pack, before: Sequence[bytes], line: bytes, post: Post) -> Trial:
    partition = from_json(line).get("partition") or 0
    replay = Replay(pack)
    for _ in replay.feed(before):
        pass
    for _ in replay.finish():
        pass
    account = replay.account(partition, post.author_id) or Account()
    time_us = max((post.created_at - EPOCH) // timedelta(microseconds=1), account.clock_us)
    now_ms = time_us // 1000
    return Trial(
        post=post,
        subject=post_subject(post),
        now=EPOCH + timedelta(microseconds=time_us),
        strikes=tuple(
            (policy, weight, EPOCH + timedelta(milliseconds=expires))
            for policy, weight, expires, _ in account.strikes
            if expires > now_ms
        ),
        in_force=tuple(action for action in account.actions if action.stands(now_ms)),
        records_before=len(before),
        account=account,
    )
