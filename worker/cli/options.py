"""Options that several commands share; each is also an environment variable `MODERATOR_…`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text and tables.")]
Policies = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        envvar="MODERATOR_POLICIES",
        metavar="FOLDER",
        help="Judge by this policy pack instead of the bundled one.",
        show_default=False,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="POLICY",
        help="Load this policy of the pack alone; can be given again. Starts fast, for work on one policy.",
        show_default=False,
    ),
]
StatementsOn = Annotated[
    bool,
    typer.Option(
        "--statements",
        envvar="MODERATOR_STATEMENTS",
        help="Make a statement of reasons of each action (docs/statements.md).",
    ),
]
Broker = Annotated[
    str,
    typer.Option(
        "--broker",
        envvar="MODERATOR_BROKER",
        metavar="HOST:PORT",
        help="Kafka bootstrap address; several with commas.",
    ),
]
OwnBroker = Annotated[
    str | None,
    typer.Option(
        "--broker",
        envvar="MODERATOR_BROKER",
        metavar="HOST:PORT",
        help="Use this Kafka instead of an embedded one.",
        show_default=False,
    ),
]
TopicPrefix = Annotated[
    str,
    typer.Option(
        "--topic-prefix",
        envvar="MODERATOR_TOPIC_PREFIX",
        help="Put before every topic name.",
        show_default=False,
    ),
]
