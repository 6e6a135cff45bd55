"""`moderator dead-letters`: what could not be judged."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from schemas.base import format_time
from schemas.dead_letters import DeadLetter
from schemas.decode import DecodeError, decode
from worker.cli.errors import UNREACHABLE, CommandError
from worker.cli.options import AsJson, Broker, TopicPrefix
from worker.cli.output import emit_json, emit_table, printable, say
from worker.cluster import BrokerUnreachable, ClusterError
from worker.reading import reader

app = typer.Typer(help="Shows records that could not be judged.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_letters(
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    content: Annotated[
        bool, typer.Option("--content", help="With --json: include keys, headers and values (people's data).")
    ] = False,
    json: AsJson = False,
) -> None:
    """Lists the newest dead letters: where each came from, why it was given up, never what people wrote."""
    if content and not json:
        raise CommandError(
            "--content: only together with --json", hint="Content is base64; it is not for a terminal."
        )
    try:
        with reader(broker, ["dead-letter"], topic_prefix) as topic:
            records = topic.latest(limit)
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error
    letters = []
    for record in records:
        try:
            letters.append(decode("dead-letter", record.value).model)
        except DecodeError as error:
            say(f"dead-letter {record.partition}:{record.offset} is itself unreadable: {error}")
    if json:
        emit_json(
            {
                "dead_letters": [
                    _described(letter, content) for letter in letters if isinstance(letter, DeadLetter)
                ]
            }
        )
        return
    if not letters:
        say("no dead letters")
        return
    emit_table(
        "",
        ["failed at", "record", "reason", "detail", "bytes", "attempts"],
        [_row(letter) for letter in letters if isinstance(letter, DeadLetter)],
    )


def _described(letter: DeadLetter, content: bool) -> dict[str, Any]:
    fields: dict[str, Any] = letter.model_dump(mode="json")
    if not content:
        for name in ("key_base64", "headers", "value_base64"):
            fields.pop(name, None)
    return fields


def _row(letter: DeadLetter) -> list[str | Text]:
    return [
        format_time(letter.failed_at),
        printable(f"{letter.topic} {letter.partition}:{letter.offset}"),
        Text(letter.reason, style="bold red"),
        printable(letter.detail),
        f"{letter.value_bytes:,}",
        str(letter.attempts),
    ]
