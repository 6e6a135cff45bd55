"""Media is judged by what upstream says of it, item by item."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.media_signals import BankMatch
from schemas.posts import Media
from tests.worker.signals.observers.helpers import account, media, observe, post, seen
from worker.engine.contract import Examined
from worker.engine.facts import Bank, Facts
from worker.signals.observers.media import OBSERVER, PARTLY

PDQ = "f0" * 32
SHA = "ab" * 32


def facts(*banks: dict[str, Any]) -> Facts:
    base = {"policy": "child-sexual-exploitation", "source": "the test", "opinion": "confirmed"}
    made = [Bank.model_validate({"name": f"bank-{i}", **base, **one}) for i, one in enumerate(banks)]
    return Facts(banks=tuple(made))


def names(subject: Any) -> set[str]:
    return {name for name, _ in seen(OBSERVER, subject)}


def test_a_post_without_media_is_not_observed() -> None:
    assert not OBSERVER.applies(post())
    assert not OBSERVER.applies(account({"handle": "ann"}))


@pytest.mark.parametrize("score", [0.0, 0.29])
def test_low_scores_are_not_reported(score: float) -> None:
    assert observe(OBSERVER, post(media=[media(scores={"nudity": score, "gore": score})])) == []


def test_scores_are_reported_from_their_floor_with_their_value() -> None:
    hits = observe(
        OBSERVER, post(media=[media(), media(media_id="m2", scores={"nudity": 0.3, "gore": 0.44})])
    )
    assert [(hit.signal, hit.field, hit.score) for hit in hits] == [
        ("media.nudity", "media[1]", 0.3),
        ("media.gore", "media[1]", 0.44),
    ]


def test_classes_are_read_in_any_spelling_and_unknown_ones_are_not_read() -> None:
    item = media(scores={"Sexual_Violence": 0.9, "deepfake": 0.8, "cute cats": 1.0}, marked_sensitive=True)
    assert names(post(media=[item])) == {"media.score-sexual-violence", "media.score-deepfake"}


def test_sensitive_media_that_nobody_marked_is_told() -> None:
    def unmarked(author: dict[str, Any] | None = None, **more: Any) -> bool:
        return "media.unmarked" in names(post(media=[media(**more)], author=author))

    assert unmarked(scores={"nudity": 0.5})
    assert unmarked(scores={"gore": 0.9})
    assert not unmarked(scores={"gore": 0.49})
    assert not unmarked(scores={"weapon": 0.9})
    assert not unmarked(scores={"nudity": 0.9}, marked_sensitive=True)
    assert not unmarked({"sensitive_by_default": True}, scores={"nudity": 0.9})
    assert not unmarked({"sensitive_by_default": True}, scores={"nudity": 0.9}, placement="header")


def test_a_profile_shows_sensitive_pictures_to_everybody_whatever_its_posts_are_marked_as() -> None:
    subject = account({"handle": "ann", "sensitive_by_default": True}, avatar=media(scores={"nudity": 0.9}))
    assert names(subject) == {"media.nudity", "media.unmarked", "media.profile"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"kind": "video"}, {"media.video"}),
        ({"kind": "live_video"}, {"media.video", "media.live"}),
        ({"kind": "gif"}, set()),
        ({"placement": "live"}, {"media.live"}),
        ({"placement": "header"}, {"media.header"}),
        ({"placement": "profile"}, {"media.profile"}),
        ({"provenance": {"ai_generated": True}}, {"media.ai-generated"}),
        ({"provenance": {"ai_generated": False, "c2pa": "Valid"}}, {"media.c2pa-valid"}),
        ({"provenance": {"c2pa": "tampered"}}, {"media.c2pa-invalid"}),
        ({"provenance": {"c2pa": "absent"}}, set()),
    ],
)
def test_where_and_how_media_was_made(more: dict[str, Any], expected: set[str]) -> None:
    assert names(post(media=[media(**more)])) == expected


def test_all_media_of_a_live_broadcast_is_live() -> None:
    assert names(post(media=[media()], surface="live")) == {"media.live"}


def test_pictures_of_an_account_are_named_by_their_place() -> None:
    subject = account(None, avatar=media(), header=media(kind="video"))
    assert seen(OBSERVER, subject) == {
        ("media.profile", "profile.avatar"),
        ("media.header", "profile.header"),
        ("media.video", "profile.header"),
    }


def test_an_advertisement_marker_says_where_and_of_what_kind() -> None:
    markers = [{"at_seconds": 3.0, "kind": "scte35"}, {"at_seconds": 60.0}]
    (hit,) = observe(OBSERVER, post(media=[media(ad_markers=markers)]))
    assert (hit.signal, hit.detail) == ("media.ad-marker", "2 from 3 s on: scte35")


def test_a_hash_of_a_bank_fires_the_signal_of_its_policy() -> None:
    subject = post(
        media=[media(sha256=SHA.upper()), media(media_id="m2", pdq="f1" + PDQ[2:], pdq_quality=80)]
    )
    found = observe(OBSERVER, subject, facts({"sha256": [SHA]}, {"pdq": [PDQ], "opinion": "seed"}))
    assert [(hit.signal, hit.field, hit.score, hit.detail) for hit in found] == [
        ("hash.child-sexual-exploitation", "media[0]", 1.0, "bank bank-0, sha256"),
        ("hash.child-sexual-exploitation", "media[1]", 0.5, "bank bank-1, pdq at distance 1"),
    ]


def test_the_surest_match_of_an_item_and_its_frames_counts() -> None:
    frames = [{"at_seconds": 1.5, "pdq": PDQ, "pdq_quality": 90}, {"at_seconds": 3.0}]
    subject = post(media=[media(kind="video", frames=frames, sha256=SHA)])
    banks = facts(
        {"sha256": [SHA], "opinion": "seed"}, {"pdq": [PDQ]}, {"policy": "illegal-goods", "pdq": [PDQ]}
    )
    found = {hit.signal: hit for hit in observe(OBSERVER, subject, banks)}
    assert found["hash.child-sexual-exploitation"].score == 1.0
    assert found["hash.child-sexual-exploitation"].detail == "bank bank-1, pdq at distance 0, frame at 1.5 s"
    assert found["hash.illegal-goods"].field == "media[0]"


def test_frames_of_low_quality_do_not_match() -> None:
    frames = [{"at_seconds": 1.5, "pdq": PDQ, "pdq_quality": 10}]
    assert observe(OBSERVER, post(media=[media(frames=frames)]), facts({"pdq": [PDQ]})) == []


def test_an_avatar_is_looked_up_as_well() -> None:
    subject = account(None, avatar=media(sha256=SHA))
    assert ("hash.child-sexual-exploitation", "profile.avatar") in seen(
        OBSERVER, subject, facts({"sha256": [SHA]})
    )


def examined(subject: Any, field: str = "media[0]", received: Any = None, **more: Any) -> Any:
    matches = tuple(BankMatch.model_validate({"bank": "b"} | one) for one in more.pop("matches", ()))
    subject.examined = Examined(field, received or Media(media_id="m1"), matches, **more)
    return subject


def details(subject: Any, facts: Facts | None = None) -> dict[str, tuple[float, str]]:
    return {hit.signal: (hit.score, hit.detail) for hit in observe(OBSERVER, subject, facts)}


@pytest.mark.parametrize(
    ("match", "score", "detail"),
    [
        ({"opinion": "confirmed", "kind": "pdq", "distance": 12}, 1.0, "bank b, pdq at distance 12"),
        ({"opinion": "confirmed", "kind": "pdq"}, 1.0, "bank b, pdq at distance 0"),
        ({"opinion": "seed", "kind": "vpdq", "share": 0.874}, 0.5, "bank b, 87 % of frames"),
        ({"opinion": "seed", "kind": "sha256"}, 0.5, "bank b, sha256"),
        ({"opinion": "rumour", "kind": "tlsh", "distance": 40}, 0.5, "bank b, tlsh at distance 40"),
        ({}, 0.5, "bank b"),
        ({"bank": "x\x00y" * 60, "opinion": "confirmed"}, 1.0, "bank " + "xy" * 20),
    ],
)
def test_matches_that_were_found_count_by_their_opinion_and_say_how(
    match: dict[str, Any], score: float, detail: str
) -> None:
    subject = examined(post(media=[media()]), matches=[{"policy": "copyright", **match}])
    assert details(subject) == {"hash.copyright": (score, detail)}


def test_of_many_matches_the_surest_is_told_and_unknown_policies_are_ignored() -> None:
    seed = {"policy": "copyright", "opinion": "seed", "kind": "md5"}
    sure = {"policy": "copyright", "opinion": "confirmed", "kind": "pdq", "distance": 30}
    subject = examined(post(media=[media(sha256=SHA)]), matches=[seed, sure, {"policy": "kindness"}, {}])
    held = facts({"policy": "copyright", "sha256": [SHA]})
    assert details(subject) == {"hash.copyright": (1.0, "bank b, pdq at distance 30")}
    assert details(subject, held) == {"hash.copyright": (1.0, "bank bank-0, sha256")}


def test_matches_are_those_of_the_item_that_was_examined() -> None:
    matches = [{"policy": "copyright", "opinion": "confirmed"}]
    subject = examined(post(media=[media(), media(media_id="m2")]), "media[1]", matches=matches)
    assert [(hit.signal, hit.field) for hit in observe(OBSERVER, subject)] == [("hash.copyright", "media[1]")]
    subject = examined(account(avatar=media(), header=media()), "profile.header", matches=matches)
    fields = [hit.field for hit in observe(OBSERVER, subject) if hit.signal == "hash.copyright"]
    assert fields == ["profile.header"]


def test_the_classifier_is_named_for_the_scores_that_it_raised() -> None:
    received = Media(media_id="m1", scores={"gore": 0.9})
    item = media(scores={"nudity": 0.8, "gore": 0.9}, marked_sensitive=True)
    subject = examined(post(media=[item]), received=received, classifier="example-1")
    assert details(subject) == {"media.nudity": (0.8, "example-1"), "media.gore": (0.9, "")}


def test_an_md5_is_looked_up() -> None:
    held = facts({"md5": ["cd" * 16]})
    assert details(post(media=[media(md5="CD" * 16)]), held) == {
        "hash.child-sexual-exploitation": (1.0, "bank bank-0, md5")
    }


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        ({"digital_source_type": "trainedAlgorithmicMedia"}, {"media.ai-generated": 1.0}),
        (
            {"digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"},
            {"media.ai-generated": 1.0},
        ),
        (
            {"digital_source_type": "digsrctype:compositeWithTrainedAlgorithmicMedia"},
            {"media.ai-generated": PARTLY},
        ),
        (
            {"digital_source_type": "compositeWithTrainedAlgorithmicMedia", "ai_generated": True},
            {"media.ai-generated": PARTLY},
        ),
        ({"digital_source_type": "algorithmicMedia"}, {}),
        ({"digital_source_type": "anything else"}, {}),
        ({"digital_source_type": "digitalCapture"}, {}),
        (
            {"digital_source_type": "digitalCapture", "c2pa": "trusted"},
            {"media.c2pa-valid": 1.0, "media.c2pa-trusted": 1.0, "media.c2pa-camera": 1.0},
        ),
        # A certificate of one's own is made in a minute: a stranger's camera vouches for nothing.
        ({"digital_source_type": "digitalCapture", "c2pa": "valid"}, {"media.c2pa-valid": 1.0}),
        ({"digital_source_type": "digitalCapture", "c2pa": "expired"}, {}),
        ({"digital_source_type": "digitalCapture", "c2pa": "unreadable"}, {}),
        ({"digital_source_type": "digitalCapture", "c2pa": "invalid"}, {"media.c2pa-invalid": 1.0}),
        (
            {"digital_source_type": "digitalCapture", "c2pa": "trusted", "ai_generated": True},
            {"media.ai-generated": 1.0, "media.c2pa-valid": 1.0, "media.c2pa-trusted": 1.0},
        ),
        ({"digital_source_type": "algorithmicallyEnhanced", "ai_generated": False}, {}),
        ({"generator": "Example Maker", "ai_generated": False}, {}),
    ],
)
def test_how_an_item_was_made_is_read_from_its_source_type(
    provenance: dict[str, Any], expected: dict[str, float]
) -> None:
    hits = details(post(media=[media(provenance=provenance)]))
    assert {name: score for name, (score, _) in hits.items()} == expected


def test_a_manifest_says_who_signed_it_or_which_checks_it_failed() -> None:
    signed = details(post(media=[media(provenance={"c2pa": "trusted", "signer": "Example\u202e Cameras"})]))
    assert signed["media.c2pa-trusted"] == (1.0, "signed by Example Cameras")
    codes = ["assertion.dataHash.mismatch", "claimSignature.mismatch", "a", "b"]
    broken = details(post(media=[media(provenance={"c2pa": "invalid", "c2pa_failures": codes})]))
    assert broken["media.c2pa-invalid"] == (1.0, "assertion.dataHash.mismatch, claimSignature.mismatch, a")
