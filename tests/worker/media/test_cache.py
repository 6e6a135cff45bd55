"""What was found is remembered within bounds; a refusal that may pass never is."""

from __future__ import annotations

import pytest

from schemas.posts import Frame
from worker.media.cache import LASTING, FoundCache
from worker.media.item import Found, Refusal, RefusedError

FOUND = Found(kind="image", sha256="a" * 64)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_uri_is_known_for_a_short_time_and_its_bytes_for_longer() -> None:
    clock = Clock()
    cache = FoundCache(10, 60.0, clock)
    cache.keep("file:///a", "s1", "image", FOUND)
    assert cache.of_uri("file:///a", "image") is FOUND
    clock.now = 60.0
    assert cache.of_uri("file:///a", "image") is None
    assert cache.of_file("s1", "image") is FOUND


def test_another_label_is_another_question() -> None:
    cache = FoundCache(10, 60.0, Clock())
    cache.keep("file:///a", "s1", "image", FOUND)
    assert cache.of_uri("file:///a", "video") is None
    assert cache.of_file("s1", None) is None


@pytest.mark.parametrize("reason", list(Refusal))
def test_a_refusal_is_remembered_only_where_the_bytes_decide(reason: Refusal) -> None:
    cache = FoundCache(10, 60.0, Clock())
    refusal = RefusedError(reason, "why")
    cache.keep("file:///a", "s1", "image", refusal)
    assert cache.of_file("s1", "image") is (refusal if reason in LASTING else None)
    assert cache.of_uri("file:///a", "image") is None


def test_room_counts_frames_and_what_was_used_last_stays() -> None:
    cache = FoundCache(10, 60.0, Clock())
    video = Found(kind="video", frames=tuple(Frame(at_seconds=float(at)) for at in range(5)))
    cache.keep("file:///v", "video", "video", video)
    for number in range(4):
        cache.keep(f"file:///{number}", f"s{number}", "image", FOUND)
    assert cache.of_file("video", "video") is video  # used now: the pictures go first
    cache.keep("file:///4", "s4", "image", FOUND)
    assert cache.of_file("s0", "image") is None
    assert cache.of_file("video", "video") is video
    assert cache.of_file("s4", "image") is FOUND


def test_without_room_nothing_is_remembered() -> None:
    cache = FoundCache(0, 60.0, Clock())
    cache.keep("file:///a", "s1", "image", FOUND)
    assert cache.of_file("s1", "image") is None


def test_the_same_file_twice_takes_the_room_of_one() -> None:
    cache = FoundCache(2, 60.0, Clock())
    for _ in range(5):
        cache.keep("file:///a", "s1", "image", FOUND)
    cache.keep("file:///b", "s2", "image", FOUND)
    assert cache.of_file("s1", "image") is FOUND
