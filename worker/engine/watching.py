"""Counts what an account does over time, and adds to a post's signals what is too much of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import NamedTuple, Protocol

from schemas.posts import Post
from worker.engine.behaviour import COLUMN, DISTINCT, STUFFED, Behaviour, Deed
from worker.engine.chain import Chain, Judgement
from worker.engine.contract import Subject
from worker.engine.decide import Ruling
from worker.engine.limits import MANY, Also, Limit
from worker.engine.registry import Pack
from worker.engine.state import Account
from worker.engine.times import EPOCH
from worker.signals.detectors.links import host_of
from worker.signals.measured import MeasuredSignals
from worker.signals.view import Hit

FIELD = "account"
_DAY = timedelta(days=1)
_DAY_MINUTES = 24 * 60
_OF_ACCOUNTS = frozenset(
    ("behaviour", "author", "surface", "link")
)  # kinds of signals that are not about words
_MOST = 400  # names of one kind in one post that are looked at
_NOTHING: tuple[str, ...] = ()
_PLAIN = Deed((1, *[0] * (len(COLUMN) - 1)), (_NOTHING,) * 4)
_AT = {name: place - 1 for name, place in COLUMN.items()}
_NAMES = {name: place for place, name in enumerate(DISTINCT)}


class Reading(NamedTuple):
    """One limit with what was counted towards it; `reached` says whether it fired."""

    limit: Limit
    found: int
    reached: bool


class Rules(Protocol):
    """What watching needs of a desk."""

    @property
    def pack(self) -> Pack: ...

    @property
    def chain(self) -> Chain: ...


class Watching:
    """Keeps `account.behaviour` and learns signals named `behaviour.<limit>`."""

    def __init__(self, desk: Rules) -> None:
        self._desk = desk
        self.limits = tuple(limit for loaded in desk.chain.policies for limit in loaded.policy.behaviour)
        # Of these a post counts one at the most: who has not posted so often has not reached them.
        self._by_post = tuple(
            sorted((one for one in self.limits if one.counter not in MANY), key=lambda one: one.at_least)
        )
        self._least = min((limit.at_least for limit in self._by_post), default=0)
        self._by_number = tuple(limit for limit in self.limits if limit.counter in MANY)
        # The same without those for new accounts: what most accounts are asked.
        self._new = max((one.new_account_days or 0 for one in self.limits), default=0)
        self._settled_by_post = tuple(one for one in self._by_post if one.new_account_days is None)
        self._settled_by_number = tuple(one for one in self._by_number if one.new_account_days is None)
        self._marked = tuple((frozenset(one.signals), one) for one in self.limits if one.counter == "marked")
        self._marks: frozenset[str] = frozenset().union(*(signals for signals, _ in self._marked))

    def post(
        self, post: Post, subject: Subject, signals: MeasuredSignals, account: Account, now_ms: int
    ) -> None:
        """Counts a post that is judged for the first time, and learns what it exceeds."""
        # By the post's own time: late posts and those of a clock that ran ahead count where they belong.
        minute = _minute(post)
        behaviour = account.behaviour
        deed = deed_of(post, signals)
        new = post.edit_of is None  # an edit is no new post
        if new:
            behaviour.add(deed, minute)
        if new and self._marks and not signals.fired.isdisjoint(self._marks):
            for names, limit in self._marked:
                if not signals.fired.isdisjoint(names):
                    behaviour.mark(limit.name, minute)
        posts = behaviour.posts()
        if posts < self._least and deed.few:
            return  # nearly all: nobody has to look any closer
        new_account = _is_new(post, self._new)
        asked: list[Limit] = []
        if posts >= self._least:
            limits = self._by_post if new_account else self._settled_by_post
            asked += limits[: bisect_right(limits, posts, key=_at_least)]
        if not deed.few:
            asked += self._by_number if new_account else self._settled_by_number
        reached = [one for one in self.read(asked, post, deed, signals, behaviour, minute) if one.reached]
        if reached:
            if not signals.is_close:
                # Rules are about to look at a post in which nothing fired: what they ask for around it is measured now.
                signals.adopt(self._desk.pack.signals.measure_closely(subject))
            for one in reached:
                limit = one.limit
                signals.learn(Hit(limit.name, FIELD, None, None, limit.score, limit.say(one.found)))
            if any(
                a.detail == "automated" and a.subject_type == "account" and a.stands(now_ms)
                for a in account.actions
            ):
                signals.learn(Hit("author.automated", FIELD, None, None, 1.0, "labelled as automated"))

    def counters(self, post: Post, signals: MeasuredSignals, account: Account) -> list[Reading]:
        """Every limit that a post, once counted, adds to, with its figure: what `moderator explain` shows."""
        minute = _minute(post)
        deed = deed_of(post, signals)
        return list(self.read(self.limits, post, deed, signals, account.behaviour, minute))

    def read(
        self,
        limits: Iterable[Limit],
        post: Post,
        deed: Deed,
        signals: MeasuredSignals,
        behaviour: Behaviour,
        minute: int,
    ) -> Iterator[Reading]:
        """What was counted towards those of the limits that a post counts for, once it is counted itself."""
        alike: dict[tuple[str, int], tuple[int, int]] = {}
        for limit in limits:
            if not _counts_for(limit, deed, signals):
                continue
            window = limit.window_minutes
            if limit.counter == "marked":
                found = behaviour.marked(limit.name, minute, window)
            else:
                found = _found(limit.counter, deed, behaviour, minute, window, alike)
            reached = (
                found >= limit.at_least
                and (limit.new_account_days is None or _is_new(post, limit.new_account_days))
                and all(_holds(one, behaviour, deed, minute, window, alike) for one in limit.also)
            )
            yield Reading(limit, found, reached)


def _minute(post: Post) -> int:
    since = post.created_at - EPOCH
    return since.days * 1440 + since.seconds // 60


def ask_once(ruling: Ruling, behaviour: Behaviour, minute: int) -> Ruling:
    """The ruling less the doubts about nothing but how much an account does, if a person was asked that within a day.

    A station that sends every hour reaches the same limit with each post; one question to a person is enough.
    """
    doubts: list[Judgement] = []
    for doubt in ruling.doubts:
        kinds = {hit.signal.partition(".")[0] for hit in doubt.evidence}
        if "behaviour" in kinds and kinds <= _OF_ACCOUNTS | {doubt.loaded.policy.id}:
            name = f"?{doubt.loaded.policy.id}"
            if behaviour.marked(name, minute + _DAY_MINUTES, 2 * _DAY_MINUTES):
                continue
            behaviour.mark(name, minute)
        doubts.append(doubt)
    return ruling if len(doubts) == len(ruling.doubts) else replace(ruling, doubts=tuple(doubts))


def _counts_for(limit: Limit, deed: Deed, signals: MeasuredSignals) -> bool:
    """Whether a post adds to what a limit counts: what it does not do, it is not blamed for."""
    counter = limit.counter
    at = _AT.get(counter)
    if at is not None:
        return deed.counts[at] > 0
    if counter in _NAMES:
        return bool(deed.names[_NAMES[counter]])
    if counter == "marked":
        return not signals.fired.isdisjoint(limit.signals)
    if not deed.text or (counter.endswith("reply") and not deed.unasked):
        return False
    return bool(deed.simhash) or counter.startswith("same")


def _found(
    counter: str,
    deed: Deed,
    behaviour: Behaviour,
    minute: int,
    window: int,
    alike: dict[tuple[str, int], tuple[int, int]],
) -> int:
    """What was counted; texts are compared once for each window."""
    if counter in COLUMN:
        return behaviour.count(COLUMN[counter], minute, window)
    if counter in _NAMES:
        return behaviour.distinct(counter, minute, window)
    how, _, what = counter.partition("-")
    known = alike.get((how, window))
    if known is None:
        if how == "same":
            known = behaviour.same(deed.text, minute, window)
        else:
            known = behaviour.alike(deed, minute, window)
        alike[how, window] = known
    return known[0 if what == "text" else 1]


def _holds(
    also: Also,
    behaviour: Behaviour,
    deed: Deed,
    minute: int,
    window: int,
    alike: dict[tuple[str, int], tuple[int, int]],
) -> bool:
    found = _found(also.counter, deed, behaviour, minute, window, alike)
    if also.at_least is not None:
        return found >= also.at_least
    assert also.share is not None
    return found >= also.share * behaviour.count(COLUMN["posts"], minute, window)


_at_least = attrgetter("at_least")


def _is_new(post: Post, days: int) -> bool:
    born: datetime | None = None if post.author is None else post.author.created_at
    return born is not None and post.created_at - born < days * _DAY


def deed_of(post: Post, signals: MeasuredSignals) -> Deed:
    """What a post does, as far as it is counted."""
    known = signals.text_print
    text = signals.text_hash
    surface = post.surface
    author = post.author
    follows = 0 if author is None else author.follows_1h
    unfollows = 0 if author is None else author.unfollows_1h
    if (
        surface == "post"
        and post.in_reply_to is None
        and not (post.mentions or post.urls or post.hashtags or follows or unfollows)
    ):
        if not text:
            return _PLAIN
        return Deed(_PLAIN.counts, _PLAIN.names, text, 0 if known is None else known.simhash)
    answered = post.in_reply_to
    # Who continues a thread of their own answers nobody, and says one thing in many parts.
    threaded = answered is not None and answered.author_id == post.author_id
    reply = answered is not None and not threaded
    unasked = reply and not _asked(post)
    whom = None if answered is None else answered.author_id
    mentioned = [one for one in dict.fromkeys(post.mentions[:_MOST]) if one not in (whom, post.author_id)]
    hashtags = [tag.casefold() for tag in post.hashtags[:_MOST]]
    domains = [host for url in post.urls[:_MOST] if (host := host_of(url.lower()))]
    counts = (
        int(not threaded),
        int(reply),
        int(unasked),
        int(surface == "repost"),
        int(surface == "quote"),
        len(mentioned),
        int(bool(post.urls)),
        len(hashtags),
        int(len(hashtags) >= STUFFED),
        min(follows, 1_000_000),
        min(unfollows, 1_000_000),
        int(threaded),
    )
    names = (mentioned, (whom,) if unasked and whom else _NOTHING, domains, hashtags)
    # Who passes on another's words does not repeat their own, nor does who is asked the same again and again.
    said = 0 if surface == "repost" or (reply and not unasked) else text
    few = not (mentioned or hashtags or follows or unfollows or len(domains) > 1)
    return Deed(counts, names, said, known.simhash if said and known is not None else 0, unasked, few)


def _asked(post: Post) -> bool:
    """Whether the post that this one answers names the account: then it was asked to speak."""
    answered, author = post.in_reply_to, post.author
    if answered is None or answered.text is None or author is None or not author.handle:
        return False
    return f"@{author.handle.lower()}" in answered.text.lower()
