"""`moderator demo`: shows the worker at work on a real Kafka."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from worker.cli.errors import BAD_USAGE, UNREACHABLE, VIOLATION_OR_FAILED, CommandError
from worker.cli.options import AsJson, OwnBroker, Policies
from worker.cli.output import emit_json, emit_table, say, stderr, stdout
from worker.cli.settings import client_options
from worker.cluster import BrokerUnreachable, ClusterError
from worker.demo.show import Finding, Plan, show, stream_only
from worker.demo.stage import StageError, interruptible
from worker.demo.tally import KINDS
from worker.demo.view import KIND_STYLES, LiveView, PlainView, View
from worker.embedded import EmbeddedKafkaError

_TERMINAL_RATE = 200.0  # records a second: slow enough to watch, ten seconds in all


def demo(
    *,
    broker: OwnBroker = None,
    topic_prefix: Annotated[
        str | None,
        typer.Option(
            envvar="MODERATOR_TOPIC_PREFIX",
            help='Before every topic name; default "demo." on a broker of yours, so that nothing is mixed up.',
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(envvar="MODERATOR_DEMO_OUT", metavar="FOLDER", help="Where the outputs are written."),
    ] = Path("demo-out"),
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            envvar="MODERATOR_DEMO_RATE",
            help="Records a second; 0 is as fast as it goes. Default: 200 on a terminal, else 0.",
            show_default=False,
        ),
    ] = None,
    policies: Policies = None,
    no_worker: Annotated[
        bool,
        typer.Option(
            "--no-worker",
            envvar="MODERATOR_DEMO_NO_WORKER",
            help="Only stream the records to --broker, again and again.",
        ),
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="With --no-worker: stop after so many rounds.", show_default=False),
    ] = None,
    json: AsJson = False,
) -> None:
    """Starts an embedded Apache Kafka and a worker, streams bundled records through them and shows what is decided.

    Writes the records of each output topic to a file, ends by itself and leaves nothing running. Exit
    code 1 when not every record was answered, 3 when there is no Kafka.
    """
    console = stderr() if json else stdout()
    try:
        with interruptible():
            if no_worker:
                _stream(broker, topic_prefix or "", rate, rounds, console, json=json)
                return
            if rounds is not None:
                raise CommandError("--rounds: only together with --no-worker")
            if rate is None:
                rate = _TERMINAL_RATE if console.is_terminal else 0.0
            prefix = topic_prefix if topic_prefix is not None else "demo." if broker is not None else ""
            view: View = LiveView(console) if console.is_terminal else PlainView(console)
            with view:
                finding = show(Plan(broker, prefix, out, rate, policies, _security(broker)), view)
    except (EmbeddedKafkaError, BrokerUnreachable) as error:
        raise CommandError(str(error), code=UNREACHABLE) from error
    except ClusterError as error:
        raise CommandError(str(error), code=BAD_USAGE) from error
    except StageError as error:
        raise CommandError(str(error), code=VIOLATION_OR_FAILED) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise CommandError(
            f"{error.filename}: {error.strerror}", hint="Name a folder that can be written with --out."
        ) from error
    _summary(finding, out, json=json)


def _stream(
    broker: str | None, prefix: str, rate: float | None, rounds: int | None, console: Console, *, json: bool
) -> None:
    if broker is None:
        raise CommandError(
            "--no-worker needs --broker HOST:PORT", hint="It streams to a Kafka whose worker runs elsewhere."
        )
    sent = stream_only(
        broker, prefix, 50.0 if rate is None else rate, rounds, PlainView(console), client_options()
    )
    if json:
        emit_json({"sent": sent})
    else:
        say(f"{sent:,} records sent")


def _security(broker: str | None) -> dict[str, Any]:
    """TLS and SASL for a broker of one's own; the embedded one has neither."""
    options = client_options()
    if options and broker is None:
        raise CommandError(
            "MODERATOR_SECURITY_PROTOCOL: the embedded Kafka has no TLS and no SASL",
            hint="Unset it, or name a broker of yours: --broker HOST:PORT.",
        )
    return options


def _summary(finding: Finding, out: Path, *, json: bool) -> None:
    tally = finding.tally
    files = {topic: str(finding.files.path(topic)) for topic in sorted(finding.files.counts)}
    if json:
        emit_json({**tally.report(), "seconds": round(finding.seconds, 3), "files": files})
        return
    console = stdout()
    console.print()
    console.print(
        Text.assemble(
            ("Done. ", "bold green"),
            f"{len(tally.sent):,} records in {finding.seconds:.1f} s; each ended as one decision or one dead letter.",
        )
    )
    rows: list[list[str | Text]] = [
        [
            policy,
            *(Text(f"{counts[kind]:,}" if counts[kind] else "", style=KIND_STYLES[kind]) for kind in KINDS),
        ]
        for policy, counts in sorted(tally.followed.items())
    ]
    rows.append(["", *(f"{tally.total(kind):,}" for kind in KINDS)])
    emit_table("What followed, by policy", ["policy", *KINDS], rows)
    rest = [["decision", outcome, f"{count:,}"] for outcome, count in tally.outcomes.most_common()]
    rest += [["review queue", reason, f"{count:,}"] for reason, count in tally.queued.most_common()]
    rest += [["notice", kind, f"{count:,}"] for kind, count in tally.notices.most_common()]
    rest += [["dead letter", reason, f"{count:,}"] for reason, count in tally.dead_letters.most_common()]
    emit_table("All records", ["output", "what", "count"], rest)
    console.print(
        Text(
            "help: a person at risk; someone looks and help is offered, nobody is punished. "
            "near: something was found, and the rule cleared it.",
            style="dim",
        )
    )
    emit_table(
        "Where the outputs lie",
        ["topic", "records", "file"],
        [[topic, f"{finding.files.counts[topic]:,}", path] for topic, path in files.items()],
    )
    console.print(Text(f"The worker's log: {out / 'worker.log'}", style="dim"))
    if sys.stdout.isatty():
        console.print(Text("Try next: moderator check 'I will find you and break your legs'", style="dim"))
