"""`moderator reverse`: takes back what a version of a policy did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import typer
from rich.text import Text

from schemas.base import ActionKind, PolicyId, format_time
from schemas.enforcement import Enforcement
from worker.cli.errors import UNREACHABLE, CommandError
from worker.cli.inputs import open_lines
from worker.cli.operating import As, DecidedAt, DryRun, PerSecond, Yes, decided_at, decider, send, time_given
from worker.cli.options import AsJson, TopicPrefix
from worker.cli.output import emit_json, emit_table, printable, say
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.operator_reviews import reversal
from worker.reading import reader
from worker.standing import Standing, Wanted, lines_of_enforcement

_EXAMPLES = 3
_POLICIES: tuple[str, ...] = get_args(PolicyId)
_KINDS: tuple[str, ...] = get_args(ActionKind)


def reverse(
    *,
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="ID", help="The policy, for example violence.", show_default=False),
    ],
    version: Annotated[
        int, typer.Option("--version", min=1, help="The version of it that acted.", show_default=False)
    ],
    pack: Annotated[
        str | None,
        typer.Option("--pack", metavar="ID", help="Only under the pack of this id.", show_default=False),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Only label, remove or suspend; can be given again.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what was decided from then on.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what was decided before.", show_default=False)
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="FILE",
            help="Only the actions with the ids in this file, one a line, as backtest tells them.",
            show_default=False,
        ),
    ] = None,
    people: Annotated[
        bool, typer.Option("--people", help="Also what a person decided under it; else that stays.")
    ] = False,
    broker: Annotated[
        str | None,
        typer.Option(
            "--broker",
            envvar="MODERATOR_BROKER",
            metavar="HOST:PORT",
            help="Kafka bootstrap address.",
            show_default="127.0.0.1:9092",
        ),
    ] = None,
    topic_prefix: TopicPrefix = "",
    file: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Only list, from what replay wrote; - is standard input.",
            show_default=False,
        ),
    ] = None,
    by: As = "operator",
    at: DecidedAt = None,
    per_second: PerSecond = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Lists what a version of a policy did and still stands, and after confirmation has all of it reversed.

    Each action is reversed by its account's worker, as a moderator's decision: strikes are given back and the account
    is told. What ended or was reversed already is left alone, so that running it again does nothing twice.
    """
    if policy not in _POLICIES:
        raise CommandError(f"--policy {policy}: no such policy", hint=f"One of {', '.join(_POLICIES)}.")
    if unknown := set(kind or ()) - set(_KINDS):
        raise CommandError(f"--kind {sorted(unknown)[0]}: no such kind", hint=f"One of {', '.join(_KINDS)}.")
    reviewer = decider(by)
    wanted = Wanted(
        policy,
        version,
        pack,
        frozenset(kind) if kind else None,
        None if since is None else time_given("--since", since),
        None if until is None else time_given("--until", until),
        None if only is None else _ids(only),
    )
    standing = Standing(wanted)
    address = broker or "127.0.0.1:9092"
    if file is not None:
        _read_file(standing, file)
        now = standing.latest if at is None else decided_at(at)
    else:
        now = decided_at(at)
        _read_state(standing, address, topic_prefix)
    found = standing.at(now)
    chosen = found if people else [action for action in found if action.source != "human"]
    if standing.unreadable:
        say(f"{standing.unreadable:,} records could not be read")
    if not json:
        _show(chosen, wanted)
    if left := len(found) - len(chosen):
        say(f"{left:,} more were decided by people and stay; --people takes them in")
    published = 0
    if chosen and file is None and not dry_run and (yes or _confirmed(len(chosen))):
        note = f"reversal of what policy {policy}, version {version}, did"
        reviews = [reversal(one, command="reverse", by=reviewer, at=now, note=note) for one in chosen]
        published = send(address, topic_prefix, reviews, per_second)
        say(f"{published:,} reviews are sent; the workers reverse the actions as they read them")
    if json:
        emit_json(_report(chosen, wanted, now, left, published))


def _ids(file: str) -> frozenset[str]:
    with open_lines(file) as lines:
        return frozenset(line.strip().decode("utf-8", "replace") for line in lines if line.strip())


def _read_file(standing: Standing, file: str) -> None:
    try:
        with open_lines(file) as lines:
            for topic, value in lines_of_enforcement(iter(lines)):
                standing.enforcement(topic, value)
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f'{file}: not what replay writes: expected {{"topic", "key", "value"}} lines',
            hint="Make one: moderator replay FILE > OUT",
        ) from error


def _read_state(standing: Standing, broker: str, prefix: str) -> None:
    # Not from the enforcement topics: those forget after a month, and an action may stand for years.
    try:
        with reader(broker, ["state"], prefix, client_options=client_options()) as topic:
            for record in topic.everything():
                standing.state(record)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error


def _confirmed(count: int) -> bool:
    """Whether the operator typed the number of actions.

    Raises:
        CommandError: another answer, or there is nobody to ask.
    """
    try:
        answer = typer.prompt(f"Type {count} to have these {count:,} actions reversed", err=True)
    except typer.Abort as ending:
        if isinstance(ending.__context__, KeyboardInterrupt):
            raise
        raise CommandError(
            "not confirmed: nothing was published", hint="Give --yes where nobody can answer."
        ) from None
    if str(answer).strip().replace(",", "") != str(count):
        raise CommandError("that is not the number: nothing was published", hint="Type it as it is shown.")
    return True


def _group(action: Enforcement) -> tuple[str, str, str]:
    return action.kind, action.label or action.mode or "", action.source


def _groups(actions: Sequence[Enforcement]) -> dict[tuple[str, str, str], list[Enforcement]]:
    groups: dict[tuple[str, str, str], list[Enforcement]] = defaultdict(list)
    for action in actions:
        groups[_group(action)].append(action)
    return dict(sorted(groups.items()))


def _show(actions: Sequence[Enforcement], wanted: Wanted) -> None:
    if not actions:
        say(f"nothing that policy {wanted.policy}, version {wanted.version}, did still stands")
        return
    emit_table(
        f"{len(actions):,} actions of {wanted.policy}, version {wanted.version}, stand",
        ["kind", "what", "decided", "count", "for example"],
        [
            [
                Text(kind, style="bold"),
                detail,
                source,
                f"{len(group):,}",
                printable(" ".join(action.action_id for action in group[:_EXAMPLES])),
            ]
            for (kind, detail, source), group in _groups(actions).items()
        ],
    )


def _report(
    actions: Sequence[Enforcement], wanted: Wanted, now: datetime, left: int, published: int
) -> dict[str, Any]:
    return {
        "policy": wanted.policy,
        "version": wanted.version,
        "at": format_time(now.astimezone(UTC)),
        "standing": len(actions),
        "left_to_people": left,
        "published": published,
        "groups": [
            {"kind": kind, "detail": detail or None, "source": source, "count": len(group)}
            for (kind, detail, source), group in _groups(actions).items()
        ],
        "actions": [
            {
                "action_id": action.action_id,
                "kind": action.kind,
                "detail": action.label or action.mode,
                "subject": action.subject.model_dump(),
                "account_id": action.account_id,
                "source": action.source,
                "expires_at": None if action.expires_at is None else format_time(action.expires_at),
                "decided_at": format_time(action.decided_at),
            }
            for action in actions
        ],
    }
