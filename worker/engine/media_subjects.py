"""Turns `media.signals` into what the rules judge: the post or the profile, with what was found merged into one item."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from schemas.accounts import AccountRecord
from schemas.media_signals import Hashes, MediaSignals
from schemas.posts import Media, Post, Provenance
from worker.engine.contract import Examined, Subject
from worker.engine.subjects import account_subject, post_subject

_T = TypeVar("_T")


def media_subject(signals: MediaSignals) -> Subject | None:
    """The subject of signals that bring along what shows the item; None where they do not, or it is not theirs."""
    context = signals.context
    if context is None:
        return None
    if signals.post_id is None:
        return None if context.account is None else subject_in_account(signals, context.account)
    return None if context.post is None else subject_in_post(signals, context.post)


def subject_in_post(signals: MediaSignals, post: Post) -> Subject | None:
    """A post with what was found merged into its item; None where the post is another's or does not show the item."""
    if (post.post_id, post.author_id) != (signals.post_id, signals.account_id):
        return None
    for index, item in enumerate(post.media):
        if item.media_id == signals.media_id:
            media = (*post.media[:index], merged(item, signals), *post.media[index + 1 :])
            subject = post_subject(post.model_copy(update={"media": media}))
            subject.examined = _examined(f"media[{index}]", item, signals)
            return subject
    return None


def subject_in_account(signals: MediaSignals, account: AccountRecord) -> Subject | None:
    """A profile with what was found merged into its picture; None where it is another's or shows another picture."""
    if account.account_id != signals.account_id or signals.field is None:
        return None
    item: Media | None = getattr(account, signals.field)
    if item is None or item.media_id != signals.media_id:
        return None
    subject = account_subject(account.model_copy(update={signals.field: merged(item, signals)}))
    subject.examined = _examined(f"profile.{signals.field}", item, signals)
    return subject


def subject_alone(signals: MediaSignals) -> Subject:
    """The item by itself, where nothing is known of what shows it; it is as old as what was found."""
    item = Media(media_id=signals.media_id)
    subject: Subject | None
    if signals.field is not None:
        account = AccountRecord(
            schema_version=1, account_id=signals.account_id, updated_at=signals.observed_at
        )
        subject = subject_in_account(signals, account.model_copy(update={signals.field: item}))
    else:
        assert signals.post_id is not None  # the schema asks for one of both
        post = Post(
            schema_version=1,
            post_id=signals.post_id,
            author_id=signals.account_id,
            created_at=signals.observed_at,
            text="",
            media=(item,),
        )
        subject = subject_in_post(signals, post)
    assert subject is not None
    assert subject.examined is not None
    subject.examined = replace(subject.examined, alone=True)
    return subject


def merged(item: Media, signals: MediaSignals) -> Media:
    """An item with what was found in it: hashes, kind and length where they are missing, of scores the higher.

    What its provenance says is taken from whoever looked last, but once known to be generated it stays so.
    """
    hashes = signals.hashes or Hashes()
    scores = dict(item.scores)
    for name, score in signals.scores.items():
        scores[name] = max(score, scores.get(name, 0.0))
    found = {
        "kind": item.kind or signals.kind,
        "duration_seconds": signals.duration_seconds
        if item.duration_seconds is None
        else item.duration_seconds,
        "sha256": item.sha256 or hashes.sha256,
        "md5": item.md5 or hashes.md5,
        "scores": scores,
        "provenance": _provenance(item.provenance, signals.provenance),
        "frames": _with(item.frames, signals.frames),
        "ad_markers": _with(item.ad_markers, signals.ad_markers),
    }
    if item.pdq is None:
        found |= {"pdq": hashes.pdq, "pdq_quality": hashes.pdq_quality}
    return item.model_copy(update=found)


def _with(known: tuple[_T, ...], found: tuple[_T, ...]) -> tuple[_T, ...]:
    return (*known, *(one for one in found if one not in known)) if known else found


def _provenance(known: Provenance | None, found: Provenance | None) -> Provenance | None:
    if known is None or found is None:
        return known or found
    said = {name: value for name in Provenance.model_fields if (value := getattr(found, name)) is not None}
    if known.ai_generated:
        said["ai_generated"] = True
    return known.model_copy(update=said)


def _examined(field: str, item: Media, signals: MediaSignals) -> Examined:
    return Examined(field, item, signals.matches, signals.classifier)
