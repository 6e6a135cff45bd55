"""The clauses about media, decided by the bundled policies from what `media.signals` say of posts and profiles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest

from tests.worker.engine.helpers import Feed, outputs
from tests.worker.engine.media import acts, found, match, picture, profile, run, shown
from worker.engine.judge import PartitionJudge
from worker.engine.registry import DEFAULT_PACK, Pack, load_pack

POLICIES = (
    "sensitive-media", "child-sexual-exploitation", "non-consensual-nudity", "perpetrators-of-attacks",
    "synthetic-media", "copyright", "trademark", "third-party-ads", "misleading-identities",
)  # fmt: skip
BANKS = POLICIES[:-1]


@lru_cache(maxsize=1)
def pack() -> Pack:
    return load_pack(DEFAULT_PACK, backend="re2", only=set(POLICIES))


def judged(value: dict[str, Any], media_id: str = "m1", **signals: Any) -> tuple[set[str], list[str]]:
    """What is done about a post, or a profile, once its media are examined, and why a person looks."""
    judge, feed = PartitionJudge(pack(), 0), Feed()
    before, after = run(judge, feed, value, found(value, media_id, **signals))
    assert acts(before) == []
    kinds = {f"{policy} {detail or kind}" for kind, _, policy, detail in acts(after)}
    return kinds, [item["reason"] for item in outputs(after, "review.queue")]


@pytest.mark.parametrize("policy", BANKS)
@pytest.mark.parametrize("opinion", ["confirmed", "seed"])
def test_a_banks_entry_is_acted_on_when_confirmed_and_looked_at_when_a_seed(
    policy: str, opinion: str
) -> None:
    post = shown("hello", picture(kind="video"))
    done, asked = judged(post, kind="video", matches=[match(policy, opinion, kind="vpdq", share=0.9)])
    if opinion == "confirmed":
        assert f"{policy} remove" in done
        assert asked == (["zero_tolerance"] if policy == "child-sexual-exploitation" else [])
    else:
        assert done == set()
        assert asked == ["uncertain"]


@pytest.mark.parametrize(
    ("value", "signals", "expected"),
    [
        (shown(), {"scores": {"nudity": 0.9}}, "sensitive-media sensitive-media"),
        (shown(), {"scores": {"gore": 0.9}}, "sensitive-media graphic-media"),
        (
            shown("hello", picture(kind="live_video", placement="live")),
            {"scores": {"nudity": 0.9}},
            "sensitive-media remove",
        ),
        (
            shown("she has no idea that i took this"),
            {"scores": {"nudity": 0.97}},
            "non-consensual-nudity remove",
        ),
        (
            shown("BREAKING: huge explosion outside the parliament, this is real, unedited video", picture()),
            {"provenance": {"digital_source_type": "trainedAlgorithmicMedia", "ai_generated": True}},
            "synthetic-media remove",
        ),
        (
            shown("Look at that crowd!!", picture(kind="video")),
            {"provenance": {"c2pa": "valid", "digital_source_type": "trainedAlgorithmicMedia"}},
            "synthetic-media manipulated-media",
        ),
        (
            shown("the whole interview", picture(kind="video")),
            {"ad_markers": [{"at_seconds": 0.0, "kind": "scte35"}]},
            "third-party-ads limited-visibility",
        ),
        (
            shown("the whole interview", picture(kind=None)),
            {"kind": "video", "ad_markers": [{"at_seconds": 0.0, "kind": "scte35"}]},
            "third-party-ads limited-visibility",
        ),
    ],
)
def test_what_was_found_leads_to_what_the_clause_says(
    value: dict[str, Any], signals: dict[str, Any], expected: str
) -> None:
    done, _ = judged(value, **signals)
    assert expected in done


def test_what_is_written_on_the_screen_counts_with_an_announced_break() -> None:
    on_screen = "Use code MILL20 for 20% off at checkout"
    value = shown("episode 10", picture(kind="video", on_screen_text=on_screen, marked_sensitive=True))
    judge, feed = PartitionJudge(pack(), 0), Feed()
    markers = [{"at_seconds": 12.0, "kind": "scte35"}]
    *_, after = run(judge, feed, value, found(value, kind="video", ad_markers=markers))
    assert ("remove", "post:1", "third-party-ads", None) in acts(after)


@pytest.mark.parametrize("scores", [{"nudity": 0.84}, {"gore": 0.84}, {"nudity": 0.84, "gore": 0.84}])
def test_the_bundled_classifier_never_removes_however_strict_the_place(scores: dict[str, float]) -> None:
    for field, item in (("avatar", picture("a1")), ("header", picture("a1"))):
        done, asked = judged(profile() | {field: item}, "a1", field=field, scores=scores)
        assert (done, asked) == (set(), ["uncertain"])
    live = shown("hello", picture(kind="live_video", placement="live"))
    assert judged(live, scores=scores) == (set(), ["uncertain"])
    done, _ = judged(shown(), scores=scores)
    assert all(one.startswith("sensitive-media ") and one.endswith("-media") for one in done)


def test_an_operators_classifier_may_remove_a_profile_picture() -> None:
    done, _ = judged(profile(header=picture("h1")), "h1", field="header", scores={"nudity": 0.95})
    assert done == {"sensitive-media remove"}
