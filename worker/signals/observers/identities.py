"""What of an account's profile looks like that of a protected identity (`facts/protected_identities.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from schemas.accounts import AccountRecord
from schemas.posts import Media
from worker.engine.contract import Subject
from worker.engine.facts import Facts, Identity
from worker.signals.folding import fold
from worker.signals.hashes import PDQ_DISTANCE, PDQ_QUALITY
from worker.signals.likeness import distance, skeleton
from worker.signals.view import Hit

MEANINGS = {
    "identity.handle-same": "The handle looks the same as that of a protected identity.",
    "identity.handle-near": "The handle is a letter or two from that of a protected identity.",
    "identity.handle-stuffed": "The handle is a protected one with words such as official, real or support added.",
    "identity.name-same": "The display name looks the same as that of a protected identity.",
    "identity.name-stuffed": "The display name is a protected one with words such as official, real or support added.",
    "identity.avatar": "The picture is that of a protected identity.",
    "identity.bio-named": "The bio names a protected identity.",
}
_NAME_READ = 300  # code points of a handle or a display name: what nobody sees beside a post misleads nobody
_BIO_READ = 5_000
_SHORT = 4  # characters: a shorter name stands in too many others to be looked for inside them
_NEAR_FROM = 6  # characters from which one slip is a look-alike; from twice as many two are
_UNSURE = 0.6  # of a name that others may rightly bear


@dataclass(frozen=True, slots=True)
class _Names:
    """One identity as it is looked for: skeletons of its handles and names, the latter as words too."""

    identity: Identity
    handles: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]


class IdentityObserver:
    """Compares handle, display name, bio and picture of an account with all protected identities.

    The identities' own accounts are never reported. A hit's detail says whom it resembles and how. The cost grows with
    the number of identities, and is paid for account records only.
    """

    meanings = MEANINGS
    on_plain_posts = False

    @property
    def names(self) -> frozenset[str]:
        """The signals that it may report."""
        return frozenset(self.meanings)

    def ready(self, facts: Facts) -> bool:
        """Where the pack protects anybody."""
        return bool(facts.identities)

    def applies(self, subject: Subject) -> bool:
        """Accounts only."""
        return subject.account is not None

    def observe(self, subject: Subject, facts: Facts) -> list[Hit]:
        """The strongest resemblance of each kind."""
        account = subject.account
        if account is None or any(subject.account_id in one.account_ids for one in facts.identities):
            return []
        best: dict[str, Hit] = {}
        for names in _prepared(facts):
            for hit in _compare(account, names):
                known = best.get(hit.signal)
                if known is None or hit.score > known.score:
                    best[hit.signal] = hit
        return list(best.values())


@lru_cache(maxsize=4)
def _prepared(facts: Facts) -> tuple[_Names, ...]:
    return tuple(
        _Names(
            identity,
            tuple(dict.fromkeys(skeleton(handle) for handle in identity.handles)),
            tuple(
                dict.fromkeys(
                    _words(name) for name in (identity.name, *identity.display_names, *identity.aliases)
                )
            ),
        )
        for identity in facts.identities
    )


def _words(text: str) -> tuple[str, ...]:
    """The words of a name as skeletons; marks and emoji ("✅", "™") fall away."""
    spaced = "".join(char if char.isalnum() or char in "$@|" else " " for char in fold(f"x {text}")[2:])
    return tuple(skeleton(word) for word in spaced.split())


def _listed(name: str) -> frozenset[str]:
    """A list of `identities.toml`, as skeletons."""
    data = tomllib.loads(files("worker.signals.observers").joinpath("identities.toml").read_text("utf-8"))
    return frozenset(skeleton(word) for word in data[name])


_SERVICE_WORDS = _listed("service")
_FILLER_WORDS = _listed("filler")
_APART_WORDS = _listed("apart")


def _compare(account: AccountRecord, names: _Names) -> Iterator[Hit]:
    profile = account.profile
    if profile is not None:
        if profile.handle:
            yield from _handle(profile.handle[:_NAME_READ], names)
        if profile.display_name:
            yield from _name(profile.display_name[:_NAME_READ], names)
        if profile.bio:
            yield from _bio(profile.bio[:_BIO_READ], names)
    if account.avatar is not None and _same_picture(account.avatar, names.identity):
        yield _hit("avatar", "profile.avatar", names, "has the picture of", 1.0)


def _hit(kind: str, field: str, names: _Names, how: str, score: float) -> Hit:
    return Hit(f"identity.{kind}", field, None, None, score, f"{how} {names.identity.name}")


def _handle(handle: str, names: _Names) -> Iterator[Hit]:
    field = "profile.handle"
    whole = skeleton(handle)
    parts = _words(handle.replace("_", " ").replace(".", " "))
    if not _APART_WORDS.isdisjoint(parts):
        return
    for protected in names.handles:
        if whole == protected:
            score = 1.0 if len(protected) >= _SHORT else _UNSURE
            yield _hit("handle-same", field, names, "looks the same as the handle of", score)
        elif _stuffed(whole, parts, protected):
            yield _hit("handle-stuffed", field, names, "adds to the handle of", 1.0)
        elif len(protected) >= _NEAR_FROM:
            limit = 2 if len(protected) >= 2 * _NEAR_FROM else 1
            if distance(whole, protected, limit) <= limit:
                yield _hit("handle-near", field, names, "differs by a letter from the handle of", 1.0)
    for words in names.names:
        joined = "".join(words)
        if joined not in names.handles and len(joined) >= _NEAR_FROM and _stuffed(whole, parts, joined):
            yield _hit("handle-stuffed", field, names, "adds to the name of", 1.0)


def _stuffed(whole: str, parts: tuple[str, ...], protected: str) -> bool:
    """Whether a handle is a protected one and nothing but service words or figures."""
    if protected in parts and len(parts) > 1:
        rest = [part for part in parts if part != protected]
        return any(map(_service_end, rest)) and all(_is_service(part) or _service_end(part) for part in rest)
    if len(protected) < _SHORT or protected not in whole:
        return False
    before, _, after = whole.partition(protected)
    found = [rest for rest in (before, after) if rest]
    return any(_service_end(rest) for rest in found) and all(
        _is_service(rest) or _service_end(rest) for rest in found
    )


def _is_service(word: str) -> bool:
    """A service word, a small one, or figures; the skeleton has made letters of most of them."""
    return (
        word in _SERVICE_WORDS
        or word in _FILLER_WORDS
        or (len(word) <= 4 and all(char.isdigit() or char in "loesa" for char in word))
    )


def _service_end(text: str) -> bool:
    """Whether it is made of service words run together ("supportteam")."""
    if text in _SERVICE_WORDS:
        return True
    return any(
        text.startswith(word) and (_service_end(text[len(word) :]) or _is_service(text[len(word) :]))
        for word in _SERVICE_WORDS
        if len(word) > 3 and len(word) < len(text)
    )


def _name(name: str, names: _Names) -> Iterator[Hit]:
    field = "profile.display_name"
    words = _words(name)
    if not words or not _APART_WORDS.isdisjoint(words):
        return
    person = names.identity.kind == "person"
    for protected in names.names:
        size = len(protected)
        sure = (size > 1 or len(protected[0]) > _SHORT) and not person if protected else False
        score = 1.0 if sure else _UNSURE
        if "".join(words) == "".join(protected):
            yield _hit("name-same", field, names, "bears the name of", score)
            continue
        for place in range(len(words) - size + 1):
            rest = (*words[:place], *words[place + size :])
            if words[place : place + size] == protected and rest:
                if any(word in _SERVICE_WORDS for word in rest) and all(map(_is_service, rest)):
                    yield _hit("name-stuffed", field, names, "adds to the name of", 1.0)
                break


def _bio(bio: str, names: _Names) -> Iterator[Hit]:
    padded = f" {' '.join(_words(bio))} "
    for protected in names.names:
        joined = " ".join(protected)
        if (len(protected) > 1 or len(joined) >= 3) and f" {joined} " in padded:
            yield _hit("bio-named", "profile.bio", names, "names", 1.0)
            return


def _same_picture(avatar: Media, identity: Identity) -> bool:
    known = identity.avatar
    if known is None:
        return False
    if known.sha256 is not None and avatar.sha256 is not None and avatar.sha256.lower() == known.sha256:
        return True
    if known.pdq is None or avatar.pdq is None or (avatar.pdq_quality or 0) < PDQ_QUALITY:
        return False
    return (int(avatar.pdq, 16) ^ int(known.pdq, 16)).bit_count() <= PDQ_DISTANCE


OBSERVER = IdentityObserver()
