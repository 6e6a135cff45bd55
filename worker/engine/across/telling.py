"""Which features of a record are told to their owners, as records of `observations`.

Only what some policy of the pack asks for is told, and only what could be part of a campaign or of a return: most
posts tell nothing. Whose age and followers nobody knows is told like a new account, but never counted as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from pydantic_core import to_json

from schemas.accounts import AccountRecord
from schemas.base import format_time
from schemas.coordination import Observation
from schemas.enforcement import Enforcement
from schemas.posts import Client, Media, Post, Profile
from worker.engine.across.limits import SAMPLED
from worker.engine.contract import Subject
from worker.engine.desk import Desk
from worker.engine.enforce import Effects
from worker.engine.ids import digest
from worker.engine.records import Judged, Output
from worker.engine.state import DAY, Account
from worker.engine.times import EPOCH
from worker.signals.measured import MeasuredSignals
from worker.signals.sameness import TextPrint

FRESH = timedelta(days=30)
FEW_FOLLOWERS = 20
WEEK = 7 * DAY
LONG_REPLY = 12  # words of a reply from which on others are not likely to write the same
ANNOUNCED = "~announced"
"""When the account last spoke of its own suspension or return; stands among what was told."""

_PROFILE = "~profile"
_SINCE = "~since"
_MOST = {
    "domain": 24,
    "device": 8,
    "network": 8,
}  # features of a kind that one account remembers to have told
_ANNOUNCING = frozenset(
    f"circumvention.{name}" for name in ("suspended", "serial", "reserve", "get-back", "predecessor")
)
# An observation that says nothing: what it does not tell stands in the record all the same.
_NOTHING: dict[str, Any] = {
    name: None if field.is_required() else field.default for name, field in Observation.model_fields.items()
}
_MS = timedelta(milliseconds=1)
_LONGEST = 512  # code points of a device's or network's hash


class _Letters(dict[int, int | None]):
    """For `str.translate`: letters stay, everything else goes. What was asked before is known."""

    def __missing__(self, char: int) -> int | None:
        kept = char if chr(char).isalpha() else None
        self[char] = kept
        return kept


_LETTERS = _Letters()


class Telling:
    """Collects what the owners of features are to know; nothing else follows from it here."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        policies = [loaded.policy for loaded in desk.chain.policies]
        asked = {row.feature for policy in policies for row in policy.coordination}
        returns = {row.feature for policy in policies for row in policy.returns}
        self._texts = "text" in asked
        self._domains = "domain" in asked
        self._profiles = "profile" in returns
        self._clients = tuple(kind for kind in ("device", "network") if kind in asked or kind in returns)
        self._back = tuple(kind for kind in ("device", "network") if kind in returns)
        self._announcing = _ANNOUNCING if returns else frozenset()
        self._on = bool(asked or returns)
        self._links = desk.pack.facts.links

    # --- what is seen

    def post(
        self,
        post: Post,
        subject: Subject,
        signals: MeasuredSignals,
        account: Account,
        now_ms: int,
        judged: Judged,
    ) -> None:
        """Tells of a post that is judged for the first time."""
        if not self._on or post.surface == "repost":
            return
        author = post.author
        if self._announcing and not signals.fired.isdisjoint(self._announcing):
            account.told[ANNOUNCED] = now_ms
        if self._clients and post.client is not None:
            self._client(post.client, post.author_id, post.post_id, author, account, now_ms, judged)
        if self._profiles and author is not None and account.told.get(_PROFILE, -WEEK) + WEEK <= now_ms:
            self._profile(author, None, post.author_id, post.post_id, account, now_ms, judged)
        text_print = signals.text_print if self._texts else None
        if text_print is None and not self._domains:
            return
        standing = standing_of(author, account, post.created_at)
        links = self._linked(post, signals)
        domain = links[0] if links else None
        if self._domains:
            self._domain(links, standing, post, account, now_ms, judged)
        if text_print is not None:
            reply = post.in_reply_to is not None or post.surface == "reply"
            reaching = domain is not None or _is_reaching(post, reply)
            weight = _weight(post, text_print, standing, reply, reaching, domain is not None)
            if weight:
                about: dict[str, Any] = {"simhash": f"{text_print.simhash:016x}", "standing": standing}
                if reaching or reply:
                    about["reaching"] = True
                if weight > 1:
                    about["stands_for"] = weight
                if domain is not None:
                    about["domain"] = domain
                feature = f"fp:{text_print.sketch:016x}"
                self._tell("text", feature, post.post_id, post.author_id, post.post_id, now_ms, about, judged)

    def profile(self, profile: AccountRecord, account: Account, now_ms: int, judged: Judged) -> None:
        """Tells of a new or changed account."""
        if not self._on or profile.deleted:
            return
        shown, name = profile.profile, profile.account_id
        if shown is not None:
            made = None if shown.created_at is None else (shown.created_at - EPOCH) // _MS
            for trait, value in (("made", made), ("followers", shown.followers)):
                if value is not None and value >= 0:
                    account.traits[trait] = value
        if self._clients and profile.client is not None:
            self._client(profile.client, name, None, shown, account, now_ms, judged)
        if self._profiles and shown is not None:
            self._profile(shown, profile.avatar, name, None, account, now_ms, judged)

    def _client(
        self,
        client: Client,
        account_id: str,
        post_id: str | None,
        author: Profile | None,
        account: Account,
        now_ms: int,
        judged: Judged,
    ) -> None:
        """Tells of a device and a network once a week."""
        for kind in self._clients:
            value = client.device if kind == "device" else client.network
            if not value or len(value) > _LONGEST:
                continue
            feature = f"{kind}:{value}"
            if account.told.get(feature, -WEEK) + WEEK > now_ms:
                continue
            _remember(account, kind, feature, now_ms)
            about = self._standing(author, account, now_ms)
            cause = post_id or f"{account_id}@{now_ms}"
            self._tell(kind, feature, cause, account_id, post_id, now_ms, about, judged)

    def _profile(
        self,
        shown: Profile,
        avatar: Media | None,
        account_id: str,
        post_id: str | None,
        account: Account,
        now_ms: int,
        judged: Judged,
    ) -> None:
        """Keeps digests of what a profile holds, should the account be suspended, and tells them of a new one."""
        traits = traits_of(shown, avatar)
        before = account.traits.get("profile", {})
        if avatar is None and "avatar" in before:
            traits["avatar"] = before["avatar"]  # a post's snapshot carries no picture
        changed = traits != before
        if changed:
            account.traits["profile"] = traits
        due = account.told.get(_PROFILE, -WEEK) + WEEK <= now_ms
        if due:
            account.told[_PROFILE] = now_ms
        about = self._standing(shown, account, now_ms)
        if about["standing"] != "fresh" or not (changed or due):
            return
        cause = post_id or f"{account_id}@{now_ms}"
        for name, value in traits.items():
            if due or before.get(name) != value:
                self._tell("profile", f"fp:{name}:{value}", cause, account_id, post_id, now_ms, about, judged)

    def _domain(
        self,
        links: list[str],
        standing: str | None,
        post: Post,
        account: Account,
        now_ms: int,
        judged: Judged,
    ) -> None:
        """Tells of the domains that a post links to, once a day."""
        for name in links:
            feature = f"domain:{name}"
            if account.told.get(feature, -DAY) + DAY > now_ms:
                continue
            _remember(account, "domain", feature, now_ms)
            about = {"standing": standing}
            self._tell("domain", feature, post.post_id, post.author_id, post.post_id, now_ms, about, judged)

    def _linked(self, post: Post, signals: MeasuredSignals) -> list[str]:
        """The unusual domains that a post leads to, at most four, each once."""
        links: Iterator[str] | tuple[str, ...] = post.urls[:8]
        if not post.urls:
            if "link.url" not in signals.fired:
                return []
            links = (
                hit.detail.partition(",")[0] for hit in signals.hits("link.url")[:8] if hit.field == "text"
            )
        found = dict.fromkeys(name for link in links if (name := self._links.of(link)) is not None)
        return list(found)[:4]

    def _standing(self, author: Profile | None, account: Account, now_ms: int) -> dict[str, Any]:
        """What is told of an account besides what it shows: what kind it is, and since when it exists."""
        now = EPOCH + now_ms * _MS
        standing = standing_of(author, account, now)
        if author is not None and author.created_at is not None:
            since = author.created_at
            return {"standing": standing, "since": format_time(since) if since > EPOCH else None}
        first = account.traits.get("made")
        if first is None:
            first = account.told.setdefault(_SINCE, now_ms)
        return {"standing": standing, "since": format_time(EPOCH + first * _MS)}

    # --- who is suspended

    def enforced(self, effects: Effects, account: Account, now_ms: int, judged: Judged) -> None:
        """Tells of suspensions, so that who comes back is known, and of their end."""
        for action in effects.actions:
            if action.kind == "suspend":
                self.suspension(action, account, judged)

    def suspension(self, action: Enforcement, account: Account, judged: Judged) -> None:
        """Tells of one suspension for good, or that it was reversed."""
        if action.mode != "suspended" or action.expires_at is not None or not self._on:
            return
        name = "suspended" if action.operation == "apply" else "lifted"
        now_ms = (action.decided_at - EPOCH) // _MS
        about = {"enforcement": name}
        shown: list[tuple[str, str]] = [
            (kind, feature)
            for kind in self._back
            for feature in account.told
            if feature.startswith(f"{kind}:")
        ]
        if self._profiles:
            shown += [
                ("profile", f"fp:{trait}:{value}")
                for trait, value in account.traits.get("profile", {}).items()
            ]
        for kind, feature in shown:
            self._tell(kind, feature, action.action_id, action.account_id, None, now_ms, about, judged)

    def _tell(
        self,
        kind: str,
        feature: str,
        cause: str,
        account_id: str,
        post_id: str | None,
        now_ms: int,
        about: dict[str, Any],
        judged: Judged,
    ) -> None:
        record = {
            **_NOTHING,
            "observation_id": digest("observation", feature, account_id, cause),
            "feature": feature,
            "account_id": account_id,
            "post_id": post_id,
            "observed_at": format_time(EPOCH + now_ms * _MS),
            **about,
        }
        judged.outputs.append(
            Output("observations", feature.encode(), to_json(record), self._desk.partition_of(feature))
        )
        judged.count("moderator_observations_total", kind)


def standing_of(author: Profile | None, account: Account, now: datetime) -> str | None:
    """What kind of account it is, as observations tell it; None when nobody knows.

    Where a post comes without its author's profile, what the account's last record said counts.
    """
    if author is not None:
        made, followers = author.created_at, author.followers
    else:
        known = account.traits.get("made")
        made = None if known is None else EPOCH + known * _MS
        followers = account.traits.get("followers")
    if made is not None and now - made < FRESH:
        return "fresh"
    if followers is None:
        return None if made is None else "settled"
    return "faint" if followers < FEW_FOLLOWERS else "settled"


def traits_of(shown: Profile, avatar: Media | None) -> dict[str, str]:
    """Digests of what a profile can be known again by: bio, picture and handle; what is too short is left out."""
    traits: dict[str, str] = {}
    bio = (shown.bio or "").casefold().translate(_LETTERS)
    if len(bio) >= 30:
        traits["bio"] = digest("bio", bio)
    stem = (shown.handle or "").casefold().translate(_LETTERS)
    if len(stem) >= 7:
        traits["handle"] = digest("handle", stem)
    if avatar is not None and (avatar.sha256 or avatar.pdq):
        traits["avatar"] = digest("avatar", (avatar.pdq or avatar.sha256 or "").lower())
    return traits


def _is_reaching(post: Post, reply: bool) -> bool:
    """Whether a post has a link, a hashtag or a mention, by which it reaches others than the author's followers."""
    answered = None if post.in_reply_to is None else post.in_reply_to.author_id
    if post.urls or post.hashtags or any(name != answered for name in post.mentions):
        return True
    # Who fills in no entities has them in the text alone.
    return "#" in post.text or "://" in post.text or ("@" in post.text and not reply)


def _weight(
    post: Post, text_print: TextPrint, standing: str | None, reply: bool, reaching: bool, linked: bool
) -> int:
    """How many texts this one is told for; 0: it is not told.

    Accounts with a standing write most of what is written: of their texts that reach further than their followers
    every second is told, of long replies every fourth; always the same for one account and text. Of texts that reach
    nobody but followers every eighth of all but new accounts is: without those, a crowd in which few are new would look
    as if all were.
    """
    if standing == "fresh" or linked:
        return 1
    if not reaching and not (reply and text_print.words >= LONG_REPLY):
        share = SAMPLED
    elif standing != "settled":
        share = 1
    else:
        share = 2 if reaching else 4
    return 0 if (crc32(post.author_id.encode()) ^ text_print.sketch) % share else share


def _remember(account: Account, kind: str, feature: str, now_ms: int) -> None:
    """Notes that a feature was told; of each kind the ones told last stay."""
    told = account.told
    if told.pop(feature, None) is None:
        same = [name for name in told if name.startswith(f"{kind}:")]
        if len(same) >= _MOST[kind]:
            del told[same[0]]
    told[feature] = now_ms
