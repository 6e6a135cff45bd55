"""What commands share that decide many things at once for an operator: who, when, asking first, sending, saying how many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from schemas.base import format_time, parse_time
from schemas.reviews import Review
from worker.cli.errors import UNREACHABLE, CommandError
from worker.cli.output import say
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.operator_reviews import BadName, as_sent, reviewer
from worker.sending import NotAllSent, Sent, send_in_order

_CLOCKS_DIFFER = timedelta(minutes=5)

As = Annotated[
    str,
    typer.Option("--as", metavar="NAME", help="Who decides; stands in the records as operator:NAME."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
PerSecond = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Send at most so many records a second.",
        show_default="as fast as the cluster takes them",
    ),
]
DecidedAt = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="When it was decided, e.g. 2026-11-22T09:30:00Z. The same time gives the same review ids.",
        show_default="now",
    ),
]


def decider(name: str) -> str:
    """The `reviewer_id` for `--as`."""
    try:
        return reviewer(name)
    except BadName as error:
        raise CommandError(f"--as {name!r}: {error}", hint="For example: --as ann") from error


def time_given(option: str, text: str) -> datetime:
    """The time that an option names."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise CommandError(
            f"{option} {text!r} is not a time with an offset, or none that is calculated with",
            hint="For example: 2026-11-22T09:30:00Z",
        ) from error


def decided_at(text: str | None) -> datetime:
    """The time of the decision: the one that is given, or now."""
    now = datetime.now(UTC)
    if text is None:
        return now
    time = time_given("--at", text)
    if time > now + _CLOCKS_DIFFER:
        raise CommandError(f"--at {format_time(time)} lies in the future")
    return time


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether the operator wants it; asks on standard error, unless `--yes` was given.

    Raises:
        CommandError: there is nobody to ask.
    """
    if yes:
        return True
    try:
        return typer.confirm(question, default=False, err=True)
    except typer.Abort as ending:
        if isinstance(ending.__context__, KeyboardInterrupt):
            raise
        raise CommandError(
            "not confirmed: nothing was published", hint="Give --yes where nobody can answer."
        ) from None


def send(broker: str, topic_prefix: str, reviews: Sequence[Review], per_second: int | None) -> int:
    """Publishes the reviews and waits until the cluster has them; how many it has.

    Raises:
        CommandError: the cluster did not take all of them.
    """
    again = "what is decided already is closed and is not decided twice"
    return send_records(broker, topic_prefix, list(map(as_sent, reviews)), per_second, again=again)


def send_records(
    broker: str, topic_prefix: str, records: Sequence[Sent], per_second: int | None, *, again: str
) -> int:
    """Sends the records and waits until the cluster has them; how many it has.

    `again` says why the command may be run again where only some of them were taken.

    Raises:
        CommandError: the cluster did not take all of them.
    """
    steps = max(1, len(records) // 10)
    shown = 0

    def told(acknowledged: int) -> None:
        nonlocal shown
        if acknowledged < len(records) and acknowledged // steps > shown:
            shown = acknowledged // steps
            say(f"{acknowledged:,} of {len(records):,}")

    try:
        return send_in_order(
            broker,
            records,
            topic_prefix,
            total=len(records),
            per_second=per_second,
            told=told,
            client_options=client_options(),
        )
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    except NotAllSent as error:
        raise CommandError(str(error), hint=f"Run the command again: {again}.", code=UNREACHABLE) from error
