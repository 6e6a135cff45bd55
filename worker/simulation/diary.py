"""What happened in a simulated year, beside the truth: the material of the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Truth(NamedTuple):
    """What is true of one post: the policy that it breaks (None: none), whose it is, and when it was written."""

    policy: str | None
    account_id: str
    at: int


@dataclass(slots=True)
class Caught:
    """When something first happened to an account: the time, and how many bad posts it had written by then."""

    at: int
    bad_posts: int


@dataclass(slots=True)
class Contest:
    """One appeal. `sort`: plain, late, second or foreign; `rightful`: the action was wrong in truth."""

    account_id: str
    action_id: str
    sort: str
    rightful: bool
    at: int
    policy: str
    outcome: str = "open"  # open | received | refused | upheld | overturned
    decided: int | None = None


@dataclass
class Diary:
    """Grows while the year goes by. Times are milliseconds since the epoch."""

    posts: dict[str, Truth] = field(default_factory=dict)
    bad_since: dict[str, int] = field(
        default_factory=dict
    )  # an account's first post or profile that broke a rule
    bad_posts: Counter[str] = field(default_factory=Counter)
    first: dict[tuple[str, str], Caught] = field(default_factory=dict)  # (account, label | remove | suspend)
    contests: dict[str, Contest] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)  # input records by topic
    outputs: Counter[str] = field(default_factory=Counter)
    notices: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    items: Counter[str] = field(default_factory=Counter)  # opened, by reason
    opened_by_day: Counter[int] = field(default_factory=Counter)
    item_opened: dict[str, int] = field(default_factory=dict)
    item_due: dict[str, int] = field(default_factory=dict)
    closed: Counter[str] = field(default_factory=Counter)  # "review" or what else closed an item
    item_waits: list[int] = field(default_factory=list)
    overdue: int = 0
    mistakes: int = 0  # decisions of moderators against the truth
    reviews: int = 0
    brigades: list[tuple[str, int]] = field(default_factory=list)  # whom, and when
    brigade_reports: int = 0
    brigade_items: int = 0  # review items about a brigaded account within two days
    returned: dict[str, str] = field(default_factory=dict)  # the new account: the suspended one
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
