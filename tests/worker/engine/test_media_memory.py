"""What an account remembers of its media comes back as it was, and takes no more room than it may."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from schemas.accounts import AccountRecord
from schemas.media_signals import MediaSignals
from schemas.posts import Media, Post
from tests.worker.engine.helpers import START
from tests.worker.engine.media import found, picture, profile, shown
from worker.engine import media_memory as memory
from worker.engine.media_subjects import merged, subject_alone, subject_in_post
from worker.engine.state import DAY, Account
from worker.engine.times import EPOCH

NOW = (START - EPOCH) // timedelta(milliseconds=1)


def signals(**more: object) -> MediaSignals:
    return MediaSignals.model_validate(found(**more))  # type: ignore[arg-type]  # any field of the record


def a_post(**more: object) -> Post:
    return Post.model_validate(shown(**more))  # type: ignore[arg-type]  # any field of the record


def test_a_post_is_remembered_as_far_as_its_media_are_judged_by_it() -> None:
    author = {"handle": "ann", "parody": True, "followers": 7, "bio": "not kept"}
    item = picture(
        placement="header", alt_text="a", on_screen_text="b", scores={"gore": 0.4}, marked_sensitive=True
    )
    post = Post.model_validate(
        shown("hello", item, author="u1", lang="de", surface="reply") | {"author": author}
    )
    account = Account()
    memory.note_post(account, post, NOW)
    known = memory.known_post(Account.from_bytes(account.to_bytes()), signals(), NOW + 1)
    assert known is not None
    assert (known.text, known.lang, known.surface, known.created_at) == (
        "hello",
        "de",
        "reply",
        post.created_at,
    )
    assert known.author is not None
    assert (known.author.handle, known.author.parody, known.author.bio) == ("ann", True, None)
    (kept,) = known.media
    assert kept == post.media[0].model_copy(update={"uri": None, "scores": {}})
    assert memory.known_post(account, signals(), NOW + DAY) is None
    assert memory.known_post(account, signals(post_id="2"), NOW) is None


def test_a_post_whose_media_an_edit_took_away_is_forgotten() -> None:
    account = Account()
    memory.note_post(account, a_post(), NOW)
    memory.note_post(account, a_post().model_copy(update={"media": ()}), NOW + 1)
    assert account.media == {}


@given(
    st.text(max_size=2_000),
    st.lists(st.text(max_size=600), max_size=12),
    st.text(min_size=1, max_size=512),
    st.text(max_size=300),
)
def test_whatever_a_post_holds_its_memory_is_bounded_and_reads_back(
    text: str, words: list[str], media_id: str, name: str
) -> None:
    items = tuple(
        Media(media_id=f"{n}{media_id}"[:512], transcript=word, alt_text=word) for n, word in enumerate(words)
    )
    post = a_post().model_copy(update={"text": text, "media": items})
    account = Account()
    memory.note_post(account, post, NOW)
    assert len(account.to_bytes()) < 20_000
    again = Account.from_bytes(account.to_bytes())
    assert again.media == account.media
    wanted = signals(media_id=items[0].media_id) if items else signals()
    known = memory.known_post(again, wanted, NOW)
    assert (known is None) == (not items)
    if known is not None:
        assert known.text == text[:1_000]
        assert known.media[0].media_id == items[0].media_id


def test_the_newest_profile_is_remembered_whatever_comes_late() -> None:
    account = Account()
    old = AccountRecord.model_validate(profile(avatar=picture("a1")))
    new = old.model_copy(update={"updated_at": START + timedelta(seconds=5), "avatar": Media(media_id="a2")})
    for record in (new, old):
        memory.note_profile(account, record, NOW)
    wanted = signals(post_id=None, field="avatar", media_id="a2")
    known = memory.known_profile(Account.from_bytes(account.to_bytes()), wanted)
    assert known is not None
    assert known.avatar == Media(media_id="a2")
    assert known.updated_at == new.updated_at


def test_what_waits_for_its_post_is_bounded_and_given_out_once() -> None:
    account = Account()
    frames = [{"at_seconds": float(n), "pdq": "ab" * 32, "pdq_quality": 90} for n in range(1_000)]
    for number in range(40):
        memory.wait(account, signals(post_id=f"p{number}", frames=frames, scores={"gore": 0.9}), NOW + number)
    assert len(account.media["waiting"]) == 16
    assert len(account.to_bytes()) < 20_000
    (one,) = memory.waiting_for(account, "p39", NOW + 50)
    assert (one.scores, one.frames) == ({"gore": 0.9}, ())
    assert memory.waiting_for(account, "p39", NOW + 50) == []
    for number in range(40):
        memory.wait(account, signals(post_id="same", media_id=f"m{number}"), NOW + 60)
    assert len(memory.waiting_for(account, "same", NOW + 60)) == 16
    assert "waiting" not in account.media
    memory.wait(account, signals(post_id="late"), NOW)
    assert memory.waiting_for(account, "late", NOW + DAY) == []


def test_what_is_found_fills_what_is_missing_and_raises_scores() -> None:
    item = Media.model_validate(
        picture(
            kind="gif", sha256="ab" * 32, scores={"gore": 0.5, "nudity": 0.4}, ad_markers=[{"kind": "vast"}]
        )
        | {"provenance": {"c2pa": "valid", "ai_generated": True}}
    )
    hashes = {"sha256": "cd" * 32, "md5": "ef" * 16, "pdq": "12" * 32, "pdq_quality": 80}
    result = merged(
        item,
        signals(
            kind="image", duration_seconds=2.0, hashes=hashes, scores={"gore": 0.1, "nudity": 0.9},
            ad_markers=[{"kind": "vast"}, {"kind": "scte35"}],
            provenance={"c2pa": "trusted", "ai_generated": False, "generator": "x"},
        ),
    )  # fmt: skip
    assert (result.kind, result.sha256, result.md5) == ("gif", "ab" * 32, "ef" * 16)
    assert (result.pdq, result.pdq_quality, result.duration_seconds) == ("12" * 32, 80, 2.0)
    assert result.scores == {"gore": 0.5, "nudity": 0.9}
    assert [marker.kind for marker in result.ad_markers] == ["vast", "scte35"]
    assert result.provenance is not None
    assert (result.provenance.c2pa, result.provenance.ai_generated, result.provenance.generator) == (
        "trusted",
        True,
        "x",
    )


def test_an_item_alone_is_as_old_as_what_was_found_and_another_post_is_not_taken() -> None:
    subject = subject_alone(signals())
    assert subject.examined is not None
    assert subject.examined.alone
    assert subject.post is not None
    assert subject.post.created_at == signals().observed_at
    assert subject_in_post(signals(), a_post(post_id="2")) is None
    assert subject_in_post(signals(media_id="m2"), a_post()) is None
    assert subject_in_post(signals(account="u2"), a_post()) is None


def test_the_worst_that_anybody_can_send_leaves_room_for_the_rest_of_the_record() -> None:
    worst = "\x01" * 2_000  # six bytes each
    item = {"kind": "live_video", "placement": "profile", "sha256": "ab" * 32, "marked_sensitive": True}
    made = {"c2pa": worst, "digital_source_type": worst, "generator": worst, "signer": worst}
    items = [
        {"media_id": f"{n}{worst}"[:512], "transcript": worst, "provenance": made, **item} for n in range(12)
    ]
    author = {"handle": worst, "display_name": worst, "bio": worst}
    account = Account()
    for number in range(20):
        post = shown(worst, *items, post_id=f"{number}{worst}"[:512]) | {"author": author, "lang": "en"}
        memory.note_post(account, Post.model_validate(post), NOW)
        memory.wait(account, signals(post_id=f"w{number}{worst}"[:512], classifier=worst[:500]), NOW)
    avatar = {"avatar": items[0], "header": items[1], "profile": author}
    memory.note_profile(account, AccountRecord.model_validate(profile(**avatar)), NOW)  # type: ignore[arg-type]
    assert len(account.to_bytes()) < 500_000
