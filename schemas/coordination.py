"""Records of the internal topics `observations` and `findings`: what is seen across accounts, and what follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Count, Evidence, Hex64, Id, Language, PolicyId, Ratio, Record, Time, Wire

Feature = Annotated[
    str, Field(pattern=r"^(fp|domain|device|network|reporter|cap|model|pack):.", max_length=2048)
]

Hex16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Standing = Literal["fresh", "faint", "settled"]
"""What kind of account shows a feature: less than 30 days old, older with hardly a follower, or neither."""


class Observation(Record):
    """One feature seen with one account; keyed by the feature, judged by its owner."""

    observation_id: Id
    """Id of the observation: one record's features are counted once."""
    feature: Feature
    """What was seen: `fp:`, `domain:`, `device:`, `network:`, `reporter:` or `cap:` and its value."""
    account_id: Id
    """The account that it was seen with."""
    post_id: Id | None = None
    """The post that it was seen in."""
    policy: PolicyId | None = None
    """The policy that asked for it."""
    count: Count = 1
    """How often it was seen in the record."""
    observed_at: Time
    """Time of the record that it was seen in."""
    simhash: Hex16 | None = None
    """Of a text: what tells how much of it another text with the same print shares."""
    standing: Standing | None = None
    """What kind of account it is; null when nobody knows."""
    since: Time | None = None
    """When the account was made or, where nobody says, first seen."""
    stands_for: Count = 1
    """How many such accounts it stands for: of those with a standing only some are told."""
    domain: Id | None = None
    """Of a text: the domain that it links to, unless everybody links there."""
    reaching: bool = False
    """Of a text: it has a way to others than its author's followers: a link, a hashtag, a mention, or it is a reply."""
    enforcement: Literal["suspended", "lifted"] | None = None
    """The account was suspended for good, or this was reversed; null when it was only seen."""
    outcome: Literal["filed", "upheld", "dismissed"] | None = None
    """Of a reporter: a report was filed, or a moderator decided what it was about."""
    item_id: Id | None = None
    """Of a reporter: the item of the queue that the report is in."""
    window: Time | None = None
    """Of a cap: the window in which `count` more actions are wanted, in all: its beginning."""


class Lease(Wire):
    """How many automatic actions a partition may take in a window on top of its share."""

    window: Time
    """The window that is meant: its beginning."""
    granted: Count
    """How many it was leased, in all."""
    left: Count
    """How many nobody was leased."""
    cap: Count
    """The cap of the window, for all partitions, by which this was told."""


class PackSwitch(Wire):
    """Under which pack a partition judges from this record on, or why a worker refused a published one."""

    version: Count
    """Milliseconds of the `published_at` of the pointer that asked for it: a partition never goes back."""
    pack: Annotated[str, Field(min_length=1, max_length=128)]
    """Id of the pack in force."""
    sha256: Hex64
    """SHA-256 of the pack in force."""
    candidate: Hex64 | None = None
    """SHA-256 of the pack that is tried beside it; null when there is none."""
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Of all accounts, chosen by a stable hash, how many the candidate is tried on."""
    shadow: bool = False
    """The candidate is only asked and counted."""
    refused: str | None = None
    """Why the worker that owns the partition refused it, with file, line and reason; it goes on as before."""


class Finding(Record):
    """What follows from the observations of a feature for one account; keyed by, and judged by the owner of, the account."""

    finding_id: Id
    """Id of the finding; the cause in the ids of the actions that follow."""
    feature: Feature
    """The feature that many share; `model:` and a name: what a model outside the worker said of one post; `pack:` and an id."""
    account_id: Id
    """The account concerned; the record's key."""
    post_id: Id | None = None
    """The account's post that showed the feature."""
    policy: PolicyId | None = None
    """The policy that is concerned."""
    score: Ratio = 1.0
    """How sure it is; of a model outside the worker, its probability."""
    accounts: Count = 1
    """How many accounts share the feature."""
    evidence: Evidence = ()
    """Where it was seen; at most 32 items."""
    observed_at: Time
    """Time of the observation that tipped the scale; of a model outside the worker, of the post."""
    lang: Language | None = None
    """Language of the post, its primary subtag; null when nobody knows it."""
    lease: Lease | None = None
    """Of a cap: what the partition is leased; `account_id` is then `partition:` and its number."""
    item_id: Id | None = None
    """Of a reporter: the item of the queue that the report is in."""
    switch: Annotated[PackSwitch | None, Field(exclude_if=lambda switch: switch is None)] = None
    """Of a pack: what the partition switches to; `account_id` is then `partition:` and its number."""
