"""`moderator topics`: makes and checks the contract's topics."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from worker.admin import Problem, check_topics, create_topics
from worker.cli.errors import BAD_USAGE, UNREACHABLE, CommandError
from worker.cli.options import AsJson, Broker, TopicPrefix
from worker.cli.output import emit_json, say, stdout
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError

app = typer.Typer(
    help="Makes and checks the topics on a Kafka cluster.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("create")
def create(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    partitions: Annotated[
        int,
        typer.Option(
            min=1, envvar="MODERATOR_PARTITIONS", help="Of every topic but policies; cannot be changed later."
        ),
    ] = 6,
    replication_factor: Annotated[
        int,
        typer.Option(
            envvar="MODERATOR_REPLICATION_FACTOR", help="Copies of each partition; -1: the cluster's default."
        ),
    ] = -1,
    json: AsJson = False,
) -> None:
    """Makes the topics that do not exist yet and checks all of them; safe to repeat."""
    try:
        report = create_topics(
            broker, topic_prefix, partitions, replication_factor, client_options=client_options()
        )
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    if json:
        emit_json(
            {
                "created": list(report.created),
                "existing": list(report.existing),
                "problems": [_described(problem) for problem in report.problems],
            }
        )
    else:
        for name in report.created:
            stdout().print(Text.assemble(("created  ", "green"), name))
        for name in report.existing:
            stdout().print(Text.assemble(("exists   ", "dim"), name))
    _conclude(report.problems, json=json)


@app.command("check")
def check(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            envvar="MODERATOR_PARTITIONS",
            help="The count they should have; default: what most have.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Checks that all topics are there, with equal partition counts and the right settings. Exit code 2 when not."""
    try:
        problems = check_topics(broker, topic_prefix, partitions=partitions, client_options=client_options())
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    if json:
        emit_json({"problems": [_described(problem) for problem in problems]})
    elif not problems:
        say(f"all topics at {broker} are as they should be")
    _conclude(problems, json=json)


def _described(problem: Problem) -> dict[str, Any]:
    return {"topic": problem.where, "what": problem.what, "action": problem.action}


def _conclude(problems: tuple[Problem, ...], *, json: bool) -> None:
    if not problems:
        return
    if not json:
        for problem in problems:
            stdout().print(
                Text.assemble((problem.where, "bold"), ": ", (problem.what, "red"), f". {problem.action}")
            )
    say(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} with the topics")
    raise typer.Exit(BAD_USAGE)
