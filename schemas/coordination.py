"""Records of the internal topics `observations` and `findings`: what is seen across accounts, and what follows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Count, Evidence, Id, Language, PolicyId, Ratio, Record, Time

Feature = Annotated[str, Field(pattern=r"^(fp|domain|device|network|reporter|cap|model):.", max_length=2048)]


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


class Finding(Record):
    """What follows from the observations of a feature for one account; keyed by, and judged by the owner of, the account."""

    finding_id: Id
    """Id of the finding; the cause in the ids of the actions that follow."""
    feature: Feature
    """The feature that many share; `model:` and a name: what a model outside the worker said of one post."""
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
