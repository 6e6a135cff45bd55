"""Turns a post or an account snapshot into what the rules judge: the texts that the account itself wrote."""

from __future__ import annotations

from functools import lru_cache

from schemas.accounts import AccountRecord
from schemas.base import MAX_ID, MAX_TEXT
from schemas.posts import Post
from schemas.reports import Report
from worker.engine.contract import Subject
from worker.signals.language import identify

MEDIA_TEXTS = ("alt_text", "transcript", "on_screen_text")
"""What of a media item is text that its author is answerable for."""


@lru_cache(maxsize=1024)
def primary_language(tag: str | None) -> str | None:
    """The primary subtag of a BCP 47 tag in lower case: "en" of "en-GB"; None when unknown or "und"."""
    if not tag:
        return None
    primary = tag.replace("_", "-").partition("-")[0].lower()
    return None if primary in {"und", "zxx", "mul", "qme", "qht", "qam", "qst"} else primary


def post_subject(post: Post) -> Subject:
    """The subject of a post: its text and what its author wrote about its media.

    Where nobody names the language, the text itself must tell.
    """
    fields: dict[str, str] = {}
    if post.text:
        fields["text"] = post.text
    left = MAX_TEXT  # as much of all media together as of a post: a record may be a megabyte
    for index, item in enumerate(post.media):
        for name in MEDIA_TEXTS:
            text = getattr(item, name)
            if text and left:
                fields[f"media[{index}].{name}"] = text[:left]
                left -= min(left, len(text))
    return Subject(
        "post",
        post.post_id,
        post.author_id,
        fields,
        primary_language(post.lang) or identify(post.text),
        author=post.author,
        post=post,
    )


def account_subject(account: AccountRecord) -> Subject:
    """The subject of a profile: handle, display name and bio, whose language only the bio can tell."""
    profile = account.profile
    fields: dict[str, str] = {}
    if profile is not None:
        texts = (
            ("profile.handle", profile.handle),
            ("profile.display_name", profile.display_name),
            ("profile.bio", profile.bio),
        )
        fields = {path: text for path, text in texts if text}
    bio = fields.get("profile.bio", "")
    return Subject(
        "account",
        account.account_id,
        account.account_id,
        fields,
        identify(bio),
        author=profile,
        account=account,
    )


def report_subject(report: Report) -> Subject | None:
    """The subject of a rights-holder's report about a post: that post, of which nothing but the report is at hand.

    None for all other reports: what people report is weighed elsewhere.
    """
    rights = report.rights
    if rights is None or rights.basis is None or report.subject.type != "post":
        return None
    if len(report.subject.id) > MAX_ID:
        return None  # no post has such an id: a person looks
    return Subject("post", report.subject.id, report.account_id, {}, report=report)


def subject_of(model: object) -> Subject | None:
    """What a record asks the rules to judge; None when it asks nothing of them."""
    if isinstance(model, Post):
        return None if model.deleted else post_subject(model)
    if isinstance(model, AccountRecord):
        return None if model.deleted else account_subject(model)
    return report_subject(model) if isinstance(model, Report) else None
