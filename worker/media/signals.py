"""From what was found in a media item to the record that says so, or to the dead letter of one that was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schemas.base import MAX_TEXT, encode
from schemas.media_signals import BankMatch, Hashes, MediaContext, MediaSignals
from schemas.posts import Media, Post
from worker.engine.dead_letters import dead_letter
from worker.engine.records import Output
from worker.media.item import Found, RefusedError
from worker.media.wanted import Item, Wanted

TOPIC = "media.signals"
LARGEST = (
    800_000  # bytes of a record: what the judging worker and a topic with Kafka's defaults take, with room
)
MOST_MATCHES = 256
_OPINIONS = {"confirmed": 0, "seed": 1}


def claimed(media: Media) -> Found:
    """What upstream says of an item, as far as hash banks can be asked about it."""
    return Found(
        kind=media.kind,
        sha256=_lower(media.sha256),
        md5=_lower(media.md5),
        pdq=_lower(media.pdq),
        pdq_quality=media.pdq_quality,
        frames=media.frames,
    )


def merged(found: Sequence[BankMatch], claims: Sequence[BankMatch]) -> tuple[BankMatch, ...]:
    """All matches, each once; confirmed ones first, nearest first, at most `MOST_MATCHES`."""
    every = {(each.bank, each.policy, each.kind, each.entry): each for each in (*claims, *found)}
    return tuple(
        sorted(
            every.values(),
            key=lambda each: (
                _OPINIONS.get(each.opinion or "", 2),
                each.distance,
                each.bank,
                each.entry or "",
            ),
        )[:MOST_MATCHES]
    )


def signals(
    wanted: Wanted, item: Item, found: Found, matches: Sequence[BankMatch], observed_at: datetime
) -> Output:
    """The `media.signals` record of an item, keyed by its account.

    What does not fit is left out: first the post or the account around it, then every other frame until it fits.
    """
    record = MediaSignals(
        schema_version=1,
        post_id=None if wanted.post is None else wanted.post.post_id,
        account_id=wanted.account_id,
        media_id=item.media.media_id,
        field=item.field,
        kind=found.kind or item.media.kind,
        duration_seconds=found.duration_seconds,
        hashes=Hashes(
            sha256=found.sha256,
            md5=found.md5,
            pdq=found.pdq,
            pdq_quality=found.pdq_quality,
            tlsh=found.tlsh,
        ),
        scores=found.scores,
        classifier=found.classifier,
        provenance=found.provenance,
        frames=found.frames,
        ad_markers=found.ad_markers,
        matches=tuple(matches),
        context=_context(wanted, item),
        observed_at=observed_at,
    )
    value = encode(record)
    if len(value) > LARGEST:
        record = record.model_copy(update={"context": None})
        value = encode(record)
    while len(value) > LARGEST and (record.frames or record.ad_markers):
        fewer = {"frames": record.frames[::2], "ad_markers": record.ad_markers[: len(record.ad_markers) // 2]}
        if len(record.frames) == 1:
            fewer["frames"] = ()
        record = record.model_copy(update=fewer)
        value = encode(record)
    return Output(TOPIC, wanted.account_id.encode(), value)


def refused(wanted: Wanted, item: Item, error: RefusedError) -> Output:
    """The dead letter of an item that cannot be examined; it holds the item alone, not the post."""
    part = (wanted.subject_of(item), encode(item.media))
    # Its headers are the post's: who replays the item has no use for them.
    record = replace(wanted.record, headers=())
    return dead_letter(record, "media_refused", f"{error.reason}: {error.detail}", part=part)


def _context(wanted: Wanted, item: Item) -> MediaContext:
    if wanted.post is None:
        return MediaContext(account=wanted.account)
    media = tuple(
        _cut(each) if each.media_id == item.media.media_id else Media(media_id=each.media_id, kind=each.kind)
        for each in wanted.post.media
    )
    post: Post = wanted.post.model_copy(update={"media": media})
    return MediaContext(post=post)


def _cut(media: Media) -> Media:
    """The item with its longest texts cut to what is judged of a post."""
    texts = {
        name: text[:MAX_TEXT]
        for name in ("alt_text", "transcript", "on_screen_text")
        if (text := getattr(media, name)) is not None and len(text) > MAX_TEXT
    }
    return media.model_copy(update=texts) if texts else media


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
