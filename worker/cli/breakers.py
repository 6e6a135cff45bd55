"""`moderator breakers`: what the caps held back, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, get_args

import typer

from schemas.base import ActionKind, format_time
from worker.cli.errors import UNREACHABLE, CommandError
from worker.cli.operating import As, DecidedAt, DryRun, PerSecond, Yes, confirmed, decided_at, decider, send
from worker.cli.operating import time_given as read_time
from worker.cli.options import AsJson, Broker, TopicPrefix
from worker.cli.output import emit_json, emit_table, say
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.engine.policy import POLICY_IDS
from worker.held import TOPIC, Group, Held, grouped, open_items
from worker.operator_reviews import on_item
from worker.reading import reader

app = typer.Typer(
    help="Shows what the caps of automatic actions held back, and releases or discards it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KINDS: tuple[str, ...] = get_args(ActionKind)
Choice = Annotated[
    str | None, typer.Option(metavar="POLICY", help="Only what this policy wanted.", show_default="all")
]
Kind = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="Only actions of this kind: label, remove or suspend.", show_default="all"
    ),
]
OnePolicy = Annotated[str, typer.Option("--policy", metavar="POLICY", help="What this policy wanted.")]
OneKind = Annotated[
    str, typer.Option("--kind", metavar="KIND", help="Actions of this kind: label, remove or suspend.")
]
Before = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only what was held before, e.g. 2026-11-22T09:30:00Z.",
        show_default="everything",
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="At most so many, the oldest first.", show_default="all")
]


@app.command("list")
def list_held(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    policy: Choice = None,
    kind: Kind = None,
    json: AsJson = False,
) -> None:
    """Lists what is held and nobody has decided, by policy, kind of action and hour."""
    groups = grouped(_held(broker, topic_prefix, policy, kind))
    if json:
        emit_json({"held": [_described(group) for group in groups], "count": sum(g.count for g in groups)})
        return
    if not groups:
        say("nothing is held")
        return
    _show(groups)


@app.command("release")
def release(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    policy: OnePolicy,
    kind: OneKind,
    as_name: As,
    before: Before = None,
    limit: Limit = None,
    decided: DecidedAt = None,
    per_second: PerSecond = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Applies what is held: every action as it was proposed, as a person's decision."""
    chosen = _Choice(broker, topic_prefix, policy, kind, before, limit)
    _decide("uphold", chosen, as_name, decided, per_second, yes=yes, dry_run=dry_run, json=json)


@app.command("discard")
def discard(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    policy: OnePolicy,
    kind: OneKind,
    as_name: As,
    before: Before = None,
    limit: Limit = None,
    decided: DecidedAt = None,
    per_second: PerSecond = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Drops what is held: none of these actions is taken."""
    chosen = _Choice(broker, topic_prefix, policy, kind, before, limit)
    _decide("dismiss", chosen, as_name, decided, per_second, yes=yes, dry_run=dry_run, json=json)


class _Choice:
    """Which items an operator means. Whatever is wrong with it is said before anything is read."""

    def __init__(
        self,
        broker: str,
        topic_prefix: str,
        policy: str,
        kind: str,
        before: str | None,
        limit: int | None,
    ) -> None:
        _check(policy, kind)
        self.broker, self.topic_prefix, self.policy, self.kind, self.limit = (
            broker, topic_prefix, policy, kind, limit,
        )  # fmt: skip
        self.before: datetime | None = None if before is None else read_time("--before", before)

    def items(self) -> list[Held]:
        """The items, oldest first."""
        held = _held(self.broker, self.topic_prefix, self.policy, self.kind)
        return [item for item in held if self.before is None or item.created_at < self.before][: self.limit]


def _decide(
    outcome: Literal["uphold", "dismiss"],
    chosen: _Choice,
    as_name: str,
    decided: str | None,
    per_second: int | None,
    *,
    yes: bool,
    dry_run: bool,
    json: bool,
) -> None:
    verb, done = ("release", "released") if outcome == "uphold" else ("discard", "discarded")
    by, at = decider(as_name), decided_at(decided)
    items = chosen.items()
    groups = grouped(items)
    published = 0
    if items and not json:
        _show(groups)
    if items and not dry_run:
        what = f"{len(items):,} held actions ({chosen.kind}, {chosen.policy})"
        if confirmed(f"{verb.capitalize()} {what}?", yes=yes):
            reviews = [
                on_item(
                    item.item_id, item.account_id, outcome, command=f"breakers {verb}", by=by, at=at,
                    note=f"moderator breakers {verb}",
                )
                for item in items
            ]  # fmt: skip
            published = send(chosen.broker, chosen.topic_prefix, reviews, per_second)
    if json:
        emit_json(
            {
                "command": verb,
                "policy": chosen.policy,
                "kind": chosen.kind,
                "decided_at": format_time(at),
                "dry_run": dry_run,
                "held": [_described(group) for group in groups],
                "count": len(items),
                "published": published,
            }
        )
    elif not items:
        say("nothing is held")
    elif dry_run:
        say(f"{len(items):,} would be {done}; nothing was published")
    elif not published:
        say("nothing was published")
    else:
        say(f"{published:,} {done}: each is closed as soon as its worker has read the decision")


def _held(broker: str, topic_prefix: str, policy: str | None, kind: str | None) -> list[Held]:
    _check(policy, kind)
    try:
        with reader(broker, [TOPIC], topic_prefix, client_options=client_options()) as topic:
            items = open_items(topic.everything(), _complain)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    return [
        item
        for item in items
        if (policy is None or item.policy == policy) and (kind is None or item.kind == kind)
    ]


def _check(policy: str | None, kind: str | None) -> None:
    if policy is not None and policy not in POLICY_IDS:
        raise CommandError(
            f"--policy {policy!r}: there is no such policy", hint=f"One of: {', '.join(POLICY_IDS)}"
        )
    if kind is not None and kind not in KINDS:
        raise CommandError(f"--kind {kind!r}: there is no such kind", hint=f"One of: {', '.join(KINDS)}")


def _complain(record: Any) -> None:
    say(f"{TOPIC} {record.partition}:{record.offset} is unreadable and was left out")


def _described(group: Group) -> dict[str, Any]:
    return {
        "policy": group.policy,
        "kind": group.kind,
        "hour": format_time(group.hour),
        "oldest": format_time(group.oldest),
        "count": group.count,
    }


def _show(groups: Sequence[Group]) -> None:
    emit_table(
        "",
        ["policy", "kind", "hour", "oldest", "held"],
        [[g.policy, g.kind, format_time(g.hour), format_time(g.oldest), f"{g.count:,}"] for g in groups],
    )
