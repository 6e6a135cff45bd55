"""`moderator dead-letters`: what could not be judged, and judging it again."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, get_args

import typer
from rich.text import Text

from schemas.base import format_time
from schemas.dead_letters import DeadLetter, DeadLetterReason
from schemas.decode import DecodeError, decode
from worker.cli.errors import UNREACHABLE, CommandError
from worker.cli.operating import DryRun, PerSecond, Yes, confirmed, send_records, time_given
from worker.cli.options import AsJson, Broker, TopicPrefix
from worker.cli.output import emit_json, emit_table, printable, say, stdout
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.engine.records import Record
from worker.reading import TopicReader, reader
from worker.replaying import plan_replay

app = typer.Typer(
    help="Shows records that could not be judged, and sends them again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_REASONS = get_args(DeadLetterReason)


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
    with _topic(broker, topic_prefix) as topic:
        letters = _letters(topic.latest(limit))
    if json:
        emit_json({"dead_letters": [_described(letter, content) for letter in letters]})
        return
    if not letters:
        say("no dead letters")
        return
    emit_table(
        "",
        ["failed at", "record", "reason", "detail", "bytes", "attempts"],
        [_row(letter) for letter in letters],
    )


@app.command("show")
def show(
    dead_letter_id: Annotated[
        str, typer.Argument(metavar="ID", help="Id of the dead letter.", show_default=False)
    ],
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    content: Annotated[
        bool,
        typer.Option("--content", help="Also the record itself: its key, headers and value (people's data)."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Shows one dead letter whole, and whether it can be sent again. Exit code 2 when there is none of that id."""
    with _topic(broker, topic_prefix) as topic:
        letter = next(
            (each for each in _letters(topic.everything()) if each.dead_letter_id == dead_letter_id), None
        )
    if letter is None:
        raise CommandError(
            f"there is no dead letter {dead_letter_id}",
            hint="See 'moderator dead-letters list --json' for ids.",
        )
    plan = plan_replay([letter])
    again = next(iter(plan.left_out), "yes")
    if json:
        emit_json({**_described(letter, content), "replay": again})
        return
    lines = [
        ("record", f"{letter.topic} {letter.partition}:{letter.offset}"),
        ("reason", letter.reason),
        ("detail", letter.detail),
        ("subject", "" if letter.subject is None else f"{letter.subject.type} {letter.subject.id}"),
        ("attempts", str(letter.attempts)),
        ("failed at", format_time(letter.failed_at)),
        ("worker", letter.worker_version),
        ("value", f"{letter.value_bytes:,} bytes, SHA-256 {letter.value_sha256 or 'of nothing'}"),
        ("headers", ", ".join(header.key for header in letter.headers)),
        ("replay", again),
    ]
    if content:
        lines += [("key", _text(letter.key_base64)), ("text", _text(letter.value_base64))]
    for name, value in lines:
        if value:
            stdout().print(Text.assemble((f"{name:<10}", "dim"), printable(value)))


@app.command("replay")
def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID...]",
            help="Ids of dead letters; without any, all that the options leave.",
            show_default=False,
        ),
    ] = None,
    *,
    broker: Broker = "127.0.0.1:9092",
    topic_prefix: TopicPrefix = "",
    reason: Annotated[
        list[str] | None,
        typer.Option(
            "--reason",
            metavar="REASON",
            help="Only letters of this reason; can be given again.",
            show_default=False,
        ),
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            "--topic",
            metavar="TOPIC",
            help="Only records of this topic; can be given again.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what failed at this time or later.", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what failed before this time.", show_default=False),
    ] = None,
    per_second: PerSecond = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Sends records again that could not be judged, each to the topic and under the account that it is of.

    Those that this version would refuse again stay where they are, as do single media items. The order is that of topic,
    partition and offset: of one account as it was at first, and after everything that was sent since. Sending
    the same record twice adds nothing: the second one is a duplicate.
    """
    begin = None if since is None else time_given("--since", since)
    end = None if until is None else time_given("--until", until)
    if unknown := sorted(set(reason or ()) - set(_REASONS)):
        raise CommandError(
            f"--reason {unknown[0]!r}: there is no such reason", hint=f"One of: {', '.join(_REASONS)}"
        )
    with _topic(broker, topic_prefix) as letters:
        chosen = [
            letter
            for letter in _letters(letters.everything())
            if (not ids or letter.dead_letter_id in ids)
            and (not reason or letter.reason in reason)
            and (not topic or letter.topic in topic)
            and (begin is None or letter.failed_at >= begin)
            and (end is None or letter.failed_at < end)
        ]
    if missing := sorted(set(ids or ()) - {letter.dead_letter_id for letter in chosen}):
        raise CommandError(
            f"there is no dead letter {missing[0]}"
            + (f" (and {len(missing) - 1} more)" if missing[1:] else ""),
            hint="See 'moderator dead-letters list --json' for ids; the other options also choose.",
        )
    plan = plan_replay(chosen)
    if not json:
        for left, count in plan.left_out.most_common():
            say(f"{count:,} left out: {left}")
        for name, count in Counter(record.topic for _, record in plan.chosen).items():
            say(f"{count:,} of {name}" + (" would be sent" if dry_run else ""))
    sent = 0
    if plan.chosen and not dry_run and confirmed(f"Send {len(plan.chosen):,} records again?", yes=yes):
        records = [record for _, record in plan.chosen]
        sent = send_records(
            broker,
            topic_prefix,
            records,
            per_second,
            again="records that were judged are duplicates then",
        )
    if json:
        emit_json(
            {
                "chosen": len(plan.chosen), "sent": sent, "dry_run": dry_run, "left_out": dict(plan.left_out),
                "dead_letter_ids": [letter.dead_letter_id for letter, _ in plan.chosen],
            }
        )  # fmt: skip
    elif not dry_run:
        say(f"{sent:,} sent")


@contextmanager
def _topic(broker: str, topic_prefix: str) -> Iterator[TopicReader]:
    try:
        with reader(broker, ["dead-letter"], topic_prefix, client_options=client_options()) as topic:
            yield topic
    except BrokerUnreachable as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error)) from error


def _letters(records: Iterable[Record]) -> list[DeadLetter]:
    letters = []
    for record in records:
        try:
            letter = decode("dead-letter", record.value).model
        except DecodeError as error:
            say(f"dead-letter {record.partition}:{record.offset} is itself unreadable: {error}")
            continue
        assert isinstance(letter, DeadLetter)
        letters.append(letter)
    return letters


def _text(value: str | None) -> str:
    return "" if value is None else base64.b64decode(value).decode("utf-8", "backslashreplace")


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
